# pyright: strict
"""What `interpolation` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ledger.study import Closed
from zeroloss.studies.counted import Counts, PerSize, Positives, Several
from zeroloss.studies.counted import cases as cases
from zeroloss.studies.light import LightCase
from zeroloss.studies.settings import Count, Doubling, NonNegative, Positive, Times


class ExactSettings(Closed):
    """Isotropic Gaussian inputs of finite size."""

    num_samples: Count
    dims: Counts
    replicates: Several

    @model_validator(mode="after")
    def _variances_exist(self) -> Self:
        if near := [d for d in self.dims if abs(d - self.num_samples) < 5]:
            raise ValueError(
                f"dims must be 5 away from num_samples {self.num_samples}, or the variance has no second moment, "
                f"got {near}"
            )
        return self


class SpectraSettings(PerSize):
    """Gaussian inputs of several covariances, ``directions`` × n of them."""

    directions: Several
    num_samples: Doubling


class MeasuredSettings(Closed):
    """Rows of the three tables `samples.DATA`, so many of each at a time."""

    num_samples: Annotated[tuple[Several, Several, Several], Field(strict=False)]
    num_features: Several
    replicates: Several


class BenignSettings(Closed):
    """Spectra without end, n = 10^decades, and few directions over a flat tail."""

    alphas: Positives
    betas: Positives
    decades: Positives
    tail_samples: Count
    tail_ratios: Positives
    tail_floor: Positive

    @model_validator(mode="after")
    def _sums_converge(self) -> Self:
        if not all(one > 1 for one in (*self.alphas, *self.betas, *self.tail_ratios)):
            raise ValueError("alphas, betas and tail_ratios must be above 1, or there is no sum or no interpolant")
        return self


class FeaturesSettings(PerSize):
    """Random features: widths ψ₁ d of n = ψ₂ d samples; ``curve``: further widths for the figure."""

    dims: Doubling
    psi1: Positives
    psi2: Positive
    ridges: Times
    noise: NonNegative
    curve: Positives
    curve_replicates: Several


class KernelsSettings(PerSize):
    """Interpolating kernels at several n/d; ``noise``: its variance, the signal's being one."""

    dims: Doubling
    shares: Positives
    noise: NonNegative
    test_points: Several


class TrainedSettings(Closed):
    """Networks that are trained, in one dimension at several widths."""

    dim: Several
    widths: Counts
    shares: Positives
    noise: NonNegative
    test_points: Several
    replicates: Several


class SpikeSettings(PerSize):
    """Distance of interpolants to ridge regressors."""

    dims: Doubling
    noise: NonNegative
    test_points: Several


class SnrSettings(PerSize):
    """Slopes of the risk in an explicit ridge; ``curve``: ridges of the figure, at some SNR."""

    dims: Doubling
    test_points: Several
    curve: Times
    curve_snr: Positives
    curve_replicates: Several


class Settings(Closed):
    """The whole block."""

    exact: ExactSettings
    spectra: SpectraSettings
    measured: MeasuredSettings
    benign: BenignSettings
    features: FeaturesSettings
    kernels: KernelsSettings
    trained: TrainedSettings
    spike: SpikeSettings
    snr: SnrSettings


class Exact(LightCase, ExactSettings):
    """`samples.exact_formulas`."""


class Spectra(LightCase, SpectraSettings):
    """`samples.spectra`."""


class Measured(LightCase, MeasuredSettings):
    """`samples.measured`."""


class Benign(LightCase, BenignSettings):
    """`benign.benign`."""


class Features(LightCase, FeaturesSettings):
    """`features.features`."""


class Kernels(LightCase, KernelsSettings):
    """`kernels.kernels`."""


class Trained(LightCase, TrainedSettings):
    """`kernels.trained`."""


class Spike(LightCase, SpikeSettings):
    """`kernels.spike`."""


class Snr(LightCase, SnrSettings):
    """`kernels.snr`."""
