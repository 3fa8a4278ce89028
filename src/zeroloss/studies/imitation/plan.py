# pyright: strict
"""What `imitation` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.model.catalogue import ProblemName
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Doubling, Positive

Kind = Literal["plain", "residual"]
KINDS: tuple[Kind, ...] = ("plain", "residual")
Several = Annotated[int, Field(ge=2)]


class WidthSettings(Closed):
    """M = ``num_units`` units a layer, and how many are kept of them, so many times."""

    num_units: Several
    kept: Doubling
    replicates: Several

    @model_validator(mode="after")
    def _some_are_left_out(self) -> Self:
        if max(self.kept) >= self.num_units:
            raise ValueError(f"kept must be below num_units {self.num_units}, got {list(self.kept)}")
        return self


class ThinnedSettings(Closed):
    """A problem, and how long networks are trained on it before they are thinned."""

    problem: ProblemName
    num_samples: Several
    steps: Count


class ThinningSettings(Closed):
    """Problems and depths of networks that are thinned, and the widths of each kind of them."""

    problems: Annotated[tuple[ThinnedSettings, ...], Field(min_length=1, strict=False)]
    num_layers: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    rate: Positive
    plain: WidthSettings
    residual: WidthSettings


class LayersSettings(WidthSettings):
    """Imitation layer by layer, and training from scratch.

    ``kept``: the first at all depths, all at the second depth, for the slope in width; ``replicates`` of wide
    networks, and ``subsets`` of each. ``cutoff``: singular values below this share of the largest are left out of
    least squares. ``scratch_steps``: two lengths of training from scratch; ``tuned_steps``: that after imitation;
    each at the best of ``rates``.
    """

    num_samples: Several
    num_layers: Annotated[Doubling, Field(min_length=3)]
    subsets: Count
    cutoff: Positive
    wide_steps: Count
    wide_rate: Positive
    scratch_steps: tuple[Count, Count] = Field(strict=False)
    tuned_steps: Count
    rates: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]


class Settings(Closed):
    """The whole block."""

    thinning: ThinningSettings
    layers: LayersSettings


class Thinning(Case, ThinningSettings):
    """`thinning.thinning`."""


class Layers(Case, LayersSettings):
    """`layers.layers`, of one kind of network."""

    network: Kind


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """One case of thinning, and one of imitation for each kind of network."""
    layers = {f"layers-{kind}": gathered(Layers, common, block.layers, network=kind) for kind in KINDS}
    return {"thinning": gathered(Thinning, common, block.thinning), **layers}
