# pyright: strict
"""What `sampling` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.studies.case import gathered
from zeroloss.studies.light import LightCase
from zeroloss.studies.settings import Count, Doubling, NonNegative, Positive, Times

Pair = Annotated[tuple[Count, Count], Field(strict=False)]  # d, J
Share = Annotated[float, Field(gt=0, lt=1)]
Several = Annotated[int, Field(ge=3)]


class EnsembleSettings(Closed):
    """Ensembles of J particles in d dimensions, moved by ``step`` and by its half, and when they are read."""

    pairs: Annotated[tuple[Pair, ...], Field(min_length=1, strict=False)]
    step: Annotated[float, Field(gt=0, le=0.5)]
    since: NonNegative
    horizon: Positive
    times: Annotated[int, Field(ge=2)]  # from ``since`` to ``horizon``
    replicates: Several

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if wrong := [[d, J] for d, J in self.pairs if J - d < 1]:
            raise ValueError(f"J must be above d, or C is singular from the start, got pairs {wrong}")
        if self.since + self.step > self.horizon:
            raise ValueError(f"horizon must be a step beyond since {self.since:g}, got {self.horizon:g}")
        return self


class FiniteSettings(EnsembleSettings):
    """Ensembles at their law: on N(0, I_d), and those of the last pair on d columns of diabetes."""

    @model_validator(mode="after")
    def _law_exists(self) -> Self:
        if wrong := [[d, J] for d, J in self.pairs if J - 2 * d < 2]:
            raise ValueError(f"J must be at least 2 d + 2 for ensembles to have a law, got pairs {wrong}")
        return self


class LangevinSettings(Closed):
    """Langevin Monte Carlo: steps h of biases, and where the number of steps is counted. Nothing is random."""

    steps: Annotated[Times, Field(min_length=3)]
    dims: Doubling
    at_accuracy: Positive
    accuracies: Annotated[Times, Field(min_length=2)]
    at_dim: Count


class FactorisedSettings(Closed):
    """Random covariances, so many of ``dim``; equal correlations in many dimensions. Diabetes needs no setting."""

    dim: Several
    replicates: Count
    correlations: Annotated[tuple[Share, ...], Field(min_length=1, strict=False)]
    dims: Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]


class Settings(Closed):
    """The whole block."""

    finite: FiniteSettings
    collapse: EnsembleSettings
    chaos: EnsembleSettings
    langevin: LangevinSettings
    factorised: FactorisedSettings


class Finite(LightCase, FiniteSettings):
    """`ensembles.finite`."""


class Collapse(LightCase, EnsembleSettings):
    """`ensembles.collapse`, on both sides of J = 2 d + 1."""


class Chaos(LightCase, EnsembleSettings):
    """`ensembles.chaos`: particles beside their copies in the mean-field limit."""


class Langevin(LightCase, LangevinSettings):
    """`langevin.langevin`."""


class Factorised(LightCase, FactorisedSettings):
    """`factorised.factorised`."""


def cases(block: Settings, common: Common) -> dict[str, LightCase]:
    """One case of each kind."""
    kinds = (Finite, Collapse, Chaos, Langevin, Factorised)
    return {kind.kind: gathered(kind, common, getattr(block, kind.kind)) for kind in kinds}
