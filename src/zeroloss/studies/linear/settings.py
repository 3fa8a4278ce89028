"""The `linear` block of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ledger.config.closed import Closed
from zeroloss.studies.settings import Count, Doubling, Positive, Times

Layers = Annotated[int, Field(ge=2, le=16)]
LayerList = Annotated[tuple[Layers, ...], Field(min_length=1, strict=False)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=2, strict=False)]
ArchitectureName = Literal["deep", "resnet", "resnet-root", "relu"]


class Follow(Closed):
    """Factors against the balanced equations: gradient flow, and descent with halved steps."""

    num_layers: LayerList
    replicates: Count
    sigma: Positive  # σ at the start
    flow_times: Times
    descent_time: Positive
    steps_per_unit: Doubling  # steps of gradient descent in one unit of s


class Ends(Closed):
    """Starts on a torus of directions, and starts with overlaps that vanish, to their end."""

    num_layers: LayerList
    cells: Annotated[int, Field(ge=8, multiple_of=4)]  # per axis of the torus
    replicates: Count  # starts of each pattern of vanishing overlaps
    sigma: Positive
    horizon: Positive  # longest training time
    margin: Positive  # overlaps from 0 to here are near the boundary between two ends


class Portrait(Closed):
    """Trajectories to be drawn: starts of each pattern of vanishing overlaps, at equal times."""

    num_layers: Layers
    replicates: Count
    sigma: Positive
    flow_time: Positive
    outputs: Annotated[int, Field(ge=2)]


class Stages(Closed):
    """Escape from the origin, approach to it, and the last rate."""

    num_layers: LayerList
    ratios: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # s_2/s_1
    sigma: Positive  # at the start of the runs for the last rate
    smallest: Positives  # σ at the starts of escapes, falling
    approach: Annotated[tuple[Positive, ...], Field(min_length=2, max_length=2, strict=False)]

    @model_validator(mode="after")
    def _gaps(self) -> Stages:
        if not all(ratio < 1 for ratio in self.ratios):
            raise ValueError(f"ratios must lie in (0, 1), got {list(self.ratios)}")
        return self


class Unbalanced(Closed):
    """Starts whose last factor is larger than the first by ``imbalances``²."""

    num_layers: LayerList
    imbalances: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
    replicates: Count  # Gaussian factors without any structure
    horizon: Positive


class Momentum(Closed):
    """Tuned descent, Nesterov's and heavy ball: condition numbers of the data, then widths.

    ``margin``: methods are tuned for a spectrum so much wider than the kernel's at the start;
    ``residual``: size of the residual at the start, the output being of size one.
    """

    architectures: Annotated[tuple[ArchitectureName, ...], Field(min_length=1, strict=False)]
    num_layers: Annotated[int, Field(ge=3)]
    num_features: Annotated[int, Field(ge=2)]
    conditions: Positives
    width: Count
    relu_width: Count
    residual: Positive
    widths: Doubling
    relu_widths: Doubling
    stated_width: Count  # of ``widths``: from here on contraction is judged
    relu_stated_width: Count
    width_condition: Positive
    width_residual: Positive
    margin: Annotated[float, Field(gt=0, lt=1)]
    replicates: Annotated[int, Field(ge=2)]
    accuracy: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _stated_is_run(self) -> Momentum:
        for name, widths, stated in (("stated_width", self.widths, self.stated_width),
                                     ("relu_stated_width", self.relu_widths,
                                      self.relu_stated_width)):
            if stated not in widths:
                raise ValueError(f"{name} must be among its widths {list(widths)}, got {stated}")
        return self

    @model_validator(mode="after")
    def _conditions_rise(self) -> Momentum:
        if sorted(set(self.conditions)) != list(self.conditions) or self.conditions[0] <= 1:
            raise ValueError("conditions must be above 1 and rise, got "
                             f"{list(self.conditions)}")
        return self


class Bridge(Closed):
    """The mean-field limit of the linear block against its closed form."""

    scale: Positive  # standard deviation of a and w
    values: Positives  # eigenvalues ζ of the target
    depth_nodes: Annotated[int, Field(ge=2, le=16)]
    flow_times: Times
    num_layers: Doubling


class Settings(Closed):
    """The whole block; ``values``: singular values of the target, largest first."""

    values: Annotated[tuple[Positive, ...], Field(min_length=3, max_length=4, strict=False)]
    rtol: Positive
    follow: Follow
    ends: Ends
    portrait: Portrait
    stages: Stages
    unbalanced: Unbalanced
    momentum: Momentum
    bridge: Bridge

    @model_validator(mode="after")
    def _values_fall(self) -> Settings:
        if any(a <= b for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ValueError(f"values must fall, got {list(self.values)}")
        return self
