# pyright: strict
"""What `linear` runs: its block of the configuration, and the cases that are made of it.

A case holds the part of the block that it is named by, beside what all cases share.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, DepthNodes, Doubling, Positive, Times

Layers = Annotated[int, Field(ge=2, le=16)]
LayerList = Annotated[tuple[Layers, ...], Field(min_length=1, strict=False)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=2, strict=False)]
ArchitectureName = Literal["deep", "resnet", "resnet-root", "relu"]


class FollowSettings(Closed):
    """Factors against the balanced equations: gradient flow, and descent with halved steps."""

    num_layers: LayerList
    replicates: Count
    sigma: Positive  # σ at the start
    flow_times: Times
    descent_time: Positive
    steps_per_unit: Doubling  # steps of gradient descent in one unit of s


class EndsSettings(Closed):
    """Starts on a torus of directions, and starts with overlaps that vanish, to their end."""

    num_layers: LayerList
    cells: Annotated[int, Field(ge=8, multiple_of=4)]  # per axis of the torus
    replicates: Count  # starts of each pattern of vanishing overlaps
    sigma: Positive
    horizon: Positive  # longest training time
    margin: Positive  # overlaps from 0 to here are near the boundary between two ends


class PortraitSettings(Closed):
    """Trajectories to be drawn: starts of each pattern of vanishing overlaps, at equal times."""

    num_layers: Layers
    replicates: Count
    sigma: Positive
    flow_time: Positive
    outputs: Annotated[int, Field(ge=2)]


class StagesSettings(Closed):
    """Escape from the origin, approach to it, and the last rate."""

    num_layers: LayerList
    ratios: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # s_2/s_1
    sigma: Positive  # at the start of the runs for the last rate
    smallest: Positives  # σ at the starts of escapes, falling
    approach: Annotated[tuple[Positive, ...], Field(min_length=2, max_length=2, strict=False)]

    @model_validator(mode="after")
    def _gaps(self) -> StagesSettings:
        if not all(ratio < 1 for ratio in self.ratios):
            raise ValueError(f"ratios must lie in (0, 1), got {list(self.ratios)}")
        return self


class UnbalancedSettings(Closed):
    """Starts whose last factor is larger than the first by ``imbalances``²."""

    num_layers: LayerList
    imbalances: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
    replicates: Count  # Gaussian factors without any structure
    horizon: Positive


class MomentumSizes(Closed):
    """Tuned descent, Nesterov's and heavy ball: condition numbers of the data, then widths.

    ``margin``: methods are tuned for a spectrum so much wider than the kernel's at the start;
    ``residual``: size of the residual at the start, the output being of size one.
    """

    num_layers: Annotated[int, Field(ge=3)]
    num_features: Annotated[int, Field(ge=2)]
    conditions: Positives
    width: Count
    residual: Positive
    widths: Doubling
    stated_width: Count  # of ``widths``: from here on contraction is judged
    width_condition: Positive
    width_residual: Positive
    margin: Annotated[float, Field(gt=0, lt=1)]
    replicates: Annotated[int, Field(ge=2)]
    accuracy: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _widths_and_conditions(self) -> MomentumSizes:
        if self.stated_width not in self.widths:
            raise ValueError(f"stated_width must be among its widths {list(self.widths)}, got {self.stated_width}")
        if sorted(set(self.conditions)) != list(self.conditions) or self.conditions[0] <= 1:
            raise ValueError(f"conditions must be above 1 and rise, got {list(self.conditions)}")
        return self


class MomentumSettings(MomentumSizes):
    """The same for several architectures; the widths of a ReLU network are larger."""

    architectures: Annotated[tuple[ArchitectureName, ...], Field(min_length=1, strict=False)]
    relu_width: Count
    relu_widths: Doubling
    relu_stated_width: Count

    @model_validator(mode="after")
    def _stated_relu_is_run(self) -> MomentumSettings:
        if self.relu_stated_width not in self.relu_widths:
            raise ValueError(
                f"relu_stated_width must be among its widths {list(self.relu_widths)}, got {self.relu_stated_width}"
            )
        return self

    def sizes(self, architecture: ArchitectureName) -> dict[str, Any]:
        """The widths of one architecture, where they are its own."""
        if architecture != "relu":
            return {}
        return {"width": self.relu_width, "widths": self.relu_widths, "stated_width": self.relu_stated_width}


class BridgeSettings(Closed):
    """The mean-field limit of the linear block against its closed form."""

    scale: Positive  # standard deviation of a and w
    values: Positives  # eigenvalues ζ of the target
    depth_nodes: DepthNodes
    flow_times: Times
    num_layers: Doubling


class Settings(Closed):
    """The whole block; ``values``: singular values of the target, largest first."""

    values: Annotated[tuple[Positive, ...], Field(min_length=3, max_length=4, strict=False)]
    rtol: Positive
    follow: FollowSettings
    ends: EndsSettings
    portrait: PortraitSettings
    stages: StagesSettings
    unbalanced: UnbalancedSettings
    momentum: MomentumSettings
    bridge: BridgeSettings

    @model_validator(mode="after")
    def _values_fall(self) -> Settings:
        if any(a <= b for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ValueError(f"values must fall, got {list(self.values)}")
        return self


class SolvedCase(Case):
    """A case of flows that are integrated to a relative tolerance."""

    rtol: Positive


class FactorCase(SolvedCase):
    """A case on factors of a matrix; ``values``: its singular values."""

    values: tuple[float, ...]


class Follow(FactorCase, FollowSettings):
    """`trajectories.follow`."""


class Ends(FactorCase, EndsSettings):
    """`trajectories.ends`."""


class Portrait(FactorCase, PortraitSettings):
    """`trajectories.portrait`."""


class Stages(FactorCase, StagesSettings):
    """`trajectories.stages`."""


class Unbalanced(FactorCase, UnbalancedSettings):
    """`trajectories.unbalanced`."""


class Momentum(SolvedCase, MomentumSizes):
    """`momentum.momentum`, of one architecture."""

    architecture: ArchitectureName


class Bridge(SolvedCase, BridgeSettings):
    """`bridge.bridge`."""


def cases(block: Settings, common: Common) -> dict[str, SolvedCase]:
    """Every case by name."""
    jobs: dict[str, SolvedCase] = {}
    for kind, part in (
        (Follow, block.follow),
        (Ends, block.ends),
        (Portrait, block.portrait),
        (Stages, block.stages),
        (Unbalanced, block.unbalanced),
        (Bridge, block.bridge),
    ):
        jobs[kind.kind] = gathered(kind, common, block, part)
    for name in block.momentum.architectures:
        jobs[f"momentum-{name}"] = gathered(
            Momentum, common, block, block.momentum, architecture=name, **block.momentum.sizes(name)
        )
    return jobs
