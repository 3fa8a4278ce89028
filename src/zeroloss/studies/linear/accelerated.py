"""Gradient descent, Nesterov's method and heavy ball on ½|f − y|²: tuned steps, and what a constant
kernel predicts.

Where the kernel K stays, the residual x in an eigenvector of eigenvalue λ obeys
x_{t+1} = p x_t − q x_{t−1}:

    descent     p = 1 − hλ,            q = 0
    heavy ball  p = 1 + β − hλ,        q = β
    Nesterov    p = (1 + β)(1 − hλ),   q = β (1 − hλ)

and contracts by the largest modulus of the roots of ζ² = p ζ − q, the eigenvalues of its companion
block.
Steps are the optimal ones for quadratics with spectrum in [μ, Λ] (Polyak 1964; Lessard, Recht,
Packard 2016), whose contraction is 1 − 2/(κ+1), 1 − 2/(√κ+1) and 1 − 2/√(3κ+1) with κ = Λ/μ.
"""

from __future__ import annotations

import numpy as np

from zeroloss.studies.linear.architectures import Architecture, Weights

Array = np.ndarray
STRIDES = 10  # of a series in which a contraction is measured
METHODS = ("descent", "nesterov", "heavy-ball")


def tuned(method: str, low: Array, high: Array) -> tuple[Array, Array]:
    """Step h and momentum β, optimal for a spectrum in [low, high]."""
    kappa = high / low
    if method == "descent":
        return 2 / (low + high), np.zeros_like(low)
    if method == "heavy-ball":
        root = np.sqrt(kappa)
        return 4 / (np.sqrt(low) + np.sqrt(high)) ** 2, ((root - 1) / (root + 1)) ** 2
    if method == "nesterov":
        root = np.sqrt(3 * kappa + 1)
        return 4 / (3 * high + low), (root - 2) / (root + 2)
    raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")


def recursion(method: str, step: Array, momentum: Array, eigenvalues: Array) -> tuple[Array, Array]:
    """p and q of each eigenvalue: step, momentum (replicates,), eigenvalues (replicates, N)."""
    kept = 1 - step[:, None] * eigenvalues
    beta = momentum[:, None]
    if method == "nesterov":
        return (1 + beta) * kept, beta * kept
    return kept + beta, np.broadcast_to(beta, kept.shape)


def contraction(p: Array, q: Array) -> Array:
    """Largest modulus of the roots of ζ² = p ζ − q."""
    root = np.sqrt((p * p - 4 * q).astype(np.complex128))
    return np.maximum(np.abs(p + root), np.abs(p - root)) / 2


def run(
    method: str, network: Architecture, weights: Weights, targets: Array, step: Array, momentum: Array, num_steps: int
) -> tuple[Array, Weights]:
    """Residuals f − y at the weights of each iteration, (num_steps + 1, replicates, samples), and
    the last weights. The start is at rest."""

    def shaped(values: Array, like: Array) -> Array:
        return values.reshape(-1, *[1] * (like.ndim - 1))

    steps = [shaped(step, W) for W in weights]
    betas = [shaped(momentum, W) for W in weights]
    previous, seen = weights, []
    for _ in range(num_steps + 1):
        f, way = network.forward(weights)
        seen.append(f - targets)
        moved = [W + beta * (W - old) for W, old, beta in zip(weights, previous, betas, strict=True)]
        if method == "nesterov":  # the gradient is taken where momentum leads
            f, way = network.forward(moved)
            slopes = network.pull(moved, way, f - targets)
        else:
            slopes = network.pull(weights, way, f - targets)
        previous = weights
        weights = [at - h * slope for at, h, slope in zip(moved, steps, slopes, strict=True)]
    return np.stack(seen), previous


def measured_contraction(x: Array, momentum: bool) -> float:
    """Contraction of a series x (t,) that obeys x_{t+1} = p x_t − q x_{t−1} with unknown p and q.

    Least squares for the p and q of every STRIDES-th part of the series, which obeys such a
    recursion too: from one iteration to the next two modes that are nearly one are not told apart.
    Each equation is divided by the size of its terms. Without momentum q = 0: the mean ratio.
    """
    if not momentum:
        return float(np.abs(x[-1] / x[0]) ** (1 / (len(x) - 1)))
    m = max(1, len(x) // STRIDES)
    size = np.hypot(x[m:-m], x[: -2 * m])
    matrix = np.stack([x[m:-m], -x[: -2 * m]], axis=1) / size[:, None]
    (p, q), *_ = np.linalg.lstsq(matrix, x[2 * m :] / size, rcond=None)
    return float(contraction(np.array(p), np.array(q))) ** (1 / m)
