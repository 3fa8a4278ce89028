# pyright: strict
"""What `zero_loss` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_serializer, model_validator

from ledger.study import Case as AnyCase
from ledger.study import Closed, Common
from zeroloss.studies.case import Case, LimitCase, OnLaw, gathered
from zeroloss.studies.settings import (
    ActivationName,
    Count,
    DepthNodes,
    Doubling,
    LawSettings,
    Name,
    NonNegative,
    NumberType,
    Positive,
    Rule,
    Times,
    increasing,
)
from zeroloss.studies.sized import Log2Points, Replicates, Sized, SizedBlock

MONOTONE = "monotone"  # the setting of the equation that is solved twice


class Training(Closed):
    """Limit and networks of one activation, followed to the floor of the numbers.

    ``method``: exponential integrator, or gradient descent of a fixed ``step`` where the flow has
    kinks that no step size control passes.
    """

    activation: ActivationName
    flow_time: Positive
    method: Literal["exponential", "descent"] = "exponential"
    step: Positive | None = None
    log2_points: Log2Points | None = None  # other than the setting's

    @model_validator(mode="after")
    def _step_is_for_descent(self) -> Training:
        if (self.method == "descent") != (self.step is not None):
            raise ValueError(
                f"step goes with method descent and only with it, got method {self.method}, step {self.step}"
            )
        # the descent is seen at times that grow from one step to all of them, some a decade
        if self.step is not None and self.step > self.flow_time / 10:
            raise ValueError(f"step must be at most a tenth of flow_time {self.flow_time}, got {self.step}")
        return self


class FlowSettings(Training):
    """A training by the name of its setting."""

    setting: Name


class RegularisedSettings(Closed):
    """Networks under E_s = E + e^{−s} mean |θ|², and then without it, beside the plain flow."""

    setting: Name
    activation: ActivationName
    replicates: Replicates
    flow_times: Times  # of the penalised flow; at the last one the penalty is dropped
    flow_time: Positive  # of the rest


class StepsSettings(Closed):
    """Gradient descent of steps h, h/2, … beside the flow."""

    setting: Name
    activation: ActivationName
    flow_time: Positive
    steps_per_unit: Doubling  # 1/h
    replicates: Replicates


def _not_coarse(cells: tuple[int, ...]) -> tuple[int, ...]:
    if cells[0] < 4:
        raise ValueError(f"must be at least 4, got {cells[0]}")
    return cells


def _from_the_start(times: tuple[float, ...]) -> tuple[float, ...]:
    if times[0] != 0:
        raise ValueError(f"must begin at 0, got {times[0]}")
    return times


Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(increasing)]
Cells = Annotated[Doubling, AfterValidator(_not_coarse)]


class Equation(Closed):
    """The mean-field equation of one feature in ``inputs``, with the target y = x + ``cubic`` x³
    and the block a σ(z + b).

    Densities live on box_a × box_b and are compared on support² points of it.
    """

    num_samples: Annotated[int, Field(ge=2)]
    inputs: Range
    cubic: NonNegative  # below 0 the target need not be monotone
    activation: ActivationName
    initial_law: LawSettings
    depth_nodes: DepthNodes
    box_a: Range
    box_b: Range
    support: Annotated[int, Field(ge=4, le=36)]
    flow_times: Annotated[Times, Field(min_length=2), AfterValidator(_from_the_start)]
    rtol: Positive  # of the particles' flow


class Grids(Closed):
    """The equation solved twice, for a density on grids of cells² and by lattice² particles."""

    cells: Cells
    lattice: Annotated[int, Field(ge=8, multiple_of=2)]


class WeakFormSettings(Closed):
    """The weak form: of densities on these grids, of lattice² particles, nodes between outputs."""

    cells: Cells
    lattice: Annotated[int, Field(ge=4)]
    quadrature: Annotated[int, Field(ge=2, le=32)]


class SpreadSettings(Closed):
    """Networks of two widths or more, trained until little of the risk is left."""

    setting: Name
    activation: ActivationName
    flow_times: Times
    num_layers: Count
    widths: Annotated[tuple[Count, ...], Field(strict=False, min_length=2), AfterValidator(increasing)]
    replicates: Annotated[int, Field(ge=8)]
    network_rtol: Positive


class RiskLawSettings(Closed):
    """Networks of one size from the start until little of the risk is left, and their predicted law.

    Of the limit of ``num_layers`` layers and infinite width: ``rule`` is that of the covariance,
    ``wide`` a finer one of the residuals alone, both to ``limit_rtol``.
    """

    setting: Name
    activation: ActivationName
    flow_times: Annotated[Times, Field(min_length=2), AfterValidator(_from_the_start)]
    num_layers: Count
    num_units: Count
    replicates: Annotated[int, Field(ge=8)]
    network_rtol: Positive
    network_dtype: NumberType
    rule: Rule
    wide: Rule
    limit_rtol: Positive


class DensitySettings(Grids, Equation):
    """One equation for both comparisons of density and particles."""

    weak_form: WeakFormSettings


class Settings(SizedBlock):
    """The whole block: settings by name, then what is run on them."""

    replicates: Count  # scrambles of the rule, and networks
    probes: Annotated[int, Field(ge=16)]  # of the first variation, twice as wide as the law
    flows: dict[Name, FlowSettings]
    regularised: RegularisedSettings
    steps: StepsSettings
    spread: dict[Name, SpreadSettings]
    law: dict[Name, RiskLawSettings]
    density: DensitySettings


class Flow(Sized, OnLaw, Case):
    """Every training of one setting."""

    flows: tuple[Training, ...]
    replicates: int
    probes: int

    @field_serializer("flows")
    def _without_none(self, flows: tuple[Training, ...]) -> list[dict[str, Any]]:
        return [each.model_dump(mode="json", exclude_none=True) for each in flows]


class Regularised(RegularisedSettings, Sized, OnLaw, Case):
    """The decaying penalty on its setting."""


class Steps(StepsSettings, Sized, OnLaw, Case):
    """Gradient descent on its setting."""


class Spread(SpreadSettings, OnLaw, Case):
    """Ensembles of every width on their setting."""


class Networks(LimitCase):
    """An ensemble of one size on its setting, seen through training."""

    num_layers: int
    num_units: int
    replicates: int


class Predicted(LimitCase):
    """The limit of so many layers and the covariance about it, at the same times."""

    num_layers: int
    rule: Rule
    wide: Rule


class Density(Grids, Equation, Case):
    """The equation solved twice."""

    setting: str


class WeakForm(WeakFormSettings, Equation, Case):
    """The weak form of the same equation."""

    setting: str


def cases(block: Settings, common: Common) -> dict[str, AnyCase]:
    """Every job by name; its case holds all it depends on."""
    flows: dict[str, list[Training]] = {}
    for flow in block.flows.values():
        training = Training(**flow.model_dump(exclude={"setting"}))
        flows.setdefault(flow.setting, []).append(training)
    twice = block.density
    return {
        **{f"flow-{name}": block.case(Flow, common, name, flows=tuple(trainings)) for name, trainings in flows.items()},
        "regularised": block.case(Regularised, common, block.regularised.setting, block.regularised),
        "steps": block.case(Steps, common, block.steps.setting, block.steps),
        **{f"spread-{name}": block.case(Spread, common, part.setting, part) for name, part in block.spread.items()},
        **{
            f"{kind.kind}-{name}": block.case(kind, common, part.setting, part)
            for name, part in block.law.items()
            for kind in (Networks, Predicted)
        },
        "density": gathered(Density, common, twice, setting=MONOTONE),
        "weak-form": gathered(WeakForm, common, twice, twice.weak_form, setting=MONOTONE),
    }
