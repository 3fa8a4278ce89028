# pyright: strict
"""What `aspect` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.study import Closed, Common
from zeroloss.studies.case import gathered
from zeroloss.studies.light import LightCase, PerSize, Positives, Several
from zeroloss.studies.settings import Count, Doubling, Positive

Counts = Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
Sizes = Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]
HomogeneousName = Literal["linear", "leaky", "relu"]
CriticalName = Literal["tanh", "sin", "gelu", "swish"]


class ProductSettings(Closed):
    """Networks that multiply their input by independent factors, one a layer."""

    activations: Annotated[tuple[HomogeneousName, ...], Field(min_length=1, strict=False)]
    widths: Sizes
    depth: Several
    shallow: Several  # depth at which second moments can be sampled
    dead_width: Several  # of ``widths``: where networks die often enough to be counted
    replicates: Several

    @model_validator(mode="after")
    def _dead_width_is_run(self) -> Self:
        if self.dead_width not in self.widths:
            raise ValueError(f"dead_width must be among its widths {list(self.widths)}, got {self.dead_width}")
        return self


class Stack(Closed):
    """A random network of critical layers z -> gamma z + W σ(z), seen at some depths."""

    activation: CriticalName | HomogeneousName
    gamma: Annotated[float, Field(ge=0, lt=1)] = 0.0
    depths: Sizes

    @property
    def name(self) -> str:
        """The name of its cells: `tanh`, `relu.g0.9`."""
        return f"{self.activation}.g{self.gamma:g}" if self.gamma else self.activation


class VertexSettings(Closed):
    """Widths that double, and so many blocks of so many networks of each."""

    stacks: Annotated[tuple[Stack, ...], Field(min_length=1, strict=False)]
    widths: Doubling
    networks: Several  # of a block
    replicates: Several  # blocks


class ClassesSettings(Closed):
    """The recursion of infinitely wide networks, to great depths."""

    depth: Several
    far_depth: Several
    displacement: Positive  # of the half-stable start, in units of K*


class InformationSettings(Closed):
    """Mutual information of two groups of neurons of a layer."""

    group_sizes: Counts
    variances: Positives  # of log Ĝ
    small: Positive  # u at which the series is compared


class RankSettings(PerSize):
    """Products of Gaussian matrices, on the identity and on images."""

    widths: Doubling
    aspect_ratios: Positives  # depths over widths
    digits_width: Several
    digits_samples: Several
    digits_replicates: Several
    spectrum_width: Several
    spectrum_depth: Several
    spectrum_replicates: Several


class BiasSettings(Closed):
    """Deep linear networks trained on few samples and on enough of them."""

    width: Several
    rank: Count
    depths: Counts
    num_samples: Annotated[tuple[Several, Several], Field(strict=False)]
    small_scale: Positive  # of the product of small starts
    accuracy: Positive  # of the training risk, over that at zero
    replicates: Several


class Settings(Closed):
    """The whole block."""

    product: ProductSettings
    vertex: VertexSettings
    residual: VertexSettings
    classes: ClassesSettings
    information: InformationSettings
    rank: RankSettings
    bias: BiasSettings


class Product(LightCase, ProductSettings):
    """`chains.products`."""


class Vertex(LightCase, VertexSettings):
    """`chains.vertex`."""


class Residual(LightCase, VertexSettings):
    """`chains.residual`."""


class Classes(LightCase, ClassesSettings):
    """`chains.classes`."""


class Information(LightCase, InformationSettings):
    """`information.information`."""


class Rank(LightCase, RankSettings):
    """`matrices.rank`."""


class Bias(LightCase, BiasSettings):
    """`matrices.bias`."""


def cases(block: Settings, common: Common) -> dict[str, LightCase]:
    """One case of each kind."""
    kinds = (Product, Vertex, Residual, Classes, Information, Rank, Bias)
    return {kind.kind: gathered(kind, common, getattr(block, kind.kind)) for kind in kinds}
