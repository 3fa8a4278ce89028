# pyright: strict
"""What `normalisation` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Doubling, Name, Positive

Several = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(ge=0, lt=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1, strict=False)]


class Networks(Closed):
    """So many networks of L layers, on n inputs."""

    num_layers: Annotated[int, Field(ge=3)]
    num_samples: Annotated[int, Field(ge=5)]
    replicates: Several


class SpectrumSettings(Networks):
    """Networks at the start: widths that double, inputs of correlations c₀; n is that of the least width and, where it
    ``grows``, in proportion to the width."""

    statistics: Literal["plain", "held", "differentiated"]
    activations: Annotated[tuple[Literal["relu", "gelu"], ...], Field(min_length=1, strict=False)]
    correlations: Shares
    widths: Doubling
    grows: bool

    @model_validator(mode="after")
    def _inputs_have_room(self) -> Self:
        if self.widths[0] <= self.num_samples:
            raise ValueError(
                "widths must be above num_samples, or inputs of equal correlation do not exist, "
                f"got {self.widths[0]} and {self.num_samples}"
            )
        return self

    def samples(self, width: int) -> int:
        """n at a width."""
        return self.num_samples * (width // self.widths[0] if self.grows else 1)


class DescentSettings(Networks):
    """Training by descent with momentum: ``push``, a residual along the top mode, and the steps in which it grows;
    ``horizons``, steps after which the loss is read, at rates up to ``most`` η*, to an ``accuracy`` of their log."""

    width: Count
    momenta: Shares
    push: Positive
    num_steps: Annotated[int, Field(ge=20)]
    horizons: Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]
    most: Annotated[float, Field(gt=2)]
    accuracy: Positive


class MultiplierSettings(Networks):
    """Digits with several γ of the last normalisation, at ``share`` of η*."""

    width: Count
    gammas: Annotated[tuple[Positive, ...], Field(min_length=2, strict=False)]
    share: Share
    num_steps: Several


class Settings(Closed):
    """The whole block."""

    spectra: dict[Name, SpectrumSettings]
    descent: DescentSettings
    multiplier: MultiplierSettings


class Spectrum(Case, SpectrumSettings):
    """`jobs.spectrum`."""


class Descent(Case, DescentSettings):
    """`jobs.descent`."""


class Multiplier(Case, MultiplierSettings):
    """`jobs.multiplier`."""


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """A case for each spectrum, and one each for descent and for digits."""
    spectra = {f"spectrum-{name}": gathered(Spectrum, common, part) for name, part in block.spectra.items()}
    kinds = ((Descent, block.descent), (Multiplier, block.multiplier))
    return {**spectra, **{kind.kind: gathered(kind, common, part) for kind, part in kinds}}
