"""The `zero_loss` block of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ledger.config.closed import Closed
from zeroloss.studies.settings import (
    ActivationName,
    Count,
    Doubling,
    LawSettings,
    Name,
    NonNegative,
    Positive,
    ProblemSettings,
    Times,
    increasing,
)
from zeroloss.studies.zero_loss.control_settings import Conditions, Controls

Replicates = Annotated[int, Field(ge=2)]


class Setting(Closed):
    """A problem with its law: what several flows of the study start from."""

    problem: ProblemSettings
    initial_law: LawSettings
    depth_nodes: Annotated[int, Field(ge=2, le=16)]
    log2_points: Annotated[int, Field(ge=4, le=16)]
    num_layers: Count
    num_units: Count


class Flow(Closed):
    """Limit and networks of one setting and activation, followed to the floor of the numbers.

    ``method``: exponential integrator, or gradient descent of a fixed ``step`` where the flow has
    kinks that no step size control passes.
    """

    setting: Name
    activation: ActivationName
    flow_time: Positive
    method: Literal["exponential", "descent"] = "exponential"
    step: Positive | None = None
    log2_points: Annotated[int, Field(ge=4, le=16)] | None = None  # other than the setting's

    @model_validator(mode="after")
    def _step_is_for_descent(self) -> Flow:
        if (self.method == "descent") != (self.step is not None):
            raise ValueError("step goes with method descent and only with it, got method "
                             f"{self.method}, step {self.step}")
        # the descent is seen at times that grow from one step to all of them, some a decade
        if self.step is not None and self.step > self.flow_time / 10:
            raise ValueError(f"step must be at most a tenth of flow_time {self.flow_time}, got "
                             f"{self.step}")
        return self


class Regularised(Closed):
    """Networks under E_s = E + e^{−s} mean |θ|², and then without it, beside the plain flow."""

    setting: Name
    activation: ActivationName
    replicates: Replicates
    flow_times: Times  # of the penalised flow; at the last one the penalty is dropped
    flow_time: Positive  # of the rest


class Steps(Closed):
    """Gradient descent of steps h, h/2, … beside the flow."""

    setting: Name
    activation: ActivationName
    flow_time: Positive
    steps_per_unit: Doubling  # 1/h
    replicates: Replicates


Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(increasing)]


class WeakForm(Closed):
    """The weak form: of densities on these grids, of lattice² particles, nodes between outputs."""

    cells: Doubling
    lattice: Annotated[int, Field(ge=4)]
    quadrature: Annotated[int, Field(ge=2, le=32)]


class Density(Closed):
    """The equation solved twice, for a density on grids of cells² and by lattice² particles.

    One feature in ``inputs``, the target y = x + ``cubic`` x³, the block a σ(z + b); the densities
    live on box_a × box_b and are compared on support² points of it.
    """

    num_samples: Annotated[int, Field(ge=2)]
    inputs: Range
    cubic: NonNegative  # below 0 the target need not be monotone
    activation: ActivationName
    initial_law: LawSettings
    depth_nodes: Annotated[int, Field(ge=2, le=16)]
    box_a: Range
    box_b: Range
    cells: Doubling
    lattice: Annotated[int, Field(ge=8, multiple_of=2)]
    support: Annotated[int, Field(ge=4, le=36)]
    flow_times: Annotated[Times, Field(min_length=2)]
    rtol: Positive  # of the particles' flow
    weak_form: WeakForm

    @model_validator(mode="after")
    def _grids_are_enough(self) -> Density:
        for name, cells in (("cells", self.cells), ("weak_form.cells", self.weak_form.cells)):
            if cells[0] < 4:
                raise ValueError(f"{name} must be at least 4, got {cells[0]}")
        if self.flow_times[0] != 0:
            raise ValueError(f"flow_times must begin at 0, got {self.flow_times[0]}")
        return self


class Settings(Closed):
    """The whole block: settings by name, then what is run on them."""

    settings: dict[Name, Setting]
    rtol: Positive
    floor: Positive  # of the risk, where a flow is left
    replicates: Count  # scrambles of the rule, and networks
    probes: Annotated[int, Field(ge=16)]  # of the first variation, twice as wide as the law
    flows: dict[Name, Flow]
    regularised: Regularised
    steps: Steps
    density: Density
    controls: Controls
    conditions: Conditions

    @model_validator(mode="after")
    def _settings_exist(self) -> Settings:
        parts = [*self.flows.values(), self.regularised, self.steps, self.conditions]
        for name in [*(part.setting for part in parts), *self.controls.named]:
            if name not in self.settings:
                raise ValueError(f"setting {name!r} is not defined in zero_loss.settings")
        return self
