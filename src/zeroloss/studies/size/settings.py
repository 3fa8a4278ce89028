"""The `size` block of the configuration."""

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
    Positive,
    ProblemSettings,
    Rule,
    Times,
    increasing,
)

Sampling = Literal["independent", "path"]
Replicates = Annotated[int, Field(ge=8)]
Probability = Annotated[float, Field(gt=0, lt=1)]


def _deeper(values: tuple[int, ...]) -> tuple[int, ...]:
    increasing(tuple(float(value) for value in values))
    return values


Depths = Annotated[tuple[Count, ...], Field(min_length=1, strict=False), AfterValidator(_deeper)]
Accuracies = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]


class Setting(Closed):
    """A problem with its law and flow times.

    ``wide``: rule of r_L; ``gap``: rule on which the wide limit and the continuous one differ;
    ``influence``: rule of Σ.
    """

    problem: ProblemSettings
    activation: ActivationName
    initial_law: LawSettings
    flow_times: Times
    depth_nodes: Annotated[int, Field(ge=2, le=16)]
    wide: Rule
    gap: Rule
    influence: Rule


class Ladder(Closed):
    """Networks of one depth and doubling widths, asked for several absolute accuracies."""

    setting: Name
    sampling: Sampling
    num_layers: Count
    num_units: Doubling
    replicates: Replicates
    accuracies: Accuracies


class Phases(Closed):
    """Networks of independent layers over depth and width, at one accuracy and flow time.

    ``predicted_depths`` are those of the contours, and of the smallest number of weights over the
    accuracies of ``weights``.
    """

    setting: Name
    flow_time: Positive
    accuracy: Positive
    num_layers: Doubling
    num_units: Doubling
    replicates: Replicates
    predicted_depths: Depths
    wide: Rule
    influence: Rule  # and of the gap
    weights: Accuracies

    @model_validator(mode="after")
    def _depths_are_predicted(self) -> Phases:
        missing = sorted(set(self.num_layers) - set(self.predicted_depths))
        if missing:
            raise ValueError(f"predicted_depths must hold all of num_layers, got "
                             f"{list(self.predicted_depths)} without {missing}")
        return self


class Corollary(Closed):
    """P(E(s) ≤ ε) ≥ 1 − η at the first s where the limit is at ε/2, for each accuracy ε."""

    setting: Name
    sampling: Sampling
    accuracies: Accuracies
    horizon: Annotated[float, Field(ge=1)]
    depths: Doubling  # the first one whose depth gap is at most ε/4 is taken
    num_units: Doubling
    replicates: Replicates
    rule: Rule


class Threshold(Closed):
    """Small networks of independent layers, followed until their risk is zero or rests."""

    setting: Name
    num_layers: Doubling
    num_units: Doubling
    replicates: Replicates
    flow_time: Positive
    rtol: Positive
    floor: Positive  # a risk below it is zero loss


class Settings(Closed):
    """The whole block: settings by name, then what is run on them."""

    settings: dict[Name, Setting]
    network_rtol: Positive
    limit_rtol: Positive
    influence_rtol: Positive
    elements_per_job: Count
    draws: Annotated[int, Field(ge=1000)]
    theorem_steps: Annotated[int, Field(ge=4)]
    failure_probabilities: Annotated[tuple[Probability, ...], Field(min_length=2, strict=False)]
    shown_probability: Probability
    law_from: Count  # n = L M or M from which on the law is judged
    ladders: Annotated[tuple[Ladder, ...], Field(min_length=1, strict=False)]
    phases: Phases
    corollaries: Annotated[tuple[Corollary, ...], Field(min_length=1, strict=False)]
    threshold: Threshold

    @model_validator(mode="after")
    def _settings_exist(self) -> Settings:
        parts = [*self.ladders, self.phases, *self.corollaries, self.threshold]
        for part in parts:
            if part.setting not in self.settings:
                raise ValueError(f"setting {part.setting!r} is not defined in size.settings")
        return self

    @model_validator(mode="after")
    def _shown_is_asked(self) -> Settings:
        if self.shown_probability not in self.failure_probabilities:
            raise ValueError("shown_probability must be among failure_probabilities "
                             f"{list(self.failure_probabilities)}, got {self.shown_probability}")
        if self.phases.flow_time not in self.settings[self.phases.setting].flow_times:
            raise ValueError("phases.flow_time must be among the flow times of its setting, got "
                             f"{self.phases.flow_time}")
        return self

    @model_validator(mode="after")
    def _ladders_are_different(self) -> Settings:
        seen = [(ladder.setting, ladder.sampling) for ladder in self.ladders]
        pairs = [(corollary.setting, corollary.sampling) for corollary in self.corollaries]
        for one in seen:
            if seen.count(one) > 1:
                raise ValueError(f"each setting and sampling must have one ladder, got {one} twice")
        for one in pairs:
            if pairs.count(one) > 1:
                raise ValueError("each setting and sampling must have one entry of corollaries, "
                                 f"got {one} twice")
        return self

    @model_validator(mode="after")
    def _phases_is_no_setting(self) -> Settings:
        if "phases" in self.settings:  # its job would have the name of that of `phases`
            raise ValueError("a setting must not be named 'phases', got it in size.settings; "
                             "rename it")
        return self
