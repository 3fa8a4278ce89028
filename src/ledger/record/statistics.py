"""Slopes, orders, probabilities and distances of laws, each with an interval.

Bootstrap intervals are percentile intervals over replicates (Efron 1979) from a named stream: the
same numbers for the same data. Every function works on numpy arrays in float64, and is told what
its interval is to be: `CONFIDENCE` (95 %), `one_sided()`, or `simultaneous(cells)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ledger.record.interval import Interval
from ledger.record.streams import stream

__all__ = [
    "Estimate",
    "about",
    "bootstrap",
    "bootstrap_weights",
    "clopper_pearson",
    "ks_distance",
    "log_slope",
    "observed_orders",
    "percentile",
    "slope_of_stds",
    "student",
    "welch",
]

Array = NDArray[np.float64]
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and what that is."""

    value: float
    lower: float
    upper: float
    interval: Interval

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return 0.5 * (self.upper - self.lower)


def about(value: float, half_width: float, interval: Interval) -> Estimate:
    """A number with an interval that is symmetric about it."""
    return Estimate(float(value), float(value - half_width), float(value + half_width), interval)


def student(values: Array, interval: Interval) -> Estimate:
    """Mean of independent values with Student's t interval."""
    n = len(values)
    if n < 2:
        raise ValueError(f"an interval needs at least 2 values, got {n}; add replicates")
    quantile = float(stats.t.ppf(0.5 + interval.two_sided_level / 2, n - 1))
    return about(float(values.mean()), quantile * float(values.std(ddof=1)) / math.sqrt(n), interval)


def welch(value: float, errors: Sequence[tuple[float, float]], interval: Interval) -> Estimate:
    """A number with independent standard errors e, each of so many degrees of freedom ν (or infinity).

    Student's interval of √(Σ e²), with ν = (Σ e²)² / Σ e⁴/ν_i (Satterthwaite 1946, Welch 1947).
    """
    square, spread = sum(e**2 for e, _ in errors), sum(e**4 / degrees for e, degrees in errors)
    degrees = square**2 / spread if spread else math.inf
    return about(value, float(stats.t.ppf(0.5 + interval.two_sided_level / 2, degrees)) * math.sqrt(square), interval)


def log_slope(sizes: Sequence[float] | Array, values: Array) -> Array:
    """Least-squares slope of log values (…, sizes) against log sizes."""
    x = np.log(np.asarray(sizes, dtype=np.float64))
    x = x - x.mean()
    return np.log(values) @ x / (x @ x)


def observed_orders(errors: Array) -> Array:
    """log₂(e_L / e_2L) for errors (…, sizes) on sizes that double: (…, sizes − 1)."""
    return np.log2(errors[..., :-1] / errors[..., 1:])


def bootstrap_weights(replicates: int, *name: str | int) -> Array:
    """Multinomial resampling weights (BOOTSTRAPS, replicates), each row of mean 1."""
    rng = stream("bootstrap", replicates, *name)
    return rng.multinomial(replicates, np.full(replicates, 1.0 / replicates), size=BOOTSTRAPS).astype(np.float64)


def percentile(value: float, draws: Array, interval: Interval) -> Estimate:
    """A number with the percentile interval of its bootstrap draws, which holds it."""
    level = interval.two_sided_level
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(value, min(float(low), value), max(float(high), value), interval)


def _bootstrap_std(residuals: Array, weights: Array) -> Array:
    """Root of the trace of the covariance of residuals (R, N), per row of weights (B, R)."""
    R = residuals.shape[0]
    centred = residuals - residuals.mean(0)
    mean = weights @ centred / R
    second = weights @ (centred**2).sum(1)
    return np.sqrt((second / R - (mean**2).sum(1)) * R / (R - 1))


def slope_of_stds(
    sizes: Sequence[float], samples: Sequence[Array], interval: Interval, paired: bool = False
) -> Estimate:
    """Slope of log std against log size; samples[i] (R_i, N) are residuals at size i.

    std is the root of the covariance's trace. ``paired`` resamples the same replicates at all
    sizes (networks on common paths): what they share cancels.
    """
    stds, draws = [], []
    for i, r in enumerate(samples):
        w = bootstrap_weights(len(r), "std", 0 if paired else i)
        stds.append(_bootstrap_std(r, np.ones((1, len(r))))[0])
        draws.append(_bootstrap_std(r, w))
    value = float(log_slope(sizes, np.array(stds)))
    return percentile(value, log_slope(sizes, np.stack(draws, 1)), interval)


def bootstrap(statistic: Callable[[Array], Array], replicates: int, interval: Interval) -> Estimate:
    """Percentile interval of ``statistic``: weights (B, replicates) -> values (B,)."""
    value = float(statistic(np.ones((1, replicates)))[0])
    return percentile(value, statistic(bootstrap_weights(replicates, "statistic")), interval)


def ks_distance(sample: Array, reference: Array, interval: Interval) -> Estimate:
    """Kolmogorov–Smirnov distance of a sample from a law given by many draws of it.

    The interval follows from the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's
    constant for both samples: |D − D_true| ≤ √(log(2/α)/2) (R^{−1/2} + n^{−1/2}), each at α/2.
    """
    distance = float(np.asarray(stats.ks_2samp(sample, reference, method="asymp"))[0])
    alpha = (1.0 - interval.two_sided_level) / 2
    radius = math.sqrt(math.log(2.0 / alpha) / 2.0)
    half = radius * (1 / math.sqrt(len(sample)) + 1 / math.sqrt(len(reference)))
    return Estimate(distance, max(distance - half, 0.0), distance + half, interval)


def clopper_pearson(successes: int, trials: int, interval: Interval) -> Estimate:
    """Exact interval of a probability (Clopper and Pearson 1934)."""
    ends = stats.binomtest(successes, trials).proportion_ci(interval.two_sided_level, method="exact")
    return Estimate(successes / trials, float(ends.low), float(ends.high), interval)
