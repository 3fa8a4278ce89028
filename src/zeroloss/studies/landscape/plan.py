# pyright: strict
"""What `landscape` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ledger.study import Closed
from zeroloss.model.catalogue import ActivationName, ProblemName
from zeroloss.studies.counted import Counts, PerSize, Positives, Several
from zeroloss.studies.counted import cases as cases
from zeroloss.studies.light import LightCase
from zeroloss.studies.settings import Count, Doubling, Positive

Even = Annotated[int, Field(ge=2, multiple_of=2)]
Evens = Annotated[tuple[Even, ...], Field(min_length=2, strict=False)]
Shape = Annotated[tuple[Several, Several], Field(strict=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class OnSphere(Closed):
    """So many points of the sphere of so many dimensions, with labels ±1."""

    num_samples: Several
    dim: Several


class StraightSettings(PerSize, OnSphere):
    """Networks of several widths, so many of each; ``step``: of descent, over the largest eigenvalue of the kernel;
    ``until``: residual at the end."""

    widths: Evens
    step: Share
    until: Share


class ParallelSettings(Closed):
    """Up to so many antipodal pairs in each dimension, and draws of them."""

    dims: Counts
    most_pairs: Count
    replicates: Several


class LazySettings(StraightSettings):
    """ReLU networks; ``gates`` and ``draws``: of the predictions."""

    gates: Several
    draws: Several


class CertificateSettings(OnSphere):
    """tanh networks: widths at which training may fail; ``horizon``: in units of 1/λ₀."""

    widths: Evens
    replicates: Several
    certified_replicates: Several
    step: Positive
    horizon: Positive
    accuracy: Share
    condition_width: Even
    condition_replicates: Several


class CircleSettings(PerSize):
    """Even degrees on uniform points of the circle, at ``lifetimes`` of each, which are 1/λ_k; ``times``:
    of the third degree, and of networks on the second."""

    degrees: Evens
    lifetimes: Positives
    times: Positives
    biased_time: Positive
    num_samples: Doubling
    network_replicates: Several


class MinimisersSettings(OnSphere):
    """Zeros of the loss on labels ±``scale``, and distances ``deltas`` from them, the first the least."""

    num_units: Several
    scale: Positive
    deltas: Positives
    replicates: Several


class HessiansSettings(OnSphere):
    """Second derivatives at random parameters; ``steps``: of training at one width."""

    widths: Doubling
    replicates: Several
    trained_width: Count
    trained_replicates: Several
    step: Positive
    steps: Count


class EnergiesSettings(Closed):
    """``shapes``: neurons and dimensions of which the least energy is known; ``counts``: neurons of a
    search for it, from so many ``starts``."""

    power: Positive
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1, strict=False)]
    replicates: Several
    counted_dim: Several
    counts: Doubling
    starts: Count


class RotationSettings(OnSphere):
    """Gradients over rotations, and networks on digits."""

    widths: Evens
    replicates: Several
    ridge: Positive
    power: Positive
    digit_widths: Evens
    digit_replicates: Several
    train_rows: Annotated[int, Field(ge=100, le=1700)]
    steps: Count
    batch: Count
    learning_rate: Positive


class Points(Closed):
    """So many points in so many dimensions."""

    num_points: Several
    dim: Several


class GeodesicsSettings(Points):
    """Paths to displaced points; ``far``: the displacement at which layers are compared."""

    num_features: Several
    replicates: Several
    displacements: Positives
    layers: Doubling
    far: Positive
    stretch: Positive
    turn: Positive


class ShortSettings(Points):
    """Energies to first order at several widths; ``path_…``: flows of which the excess is followed."""

    widths: Doubling
    replicates: Several
    limit_features: Count
    path_points: Several
    path_layers: Count
    path_widths: Doubling
    path_replicates: Several
    displacement: Positive

    @model_validator(mode="after")
    def _means_exist(self) -> Self:
        if self.widths[0] < self.num_points + 6:
            raise ValueError(f"widths must be num_points + 6 at least, or the spread has no bound, got {self.widths}")
        return self


class ResetSettings(Closed):
    """Residual networks of this paper, trained until the risk is below ``accuracy``."""

    problems: Annotated[tuple[ProblemName, ...], Field(min_length=1, strict=False)]
    num_samples: Several
    num_layers: Annotated[int, Field(ge=4)]
    num_units: Count
    activation: ActivationName
    replicates: Several
    flow_time: Positive
    rtol: Positive
    accuracy: Positive


class Settings(Closed):
    """The whole block."""

    parallel: ParallelSettings
    lazy: LazySettings
    certificate: CertificateSettings
    circle: CircleSettings
    minimisers: MinimisersSettings
    hessians: HessiansSettings
    straight: StraightSettings
    energies: EnergiesSettings
    rotation: RotationSettings
    geodesics: GeodesicsSettings
    short: ShortSettings
    reset: ResetSettings


class Parallel(LightCase, ParallelSettings):
    """`relu.parallel`."""


class Lazy(LightCase, LazySettings):
    """`relu.lazy`."""


class Certificate(LightCase, CertificateSettings):
    """`smooth.certificate`."""


class Circle(LightCase, CircleSettings):
    """`circle.circle`."""


class Minimisers(LightCase, MinimisersSettings):
    """`smooth.minimisers`."""


class Hessians(LightCase, HessiansSettings):
    """`smooth.hessians`."""


class Straight(LightCase, StraightSettings):
    """`smooth.straight`."""


class Energies(LightCase, EnergiesSettings):
    """`spheres.energies`."""


class Rotation(LightCase, RotationSettings):
    """`spheres.rotation`."""


class Geodesics(LightCase, GeodesicsSettings):
    """`paths.geodesics`."""


class Short(LightCase, ShortSettings):
    """`paths.short`."""


class Reset(LightCase, ResetSettings):
    """`paths.reset`."""
