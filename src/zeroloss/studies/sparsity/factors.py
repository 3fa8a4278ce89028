"""One coefficient a = w_1 ⋯ w_L under weight decay: the minimum of the penalty |a|^p, p = 2/L, and what the flow finds.

On {Π w_l = a} the least Σ w_l² is L|a|^{2/L}, so that (a − y)² + λ Σ w_l² has the minima of (a − y)² + 2μ|a|^p,
μ = λL/2. Stationary are 0 and y = a + μp a^{p−1}, whose right side is least at a_loc = [μp(1 − p)]^{1/(2−p)}, where it
is τ_loc = a_loc (2 − p)/(1 − p). The global minimum leaves 0 later, at τ = (2 − p)/(2 − 2p) [2μ(1 − p)]^{1/(2−p)}.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from ledger.record.streams import stream
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sparsity.plan import Theory

__all__ = ["ends", "least_objective", "minimiser", "shrunken", "switches"]

NEAR = np.linspace(0.95, 1.05, 41)  # times τ_loc: where a switch is looked for


def switches(num_layers: int, decay: float) -> tuple[float, float]:
    """τ_loc and τ; both are μ at L = 2, where the penalty is convex."""
    p, mu = 2.0 / num_layers, decay * num_layers / 2
    shared = (2 - p) * (1 - p) ** ((p - 1) / (2 - p))
    return shared * (mu * p) ** (1 / (2 - p)), shared / 2 * (2 * mu) ** (1 / (2 - p))


def shrunken(u: Array, num_layers: int) -> Array:
    """The global minimiser over τ, at y/τ = u ≥ 1: the larger root of u = b + c b^{p−1}, c = p b*^{1−p}/(2 − p).

    b* = (2 − 2p)/(2 − p) is its value at 1. Newton's method from above, where the right side is convex.
    """
    p = 2.0 / num_layers
    c = p * ((2 - 2 * p) / (2 - p)) ** (1 - p) / (2 - p)
    b = np.array(u, dtype=float)
    for _ in range(8):
        b = np.maximum(b, 1e-300)  # at p = 1 it may be 0
        b = b - (b + c * b ** (p - 1) - u) / (1 + c * (p - 1) * b ** (p - 2))
    return b


def minimiser(y: Array, num_layers: int, decay: float) -> Array:
    """The a ≥ 0 that minimises (a − y)² + λL a^{2/L}, for y ≥ 0."""
    tau = switches(num_layers, decay)[1]
    return np.where(y > tau, tau * shrunken(np.maximum(y / tau, 1.0), num_layers), 0.0)


def least_objective(y: Array, num_layers: int, decay: float) -> Array:
    """The least (a − y)² + λ Σ w_l²."""
    a = minimiser(y, num_layers, decay)
    return (a - y) ** 2 + decay * num_layers * a ** (2.0 / num_layers)


def flow_end(w: Array, y: Array, decay: float, horizon: float) -> Array:
    """w (L, …) > 0 after w_l' = −2(a − y) a/w_l − 2λ w_l for targets y (…): integrated are the logarithms."""

    def force(t: float, state: Array) -> Array:
        v = state.reshape(w.shape)
        total = v.sum(0)
        return (-2 * (np.exp(total) - y) * np.exp(total - 2 * v) - 2 * decay).ravel()

    done = solve_ivp(force, (0.0, horizon), np.log(w).ravel(), rtol=1e-6, atol=1e-6, t_eval=[horizon])
    return np.exp(done.y[:, -1]).reshape(w.shape)


def ends(case: Theory) -> Iterator[pd.DataFrame]:
    """Ends of the flow from large and from small starts, and the least y that large starts do not leave.

    Starts are not balanced: normal logarithms of the factors have a standard deviation of 0.2.
    """
    grid = np.linspace(0.0, 1.0, case.targets)
    for layers in case.factor_layers:
        local, _ = switches(layers, case.factor_decay)
        targets = np.concatenate([grid, local * NEAR])
        for kind, size in (("large", 2.0 ** (1 / layers)), ("small", 0.02)):
            spread = stream(case.seed, "factors", layers, kind).standard_normal((layers, case.replicates, 1))
            first = size * np.exp(0.2 * spread) * np.ones(len(targets))
            w = flow_end(first, targets, case.factor_decay, case.horizon)
            a, where = w.prod(0), f"l{layers}.{kind}"
            found = (a - targets) ** 2 + case.factor_decay * (w**2).sum(0)
            for i, y in enumerate(grid):
                yield tidy("end", where, y, a[:, i], minimiser(y, layers, case.factor_decay))
                yield tidy("objective", where, y, found[:, i], least_objective(y, layers, case.factor_decay))
            if kind == "large" and layers > 2:
                on = a[:, len(grid) :] > local / 10
                yield tidy("switch", f"l{layers}", layers, local * NEAR[on.argmax(1)], local)
