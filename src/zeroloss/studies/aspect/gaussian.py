"""Random layers at criticality: Gaussian means over a neuron, and the laws that follow from them.

A layer is z -> γ z + W σ(z) + b with W_ij ~ N(0, C_W/n) and b_i ~ N(0, C_b). Given z its neurons are
independent, of mean γ z_i and variance Ĝ = C_b + C_W (1/n) Σ_j σ(z_j)². To leading order E z² = K with
K' = γ²K + C_b + C_W ⟨σ²⟩_K, and n Cov(z_i², z_j²) -> V for i ≠ j.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from zeroloss.model.arrays import Array

__all__ = ["ACTIVATIONS", "Critical", "Laws", "critical", "laws", "mean_square", "textbook_slope"]

# The trapezoidal rule is exact up to exp(−2π d/step) for a function that is analytic within d of the line.
NODES = np.linspace(-13.0, 13.0, 1041)
WEIGHTS = np.exp(-(NODES**2) / 2)
WEIGHTS /= WEIGHTS.sum()
LEAK = 0.5
HERMITE = 60  # polynomials in which σ² is expanded
DENSITY = 1 / np.sqrt(2 * np.pi)

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda z: z,
    "leaky": lambda z: np.where(z > 0, z, LEAK * z),
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "sin": np.sin,
    "gelu": lambda z: z * ndtr(z),
    "swish": lambda z: z * expit(z),
}
SLOPES: dict[str, Callable[[Array], Array]] = {
    "gelu": lambda z: ndtr(z) + z * DENSITY * np.exp(-(z**2) / 2),
    "swish": lambda z: expit(z) * (1 + z * (1 - expit(z))),
}
HALF_STABLE = {"gelu": (2.0, 6.0), "swish": (10.0, 20.0)}  # brackets of K*


def mean_square(name: str, K: float) -> tuple[float, float, float]:
    """⟨σ²⟩, ⟨σ⁴⟩ − ⟨σ²⟩² and d⟨σ²⟩/dK of z ~ N(0, K); the slope is ⟨σ²(ξ² − 1)⟩/2K with z = √K ξ."""
    square = ACTIVATIONS[name](np.sqrt(K) * NODES) ** 2
    mean = float(square @ WEIGHTS)
    slope = float((square * (NODES**2 - 1)) @ WEIGHTS) / (2 * K)
    return mean, float(square**2 @ WEIGHTS) - mean**2, slope


class Critical(NamedTuple):
    """Variance K of the first layer and the variances C_b and C_W at which perturbations neither grow nor fade."""

    K: float
    C_b: float
    C_W: float


@cache
def critical(name: str, gamma: float = 0.0) -> Critical:
    """Criticality of layers z -> γ z + W σ(z) + b.

    tanh, sin: K* = 0 with C_W = (1 − γ²)/σ'(0)², started from K = 1. Positively homogeneous σ: any K,
    C_W ⟨σ²⟩_1 = 1 − γ². GELU and SWISH, γ = 0: the K* at which ⟨σ'²⟩ = d⟨σ²⟩/dK, both of which are 1/C_W.
    """
    if name in HALF_STABLE:
        if gamma:
            raise ValueError(f"gamma must be 0 for {name}, whose K* is not known otherwise, got {gamma}")

        def squared_slope(K: float) -> float:
            return float(SLOPES[name](np.sqrt(K) * NODES) ** 2 @ WEIGHTS)

        def excess(K: float) -> float:
            return squared_slope(K) - mean_square(name, K)[2]

        K = float(brentq(excess, *HALF_STABLE[name], xtol=1e-13))  # pyright: ignore
        C_W = 1 / squared_slope(K)
        return Critical(K, K - C_W * mean_square(name, K)[0], C_W)
    A2 = 1.0 if name in ("tanh", "sin") else mean_square(name, 1.0)[0]
    return Critical(1.0, 0.0, (1 - gamma**2) / A2)


class Laws(NamedTuple):
    """By layer, from the first on, each (L,): K; C_b + C_W⟨σ²⟩; ⟨σ²⟩; response χ of K' to K; V, of which
    n Var κ is the part that all neurons share; V by the textbook's formula."""

    K: Array
    G: Array
    squares: Array
    chi: Array
    V: Array
    shared: Array
    textbook: Array


def _hermite(square: Array) -> Array:
    """Coefficients (L, HERMITE) of σ² at the nodes (L, nodes) in orthonormal Hermite polynomials 1, 2, …"""
    before, now, found = np.ones_like(NODES), NODES, []
    for m in range(1, HERMITE + 1):
        found.append(square @ (WEIGHTS * now))
        before, now = now, (NODES * now - np.sqrt(m) * before) / np.sqrt(m + 1)
    return np.stack(found, 1)


def laws(name: str, gamma: float, at: Critical, depth: int) -> Laws:
    """K and V of the layers 1 … depth; the first is N(0, K) and its neurons are independent, V = 0.

    Linear response carries the sampling error ε_k = (1/n) Σ_j σ(z_j)² − ⟨σ²⟩ of a layer to the variance of all
    neurons of later ones, κ_(l+1) = χ_l κ_l + C_W ε_l with χ = γ² + C_W d⟨σ²⟩/dK. Errors of two layers are
    correlated, since a neuron remembers: n Cov(ε_k, ε_l) = Σ_m s_m(k) s_m(l) ρ^m for k < l, with ρ = γ^(l−k) √(K_k/K_l)
    the correlation of z_k and z_l and s_m(k) the coefficients of σ(√K_k ξ)² in orthonormal Hermite polynomials
    (Mehler). A neuron's own share in ε_k is correlated with its own square, of coefficient √2 K at m = 2:
    V = n Var κ + 2 Σ_k (∂κ/∂ε_k) √2 K_l s_2(k) ρ².
    """
    K, moments, chi, here = [], [], [], at.K
    for _ in range(depth):
        mean, spread, slope = mean_square(name, here)
        K.append(here)
        moments.append((mean, spread))
        chi.append(gamma**2 + at.C_W * slope)
        here = gamma**2 * here + at.C_b + at.C_W * mean
    variances, (squares, spreads) = np.array(K), np.array(moments).T
    # at γ = 0 all correlations are 0
    rho = np.tril(gamma ** np.abs(np.subtract.outer(np.arange(depth), np.arange(depth))), -1)
    rho *= np.sqrt(variances / variances[:, None])
    s = _hermite(ACTIVATIONS[name](np.sqrt(variances)[:, None] * NODES) ** 2)
    lower = np.sum([np.outer(s[:, m], s[:, m]) * rho ** (m + 1) for m in range(HERMITE)], axis=0)
    covariance = lower + lower.T + np.diag(spreads)
    shared, own, weights = np.zeros(depth), np.zeros(depth), np.zeros(depth)
    for layer in range(1, depth):
        weights *= chi[layer - 1]
        weights[layer - 1] = at.C_W
        shared[layer] = weights @ covariance @ weights
        own[layer] = 2 * np.sqrt(2) * variances[layer] * weights @ (s[:, 1] * rho[layer] ** 2)
    textbook = variances**2 * np.arange(depth, dtype=float) * textbook_slope(name, gamma)
    return Laws(variances, at.C_b + at.C_W * squares, squares, np.array(chi), shared + own, shared, textbook)


def textbook_slope(name: str, gamma: float) -> float:
    """The growth of V/K² by layer that textbooks give, ν = g₁[g₁(⟨σ⁴⟩/⟨σ²⟩² − 1) + 4γ²], g₁ = 1 − γ², for
    homogeneous σ; (2/3)(1 − γ⁴) for tanh and sin; not a number for others."""
    if name in ("tanh", "sin"):
        return 2 / 3 * (1 - gamma**4)
    if name not in ("linear", "leaky", "relu"):
        return float("nan")
    mean, spread, _ = mean_square(name, 1.0)
    g1 = 1 - gamma**2
    return g1 * (g1 * spread / mean**2 + 4 * gamma**2)
