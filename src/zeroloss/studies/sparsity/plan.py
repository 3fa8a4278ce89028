# pyright: strict
"""What `sparsity` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.study import Closed, Common
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Positive

Several = Annotated[int, Field(ge=2)]
Depths = Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]
Smoothness = Annotated[float, Field(gt=0.5)]  # or levels do not decay


class TheorySettings(Closed):
    """Parallel networks under gradient flow, up to λt = ``decay_time``; a product of factors, for ``targets`` values
    of y in [0, 1]; risks at n = 2^first … over ``periods`` of the dyadic levels, S over the noise the ``signal``."""

    flow_layers: Depths
    num_subnets: Several
    num_units: Several
    num_samples: Several
    flow_decay: Positive
    decay_time: Positive
    step: Positive
    factor_layers: Depths
    factor_decay: Positive
    horizon: Positive
    targets: Several
    replicates: Several
    alphas: Annotated[tuple[Smoothness, ...], Field(min_length=1, strict=False)]
    rate_layers: Depths
    first_log2_samples: Several
    periods: Count
    signal: Positive


class LocalSettings(Closed):
    """Networks trained on samples of functions that vary unevenly, and smoothing splines."""

    functions: Annotated[tuple[Literal["doppler", "kinks"], ...], Field(min_length=1, strict=False)]
    num_samples: Annotated[int, Field(ge=8)]
    noise: Positive
    num_layers: Several
    num_subnets: Several
    num_units: Several
    decays: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
    steps: Count
    learning_rate: Positive
    replicates: Several


class Settings(Closed):
    """The whole block."""

    theory: TheorySettings
    local: LocalSettings


class Theory(Case, TheorySettings):
    """`jobs.theory`."""


class Local(Case, LocalSettings):
    """`nets.local`."""


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """One case of each kind."""
    return {kind.kind: gathered(kind, common, getattr(block, kind.kind)) for kind in (Theory, Local)}
