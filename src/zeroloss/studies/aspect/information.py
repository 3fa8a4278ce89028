"""Mutual information of two groups of neurons that share a random scale.

Given Ĝ, the neurons of a layer are independent N(0, Ĝ). Two groups of m of them have the information
I = 2 H_m − H_2m with H_m the entropy of m, which depends on their squared norm alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.aspect.plan import Information
from zeroloss.studies.replicated import tidy

SCALES = 80  # Gauss–Hermite nodes in log Ĝ
RANGE, STEPS = 45.0, 1801  # of the logarithm of the squared norm


def entropy(m: int, variance: float) -> float:
    """Of m neurons with log Ĝ ~ N(0, variance): −∫ q log p, p the density in m dimensions as a function of the
    squared norm e^t and q = p π^(m/2) e^(mt/2)/Γ(m/2) the density of t; trapezoidal rule in t."""
    x, weights = np.polynomial.hermite_e.hermegauss(SCALES)
    logs = np.sqrt(variance) * x
    t = np.linspace(-RANGE, RANGE, STEPS)
    exponents = -m / 2 * (np.log(2 * np.pi) + logs) - np.exp(t)[:, None] / (2 * np.exp(logs))
    log_p = np.asarray(logsumexp(exponents + np.log(weights / weights.sum()), axis=1))
    q = np.exp(log_p + m / 2 * (t + np.log(np.pi)) - gammaln(m / 2))
    return -float((q * np.where(q > 0, log_p, 0.0)).sum()) * float(t[1] - t[0])


def exact(m: int, variance: float) -> float:
    """I of two groups of m neurons whose common scale is log-normal."""
    return 2 * entropy(m, variance) - entropy(2 * m, variance)


def cubic(m: int) -> float:
    """The coefficient of −u³ over that of u², with n_L = 2m: (20 + 3 n_L)/6."""
    return (20 + 6 * m) / 6


def series(m: int, u: Array) -> Array:
    """The expansion of I to third order in u = Var Ĝ/(E Ĝ)²: (m²/8)(u² − (20 + 3 n_L) u³/6)."""
    return m**2 / 8 * (u**2 - cubic(m) * u**3)


def optimum(m: int) -> float:
    """Where the series is largest: u* = 4/(20 + 3 n_L), that is r* = u*/ν in units of depth over width."""
    return 4 / (20 + 6 * m)


@job(Information)
def information(case: Information) -> Iterator[pd.DataFrame]:
    """I and its series over u = e^v − 1; the cubic coefficient as Richardson's limit of (1 − 8I/m²u²)/u."""
    for m in case.group_sizes:
        u = np.expm1(np.asarray(case.variances))
        values = [exact(m, v) for v in case.variances]
        for quantity, column in (("exact", values), ("series", series(m, u))):
            for one, value in zip(u, column, strict=True):
                yield tidy(quantity, f"m{m}", float(one), value, optimum(m))
        slopes = []
        for small in (case.small, case.small / 2):
            slopes.append((1 - 8 * exact(m, float(np.log1p(small))) / (m * small) ** 2) / small)
        yield tidy("cubic", f"m{m}", case.small, 2 * slopes[1] - slopes[0], cubic(m))
