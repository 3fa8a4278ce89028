"""What the risk of least squares is close to, for every covariance: deterministic equivalents.

For rows z = Σ^{1/2} g of n samples, targets θ·z + noise of variance σ², and the ridge Λ of
|y − Zθ|² + Λ|θ|² (Λ → 0⁺: the interpolant of least norm), let κ solve

    Λ/κ + Σ_i λ_i/(λ_i + κ) = n,       d₂ = Σ_i λ_i²/(λ_i + κ)²

Then the excess risk is close to B + σ² V with

    V = d₂/(n − d₂),       B = κ² Σ_i λ_i θ_i²/(λ_i + κ)² / (1 − d₂/n)

κ is the ridge that the sample adds of itself: the mean of Z⁺Z-like projections is that of ridge
regression on Σ, and the factor 1/(1 − d₂/n) the sample's effect on its own error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import root_scalar

from zeroloss.model.arrays import Array

__all__ = ["SPECTRA", "implicit_ridge", "random_features", "ridge_law", "risk_of_ridge"]

# λ_i of d directions at n samples; each has d = 3 n of them, none negligible for all n
SPECTRA: dict[str, Callable[[int], Any]] = {
    "isotropic": lambda d: np.ones(d),
    "steps": lambda d: np.where(np.arange(d) < d // 2, 1.0, 0.1),
    "power": lambda d: np.arange(1, d + 1) ** -1.5,
    "exponential": lambda d: np.exp(-4.0 * np.arange(d) / d),
    "log": lambda d: 1 / (np.arange(1, d + 1) * np.log(np.arange(2, d + 2)) ** 2),
}


def implicit_ridge(eigenvalues: Array, num_samples: float, ridge: float = 0.0) -> float:
    """κ of Λ/κ + Σ λ/(λ + κ) = n, by Brent's method in log κ; ValueError if there is no solution."""
    if ridge <= 0 and num_samples >= np.count_nonzero(eigenvalues):
        raise ValueError(
            f"num_samples must be below the rank {np.count_nonzero(eigenvalues)} without a ridge, got {num_samples}; "
            "add directions or a ridge"
        )

    def excess(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        return float((eigenvalues / (eigenvalues + kappa)).sum() + ridge / kappa - num_samples)

    top = np.log(eigenvalues.sum() + ridge) + 1.0  # (Σλ + Λ)/κ bounds the left side from above
    bottom = np.log(eigenvalues[eigenvalues > 0].min()) - 40.0
    return float(np.exp(root_scalar(excess, bracket=(bottom, top), xtol=1e-14).root))


def risk_of_ridge(eigenvalues: Array, energies: Array, num_samples: float, ridge: float = 0.0) -> tuple[float, float]:
    """B and V for eigenvalues λ_i and energies θ_i² of the target's coefficients."""
    kappa = implicit_ridge(eigenvalues, num_samples, ridge)
    d2 = float(((eigenvalues / (eigenvalues + kappa)) ** 2).sum())
    bias = kappa**2 * float((eigenvalues * energies / (eigenvalues + kappa) ** 2).sum())
    return bias / (1 - d2 / num_samples), d2 / (num_samples - d2)


def ridge_law(num_samples: float, dim: float, ridge: float, noise: float) -> float:
    """Risk of linear ridge regression, XXᵀ/d + λ, on isotropic inputs with |β| = 1 and this noise."""
    lam, total = 1.0, dim * ridge
    # one eigenvalue d times: the equation for κ is a quadratic
    half = (dim + total - num_samples) * lam
    kappa = (half + np.sqrt(half**2 + 4 * num_samples * total)) / (2 * num_samples)
    d2 = dim / (1 + kappa) ** 2
    bias = kappa**2 / (1 + kappa) ** 2 / (1 - d2 / num_samples)
    return float(bias + noise * d2 / (num_samples - d2))


def random_features(psi1: float, psi2: float, ridge: float, zeta: float, noise: float) -> float:
    """Risk of ridge regression on N = ψ₁d random features from n = ψ₂d samples of β·x + noise.

    Mei and Montanari's closed form for a linear target of unit norm: ν₁, ν₂ solve
    ν₁ = ψ₁/(−ξ − ν₂ − ζ²ν₂/(1 − ζ²ν₁ν₂)), ν₂ likewise, at ξ = i (ψ₁ψ₂λ̄)^{1/2}; χ = ν₁ν₂, and the
    risk is E₁/E₀ + noise E₂/E₀. ``ridge`` is λ̄ = λ/μ*², ζ = μ₁/μ*. With ν = i a, i b it is
    real, a = ψ₁/(ρ + b + ζ²b/(1 + ζ²ab)); ridgeless, χ solves a quadratic of min(ψ₁, ψ₂).
    """
    z2 = zeta**2
    if ridge == 0:
        least = min(psi1, psi2)
        half = least * z2 - z2 - 1
        chi = -(np.sqrt(half**2 + 4 * z2 * least) + half) / (2 * z2)
    else:
        xi = np.sqrt(psi1 * psi2 * ridge)

        def other(a: float) -> float:
            """b of a = ψ₁/(ξ + …): the difference of both equations is a ξ + ψ₂ = b ξ + ψ₁."""
            return a + (psi2 - psi1) / xi

        def defect(a: float) -> float:
            b = other(a)
            return a * (xi + b + z2 * b / (1 + z2 * a * b)) - psi1

        low = max(0.0, (psi1 - psi2) / xi)
        a = float(root_scalar(defect, bracket=(low, psi1 / xi), xtol=1e-14).root)
        chi = -a * other(a)
    c, p, q = chi * z2, psi1, psi2
    e0 = (-(c**5) / z2**2 + 3 * c**4 / z2**2 + (p * q - q - p + 1) * c**3 - 2 * c**3 / z2 - 3 * c**3 / z2**2
          + (p + q - 3 * p * q + 1) * c**2 + 2 * c**2 / z2 + c**2 / z2**2 + 3 * p * q * c - p * q)  # fmt: skip
    e1 = q * c**3 / z2 - q * c**2 / z2 + p * q * c - p * q
    e2 = (c**5 / z2**2 - 3 * c**4 / z2**2 + (p - 1) * c**3 + 2 * c**3 / z2 + 3 * c**3 / z2**2
          - (p + 1) * c**2 - 2 * c**2 / z2 - c**2 / z2**2)  # fmt: skip
    return float((e1 + noise * e2) / e0)
