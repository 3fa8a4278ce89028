"""The predicted law of the trained risk about that of the limit, and the sizes it asks for.

With residuals r_n = r_L + ξ/√n, ξ ~ N(0, Σ), n = L M for independent layers and M for paths,

    E_n − E(ρ) = gap + a/√n + b/n,   gap = ½ mean r_L² − E(ρ),  a = r_L·ξ/N,  b = |ξ|²/(2N)

at each flow time s, jointly over several of them. A size suffices at accuracy ε and failure
probability η if P(|E_n − E(ρ)| > ε) ≤ η: by the law itself, on common draws of (a, b) for every n,
or by Chebyshev's inequality from mean and covariance alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zeroloss.model.arrays import Array
from zeroloss.theory.chebyshev import chebyshev_size

__all__ = ["MOST", "RiskLaw", "check_demand", "smallest_size"]

MOST = 2**40  # no size above this is looked at
_AT_ONCE = 20_000  # draws in memory: about 20 MB for 128 residuals


def check_demand(accuracy: float, failure_probability: float) -> None:
    """Raise ValueError unless ε > 0 and 0 < η < 1."""
    if not (math.isfinite(accuracy) and accuracy > 0):
        raise ValueError(
            f"accuracy must be finite and above 0, got {accuracy}; pass an absolute error of the risk, such as 0.01"
        )
    if not 0 < failure_probability < 1:
        raise ValueError(f"failure_probability must lie in (0, 1), got {failure_probability}; pass one such as 0.05")


def smallest_size(failure: Callable[[int], float], failure_probability: float, most: int = MOST) -> float:
    """The n from which on failure(n) ≤ η, as far as sizes that double tell; ∞ if there is none.

    ``failure`` may rise again between sizes: the search starts at the top, ends at the last size
    2^i that fails and bisects above it.
    """
    n = most
    if failure(n) > failure_probability:
        return math.inf
    while n > 1 and failure(n // 2) <= failure_probability:
        n //= 2
    low, high = n // 2, n  # low fails (or is 0), high suffices
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if failure(middle) <= failure_probability else (middle, high)
    return float(high)


@dataclass(frozen=True)
class RiskLaw:
    """E_n − E(ρ) at T flow times, from the wide limit: everything in units of the risk.

    mean r_L and limit r (T, N); covariance Σ(s, s') (T, N, T, N) of ξ, drawn from ``rng``.
    """

    mean: Array
    limit: Array
    covariance: Array
    draws: int
    rng: np.random.Generator

    @cached_property
    def reference(self) -> Array:
        """E(ρ(s)) (T,)."""
        return 0.5 * np.mean(self.limit**2, axis=1)

    @cached_property
    def gap(self) -> Array:
        """½ mean r_L² − E(ρ): (T,)."""
        return 0.5 * np.mean(self.mean**2, axis=1) - self.reference

    @cached_property
    def terms(self) -> tuple[Array, Array]:
        """Draws of a = r_L·ξ/N and b = |ξ|²/(2N), joint over flow times: (T, draws) each."""
        T, N = self.mean.shape
        values, vectors = np.linalg.eigh(self.covariance.reshape(T * N, T * N))
        kept = values > 1e-12 * values[-1]
        root = (vectors[:, kept] * np.sqrt(values[kept])).T
        a, b = np.empty((T, self.draws)), np.empty((T, self.draws))
        for start in range(0, self.draws, _AT_ONCE):
            stop = min(start + _AT_ONCE, self.draws)
            xi = (self.rng.standard_normal((stop - start, len(root))) @ root).reshape(-1, T, N)
            a[:, start:stop] = np.einsum("dtn,tn->td", xi, self.mean) / N
            b[:, start:stop] = np.einsum("dtn,dtn->td", xi, xi) / (2 * N)
        return a, b

    def deviation(self, count: float, time: int) -> Array:
        """Draws of E_n − E(ρ) at one flow time: (draws,)."""
        a, b = self.terms
        return self.gap[time] + a[time] / math.sqrt(count) + b[time] / count

    def failure(self, count: float, accuracy: float, time: int | None = None, shift: float = 0.0) -> float:
        """P(|E_n − E(ρ) + shift| > ε) at one flow time, or for the largest over all (``time``
        None)."""
        times = range(len(self.mean)) if time is None else [time]
        failed = np.zeros(self.draws, dtype=bool)
        for t in times:
            failed |= np.abs(self.deviation(count, t) + shift) > accuracy
        return float(failed.mean())

    def above(self, count: float, level: float, time: int) -> float:
        """P(E_n > level) at one flow time."""
        return float((self.deviation(count, time) > level - self.reference[time]).mean())

    def required(self, accuracy: float, failure_probability: float, time: int | None = None) -> float:
        """Smallest n by the law; ∞ where the gap of the depth alone is above ε."""
        check_demand(accuracy, failure_probability)
        return smallest_size(lambda n: self.failure(n, accuracy, time), failure_probability)

    def chebyshev(self, accuracy: float, failure_probability: float, time: int | None = None) -> float:
        """Smallest n by Chebyshev's inequality, whatever the law of ξ; η is shared equally by the
        flow times where the largest deviation over them is asked for."""
        times = range(len(self.mean)) if time is None else [time]
        return max(
            math.ceil(n) if math.isfinite(n) else n
            for n in (
                chebyshev_size(
                    self.limit[t],
                    self.covariance[t, :, t],
                    accuracy,
                    failure_probability / len(times),
                    bias=self.mean[t] - self.limit[t],
                    num_layers=1,
                )
                for t in times
            )
        )
