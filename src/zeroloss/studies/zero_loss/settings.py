"""The `zero_loss` block of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zeroloss.closed import Closed
from zeroloss.studies.settings import (
    ActivationName,
    Count,
    Doubling,
    LawSettings,
    Name,
    Positive,
    ProblemSettings,
    Times,
)

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

    @model_validator(mode="after")
    def _settings_exist(self) -> Settings:
        parts = [*self.flows.values(), self.regularised, self.steps]
        for part in parts:
            if part.setting not in self.settings:
                raise ValueError(f"setting {part.setting!r} is not defined in zero_loss.settings")
        return self
