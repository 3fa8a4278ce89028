"""Networks and their halves: slopes and traces of fluctuations from differences of small variance.

The units of a network of n = L M independent ones, split in two, make two independent networks of
n/2: on units m and m', or on the even and the odd layers. Residuals fluctuate by x = r − E r with

    x = (1/n) Σ_i ψ(θ_i) + O(1/n),    so that x = x̄ + O(1/n),  x̄ = (x₁ + x₂)/2,

where x₁, x₂ are the fluctuations of the halves: the linear part cancels from x − x̄ (the antithetic
difference of Giles and Szpruch 2014). Halves in depth sit at depths l/(L/2), not l/L: ψ
differs by O(1/L) there, and x − x̄ by as much relative to x. With T_n = n tr Cov(r_n),

    D = n (|x|² − |x̄|²),    E D = T_n − T_{n/2},    Var D = O(1/n) beside Var(n |x|²) = O(1),

for E |x̄|² = ¼ (E|x₁|² + E|x₂|² + 2 E x₁·x₂) and E x₁·x₂ = 0, since the halves are independent. The
means of r_n and r_{n/2} may differ: each is centred by itself. The trace at the top of a ladder of
sizes is that of the smallest size plus a sum of D's. A slope in n needs the D's alone to first
order, as the smallest size's noise is common to all; a trace needs both, and the multilevel method
(Giles 2008) shares replicates out between them. With Var D ∝ 1/n at costs ∝ n its best counts
double with each halving, which is what a tree of halves, quarters, … has.

Arrays of residuals are (trees, nodes, N): nodes 2 i and 2 i + 1 of a level are the halves of node i
of the level above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from ledger.record.statistics import Estimate, bootstrap_weights, log_slope

__all__ = ["Allocation", "allocate", "coupled_slope", "differences", "halves", "multilevel_trace",
           "squares", "traces", "tree"]

Array = NDArray[np.float64]
AXES = ("units", "layers")


def halves(theta: Tensor, axis: str) -> Tensor:
    """Both halves of each network: (…, L, k, M) -> (…, 2, L, k, M/2), or (…, 2, L/2, k, M).

    ``axis`` units: the first and the last M/2 units of each layer; layers: even and odd layers.
    ValueError if the axis is another or cannot be halved.
    """
    if axis not in AXES:
        raise ValueError(f"axis must be units or layers, got {axis!r}; pass one of {AXES}")
    size = theta.shape[-1 if axis == "units" else -3]
    if size < 2 or size % 2:
        raise ValueError(f"the number of {axis} must be even, got {size}; start from a power of 2")
    if axis == "units":
        parts = theta[..., : size // 2], theta[..., size // 2 :]
    else:
        parts = theta[..., ::2, :, :], theta[..., 1::2, :, :]
    return torch.stack(parts, -4)


def tree(theta: Tensor, levels: int, axis: str) -> list[Tensor]:
    """Networks (trees, L, k, M), their halves, quarters, …: ``levels`` sizes, the largest first.

    Level j is (trees, 2^j, L, k, M) with M, or L, divided by 2^j.
    """
    if levels < 1:
        raise ValueError(f"levels must be at least 1, got {levels}; pass the number of sizes")
    grown = [theta.unsqueeze(1)]
    for _ in range(levels - 1):
        grown.append(halves(grown[-1], axis).flatten(1, 2))
    return grown


def _weighted_trace(samples: Array, weights: Array) -> Array:
    """Trace of the covariance of samples (trees, nodes, N), per row of weights (B, trees).

    All nodes of a level are independent: one mean for all, and the unbiased factor of their count.
    """
    R, K, _ = samples.shape
    centred = samples - samples.mean((0, 1))
    mean = weights @ centred.mean(1) / R
    second = weights @ (centred**2).sum(2).mean(1) / R
    return (second - (mean**2).sum(1)) * R * K / (R * K - 1)


def _means_of_halves(samples: Array) -> Array:
    """x̄ = (x₁ + x₂)/2 of (trees, 2 nodes, N): (trees, nodes, N)."""
    return 0.5 * (samples[:, ::2] + samples[:, 1::2])


def _check_tree(sizes: Sequence[float], residuals: Sequence[Array]) -> None:
    trees = residuals[0].shape[0]
    for j, (size, r) in enumerate(zip(sizes, residuals, strict=True)):
        if r.ndim != 3 or r.shape[:2] != (trees, 2**j) or trees < 2:
            raise ValueError(f"residuals of level {j} must be ({trees} trees, {2**j}, N) with at "
                             f"least 2 trees, got {r.shape}; pass the levels of one tree")
        if size * 2**j != sizes[0]:
            raise ValueError(f"sizes must halve from level to level, got {list(sizes)}; "
                             "pass the largest first")


def traces(sizes: Sequence[float], residuals: Sequence[Array], weights: Array | None = None
           ) -> Array:
    """T_n at each size, largest first: (B, sizes) for weights (B, trees), else (1, sizes).

    T of the smallest size from all of its networks, T_n = T_{n/2} + mean D from there on;
    residuals[j] (trees, 2^j, N) belong to sizes[j]. ``sizes`` count what is halved: n up to the
    factor that all share.
    """
    _check_tree(sizes, residuals)
    if weights is None:
        weights = np.ones((1, len(residuals[0])))
    found = [sizes[-1] * _weighted_trace(residuals[-1], weights)]
    for j in reversed(range(len(sizes) - 1)):
        whole = _weighted_trace(residuals[j], weights)
        mixed = _weighted_trace(_means_of_halves(residuals[j + 1]), weights)
        found.append(found[-1] + sizes[j] * (whole - mixed))
    return np.stack(found[::-1], 1)


def _expanded(level: float, count: int) -> float:
    """The level whose normal quantiles are those of Student's t, with the bootstrap's n/(n − 1).

    A percentile interval of few values is too narrow by both (Hesterberg 2015).
    """
    t = float(stats.t.ppf(0.5 + level / 2, count - 1)) * math.sqrt(count / (count - 1))
    return 2.0 * float(stats.norm.cdf(t)) - 1.0


def coupled_slope(sizes: Sequence[float], residuals: Sequence[Array], level: float = 0.95
                  ) -> Estimate:
    """Slope of log std against log size, ½ log(T_n/n) on log n, from trees of networks.

    Least squares over the sizes of ``traces``; percentile interval over resampled trees, each
    resample centred with its own means, at the level that small samples need.

    Raises ValueError where a trace is not above 0: the trees are too few.
    """
    trees = len(residuals[0])
    n = np.asarray(sizes, dtype=np.float64)
    both = [traces(sizes, residuals),
            traces(sizes, residuals, bootstrap_weights(trees, "coupled"))]
    if min(float(part.min()) for part in both) <= 0:
        raise ValueError(f"{trees} trees give a trace that is not above 0; take more trees")
    value, draws = (log_slope(n, np.sqrt(part / n)) for part in both)
    tail = 0.5 - 0.5 * _expanded(level, trees)
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Estimate(float(value[0]), min(float(low), float(value[0])),
                    max(float(high), float(value[0])), level)


def _mean_squares(samples: Array) -> Array:
    """|x|² of (trees, nodes, N), x centred with the mean over all, averaged over nodes: (trees,).

    Unbiased in the mean.
    """
    R, K, _ = samples.shape
    if R < 2:
        raise ValueError(f"a trace needs at least 2 replicates, got {R}; add replicates")
    return ((samples - samples.mean((0, 1))) ** 2).sum(2).mean(1) * R * K / (R * K - 1)


def squares(size: float, residuals: Array) -> Array:
    """n |x|² of networks of size n with residuals (R, N): (R,), in the mean T_n."""
    return size * _mean_squares(residuals[:, None])


def differences(sizes: Sequence[float], residuals: Sequence[Array]) -> Array:
    """Σ_j (mean D over the nodes of level j) of each tree: (trees,), in the mean T_top − T_leaf.

    A pair of levels is a tree of two sizes.
    """
    _check_tree(sizes, residuals)
    return sum((size * (_mean_squares(whole) - _mean_squares(_means_of_halves(parts)))
                for size, (whole, parts) in zip(sizes, pairwise(residuals), strict=False)),
               start=np.zeros(len(residuals[0])))


def multilevel_trace(groups: Sequence[Array], level: float = 0.95) -> Estimate:
    """T_n at the top: the sum of the means of independent groups of values (Giles 2008).

    Groups are ``squares`` of the smallest size and ``differences`` from there to the top, of
    one tree of all sizes or of pairs of sizes. Variances add, Σ_j V_j/R_j; normal quantiles.
    """
    if min(len(values) for values in groups) < 2:
        raise ValueError("a group needs at least 2 values; add replicates")
    trace = sum(float(values.mean()) for values in groups)
    variance = sum(float(values.var(ddof=1)) / len(values) for values in groups)
    half = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(variance)
    return Estimate(trace, trace - half, trace + half, level)


@dataclass(frozen=True)
class Allocation:
    """Replicates of each group and what they cost together."""

    replicates: tuple[int, ...]
    cost: float


MIXTURES = 101  # of two precisions asked for at once: the cost is flat around the best


def allocate(variances: Array, costs: Array, deviations: Array, least: int = 2) -> Allocation:
    """Replicates R_j of each group for the least cost at which every estimate is precise enough.

    variances V (estimates, groups) of one replicate's contribution, costs C (groups,) of a
    replicate, deviations ε (estimates,) asked for: Σ_j V_ij/R_j ≤ ε_i² for all i, and R_j at least
    ``least``. For one estimate R_j = √(V_j/C_j) Σ_k √(V_k C_k)/ε² (Giles 2008); for two, V is a
    mixture λ V_1/ε_1² + (1 − λ) V_2/ε_2² (Lagrange), with λ on a grid. More: ValueError.
    """
    scaled = np.asarray(variances) / np.asarray(deviations)[:, None] ** 2
    if len(scaled) > 2:
        raise ValueError(f"one or two estimates share an allocation, got {len(scaled)}; split them")
    found = []
    for share in np.linspace(0.0, 1.0, MIXTURES) if len(scaled) == 2 else (1.0,):
        mixed = share * scaled[0] + (1.0 - share) * scaled[-1]
        shape = np.sqrt(mixed / costs).clip(min=1e-12)
        enough = shape * (scaled / shape).sum(1).max()
        # no rounding error may add a replicate
        counts = np.maximum(np.ceil(enough * (1.0 - 1e-12)), least).astype(int)
        found.append(Allocation(tuple(int(count) for count in counts), float(counts @ costs)))
    return min(found, key=lambda one: one.cost)
