"""Exact risks of thresholding by |θ|^p, p = 2/L, in an orthonormal dictionary, and of linear shrinkage.

Coefficients y = θ + ε z, ε² = 1/n, n of them in dyadic levels j < log₂ n. The worst of the signals with k equal spikes
in one level, |θ_i| = A = S 2^{−j(α − 1/2)}/k, 1 ≤ k ≤ 2^j, are those of the Besov body of p = 1: of spikes of a given
sum the risk is largest where each has the greatest gain per size. With θ̂ the global minimiser of ½(θ − y)² + μ|θ|^p,
which is 0 below τ, and r(m) = E(θ̂ − A)²/ε² at A = mε, the risk is

    ε² [n r(0) + k (r(m) − r(0))],

the largest over j and k, the least over τ.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import leggauss
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sparsity.factors import shrunken
from zeroloss.studies.sparsity.plan import Theory

__all__ = ["linear_risk", "rates", "spike_risk", "theorem_exponent"]

NODES, WEIGHTS = leggauss(100)
REACH = 9.0  # of the normal law: beyond it lies less than 1e-18
SPIKES = 96  # sizes of spikes at which r is tabulated, in steps of their logarithm
THRESHOLDS = np.arange(0.5, 9.0, 0.0625)


def theorem_exponent(alpha: float, num_layers: int) -> float:
    """2α(1 − 2/L)/(2α + 1 − 2/L) of the bound on the mean square error, at d = p = 1."""
    q = 2.0 / num_layers
    return 2 * alpha * (1 - q) / (2 * alpha + 1 - q)


def spike_risk(m: Array, tau: float, num_layers: int) -> Array:
    """r(m) of spikes m ≥ 0 (in ε): beyond |y| = τ by Gauss and Legendre's rule, within as m² times the mass."""
    m = np.asarray(m, dtype=float)[:, None]
    total = m[:, 0] ** 2 * (norm.cdf(tau - m) - norm.cdf(-tau - m))[:, 0]
    for sign in (1.0, -1.0):
        low = np.maximum(tau, sign * m - REACH)
        half = (np.maximum(tau, sign * m) + REACH - low) / 2
        y = low + half * (1 + NODES)
        error = sign * tau * shrunken(y / tau, num_layers) - m
        total = total + (half * WEIGHTS * error**2 * norm.pdf(sign * y - m)).sum(1)
    return np.asarray(total)


def risk_tables(num_layers: int, largest: float) -> tuple[Array, Array, list[Array]]:
    """Sizes of spikes, r(0) of each threshold, and (r(m) − r(0))/m of each."""
    m = np.geomspace(1e-3, largest, SPIKES)
    tables = [spike_risk(np.append(0.0, m), tau, num_layers) for tau in THRESHOLDS]
    return m, np.array([r[0] for r in tables]), [(r[1:] - r[0]) / m for r in tables]


def worst_risk(alpha: float, signal: float, log2_n: int, tables: tuple[Array, Array, list[Array]]) -> float:
    """Least over thresholds of the largest risk over levels and numbers of spikes.

    k spikes add B (r(m) − r(0))/m with B = k m = S 2^{−j(α − 1/2)} √n; k runs over [1, 2^j], not whole numbers alone.
    """
    m, at_zero, gains = tables
    n, levels = 2.0**log2_n, np.arange(log2_n)
    total = signal * 2.0 ** (-levels * (alpha - 0.5)) * np.sqrt(n)
    inside = [np.append([B / 2.0**j, B], m[(m > B / 2.0**j) & (m < B)]) for j, B in zip(levels, total, strict=True)]

    def extra(gain: Array) -> float:
        most = [np.interp(np.log(sizes), np.log(m), gain).max() for sizes in inside]
        return max(0.0, float((total * most).max())) / n

    return min(zero + extra(gain) for zero, gain in zip(at_zero, gains, strict=True))


def linear_risk(alpha: float, signal: float, log2_n: int) -> float:
    """Minimax linear risk on the same signals: shrinkage 1 − √(R/E_j) of each level, E_j = S² 2^{−j(2α − 1)}.

    By symmetry it is one factor c_j a level; Σ 2^j ε² c_j² + max (1 − c_j)² E_j is least where the second terms agree.
    """
    j = np.arange(log2_n)
    energy = signal**2 * 2.0 ** (-j * (2 * alpha - 1))

    def risk(log_R: float) -> float:
        R = np.exp(log_R)
        c = np.maximum(1 - np.sqrt(R / energy), 0.0)
        return float((2.0**j * c**2).sum() / 2.0**log2_n + R)

    found = minimize_scalar(risk, bounds=np.log(energy[[-1, 0]]), method="bounded", options={"xatol": 1e-9})
    return float(found.fun)  # pyright: ignore


def rates(case: Theory) -> Iterator[pd.DataFrame]:
    """Worst risks for every depth, smoothness and n; n/log n is the `size`, n alone for the linear ones."""
    first = case.first_log2_samples
    largest = 2.0 * case.signal * 2.0 ** ((first + case.periods * (2 * max(case.alphas) + 1)) / 2)
    tables = {layers: risk_tables(layers, largest) for layers in case.rate_layers}
    for alpha in case.alphas:
        for log2_n in range(first, first + round(case.periods * (2 * alpha + 1)) + 1):
            for layers in case.rate_layers:
                value = worst_risk(alpha, case.signal, log2_n, tables[layers])
                exponent = theorem_exponent(alpha, layers)
                yield tidy("risk", f"a{alpha:g}.l{layers}", 2.0**log2_n / (log2_n * np.log(2)), value, exponent)
        for log2_n in range(first, first + round(case.periods * 2 * alpha) + 1):
            value, exponent = linear_risk(alpha, case.signal, log2_n), (2 * alpha - 1) / (2 * alpha)
            yield tidy("linear", f"a{alpha:g}", 2.0**log2_n, value, exponent)
