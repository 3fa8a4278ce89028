"""The variance of the interpolant of least norm for spectra without end, at any n, by quadrature.

For λ_k = k^{−α} log^{−β} k with n up to 10^128 sums over k are integrals over u = log k − log n, in
which nothing overflows. With κ = e^q n^{−α} log^{−β} n,

    λ/(λ + κ) = 1/(1 + e^{q + αu} (1 + u/log n)^β),       ∫ e^u λ/(λ + κ) du = 1

fixes q, and V = D/(1 − D) with D = ∫ e^u (λ/(λ + κ))² du. Bartlett et al. bound V by constants times
k*/n + n/R, where k* is the least k with r_k ≥ b n, r_k = Σ_{i>k}λ_i/λ_{k+1}, and
R = (Σ_{i>k*}λ_i)²/Σ_{i>k*}λ_i². b is not specified; here b = 1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.optimize import root_scalar

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.interpolation.equivalents import implicit_ridge
from zeroloss.studies.interpolation.plan import Benign

FAR = 60.0  # of u: from here on e^{−u} is below round-off


def endless(alpha: float, beta: float, log_n: float) -> tuple[float, float, float]:
    """d₂/n, k*/n and n/R for k^{−α} log^{−β} k at n = e^{log_n}."""
    first = np.log(2.0) - log_n

    def share(u: float, q: float) -> float:
        return float(1 / (1 + np.exp(min(q + alpha * u + beta * np.log1p(u / log_n), 700.0))))

    def integral(power: int, q: float) -> float:
        start = max(first, -FAR)
        edges = [start, *(edge for edge in (-8.0, 0.0, 8.0, FAR) if edge > start)]
        return sum(
            quad(lambda u: np.exp(u) * share(u, q) ** power, a, b, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
            for a, b in pairwise(edges)
        )

    def beyond(q: float) -> float:
        """∫_FAR^∞ of e^u/(e^{q + αu} (1 + u/log n)^β): what is left of the sum of λ/κ."""
        if alpha > 1:
            return float(np.exp(-q + (1 - alpha) * FAR) / (alpha - 1))
        return float(np.exp(-q) * log_n * (1 + FAR / log_n) ** (1 - beta) / (beta - 1))

    q = root_scalar(lambda q: integral(1, q) + beyond(q) - 1.0, bracket=(-20.0, 20.0), xtol=1e-12).root
    return integral(2, q), *effective_ranks(alpha, beta, log_n)


def effective_ranks(alpha: float, beta: float, log_n: float) -> tuple[float, float]:
    """k*/n and n/R: closed for powers; for k^{−1} log^{−β} k the sums beyond k are integrals."""
    if alpha > 1:
        k = alpha - 1
        return k, (alpha - 1) ** 2 / (k * (2 * alpha - 1))
    t = float(root_scalar(lambda t: t + np.log(t / (beta - 1)) - log_n, bracket=(1.0, log_n + 1.0)).root)
    squares = quad(lambda v: np.exp(-v) * (1 + v / t) ** (-2 * beta), 0, 50)[0]
    # Σλ = t^{1−β}/(β−1), Σλ² = t^{−2β} e^{−t} × squares, n = e^{log_n}
    return float(np.exp(t - log_n)), float(np.exp(log_n - t) * squares * ((beta - 1) / t) ** 2)


def with_flat_tail(num_samples: int, ratio: float, floor: float) -> tuple[float, float, float]:
    """d₂/n, k*/n and n/R for e^{−k} + floor, k ≤ ratio × n: few directions over a flat tail."""
    eigenvalues: Array = np.exp(-np.arange(1.0, int(ratio * num_samples) + 1)) + floor
    kappa = implicit_ridge(eigenvalues, num_samples)
    d2 = float(((eigenvalues / (eigenvalues + kappa)) ** 2).sum())
    tails = eigenvalues[::-1].cumsum()[::-1]
    k = int(np.argmax(tails / eigenvalues >= num_samples))
    rank = tails[k] ** 2 / (eigenvalues[k:] ** 2).sum()
    return d2 / num_samples, k / num_samples, num_samples / float(rank)


@job(Benign)
def benign(case: Benign) -> pd.DataFrame:
    """d₂/n, k*/n, n/R and their limits, for every spectrum and size."""
    rows = []
    for decades in case.decades:
        log_n = decades * np.log(10.0)
        for alpha in case.alphas:
            found = endless(alpha, 0.0, log_n)
            rows.append((f"power-{alpha:g}", decades, *found, alpha - 1, (2 * alpha - 1) / (2 * alpha)))
        for beta in case.betas:
            found = endless(1.0, beta, log_n)
            rows.append((f"log-{beta:g}", decades, *found, (beta - 1) / log_n, 0.5))
    for ratio in case.tail_ratios:
        found = with_flat_tail(case.tail_samples, ratio, case.tail_floor)
        rows.append((f"tail-{ratio:g}", np.log10(case.tail_samples), *found, 1 / (ratio - 1), ratio / (ratio - 1)))
    columns = ["spectrum", "decades", "share", "least_rank", "tail_rank", "limit", "over_bound"]
    return pd.DataFrame(rows, columns=columns)
