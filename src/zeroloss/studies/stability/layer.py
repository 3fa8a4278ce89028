"""The network of one convolution, swish, mean and logistic loss, with weight decay.

Rows of A (P, k²) are the patches of an image; U = A K, z = mean r(U), r(v) = v s(v), s logistic,

    L = ℓ(z) + ½ α |K|²,   ∇L = (a/P) Aᵀ r'(U) + α K,   a = s(z) − y
    H = α I + s'(z) g gᵀ + (a/P) Aᵀ diag(r'') A,   g = Aᵀ r'/P

(Sun et al. 2022, whose code leaves out 1/P; H is derived in the supplement). Kernels are rows: (…, k²).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from ledger.record.streams import stream
from zeroloss.studies.replicated import tidy

Array = np.ndarray
Parts = Iterator[pd.DataFrame]
Advance = Callable[[Array, float], Array]
IMAGES = ("checkerboard", "smooth", "noise")


def beside(quantity: str, where: str, values: Any, predicted: Any, wrong: Any) -> Parts:
    """What is measured beside what is predicted, and beside what the wrong theory of a negative control says."""
    yield tidy(quantity, where, 0.0, values, predicted)
    yield tidy(f"{quantity}_wrong", where, 0.0, values, wrong)


def image(name: str, pixels: int, data_seed: int) -> Array:
    """An image (pixels, pixels): ±1 in turn, one smooth hill, or independent normal values."""
    i, j = np.indices((pixels, pixels))
    if name == "checkerboard":
        return np.where((i + j) % 2, -1.0, 1.0)
    if name == "smooth":
        return np.exp(-8.0 * ((i / pixels - 0.5) ** 2 + (j / pixels - 0.4) ** 2))
    return stream(data_seed, "stability", "image").standard_normal((pixels, pixels))


def patches(pixels: Array, kernel_width: int) -> Array:
    """A (P, k²): the valid windows of an image, row by row."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (kernel_width, kernel_width))
    return np.ascontiguousarray(windows.reshape(-1, kernel_width**2))


def swish_slopes(v: Array) -> tuple[Array, Array]:
    """r'(v) and r''(v) of r(v) = v s(v)."""
    s = expit(v)
    return s * (1 + v * (1 - s)), s * (1 - s) * (2 + v * (1 - 2 * s))


class Layer:
    """The network on one image: gradients of kernels (…, k²) and the Hessian of one."""

    def __init__(self, A: Array, label: float, decay: float) -> None:
        self.A, self.label, self.decay = A, label, decay

    def loss_gradient(self, K: Array, frozen: float | None = None) -> Array:
        """(a/P) Aᵀ r'(A K), without the decay; a = s(z) − y, or ``frozen``."""
        U = K @ self.A.T
        s = expit(U)
        a = frozen if frozen is not None else expit((U * s).mean(-1, keepdims=True)) - self.label
        return (a * s * (1 + U * (1 - s))) @ self.A / len(self.A)

    def descend(self, K: Array, step: float, factor: float = 1.0, num_steps: int = 1) -> Array:
        """K − Δt ∇L, so many times, written as (Δt k)(∇ℓ/k): in exact arithmetic no ``factor`` k changes it."""
        for _ in range(num_steps):
            K = (1 - step * self.decay) * K - (step * factor) * (self.loss_gradient(K) / factor)
        return K

    def hessian(self, K: Array, gauss_newton: bool = False) -> Array:
        """H (k², k²) at K (k²,); without the term of r'' if ``gauss_newton``."""
        U = self.A @ K
        slope, curvature = swish_slopes(U)
        z, P = float((U * expit(U)).mean()), len(U)
        g = self.A.T @ slope / P
        H = self.decay * np.eye(len(K)) + expit(z) * expit(-z) * np.outer(g, g)
        a = expit(z) - self.label
        return H if gauss_newton else H + a / P * (self.A.T * curvature) @ self.A


def crossing(rate: Callable[[float], float], guess: float, spread: float = 1.5) -> float:
    """Where a rate of growth changes its sign, between guess/spread and guess·spread: within 1e-6 of it."""
    return float(brentq(rate, guess / spread, guess * spread, rtol=1e-6))  # pyright: ignore


def onset(advance: Advance, start: Array, num_steps: int, guess: float, size: float = 1.0) -> float:
    """The parameter at which v ↦ advance(v, parameter), linear near zero, begins to let v (1, dim) grow.

    The rate is the mean of ln |v_{n+1}|/|v_n| over the second half of so many steps; v is brought back to
    ``size`` after each.
    """

    def rate(parameter: float) -> float:
        v, total = start * size / np.linalg.norm(start, axis=-1, keepdims=True), np.zeros((1, 1))
        for n in range(num_steps):
            v = advance(v, parameter)
            norm = np.linalg.norm(v, axis=-1, keepdims=True)
            total = total + np.log(norm / size) * (2 * n >= num_steps)
            v = v * (size / norm)
        return total.item() / (num_steps - num_steps // 2)

    return crossing(rate, guess)
