"""The largest eigenvalue λ of JJᵀ/n over the width N → ∞, for n inputs of equal correlation, J of one output.

Layers u^l = W^l h^{l−1} + b^l, h^l = φ(u^l) or φ(γ(u^l − ū)/s), l < L, output u^L; weights of variance σ_w²/N, biases
of variance σ_b². With q̂ = |h|²/N, q̂_xy = h_x·h_y/N and q̃, q̃_xy the same of ∂f/∂u, summed over units,

    K_xy/N = Σ_l q̂_xy^{l−1} q̃_xy^l,    λ/N = [K_xx + (n − 1) K_xy]/(nN),    q̃^L = q̃_xy^L = 1.

Derived in the supplement, with the effect of finite n, which is exact for the ReLU: of a normalised layer
E 1/s² = n/((n − 3)(q − q_xy)), and its inputs have the correlation −1/(n − 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq

from zeroloss.model.arrays import Array

WEIGHT, BIAS = 2.0, 0.5  # σ_w² and σ_b² of the source
MANY = 10**9  # inputs, for all


def relu(q: float, r: Array) -> tuple[Array, Array]:
    """E φ(u)φ(v) and E φ'(u)φ'(v) of u, v of variance q and of covariances r."""
    gate = 0.25 + np.arcsin(r / q) / (2 * np.pi)
    return np.sqrt(q * q - r * r) / (2 * np.pi) + r * gate, gate


def gelu(q: float, r: Array) -> tuple[Array, Array]:
    """The same of φ(u) = u P(ξ < u), ξ normal: a ReLU whose gate is that of u + ξ."""
    v = 1 + q
    D = v * v - r * r
    p, gate = 1 / (2 * np.pi * np.sqrt(D)), 0.25 + np.arcsin(r / v) / (2 * np.pi)
    bracket = q * q + r * r - 2 * q * r * r / v
    return r * gate + bracket * p, gate + (3 * r - 4 * q * r / v + bracket * r / D) * p


MOMENTS = {"relu": relu, "gelu": gelu}


@dataclass(frozen=True)
class Batch:
    """n inputs of correlation c₀ and |x|² = N for networks of L layers, with one γ where they are normalised.

    ``kind``: ``plain``, without normalisation; ``held`` and ``differentiated``, with its statistics so; ``printed``,
    held with q for s², as (25) of the source has it. Pairs are of one input and of two.
    """

    activation: str
    num_samples: int
    num_layers: int
    correlation: float = 0.0
    gamma: float = 1.0

    def moments(self, q: float, *c: float) -> tuple[Array, Array]:
        """E φφ and E φ'φ' of inputs of variance q at several correlations."""
        return MOMENTS[self.activation](q, q * np.array(c))

    def layers(self, kind: str) -> tuple[Array, Array]:
        """q̂^{l−1} (L, 2), and q̃^l/q̃^{l+1} (L − 1, 2): σ_w² E φ'φ', times γ² E 1/s² where s is held."""
        n, values, factors = self.num_samples, [np.array([1.0, self.correlation])], []
        for _ in range(self.num_layers - 1):
            q, r = BIAS + WEIGHT * values[-1]
            if kind == "plain":
                value, slope = self.moments(q, 1.0, r / q)
            else:
                value, slope = self.moments(self.gamma**2, 1.0, -1 / (n - 1))
                slope = slope * self.gamma**2 / (q if kind == "printed" else (q - r) * (n - 3) / n)
            values.append(value)
            factors.append(WEIGHT * slope)
        return np.array(values), np.array(factors)

    def kernel(self, kind: str) -> Array:
        """K_xx/N and K_xy/N (2,)."""
        values, factors = self.layers(kind)
        return values[-1] + (values[:-1] * np.cumprod(factors[::-1], axis=0)[::-1]).sum(0)

    def top(self, kind: str) -> float:
        """λ/N. Where statistics are differentiated: of the last layer, and O(1/n) of the others.

        Summed over outputs, ∂f/∂u of a hidden layer has over the batch the second moments t (I − 11ᵀ/n), so that the
        mean of the layer's inputs meets none of it: N (q̂ − q̂_xy) (n − 1) t/n² is left. Down through P diag φ', P the
        projection off 1 and ẑ, up to O(1/n²).
        """
        if kind != "differentiated":
            same, two = self.kernel(kind)
            return float(same + (self.num_samples - 1) * two) / self.num_samples
        n, small, (values, factors) = self.num_samples, 1e-5, self.layers("held")
        D, D_xy, above, below = self.moments(self.gamma**2, 1.0, -1 / (n - 1), small, -small)[1]
        # φ'ᵀ P φ'; (E ẑ φ'(γẑ))² is the slope of E φ'φ' in the correlation
        off = n * (D - (above - below) / (2 * small)) - D - (n - 1) * D_xy
        total, through = values[-1] @ (1 / n, 1 - 1 / n), off
        for value, factor in zip(values[-2::-1], factors[::-1, 0], strict=True):
            t = factor / D * through / (n - 1)
            total += (value[0] - value[1]) * (n - 1) * t / n**2
            through = t * ((n - 2) * D - off / n)
        return float(total)


def crossing(num_layers: int, kind: str) -> float:
    """γ at which λ of many inputs of ReLU networks is that without normalisation, by a recursion."""
    batch = partial(Batch, "relu", MANY, num_layers, 0.0)
    return float(brentq(lambda gamma: batch(gamma).top(kind) - batch(gamma).top("plain"), 0.1, 100.0))  # pyright: ignore
