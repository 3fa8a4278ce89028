"""ρ_ini: product laws of θ = (a, w, b), their samples per layer or per path, and rules for them.

Every law is the image of standard normal variables under an increasing map per coordinate, so
that independent layers, Gaussian paths, Sobol points and quadrature share one definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ledger.record.streams import stream
from zeroloss.model.arrays import Array
from zeroloss.model.catalogue import dim_theta

__all__ = [
    "FractionalBrownian",
    "InitialLaw",
    "PathLaw",
    "SmoothPath",
    "check_sampling",
    "correlated_sobol",
    "sample_independent",
    "sample_paths",
    "sobol_rule",
]


@dataclass(frozen=True)
class InitialLaw:
    """Product law of (a, w, b) with a scale each.

    kind ``gaussian``: N(0, scale²) per coordinate; ``uniform``: on [−scale, scale];
    ``point``: all mass at (scale_a, …, scale_w, …, scale_b). Raises ValueError for another kind
    or a scale that is not finite or below 0.

    >>> rho = InitialLaw("uniform", scale_a=1.0, scale_w=2.0, scale_b=0.5)
    >>> rho
    InitialLaw(kind='uniform', scale_a=1.0, scale_w=2.0, scale_b=0.5)
    >>> rho.scales(dim=2).tolist()  # of the rows a, w, b
    [1.0, 1.0, 2.0, 2.0, 0.5]
    >>> theta = sample_independent(rho, stream("example"), num_layers=4, num_units=16, dim=2)
    >>> theta.shape  # layers, 2 dim + 1, units
    (4, 5, 16)
    """

    kind: str = "gaussian"
    scale_a: float = 1.0
    scale_w: float = 1.0
    scale_b: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "uniform", "point"):
            raise ValueError(f"initial law must be gaussian, uniform or point, got {self.kind!r}; set initial_law.kind")
        for name in ("scale_a", "scale_w", "scale_b"):
            value = getattr(self, name)
            if not math.isfinite(value) or (value < 0 and self.kind != "point"):
                raise ValueError(f"{name} must be finite and at least 0, got {value}; set initial_law.{name}")

    def scales(self, dim: int) -> Array:
        """The scale of each of the k = 2 dim + 1 coordinates, in the order (a, w, b)."""
        return np.array([self.scale_a] * dim + [self.scale_w] * dim + [self.scale_b])

    def from_normal(self, xi: Array, dim: int) -> Array:
        """Map standard normals xi (…, dim_theta, units) to parameters of the same shape."""
        scales = self.scales(dim)[:, None]
        if self.kind == "gaussian":
            return xi * scales
        if self.kind == "uniform":
            return (2.0 * special.ndtr(xi) - 1.0) * scales
        return np.broadcast_to(scales, xi.shape).copy()


@dataclass(frozen=True)
class PathLaw:
    """ϑ(t) = ϑ(0): one draw of ρ_ini kept through the depth."""

    def normals(self, rng: np.random.Generator, times: Array, shape: tuple[int, ...]) -> Array:
        """Standard normal paths at ``times``: (len(times), *shape)."""
        return np.broadcast_to(rng.standard_normal(shape), (len(times), *shape)).copy()


@dataclass(frozen=True)
class SmoothPath(PathLaw):
    """Stationary Gaussian path of covariance exp(−(t − t')²/(2 ℓ²)) and marginal N(0, 1).

    A Fourier series on a period long enough that the periodised covariance differs from the
    stated one by less than 1e−12 on [0, 1]; the path is a function of its coefficients, so that it
    can be evaluated at any depth, on nested grids as at collocation nodes.
    """

    correlation_length: float = 0.25

    def __post_init__(self) -> None:
        if not self.correlation_length > 0:
            raise ValueError(
                f"correlation_length must be above 0, got {self.correlation_length}; set correlation_lengths"
            )

    def correlation(self, lag: Array) -> Array:
        """κ(t − t') = exp(−(t − t')²/(2 ℓ²))."""
        return np.exp(-0.5 * (lag / self.correlation_length) ** 2)

    def spectrum(self) -> tuple[Array, float]:
        """Amplitudes c_k (c_0² + Σ c_k² = 1) of the Fourier modes and their base frequency."""
        ell = self.correlation_length
        period = 1.0 + 8.0 * ell
        omega = 2.0 * math.pi / period
        count = math.ceil(8.0 / (ell * omega)) + 1
        power = np.exp(-0.5 * (ell * omega * np.arange(count)) ** 2)
        power[1:] *= 2.0
        return np.sqrt(power / power.sum()), omega

    def normals(self, rng: np.random.Generator, times: Array, shape: tuple[int, ...]) -> Array:
        """Standard normal paths at ``times``: (len(times), *shape)."""
        amplitude, omega = self.spectrum()
        phase = omega * np.outer(times, np.arange(len(amplitude)))
        basis = np.concatenate([np.cos(phase) * amplitude, (np.sin(phase) * amplitude)[:, 1:]], 1)
        return np.tensordot(basis, rng.standard_normal((basis.shape[1], *shape)), axes=1)


@dataclass(frozen=True)
class FractionalBrownian(PathLaw):
    """ξ + B_H(t): a standard normal start plus fractional Brownian motion of Hurst index H.

    Increments are sampled exactly on ``resolution`` equal cells of [0, 1] by circulant embedding
    (Davies and Harte 1987); depths must be multiples of 1/resolution. H = ½ is Brownian motion.
    """

    hurst: float = 0.5
    resolution: int = 1024

    def __post_init__(self) -> None:
        if not 0 < self.hurst < 1:
            raise ValueError(f"hurst must lie in (0, 1), got {self.hurst}; set hurst")

    def normals(self, rng: np.random.Generator, times: Array, shape: tuple[int, ...]) -> Array:
        """Paths at ``times`` (multiples of 1/resolution): (len(times), *shape)."""
        n, H = self.resolution, self.hurst
        index = np.rint(np.asarray(times) * n).astype(int)
        if np.abs(index / n - times).max() > 1e-12:
            raise ValueError(
                f"depths must be multiples of 1/{n} for a fractional Brownian path; "
                "choose num_layers that divide the resolution"
            )
        lag = np.arange(n + 1, dtype=np.float64)
        cov = 0.5 * (np.abs(lag + 1) ** (2 * H) - 2 * lag ** (2 * H) + np.abs(lag - 1) ** (2 * H))
        eigenvalues = np.fft.rfft(np.concatenate([cov, cov[-2:0:-1]])).real.clip(min=0.0)
        start = rng.standard_normal(shape)
        noise = rng.standard_normal((2, n + 1, *shape))
        # Hermitian spectrum: the two real ends carry variance 1, the others ½ + ½.
        spectrum = (noise[0] + 1j * noise[1]) * math.sqrt(0.5)
        spectrum[0], spectrum[-1] = noise[0, 0], noise[0, -1]
        root = np.sqrt(eigenvalues * 2 * n).reshape(-1, *(1,) * len(shape))
        increments = np.fft.irfft(spectrum * root, axis=0)[:n] * n**-H
        motion = np.concatenate([np.zeros((1, *shape)), np.cumsum(increments, axis=0)])
        return start + motion[index]


def check_sampling(sampling: str, **counts: int) -> None:
    """Raise ValueError unless layers are ``independent`` or follow a ``path``, and each of the
    named counts is at least 1."""
    if sampling not in ("independent", "path"):
        raise ValueError(f"sampling must be independent or path, got {sampling!r}; set sampling")
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}; pass a positive {name}")


def sample_independent(law: InitialLaw, rng: np.random.Generator, num_layers: int, num_units: int, dim: int) -> Array:
    """Every θ_{l,m} drawn anew: (layers, dim_theta, units)."""
    xi = rng.standard_normal((num_layers, dim_theta(dim), num_units))
    return law.from_normal(xi, dim)


def sample_paths(
    law: InitialLaw, path: PathLaw, rng: np.random.Generator, times: Array, num_units: int, dim: int
) -> Array:
    """θ_{l,m} = ϑ_m(t_l) for M i.i.d. paths: (len(times), dim_theta, units)."""
    return law.from_normal(path.normals(rng, times, (dim_theta(dim), num_units)), dim)


def _sobol_normals(columns: int, log2_points: int, *name: str | int) -> Array:
    from scipy.stats import qmc  # half a second that networks need not wait for

    engine = qmc.Sobol(columns, scramble=True, bits=40, rng=stream("sobol", *name))
    return special.ndtri(engine.random_base2(log2_points)).T


def sobol_rule(law: InitialLaw, dim: int, log2_points: int, *name: str | int) -> Array:
    """2^log2_points scrambled Sobol points of ρ_ini (Owen 1998), equal weights: (k, points).

    The spread over scrambles (other ``name``) estimates the error of a mean.
    """
    return law.from_normal(_sobol_normals(dim_theta(dim), log2_points, *name), dim)


def correlated_sobol(law: InitialLaw, dim: int, log2_points: int, correlations: Array, *name: str | int) -> Array:
    """Sobol pairs: X first, then for each κ a Y with corr(X, Y) = κ per coordinate.

    Each of the 1 + len(correlations) blocks of 2^log2_points columns has the law ρ_ini, so that
    the whole is itself a rule of equal weights: (dim_theta, (1 + len(correlations)) · points).
    """
    k = dim_theta(dim)
    xi = _sobol_normals(2 * k, log2_points, *name)
    x, fresh = xi[:k], xi[k:]
    blocks = [x] + [kappa * x + math.sqrt(1.0 - kappa**2) * fresh for kappa in correlations]
    return law.from_normal(np.concatenate(blocks, axis=1), dim)
