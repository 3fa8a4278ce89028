# pyright: strict
"""What `size` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ledger.run.packing import packed
from ledger.study import Closed, Common
from zeroloss.studies.case import LimitCase, SettingsBlock
from zeroloss.studies.settings import (
    Block,
    Count,
    Doubling,
    NetworkSetting,
    NumberType,
    Positive,
    Replicated,
    Rule,
    in_blocks,
    increasing,
)

Sampling = Literal["independent", "path"]
Role = Literal["ladder", "phases"]  # widths at one depth, or networks over depth and width
Probability = Annotated[float, Field(gt=0, lt=1)]


def _deeper(values: tuple[int, ...]) -> tuple[int, ...]:
    increasing(tuple(float(value) for value in values))
    return values


Depths = Annotated[tuple[Count, ...], Field(min_length=1, strict=False), AfterValidator(_deeper)]
Accuracies = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]


class Rules(Closed):
    """Rules of r_L (``wide``), of what the wide limit and the continuous one differ by (``gap``),
    and of Σ (``influence``)."""

    wide: Rule
    gap: Rule
    influence: Rule


class Setting(NetworkSetting, Rules):
    """A problem with its law and flow times, and the rules of its limits."""


class OfWidths(Replicated):
    """Networks of doubling widths."""

    num_units: Doubling


class Ladder(OfWidths):
    """Networks of one depth and doubling widths, judged at several absolute accuracies."""

    sampling: Sampling
    num_layers: Count
    accuracies: Accuracies


class Phases(OfWidths):
    """Networks of independent layers over depth and width, at one accuracy and flow time.

    ``predicted_depths`` are those of the contours, and of the smallest number of weights over the
    accuracies of ``weights``.
    """

    flow_time: Positive
    accuracy: Positive
    num_layers: Doubling
    predicted_depths: Depths
    wide: Rule
    influence: Rule  # and of the gap
    weights: Accuracies

    @model_validator(mode="after")
    def _depths_are_predicted(self) -> Phases:
        missing = sorted(set(self.num_layers) - set(self.predicted_depths))
        if missing:
            raise ValueError(
                f"predicted_depths must hold all of num_layers, got {list(self.predicted_depths)} without {missing}"
            )
        return self


class CorollarySizes(OfWidths):
    """P(E(s) ≤ ε) ≥ 1 − η at the first s where the limit is at ε/2."""

    sampling: Sampling
    horizon: Annotated[float, Field(ge=1)]
    depths: Doubling  # the first one whose depth gap is at most ε/4 is taken
    rule: Rule


class CorollarySettings(CorollarySizes):
    """The same for each accuracy ε."""

    accuracies: Accuracies


class ThresholdSettings(OfWidths):
    """Small networks of independent layers, followed until their risk is zero or rests."""

    num_layers: Doubling
    flow_time: Positive
    rtol: Positive
    floor: Positive  # a risk below it is zero loss


class Shared(Closed):
    """What all cases of the study share."""

    network_rtol: Positive
    network_dtype: NumberType
    limit_rtol: Positive
    influence_rtol: Positive
    draws: Annotated[int, Field(ge=1000)]
    failure_probabilities: Annotated[tuple[Probability, ...], Field(min_length=2, strict=False)]
    shown_probability: Probability
    law_from: Count  # n = L M or M from which on the law is judged


class Settings(SettingsBlock[Setting], Shared):
    """The whole block: settings by name, then what is run on them."""

    elements_per_job: Count
    theorem_steps: Annotated[int, Field(ge=4)]
    ladders: Annotated[tuple[Ladder, ...], Field(min_length=1, strict=False)]
    phases: Phases
    corollaries: Annotated[tuple[CorollarySettings, ...], Field(min_length=1, strict=False)]
    threshold: ThresholdSettings

    @property
    def weights(self) -> tuple[float, ...]:
        """Accuracies of the smallest number of weights, which every case has."""
        return self.phases.weights

    @model_validator(mode="after")
    def _names_and_values_are_there(self) -> Settings:
        if "phases" in self.settings:  # its job would have the name of that of `phases`
            raise ValueError("a setting must not be named 'phases', got it in size.settings; rename it")
        if self.shown_probability not in self.failure_probabilities:
            raise ValueError(
                "shown_probability must be among failure_probabilities "
                f"{list(self.failure_probabilities)}, got {self.shown_probability}"
            )
        if self.phases.flow_time not in self.settings[self.phases.setting].flow_times:
            raise ValueError(
                f"phases.flow_time must be among the flow times of its setting, got {self.phases.flow_time}"
            )
        return self

    @model_validator(mode="after")
    def _pairs_are_different(self) -> Settings:
        for name, parts, noun in (("ladders", self.ladders, "ladder"), ("corollaries", self.corollaries, "entry")):
            pairs = [(part.setting, part.sampling) for part in parts]
            twice = [pair for pair in pairs if pairs.count(pair) > 1]
            if twice:
                raise ValueError(f"each setting and sampling must have one {noun} of {name}, got {twice[0]} twice")
        return self


class SizeCase(Rules, Shared, LimitCase):
    """A case on a setting; ``weights``: accuracies of the smallest number of weights."""

    weights: Accuracies


class Law(SizeCase):
    """`predictions.law`: the law of the risk at some depths."""

    role: Role
    depths: Depths


class Theorem(SizeCase):
    """`predictions.theorem`: the sizes by the theorem, for the accuracies of each sampling."""

    steps: Annotated[int, Field(ge=4)]
    demands: dict[Sampling, Accuracies]


class Ensemble(SizeCase):
    """`networks.ensemble`: trained networks of some sizes."""

    role: Role
    sampling: Sampling
    accuracies: Accuracies
    sizes: Annotated[tuple[Block, ...], Field(strict=False)]


class Corollary(SizeCase, CorollarySizes):
    """`networks.corollary`: the entry of ``corollaries`` at one of its accuracies."""

    accuracy: Positive


class Threshold(SizeCase, ThresholdSettings):
    """`networks.threshold`."""


def cases(block: Settings, common: Common) -> dict[str, SizeCase]:
    """Every case by name, in pieces worth their start-up."""
    jobs = _predictions(block, common) | _ensembles(block, common)
    for entry in block.corollaries:
        for i, accuracy in enumerate(entry.accuracies):
            jobs[f"corollary-{entry.setting}-{entry.sampling}-{i}"] = block.case(
                Corollary, common, entry.setting, entry, accuracy=accuracy
            )
    jobs["threshold"] = block.case(Threshold, common, block.threshold.setting, block.threshold)
    return jobs


def _predictions(block: Settings, common: Common) -> dict[str, SizeCase]:
    """Law and theorem of each setting that has ladders, and the law of ``phases``."""
    jobs: dict[str, SizeCase] = {}
    phases = block.phases
    for name in block.settings:
        ladders = [ladder for ladder in block.ladders if ladder.setting == name]
        if ladders:
            depths = tuple(sorted({ladder.num_layers for ladder in ladders}))
            demands = {ladder.sampling: ladder.accuracies for ladder in ladders}
            jobs[f"law-{name}"] = block.case(Law, common, name, role="ladder", depths=depths)
            jobs[f"theorem-{name}"] = block.case(Theorem, common, name, demands=demands, steps=block.theorem_steps)
    jobs["law-phases"] = block.case(
        Law,
        common,
        phases.setting,
        phases,
        role="phases",
        depths=phases.predicted_depths,
        flow_times=(phases.flow_time,),
        gap=phases.influence,
    )
    return jobs


def _ensembles(block: Settings, common: Common) -> dict[str, SizeCase]:
    """The networks of ``ladders`` and of ``phases``, packed into jobs."""
    jobs: dict[str, SizeCase] = {}
    phases = block.phases
    for ladder in block.ladders:
        packs = _packs(block, ladder, [(ladder.num_layers, M) for M in ladder.num_units])
        for i, sizes in enumerate(packs):
            jobs[f"widths-{ladder.setting}-{ladder.sampling}-{i}"] = block.case(
                Ensemble, common, ladder.setting, ladder, role="ladder", sizes=sizes
            )
    packs = _packs(block, phases, [(L, M) for L in phases.num_layers for M in phases.num_units])
    for i, sizes in enumerate(packs):
        jobs[f"phases-{i}"] = block.case(
            Ensemble,
            common,
            phases.setting,
            role="phases",
            sampling="independent",
            accuracies=(phases.accuracy,),
            flow_times=(phases.flow_time,),
            sizes=sizes,
        )
    return jobs


def _packs(block: Settings, part: Ladder | Phases, sizes: list[tuple[int, int]]) -> list[list[Block]]:
    """Blocks of replicates of each size (L, M), put together by work (particles × samples)."""
    samples, most = block.settings[part.setting].problem.num_samples, block.elements_per_job
    return packed([piece for L, M in sizes for piece in in_blocks(Block, L, M, samples, part.replicates, most)], most)
