"""The chain of inequalities between a network and the limit: consistency and stability.

Θ are the characteristics of the limit from the starts of the network θ, ∇E_n is the gradient of
its risk in the mean metric, so that dθ/ds = −∇E_n(θ), dΘ/ds = −∇E_n(Θ) + τ:

    consistency:  τ is a sampling error of independent characteristics, and an Euler error
    stability:    d/ds V^½ ≤ λ V^½ + ‖τ‖,  V = ⟨w |θ − Θ|²⟩

The Gauss–Newton part of the Hessian only damps, so that λ is proportional to the residuals. The
proof is in the paper's appendix (Certificates of size), with the same names of constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from zeroloss.model.arrays import Array
from zeroloss.model.block import Activation
from zeroloss.theory.bounds.moments import Table
from zeroloss.theory.bounds.profile import Profile

__all__ = ["Chain", "Consistency", "Domination", "cumulated"]

SUP_THIRD = {  # sup|σ'''|; where there is none, the curvature of features is bounded less sharply
    "tanh": 2.0,
    "sigmoid": 0.125,
    "identity": 0.0,
    # at u² = (7 − √33)/2, a zero of the derivative of φ(u)(u³ − 4u)
    "gelu": (lambda v: math.sqrt(v / (2.0 * math.pi)) * math.exp(-0.5 * v) * (4.0 - v))(0.5 * (7.0 - math.sqrt(33.0))),
}
_ZERO = torch.zeros((), dtype=torch.float64)


def cumulated(flow_times: Array, rate: Array) -> Array:
    """∫_0^s rate by the larger of two values on each step: an upper bound where it is monotone
    between two times. rate (times, …) -> like rate."""
    steps = np.diff(flow_times).reshape(-1, *(1,) * (rate.ndim - 1))
    steps = steps * np.maximum(rate[1:], rate[:-1])
    return np.concatenate([np.zeros_like(rate[:1]), np.cumsum(steps, axis=0)])


@dataclass(frozen=True)
class Domination:
    """|a| ≤ a₁ν + a₀ and |w| ≤ ω + b₁ν + b₀ up to s, for limit and network; χ(s): (times, 1).

    ``push`` = |r| + margin, (times, N), bounds the residuals met.
    """

    push: Array
    adjoint: Array
    lifted: Array
    a: tuple[Array, Array]
    w: tuple[Array, Array]
    chi: Array

    @staticmethod
    def of(profile: Profile, sigma: Activation, margin: float, feature_margin: float) -> Domination:
        """From |da/ds| ≤ mean |p||σ|, |d(w, b)/ds| ≤ mean |p||σ'||(z, 1)| |a|, |p| ≤ push q̂."""
        growth = math.exp(margin)
        adjoint = profile.adjoint * (1.0 + margin * growth)
        push = profile.residual + adjoint * feature_margin / (profile.resolvent * growth)
        z = profile.feature + feature_margin
        lifted = np.sqrt(1.0 + z**2)

        def integral(values: Array) -> Array:
            return cumulated(profile.flow_times, values.mean(1, keepdims=True))

        one = np.ones((len(z), 1))
        if math.isfinite(sigma.sup_value):
            a = one, integral(push * adjoint * sigma.sup_value)
            b1 = integral(push * adjoint * sigma.sup_slope * z)
            w = b1, b1 * a[1]
        else:
            zero = float(sigma.value(_ZERO).abs())
            stretch = np.exp(integral(push * adjoint * sigma.sup_slope * lifted))
            a = w = stretch, stretch * integral(push * adjoint * zero)
        curved = push * adjoint * sigma.sup_curvature * lifted**2
        chi = cumulated(profile.flow_times, curved.mean(1, keepdims=True) * a[0])
        return Domination(push, adjoint, lifted, a, w, chi)


@dataclass(frozen=True)
class Consistency:
    """Bounds at Θ(s), per sample (times, N): features, residuals, adjoints of r, of ½ r²; τ
    (times,) in the norm ⟨|·|²⟩^½."""

    features: Array
    residuals: Array
    q: Array
    p: Array
    tau: Array


class Chain:
    """Every constant of the proof at flow times up to the last of ``profile``; arrays (times, N).

    ``margin`` μ: R_i (c_E,i/L + j_i) ≤ μ is granted, j_i the mean over layers of ‖Ĵ − J‖;
    ``feature_margin``: |z_{l,i} − Z_i| ≤ it; ``cut`` K. H² = E|∂_θ f|²/w, G² = E‖∂_θ∂_z f‖²/w;
    ``distance_margin``: the V^½ up to which all this holds; by default the share of it that a
    certificate leaves to V beside the sampling and Euler errors.
    """

    def __init__(
        self,
        profile: Profile,
        sigma: Activation,
        bounds: Domination,
        table: Table,
        margin: float,
        feature_margin: float,
        cut: float,
        distance_margin: float | None = None,
    ) -> None:
        self.profile, self.bounds, self.sigma, self.margin = profile, bounds, sigma, margin
        self.feature_margin, self.table = feature_margin, table
        s1, s2 = sigma.sup_slope, sigma.sup_curvature
        self.resolvent = profile.resolvent * math.exp(margin)
        a, w, lifted = bounds.a, bounds.w, bounds.lifted
        zero = float(sigma.value(_ZERO).abs())

        def size(tail: bool) -> Array:
            """E|∂_θ f|² with 1/w, or with (1 − w)²/w: |σ|² + |a|² σ'² (1 + |z|²)."""

            def mean(i: int, j: int) -> Array:
                return table.expected(a, w, i, j, tail)

            of_a = mean(2, 0) * (s1 * lifted) ** 2
            if math.isfinite(sigma.sup_value):
                return sigma.sup_value**2 * mean(0, 0) + of_a
            linear = 2.0 * zero * s1 * lifted * mean(0, 1) + (s1 * lifted) ** 2 * mean(0, 2)
            return zero**2 * mean(0, 0) + linear + of_a

        self.H = np.sqrt(size(False))
        mixed = s1**2 * (table.expected(a, w, 0, 2) + table.expected(a, w, 2, 0))
        mixed = mixed + (s2 * lifted) ** 2 * table.expected(a, w, 2, 2)
        self.G = np.sqrt(mixed + 2.0 * s1 * s2 * lifted * table.expected(a, w, 2, 1))
        self.bend = s2 * table.expected(a, w, 1, 2)  # s₂⟨â ŵ²⟩, (times, 1)
        allowed = min(
            (feature_margin / (3.0 * self.resolvent * self.H)).min(),
            (margin / (4.0 * profile.resolvent * self.G)).min(),
        )
        self.distance_margin = float(allowed) if distance_margin is None else distance_margin
        weight = bounds.push * bounds.adjoint
        of_K = a[0] * cut + a[1] if s2 > 0 else 0.0
        self.rates = {
            "parameters": (weight * (s1 * lifted + s2 * lifted**2 * of_K)).mean(1),
            "coupling": (2.0 * weight * self.resolvent * self.H * self.G).mean(1),
            "features": (bounds.push * self._curvature() * (self.resolvent * self.H) ** 2).mean(1),
            "tail": 0.25 * (bounds.adjoint**2 * size(True)).mean(1),
        }

    def _curvature(self) -> Array:
        """Mean over l of ‖mean_m q̂·∂_z² f‖ without its sampling error: the lesser of two bounds."""
        p, s2 = self.profile, self.sigma.sup_curvature
        plain = self.bounds.adjoint * self.bend
        if self.sigma.name not in SUP_THIRD:
            return plain
        s3, (a, w) = SUP_THIRD[self.sigma.name], (self.bounds.a, self.bounds.w)

        def mean(i: int, j: int) -> Array:
            return self.table.expected(a, w, i, j)

        of_theta = s2 * (np.sqrt(mean(0, 4)) + 2.0 * np.sqrt(mean(2, 2)))
        of_theta = of_theta + s3 * self.bounds.lifted * np.sqrt(mean(2, 4))
        moved = of_theta * self.distance_margin + s3 * mean(1, 3) * self.feature_margin
        turned = p.adjoint * self.margin * (1.0 + math.exp(self.margin)) * self.bend
        return np.minimum(plain, p.curvature + turned + self.bounds.adjoint * moved)

    def sampled_curvature(self) -> float:
        """√M times the mean square of what sampling ∂_z² f adds to ∫λ, at most (0 if unused)."""
        if self.sigma.name not in SUP_THIRD:
            return 0.0
        rate = self.bounds.push * self.profile.spread_curvature * (self.resolvent * self.H) ** 2
        return float(cumulated(self.profile.flow_times, rate.mean(1))[-1])

    @property
    def rate(self) -> Array:
        """λ (times,), with d/ds V^½ ≤ λ V^½ + ‖τ‖."""
        return np.sum(list(self.rates.values()), axis=0)

    @property
    def amplified(self) -> Array:
        """1 + ‖J‖ + j: what summation by parts makes of a partial sum of sampling errors."""
        return 1.0 + self.profile.jacobian + self.margin

    def consistency(self, of_f: Array, of_q: Array, inverse_depth: float) -> Consistency:
        """The bounds from max_l |T_l| of f and of ∂_z fᵀ q, (times, N), and from 1/L."""
        p, q_hat, kappa = self.profile, self.bounds.adjoint, self.profile.jacobian
        x = self.amplified * of_f + 0.5 * inverse_depth * p.bend
        features = self.resolvent * x
        euler = 0.5 * (p.jacobian_rate + kappa**2) + self.margin * kappa
        q = self.resolvent * (self.amplified * of_q + p.adjoint * (self.bend * features + inverse_depth * euler))
        adjoint = q_hat**2 * x + p.residual * q + inverse_depth * p.residual * kappa * p.adjoint
        tau = (self.H * adjoint + self.G * p.residual * p.adjoint * features).mean(1)
        return Consistency(features, q_hat * x, q, adjoint, tau)

    def log_distance(self, tau: Array, start: float = 0.0) -> float:
        """log of V^½ ≤ e^{∫λ} V(0)^½ + ∫ e^{∫λ} ‖τ‖ ds' at the last flow time, from τ (times,).

        What sampling ∂_z² f adds to ∫λ is not in it; a certificate allows μ for it.
        """
        s, exponent = self.profile.flow_times, cumulated(self.profile.flow_times, self.rate)
        left = exponent[-1] - exponent
        with np.errstate(divide="ignore"):  # log 0 stands for no contribution
            steps = np.log(np.diff(s) * np.maximum(tau[1:], tau[:-1])) + left[:-1]
            terms = np.append(steps, np.log(start) + left[0])
        return float(np.logaddexp.reduce(terms))
