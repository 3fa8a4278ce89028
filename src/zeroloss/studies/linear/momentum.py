"""The jobs on momentum: contraction of the residual against the condition number of the data and
the width, predicted from the kernel at the start."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.linear.accelerated import METHODS, contraction, measured_contraction, recursion, run, tuned
from zeroloss.studies.linear.architectures import build
from zeroloss.studies.linear.plan import Momentum

Array = np.ndarray
Row = tuple[str, str, float, int, int, str, float]
LATE = 8.0  # a run covers at least so many times of contraction by e, and is read in its last part
MIXING = 0.04  # of the samples of a ReLU network, which would not meet if they were orthogonal


def inputs_of(case: Momentum, condition: float) -> Array:
    """X (features, samples), as many as each other, with that condition number of XᵀX and norm 1.

    Random singular vectors and singular values in a geometric sequence; for the ReLU, whose kernel
    is no function of XᵀX, samples of nearly orthogonal directions with norms in such a sequence.
    """
    d = case.num_features
    rng = stream(case.data_seed, "linear", "inputs", case.architecture)
    if case.architecture != "relu":
        left, right = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
        return left * np.geomspace(1.0, condition**-0.5, d) @ right.T
    directions = np.eye(d) + MIXING * rng.standard_normal((d, d))
    directions /= np.linalg.norm(directions, axis=0)

    def with_range(exponent: float) -> Array:
        return directions * np.exp(-exponent * np.linspace(0.0, 1.0, d))

    from scipy.optimize import brentq

    def excess(exponent: float) -> float:
        return 2 * math.log(np.linalg.cond(with_range(exponent))) - math.log(condition)

    if excess(0.0) > 0:
        raise ValueError(
            f"a condition number of {condition:g} is below that of the directions, "
            f"{np.linalg.cond(directions) ** 2:.3g}; raise momentum.conditions"
        )
    inputs = with_range(float(brentq(excess, 0.0, math.log(condition) + 1.0)))  # pyright: ignore
    return inputs / np.linalg.norm(inputs, 2)


@job(Momentum)
def momentum(case: Momentum) -> pd.DataFrame:
    """Rows of each (method, condition, width, replicate): contraction per iteration, predicted and
    measured, and iterations until the residual is ``accuracy`` of its start, both."""
    rows: list[Row] = []
    for condition in case.conditions:
        rows += _group("conditions", case, condition, case.width, case.residual)
    for width in case.widths:
        rows += _group("widths", case, case.width_condition, width, case.width_residual)
    return pd.DataFrame(rows, columns=["sweep", "method", "condition", "width", "replicate", "quantity", "value"])


def _group(sweep: str, case: Momentum, condition: float, width: int, residual: float) -> list[Row]:
    X = inputs_of(case, condition)
    rngs = [stream(case.seed, "linear", case.architecture, width, i) for i in range(case.replicates)]
    network, weights = build(case.architecture, X, width, case.num_layers, rngs)
    values, vectors = np.linalg.eigh(network.kernel(weights))
    # a target of size one in the features: as much of each mode as the root of its eigenvalue
    signs = np.stack([rng.choice([-1.0, 1.0], size=len(X)) for rng in rngs])
    size = np.sqrt(values / values[:, -1:]) * signs
    r = residual * np.einsum("rnk,rk->rn", vectors, size)
    targets = network.forward(weights)[0] - r
    rows: list[Row] = []
    for method in METHODS:
        low, high = values[:, 0] * (1 - case.margin), values[:, -1] * (1 + case.margin)
        step, beta = tuned(method, low, high)
        p, q = recursion(method, step, beta, values)
        slowest = contraction(p, q).max(1)
        most = int(4 * (1 + math.log(1 / case.accuracy)) / -np.log(slowest.max())) + 50
        expected = _iterations(_linear(p, q, size, 1 - step[:, None] * values, most), case)
        num_steps = int(max(LATE / -np.log(slowest).max(), 1.05 * expected.max())) + 10
        seen, last = run(method, network, weights, targets, step, beta, num_steps)
        modes = np.linalg.eigh(network.kernel(last))[1]
        for i in range(case.replicates):
            x = seen[num_steps // 3 :, i] @ modes[i, :, 0]
            measured = measured_contraction(x, method != "descent")
            norms = np.linalg.norm(seen[:, i], axis=1)[:, None]
            for name, value in (
                ("predicted", slowest[i]),
                ("measured", measured),
                ("iterations-predicted", expected[i]),
                ("iterations", _iterations(norms, case)[0]),
            ):
                rows.append((sweep, method, condition, width, i, name, float(value)))
    return rows


def _linear(p: Array, q: Array, size: Array, first: Array, num_steps: int) -> Array:
    """Norms (t, replicates) of the residual by the recursion alone; ``first`` is the factor of the
    first step, which is one of plain descent, since the start is at rest."""
    before, now = size, first * size
    norms = [np.linalg.norm(before, axis=1), np.linalg.norm(now, axis=1)]
    for _ in range(num_steps):
        before, now = now, p * now - q * before
        norms.append(np.linalg.norm(now, axis=1))
    return np.stack(norms)


def _iterations(norms: Array, case: Momentum) -> Array:
    """First iteration from which on the residual stays below ``accuracy`` of its start; one more
    than the last iteration if it does not."""
    above = norms > case.accuracy * norms[0]
    return np.array([np.flatnonzero(column)[-1] + 1 for column in above.T])
