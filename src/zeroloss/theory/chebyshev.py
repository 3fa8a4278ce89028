"""Certificate (ii): the least count n by Chebyshev's and Markov's inequality, from predictions.

With residuals r + A/L + x, x = ξ/√n, E ξ = 0, Cov ξ = Σ, and m = r + A/L,

    E(Θ) − E(ρ) = (|m|² − |r|²)/(2N) + m·x/N + |x|²/(2N)
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize

from zeroloss.model.arrays import Array

__all__ = ["chebyshev_size"]


def chebyshev_size(
    residuals: Array,
    covariance: Array,
    accuracy: float,
    failure_probability: float,
    *,
    bias: Array | None = None,
    num_layers: float = math.inf,
) -> float:
    """The least n (LM for independent layers, M for paths) with P(|E − E(ρ)| > ε) ≤ η.

    residuals r (N,), covariance Σ (N, N), depth bias A (N,). With δ = ε − ||m|² − |r|²|/(2N) the
    less of min over α in (0, 1) of [mᵀΣm/(N α δ)² + tr Σ/(2N (1 − α) δ)]/η: Chebyshev for m·x and
    Markov for |x|²; and tr Σ/(N c² η), c = √(|m|²/N + 2δ) − |m|/√N: Markov for |x|² alone. It
    holds for any law of mean 0 and covariance Σ; infinite where the depth alone errs by ε.

    Raises ValueError unless ε > 0, 0 < η < 1 and num_layers ≥ 1.
    """
    eps, eta = accuracy, failure_probability
    if not (eps > 0 and 0 < eta < 1):
        raise ValueError(
            "accuracy must be above 0 and failure_probability lie in (0, 1), got "
            f"{eps} and {eta}; set accuracy and failure_probability"
        )
    if not num_layers >= 1:
        raise ValueError(f"num_layers must be at least 1, got {num_layers}; set num_layers")
    r, Sigma, N = np.asarray(residuals), np.asarray(covariance), len(residuals)
    m = r if bias is None else r + np.asarray(bias) / num_layers
    delta = eps - abs(float(m @ m - r @ r)) / (2 * N)
    if delta <= 0:
        return math.inf
    linear = max(float(m @ Sigma @ m), 0.0) / (N * delta) ** 2
    square = float(np.trace(Sigma)) / (2 * N * delta)
    size = float(np.sqrt(m @ m / N))
    # √(size² + 2δ) − size, without cancellation
    reach = 2.0 * delta / (math.sqrt(size**2 + 2.0 * delta) + size)
    alone = 2.0 * delta * square / reach**2
    if linear == 0.0 or square == 0.0:
        return min(linear + square, alone) / eta

    def stationary(x: float) -> float:
        return 2.0 * linear * (1.0 - x) ** 2 - square * x**3

    alpha = optimize.root_scalar(stationary, bracket=(0.0, 1.0)).root
    return min(linear / alpha**2 + square / (1.0 - alpha), alone) / eta
