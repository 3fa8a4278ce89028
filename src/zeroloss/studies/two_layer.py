"""Wide two-layer networks on unit inputs: what studies of them share.

f = m^{−1/2} Σ_r a_r σ(w_r·x) with |x| = 1, a_r = ±1 that stay, and pairs ±a of equal w, so that f = 0 at the start. The
w_r are trained on ½|f − y|². For a ReLU the tangent kernel is H_ij = h(x_i·x_j) with h(t) = t (π − arccos t)/2π.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from zeroloss.model.arrays import Array

__all__ = ["RELU", "Activation", "angle", "descended", "descent", "kernel", "paired", "tangent"]

Activation = tuple[Callable[[Array], Array], Callable[[Array], Array]]  # σ and σ'
RELU: Activation = (lambda u: np.maximum(u, 0.0), lambda u: (u > 0).astype(float))


def angle(t: Array) -> Array:
    """π − arccos t."""
    return np.pi - np.arccos(np.clip(t, -1.0, 1.0))


def tangent(t: Array) -> Array:
    """h(t) = t (π − arccos t)/2π."""
    return t * angle(t) / (2 * np.pi)


def kernel(X: Array) -> Array:
    """H of unit inputs (n, d), its diagonal exactly ½."""
    H = tangent(X @ X.T)
    np.fill_diagonal(H, 0.5)
    return H


def paired(half: Array) -> tuple[Array, Array]:
    """Weights (..., m, d) and a/√m (m,) in pairs ±a of equal weights ``half`` (..., m/2, d): f = 0 at the start."""
    m = 2 * half.shape[-2]
    return np.concatenate([half, half], axis=-2), np.repeat([1.0, -1.0], m // 2) / np.sqrt(m)


def descent(
    X: Array,
    y: Array,
    W: Array,
    signs: Array,
    step: float,
    sigma: Activation = RELU,
    momentum: float = 0.0,
    natural: bool = False,
) -> Iterator[tuple[Array, Array, Array]]:
    """Weights (..., m, d), residuals f − y and what is then taken off the weights, step by step and without end:
    η Jᵀr of gradient descent, or η JᵀK⁻¹r of natural gradient. A heavy ball adds a share of its last step."""
    (value, slope), before = sigma, W
    while True:
        u = W @ X.T
        residual = signs @ value(u) - y
        weights = signs[:, None] * slope(u)  # J of a unit is weights × x
        driving = np.linalg.solve((weights.T @ weights) * (X @ X.T), residual) if natural else residual
        change = step * ((weights * driving[..., None, :]) @ X)
        yield W, residual, change
        W, before = W - change + momentum * (W - before), W


def descended(
    X: Array,
    y: Array,
    W: Array,
    signs: Array,
    step: float,
    until: float,
    most: int,
    sigma: Activation = RELU,
    momentum: float = 0.0,
) -> tuple[Array, Array]:
    """Weights of the first step at which |f − y| ≤ until |y| for all networks, or else of the last, and |f − y|/|y|
    of each."""
    left = np.array(np.inf)
    for at, residual, _ in islice(descent(X, y, W, signs, step, sigma, momentum), most):
        W, left = at, np.linalg.norm(residual, axis=-1) / np.linalg.norm(y)
        if (left <= until).all():
            break
    return W, left
