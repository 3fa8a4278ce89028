"""What the certificates need of the computed limit: norms and moments along the flow, per sample.

At each flow time s and for each sample i, sup over depth t (values interpolated from the nodes):
|Z_i|, |q_i| with q_i = ∂g(Z_i(1))/∂Z_i(t), ‖J_i‖ with J_i = ∫∂_z f dρ, ‖∂_t J_i‖, |Z_i''|, the
resolvent U of Z' = J Z as sup over t ≥ t' of ‖U(t, t')‖, and standard deviations over ρ of f, of
∂_z fᵀ q and of ∂_z f, with those of the s-derivatives of the first and the last.

The limit is computed, not enclosed: its numerical error is not part of a certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import polynomial
from torch import Tensor

from zeroloss.limit.collocation import DepthRule, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model import block
from zeroloss.model.arrays import Array
from zeroloss.model.block import Activation, preactivation, split, values
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import Problem

__all__ = ["Interpolation", "Profile", "follow"]

DEPTHS = 9  # equispaced depths where suprema over t are taken


@dataclass(frozen=True)
class Profile:
    """Norms along the limit: flow_times (times,), all others (times, N), unit-free.

    residual |r|; feature |Z|; adjoint |q|; resolvent ‖U‖; jacobian ‖J‖; jacobian_rate ‖∂_t J‖;
    bend |Z''|; spread_f, spread_q, spread_jacobian: standard deviations under ρ of f, ∂_z fᵀ q,
    ∂_z f (Frobenius); rate_f, rate_jacobian: root mean squares of d/ds f and d/ds ∂_z f along
    characteristics; curvature ‖∂_z² ∫q·f dρ‖, and the standard deviation of its integrand
    (Frobenius).
    """

    flow_times: Array
    residual: Array
    feature: Array
    adjoint: Array
    resolvent: Array
    jacobian: Array
    jacobian_rate: Array
    bend: Array
    spread_f: Array
    spread_q: Array
    spread_jacobian: Array
    rate_f: Array
    rate_jacobian: Array
    curvature: Array
    spread_curvature: Array


@dataclass(frozen=True)
class Interpolation:
    """Of nodal values (n, …) in depth, at given depths: value, slope and integral from 0."""

    value: Tensor
    slope: Tensor
    integral: Tensor

    @staticmethod
    def at(rule: DepthRule, depths: Array) -> Interpolation:
        """The matrices (depths, n) of the Lagrange basis at the nodes of ``rule``."""
        c = rule.nodes.numpy()
        parts = [np.empty((len(depths), len(c))) for _ in range(3)]
        for q in range(len(c)):
            basis = polynomial.polyfromroots(np.delete(c, q)) / np.prod(c[q] - np.delete(c, q))
            for part, p in zip(parts, (basis, polynomial.polyder(basis), polynomial.polyint(basis)), strict=True):
                part[:, q] = polynomial.polyval(depths, p)
        return Interpolation(*map(torch.from_numpy, parts))


def _norm(matrix: Tensor) -> Tensor:
    """Spectral norm of (…, d, d)."""
    return torch.linalg.eigvalsh(matrix.mT @ matrix)[..., -1].clamp_min(0.0).sqrt()


def _resolvents(nodal: Tensor, rule: DepthRule) -> tuple[Tensor, Tensor]:
    """‖U‖ (N,), the sup over pairs of depths, and U(1, t) (DEPTHS, N, d, d), by RK4 in depth."""
    fine = Interpolation.at(rule, np.linspace(0.0, 1.0, 2 * DEPTHS - 1)).value
    J = torch.einsum("tq,qnij->tnij", fine, nodal)
    h, one = 1.0 / (DEPTHS - 1), torch.eye(J.shape[-1], dtype=J.dtype).expand(J.shape[1:])
    steps = []
    for k in range(DEPTHS - 1):
        left, middle, right = J[2 * k], J[2 * k + 1], J[2 * k + 2]
        k1 = left
        k2 = middle @ (one + 0.5 * h * k1)
        k3 = middle @ (one + 0.5 * h * k2)
        k4 = right @ (one + h * k3)
        steps.append(one + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    largest = torch.ones(J.shape[1], dtype=J.dtype)
    to_end = [one]
    for end in range(1, DEPTHS):
        product = one
        for k in reversed(range(end)):
            product = product @ steps[k]
            largest = torch.maximum(largest, _norm(product))
            if end == DEPTHS - 1:
                to_end.append(product)
    return largest, torch.stack(to_end[::-1])


class _Sampler:
    """Moments over the particles at the nodes, at one flow time."""

    def __init__(
        self, theta: Tensor, motion: Tensor, u: Tensor, speed: Tensor, weights: Tensor, activation: Activation
    ) -> None:
        self.a, self.w, _ = split(theta)
        self.da, self.dw, _ = split(motion)
        self.weights, self.speed = weights, speed
        self.sigma, self.slope = values(u, activation)
        self.curvature = activation.curvature(u)

    def mean(self, values: Tensor) -> Tensor:
        """E over particles: (n, N, particles) -> (n, N)."""
        return values @ self.weights

    @staticmethod
    def squares(x: Tensor, y: Tensor) -> Tensor:
        """x·y per particle: (n, d, particles) -> (n, 1, particles)."""
        return (x * y).sum(-2, keepdim=True)

    def f(self, field: Tensor) -> tuple[Tensor, Tensor]:
        """Var f and E|d/ds f|²: (n, N) each."""
        aa, ab, bb = (self.squares(*pair) for pair in ((self.a, self.a), (self.a, self.da), (self.da, self.da)))
        push = self.slope * self.speed
        rate = bb * self.sigma**2 + 2.0 * ab * self.sigma * push + aa * push**2
        variance = self.mean(aa * self.sigma**2) - field.square().sum(-1)
        return variance.clamp_min(0.0), self.mean(rate)

    def jacobian(self, J: Tensor) -> tuple[Tensor, Tensor]:
        """Var ∂_z f in Frobenius norm and a bound of E|d/ds ∂_z f|²: (n, N) each."""
        a, w, da, dw = (self.squares(x, x).sqrt() for x in (self.a, self.w, self.da, self.dw))
        variance = self.mean((a * w * self.slope) ** 2) - J.square().sum((-1, -2))
        rate = (da * w + a * dw) * self.slope.abs() + a * w * (self.curvature * self.speed).abs()
        return variance.clamp_min(0.0), self.mean(rate**2)

    def pulled(self, q: Tensor, J: Tensor) -> Tensor:
        """Var ∂_z fᵀ q: (n, N) for q (n, N, d)."""
        square = ((q @ self.a) * self.slope) ** 2 * self.squares(self.w, self.w)
        mean = (J.mT @ q.unsqueeze(-1)).squeeze(-1)
        return (self.mean(square) - mean.square().sum(-1)).clamp_min(0.0)

    def bent(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """∂_z² of q·∫f dρ (n, N, d, d), and the variance of its integrand in Frobenius norm."""
        d = q.shape[-1]
        factor = (q @ self.a) * self.curvature
        outer = (self.w.unsqueeze(-2) * self.w.unsqueeze(-3)).flatten(-3, -2)
        mean = ((factor * self.weights) @ outer.mT).unflatten(-1, (d, d))
        square = self.mean(factor**2 * self.squares(self.w, self.w) ** 2)
        return mean, (square - mean.square().sum((-1, -2))).clamp_min(0.0)


def _moment(field: MeanField, theta: Tensor) -> dict[str, Tensor]:
    """The row of a Profile at one flow time: theta (1, n, k, particles)."""
    rule, x = field.rule, field.problem.inputs
    state = field.cloud.forward(theta)
    r = field.problem.residuals(state.end)
    motion = torch.empty_like(theta)
    field.vector_field(theta.flatten(1), torch.zeros(1), motion.view(1, -1))
    a, w, _ = split(theta)
    da, dw, db = split(motion)
    J = state.jacobian[0]
    u, weights = preactivation(state.features, theta), field.cloud.weights
    shift = state.features @ dw + db
    F = block.field(state.sigma, theta, weights)
    push = state.sigma @ (weights * da).mT + (state.slope * shift) @ (weights * a).mT
    dz = field.cloud.solve(rule.matrix, state.jacobian, torch.einsum("qp,rpnd->rqnd", rule.matrix, push))
    speed = shift + dz @ w
    sampler = _Sampler(theta[0], motion[0], u[0], speed[0], weights, field.cloud.activation)
    grid = Interpolation.at(rule, np.linspace(0.0, 1.0, DEPTHS))

    def over(matrix: Tensor, nodal: Tensor) -> Tensor:
        return torch.einsum("tq,q...->t...", matrix, nodal)

    def peak(nodal: Tensor) -> Tensor:
        """sup over depth of what is not negative."""
        return torch.maximum(nodal.amax(0), over(grid.value, nodal).amax(0))

    largest, to_end = _resolvents(J, rule)
    q = (to_end.mT @ field.problem.readout).norm(dim=-1).amax(0)
    ones = field.problem.readout.expand(1, *x.shape)
    var_f, rate_f = sampler.f(F[0])
    var_J, rate_J = sampler.jacobian(J)
    nodal_q = field.cloud.adjoint(state, ones)[0]
    var_q = sampler.pulled(nodal_q, J)
    bent, var_bent = sampler.bent(nodal_q)
    return {
        "residual": r[0].abs(),
        "feature": (x + over(grid.integral, F[0])).norm(dim=-1).amax(0),
        "adjoint": q,
        "resolvent": largest,
        "jacobian": _norm(over(grid.value, J)).amax(0),
        "jacobian_rate": _norm(over(grid.slope, J)).amax(0),
        "bend": over(grid.slope, F[0]).norm(dim=-1).amax(0),
        "spread_f": peak(var_f).sqrt(),
        "spread_q": peak(var_q).sqrt(),
        "spread_jacobian": peak(var_J).sqrt(),
        "rate_f": peak(rate_f).sqrt(),
        "rate_jacobian": peak(rate_J).sqrt(),
        "curvature": _norm(over(grid.value, bent)).amax(0),
        "spread_curvature": peak(var_bent).sqrt(),
    }


def follow(
    problem: Problem,
    law: InitialLaw,
    activation: str,
    flow_times: Sequence[float],
    *,
    depth_nodes: int = 4,
    log2_points: int = 10,
    rtol: float = 1e-6,
    seed: int = 0,
) -> Profile:
    """The profile of the mean-field limit at increasing flow times (from 0 on).

    Raises ValueError for flow times that do not increase, FloatingPointError where the limit is
    not finite.
    """
    points = sobol_rule(law, problem.dim, log2_points, seed, "bounds")
    field = MeanField(problem, gauss_legendre(depth_nodes), points.shape[1], activation)
    run = field.run(field.start(points[None]), flow_times, rtol=rtol, keep=True)
    assert run.particles is not None
    rows = [_moment(field, theta) for theta in run.particles]
    columns = {key: np.stack([row[key].cpu().numpy() for row in rows]) for key in rows[0]}
    return Profile(np.asarray(flow_times, dtype=np.float64), **columns)
