# pyright: strict
"""What `stability` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.model.catalogue import ActivationName, ProblemName
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Name, NonNegative, Positive

Steps = Annotated[int, Field(ge=20)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
Several = Annotated[int, Field(ge=2)]


class ThresholdSettings(Closed):
    """The heat equation, and the one-layer network linearised where its kernel vanishes.

    ``heat_intervals``: J; ``heat_step``: Δt over Δx², beyond the threshold; ``heat_starts``: how many
    starts the delay is averaged over; images have ``pixels``² values and kernels ``kernel_width``².
    """

    heat_intervals: Several
    heat_step: Positive
    heat_starts: Several
    pixels: Several
    kernel_width: Several
    threshold_steps: Steps


class RestrainedSettings(Closed):
    """The one-layer network in full: onset, amplitude, band, exponents.

    ``decay``: α; ``beyond``: of the onset, Δt/Δt_c − 1; ``inside`` and ``outside``: Δt in units of
    2/α; ``windows``: those at which the last bit is followed.
    """

    pixels: Several
    kernel_width: Several
    decay: Positive
    beyond: Positives
    inside: Positives
    outside: Positives
    windows: Positives
    starts: Several
    window_steps: Steps
    band_steps: Steps
    drawn: Count  # steps Δt of the bifurcation diagram

    @model_validator(mode="after")
    def _patches_come_in_pairs(self) -> RestrainedSettings:
        if (self.pixels - self.kernel_width) % 2 == 0:
            raise ValueError(f"pixels − kernel_width must be odd, got {self.pixels} and {self.kernel_width}")
        return self


class Method(Closed):
    """Step η, momentum β, Nesterov's or Polyak's, decay λ; from so many times the starts of the others, in
    float32 if single."""

    step: Positive
    momentum: NonNegative = 0.0
    nesterov: bool = False
    decay: NonNegative = 0.0
    times: Count = 1
    single: bool = False


class Memorised(Closed):
    """A tanh network on so many patients, from so many starts."""

    num_samples: Several
    replicates: Several


class EdgeSettings(Memorised):
    """Methods by name, all from the first of the same starts."""

    methods: dict[Name, Method]
    num_steps: Steps


class DelaySettings(Memorised):
    """Descent to the edge in both precisions, and in float64 with noise of these sizes in every step."""

    step: Positive
    num_steps: Steps
    noises: Annotated[tuple[Positive, ...], Field(min_length=2, strict=False)]


class DecaySettings(Memorised):
    """Decays, the first of them 0, and steps, over one training time; ``flow_step`` of Runge and Kutta."""

    decays: Annotated[tuple[NonNegative, ...], Field(min_length=2, strict=False)]
    steps: Positives
    flow_time: Positive
    flow_step: Positive
    margin: Positive  # of the peak of the flow about the edge, within which nothing is judged


class CentralSettings(Memorised):
    """Descent beside its central flow."""

    step: Positive
    num_steps: Annotated[int, Field(ge=100)]


class LastBitSettings(Closed):
    """Factors k of the step, powers of two that change no bit, orders of the samples; 1 is a factor. Momentum, which
    is Nesterov's in the recipe."""

    momentum: NonNegative
    factors: Counts
    powers: Counts
    orders: Several
    epochs: Count
    batch: Count


class AccuracySettings(LastBitSettings):
    """Plain networks on digits at several rates, from so many starts."""

    rates: Positives
    replicates: Count


class RecipeSettings(LastBitSettings):
    """A network with batch norm at the rate and with the decay of the source's recipe."""

    rate: Positive
    decay: NonNegative


class DepthSettings(Closed):
    """Residual networks and their limit, ``flow_time`` into training; steps in units of h*."""

    problem: ProblemName
    num_samples: Several
    activation: ActivationName
    flow_time: Positive
    depth_nodes: Annotated[int, Field(ge=2, le=8)]
    log2_points: Several
    scrambles: Several
    num_layers: Counts
    num_units: Counts
    replicates: Several
    edge_problem: ProblemName
    edge_flow_time: Positive
    edge_replicates: Several
    edge_layers: Count
    edge_units: Count
    shares: Positives
    beyond: Positive
    edge_steps: Steps


class Settings(Closed):
    """The whole block."""

    thresholds: ThresholdSettings
    restrained: RestrainedSettings
    edge: EdgeSettings
    delay: DelaySettings
    decay: DecaySettings
    central: CentralSettings
    accuracy: AccuracySettings
    recipe: RecipeSettings
    depth: DepthSettings


class Thresholds(Case, ThresholdSettings):
    """`linearised.thresholds`."""


class Restrained(Case, RestrainedSettings):
    """`restrained.restrained`."""


class Edge(Case, EdgeSettings):
    """`edge.edge`."""


class Delay(Case, DelaySettings):
    """`edge.delay`."""


class Decay(Case, DecaySettings):
    """`edge.decay`."""


class Central(Case, CentralSettings):
    """`central.central`."""


class Accuracy(Case, AccuracySettings):
    """`lastbit.accuracy`."""


class Recipe(Case, RecipeSettings):
    """`lastbit.recipe`."""


class Depth(Case, DepthSettings):
    """`depth.depth`."""


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """Every case by name."""
    kinds = (Thresholds, Restrained, Edge, Delay, Decay, Central, Accuracy, Recipe, Depth)
    return {kind.kind: gathered(kind, common, getattr(block, kind.kind)) for kind in kinds}
