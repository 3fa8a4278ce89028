"""Langevin Monte Carlo x' = x − h f'(x) + √(2h) ξ: its stationary error, with the constant, and step counts.

On N(0, 1/λ) its law is N(0, 1/(λ(1 − hλ/2))). In general π_h ∝ π (1 + h g + O(h²)), and

    g = ¼ f'² − ½ f'' centred,    W₂(π_h, π)/h → ‖v‖_π  with  (π v)' = −π g
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline, make_interp_spline
from scipy.linalg import solve_discrete_lyapunov
from scipy.optimize import minimize_scalar, root_scalar
from scipy.stats import norm

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sampling.plan import Langevin

MOST_STEPS = 10**8
GRID, DX = np.linspace(-8.0, 8.0, 641, retstep=True)  # sums are integrals: densities vanish at its ends
LEAST = 1e-9  # density below which laws are not compared
TARGETS = {  # f, strongly convex
    "gaussian": make_interp_spline(GRID, GRID**2 / 2, k=7),
    "cosh": make_interp_spline(GRID, GRID**2 / 2 + np.log(np.cosh(2 * GRID)) / 2, k=7),
}


def derived_bias(name: str) -> tuple[Array, float]:
    """π on the grid, and ‖v‖_π."""
    f = TARGETS[name]
    p = np.exp(-f(GRID)) / (np.exp(-f(GRID)).sum() * DX)
    g = f(GRID, 1) ** 2 / 4 - f(GRID, 2) / 2
    flux = CubicSpline(GRID, p * (g - (p * g).sum() * DX)).antiderivative()(GRID)
    return p, float(np.sqrt((flux[p > LEAST] ** 2 / p[p > LEAST]).sum() * DX))


def distance(name: str, step: float) -> float:
    """W₂(π_h, π) = (∫ (T(x) − x)² π dx)^{1/2}: π_h by the transitions of the chain, T by Newton from F_h(T) = F."""
    p, drift = derived_bias(name)[0], TARGETS[name](GRID, 1)
    matrix = norm.pdf(GRID[:, None] - (GRID - step * drift), scale=np.sqrt(2 * step)) * DX - np.eye(len(GRID))
    matrix[0] = DX
    density, kept = CubicSpline(GRID, np.linalg.solve(matrix, np.eye(len(GRID))[0])), p > LEAST
    law, here, image = density.antiderivative(), CubicSpline(GRID, p).antiderivative()(GRID)[kept], GRID[kept]
    for _ in range(6):
        image = image - (law(image) - here) / density(image)
    return float(np.sqrt(((image - GRID[kept]) ** 2 * p[kept]).sum() * DX))


def error_after(count: int, step: float, dim: int) -> float:
    """W₂ to N(0, I_d) after k steps from N(1, I_d), exactly: √d ((1 − h)^{2k} + (√s_k − 1)²)^{1/2}."""
    left, end = (1 - step) ** (2 * count), 1 / (1 - step / 2)
    return float(np.sqrt(dim * (left + (np.sqrt(end + left * (1 - end)) - 1) ** 2)))


def least_steps(dim: int, accuracy: float) -> int:
    """The least number of steps after which some step size is within the accuracy."""

    def suffices(count: int) -> bool:
        best = minimize_scalar(lambda u: np.log(error_after(count, np.exp(u), dim)), bounds=(-25.0, -1e-3))
        return bool(best.fun <= np.log(accuracy))

    return bisect_left(range(MOST_STEPS), True, lo=1, key=suffices)


def derived_steps(dim: int, accuracy: float) -> float:
    """(a/4) θ/(1 − θ²) with a = √d/ε and θ²/(1 − θ²) = log a − ½ log(1 − θ²), for large a.

    θ is the share of the accuracy that the bias √d h/4 takes at the best step.
    """
    ratio = np.sqrt(dim) / accuracy
    x = root_scalar(lambda x: 1 / x - 1 - np.log(ratio) + np.log(x) / 2, bracket=(1e-6, 1 - 1e-9)).root  # 1 − θ²
    return float(ratio / 4 * np.sqrt(1 - x) / x)


def coupled(step: float) -> float:
    """Stationary root mean square of x − y, y the diffusion on N(0, 1) with the same Brownian motion."""
    decay = np.exp(-step)
    noise = np.array([[2 * step, 2 * (1 - decay)], [2 * (1 - decay), 1 - decay**2]])
    covariance = np.asarray(solve_discrete_lyapunov(np.diag([1 - step, decay]), noise))
    return float(np.sqrt([1, -1] @ covariance @ [1, -1]))


@job(Langevin)
def langevin(case: Langevin) -> Iterator[pd.DataFrame]:
    """W₂/h, coupling over W₂ and step counts, each with what is derived for it; sizes are 1/h, d, 1/ε."""
    for step in case.steps:
        for name in TARGETS:
            yield tidy("bias", name, 1 / step, distance(name, step) / step, derived_bias(name)[1])
        exact = 1 / np.sqrt(1 - step / 2) - 1
        yield tidy("coupling", "gaussian", 1 / step, coupled(step) / exact, np.sqrt(10 / 3))
    cells = [("dimension", dim, case.at_accuracy, dim) for dim in case.dims]
    cells += [("accuracy", case.at_dim, accuracy, 1 / accuracy) for accuracy in case.accuracies]
    for where, dim, accuracy, size in cells:
        steps = least_steps(dim, accuracy)
        yield tidy("steps", where, size, steps, derived_steps(dim, accuracy))
        yield tidy("over_logarithm", where, size, steps / np.log(np.sqrt(dim) / accuracy))
        yield tidy("linear", where, size, dim / accuracy)
