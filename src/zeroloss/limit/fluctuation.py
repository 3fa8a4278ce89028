"""Influence function ψ and the predicted law of the residuals of a finite network.

ψ_s(θ₀, t) = ∂r(s)/∂ω: the response of the trained residuals to an extra mass ω of ρ_ini at (θ₀, t).
For output i, a costate per mass v_i(θ, t, s') runs back in training time from
v_i(s) = Q_iᵀ ∂_θ f (Q_i the adjoint of residual i) by dv/ds' = D[∇_θ δE/δρ] v, and

    ψ_i = Q_iᵀ f(Z_i(t), θ(s)) − ∫_0^s D(δE/δρ)(θ(s'), t)[v_i(s')] ds'

where D is the derivative when every particle moves along v (derivation: docs/derivations.md).
Then r_network = r + A/L + ξ/√(LM), ξ ~ N(0, Σ), with Σ = ∫ Cov[ψ(·, t)] dt for independent layers
and ξ/√M, Σ = Cov[∫ ψ(ϑ(t), t) dt] for paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ledger.display import Shown, Summary, span
from zeroloss.integrate.runge_kutta import Trajectory
from zeroloss.limit.flow import MeanField
from zeroloss.model.block import jacobian, preactivation, push, split, theta_gradient
from zeroloss.model.kernel import Linearised
from zeroloss.network import engine
from zeroloss.network.engine.costates import MULTIPLE, Costates

# of costates that are taken a step back together: 16 MB of float32
_ELEMENTS = 1 << 22
# RK4 is stable on the negative axis to 2.785
_STABLE = 2.5

__all__ = ["Influence", "covariance_independent", "covariance_of_paths", "influence", "pair_covariances"]


@dataclass(frozen=True, repr=False)
class Influence(Shown):
    """ψ at the particles of the rule: psi (outputs N, nodes n, particles), centred per node with
    the weights of the rule; node weights b (n,), particle weights (particles,)."""

    flow_time: float
    psi: np.ndarray
    depth_weights: np.ndarray
    weights: np.ndarray

    def _summary(self) -> Summary:
        outputs, nodes, particles = self.psi.shape
        return Summary(
            {
                "flow_time": self.flow_time,
                "outputs": outputs,
                "nodes": nodes,
                "particles": particles,
                "psi": span(self.psi),
            }
        )


class _Linearised:
    """One point of a limit run, and the derivatives of its gradient along costates."""

    def __init__(self, field: MeanField, theta: Tensor, dtype: torch.dtype) -> None:
        self.field = field
        state, self.r, p = field.solve_depth(theta.unsqueeze(0))  # theta (n, k, particles)
        g = field.problem.readout.expand(1, *field.problem.inputs.shape)
        # Q (n, N, d): the adjoint of each sample's own residual, p(1) = ∇g
        self.q = field.cloud.adjoint(state, g)[0].to(dtype)
        # the depth equation is solved in float64, what is linear in the costates in dtype
        self.theta, self.p = theta.to(dtype), p[0].to(dtype)
        self.z, self.sigma, self.slope = (part[0].to(dtype) for part in (state.features, state.sigma, state.slope))
        self.z1 = torch.cat([self.z, torch.ones_like(self.z[..., :1])], dim=-1)
        self.jacobian = state.jacobian.to(dtype)
        self.a, self.w, b = split(self.theta)
        rule = field.rule
        self.weights, self.readout, self.depth_weights, self.matrix, self.adjoint_matrix = (
            part.to(dtype)
            for part in (field.cloud.weights, field.problem.readout, rule.weights, rule.matrix, rule.adjoint_matrix)
        )
        curvature = field.cloud.activation.curvature(preactivation(self.z, self.theta))
        self.push = push(self.p, self.theta, self.slope)  # (a·P) σ': (n, N, particles)
        self.bend = push(self.p, self.theta, curvature)  # (a·P) σ''
        # ∂_z (JᵀP) = Σ ω (a·P) σ'' w wᵀ: J with σ'' (a·P) for σ' and w for a
        self.adjoint_jacobian = jacobian(self.bend, torch.cat([self.w, self.w, b], dim=-2), self.weights)
        parts = self.z, self.p, self.theta, self.weights, self.sigma, self.slope, self.push, self.bend
        served = theta.shape[-1] % MULTIPLE == 0 and engine.serves(field.problem, field.cloud.activation.name)
        self.engine = Costates(*parts) if served else None

    def along(self, v: Tensor) -> Tensor:
        """N D(δE/δρ)[v], (outputs, n, particles); v (outputs, n, k, particles) becomes N D[∇_θ δE/δρ] v."""
        solve, J = self.field.cloud.solve, self.jacobian
        force, turn = self.engine.held(v) if self.engine else self._held(v)
        # linearised forward: Ż_q = Σ A_qp (J_p Ż_p + Ḟ_p)
        forcing = torch.einsum("qp,opnd->oqnd", self.matrix, force)
        zdot = solve(self.matrix, J, forcing.unsqueeze(1)).squeeze(1)
        response = torch.einsum("qnij,oqnj->oqni", J[0], zdot) + force
        rdot = torch.einsum("q,oqnd,d->on", self.depth_weights, response, self.readout)
        # linearised adjoint: Ṗ_q = ṗ(1) + Σ C_qp (J_pᵀ Ṗ_p + J̇_pᵀ P_p), where Ż moves J as well
        turn = turn + torch.einsum("qnij,oqnj->oqni", self.adjoint_jacobian, zdot)
        final = rdot.unsqueeze(-1) * self.readout
        forcing = final.unsqueeze(1) + torch.einsum("qp,opnd->oqnd", self.adjoint_matrix, turn)
        pdot = solve(self.adjoint_matrix, J.mT, forcing.unsqueeze(1)).squeeze(1)
        return self.engine.moved(v, zdot, pdot) if self.engine else self._moved(v, zdot, pdot)

    def _turned(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """σ' u̇ with u̇ = v_w·z + v_b, and ṡ = σ' P·v_a + (a·P) σ'' u̇: (outputs, n, N, particles)."""
        d = self.z.shape[-1]
        udot = self.z1 @ v[:, :, d:]
        return self.slope * udot, self.slope * (self.p @ v[:, :, :d]) + self.bend * udot

    def _held(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Ḟ = Σ ω (σ' u̇ a + σ v_a) and J̇ᵀP = Σ ω (ṡ w + (a·P) σ' v_w) with Z and P held."""
        d, (bent, tilt), own = self.z.shape[-1], self._turned(v), self.weights * v
        force = bent @ (self.weights * self.a).mT + self.sigma @ own[:, :, :d].mT
        return force, tilt @ (self.weights * self.w).mT + self.push @ own[:, :, d : 2 * d].mT

    def _moved(self, v: Tensor, zdot: Tensor, pdot: Tensor) -> Tensor:
        """Σ_n Ṗᵀf + Pᵀ∂_z f Ż; v becomes Σ_n (P σ' u̇ + Ṗ σ, ṡ z + (a·P) σ' Ż, ṡ), rows (a, w, b), where
        Ż and Ṗ add to u̇ and ṡ."""
        d, (bent, tilt) = self.z.shape[-1], self._turned(v)
        moved = zdot @ self.w
        bent += self.slope * moved
        tilt += self.bend * moved + self.slope * (pdot @ self.a)
        rows_a, rows_w = pdot.mT @ self.sigma, zdot.mT @ self.push
        v[:, :, :d] = self.p.mT @ bent + rows_a
        v[:, :, d:] = self.z1.mT @ tilt
        v[:, :, d : 2 * d] += rows_w
        return (rows_a * self.a + rows_w * self.w).sum(-2)

    def final_costate(self) -> tuple[Tensor, Tensor]:
        """v_i = Q_iᵀ ∂_θ f and δr_i/δρ = Q_iᵀ f at the particles, output by output."""
        q = self.q
        v = torch.stack(
            [
                theta_gradient(
                    self.z[:, i : i + 1],
                    q[:, i : i + 1],
                    self.sigma[:, i : i + 1],
                    push(q[:, i : i + 1], self.theta, self.slope[:, i : i + 1]),
                )
                for i in range(self.field.problem.num_samples)
            ]
        )
        direct = ((q @ self.a) * self.sigma).transpose(0, 1)
        return v, direct

    def stiffness(self) -> float:
        """λ_max(K)/N of the kernel: the fastest rate of the flow."""
        mass = self.depth_weights[:, None] * self.weights
        pushes = push(self.q, self.theta, self.slope)
        kernel = Linearised(self.r[0], self.z, self.q, self.sigma, pushes, mass).kernel
        return float(torch.linalg.eigvalsh(kernel)[-1]) / self.field.problem.num_samples


def influence(
    field: MeanField, trajectory: Trajectory, flow_time: float, dtype: torch.dtype = torch.float64
) -> Influence:
    """ψ_s at all particles of a recorded limit run, for s one of its accepted points.

    Classical Runge–Kutta of order 4 backwards over the accepted steps, the state in between by
    cubic Hermite interpolation. Cost: four evaluations per step, each N times a gradient's. The
    costates may be carried in float32, at half the cost and with errors near 1e-5.

    Raises ValueError if the trajectory does not stop at ``flow_time``.

    >>> from zeroloss.model import law, problem
    >>> from zeroloss.limit.collocation import gauss_legendre
    >>> from zeroloss.limit.flow import MeanField
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> field = MeanField(sine, gauss_legendre(3), 64)
    >>> cloud = law.sobol_rule(law.InitialLaw(), sine.dim, 6, "example")
    >>> run = field.run(field.start(cloud[None]), [0.0, 4.0], record=True)
    >>> psi = influence(field, run.flow.trajectory, flow_time=4.0)
    >>> psi.psi.shape  # residuals, nodes in depth, particles
    (8, 3, 64)
    >>> round(float(np.trace(covariance_independent(psi))), 2)  # L M times that of a network
    0.48
    """
    if flow_time not in trajectory.s:
        raise ValueError(f"the trajectory has no accepted point at s = {flow_time}; make it an output time of the run")
    last = trajectory.s.index(flow_time)
    if last == 0:
        start = _particles(field, trajectory.point(0)[0])
        _, psi = _Linearised(field, start, dtype).final_costate()
    else:
        psi = _integrate_back(field, trajectory, last, dtype)
    psi, weights = psi.double(), field.cloud.weights
    psi = psi - (psi @ weights).unsqueeze(-1)
    return Influence(flow_time, *(part.cpu().numpy() for part in (psi, field.rule.weights, weights)))


def _particles(field: MeanField, y: Tensor) -> Tensor:
    return field.shape(y.unsqueeze(0))[0]


def _integrate_back(field: MeanField, trajectory: Trajectory, last: int, dtype: torch.dtype) -> Tensor:
    end = _Linearised(field, _particles(field, trajectory.point(last)[0]), dtype)
    v, psi = end.final_costate()
    for step in reversed(range(last)):
        h = trajectory.s[step + 1] - trajectory.s[step]
        # the pair that went forward is stable for longer steps than the one going back
        count = max(1, math.ceil(h * end.stiffness() / _STABLE))
        for sub in reversed(range(count)):
            middle, start = (
                _Linearised(field, _particles(field, trajectory.at(step, (sub + x) / count)), dtype) for x in (0.5, 0.0)
            )
            _step_back(v, psi, h / count, end, middle, start)
            end = start
    return psi


def _step_back(v: Tensor, psi: Tensor, h: float, end: _Linearised, middle: _Linearised, start: _Linearised) -> None:
    """One step of length h of the classical method of order 4, backwards in training time.

    In place, and a few outputs at a time: no stage of all costates is ever kept.
    """
    h /= end.field.problem.num_samples
    some = max(1, _ELEMENTS // v[0].numel())
    stages = v.new_empty(2, min(some, len(v)), *v.shape[1:])
    for v_part, psi_part in zip(v.split(some), psi.split(some), strict=True):
        k, total = stages[:, : len(v_part)].zero_()
        change = torch.zeros_like(psi_part)
        for operator, step, weight in ((end, 0, 1), (middle, 0.5, 2), (middle, 0.5, 2), (start, 1, 1)):
            torch.sub(v_part, k, alpha=step * h, out=k)
            change.add_(operator.along(k), alpha=weight)
            total.add_(k, alpha=weight)
        v_part.sub_(total, alpha=h / 6)
        psi_part.sub_(change, alpha=h / 6)


def covariance_independent(psi: Influence) -> np.ndarray:
    """Σ = ∫ Cov[ψ(θ₀, t)] dt (N, N) of independent layers: std ∝ (LM)^{−1/2}."""
    return np.einsum("iqj,lqj,q,j->il", psi.psi, psi.psi, psi.depth_weights, psi.weights, optimize=True)


def covariance_of_paths(psi: Influence) -> np.ndarray:
    """Σ = Cov[∫ ψ(ϑ(t), t) dt] (N, N) of constant paths: std ∝ M^{−1/2}.

    Particle j is one path: the same θ₀ at every node.
    """
    path = np.einsum("iqj,q->ij", psi.psi, psi.depth_weights)
    return np.einsum("ij,lj,j->il", path, path, psi.weights, optimize=True)


def pair_covariances(psi: Influence, num_blocks: int) -> np.ndarray:
    """G_{qq'}(κ) = trace Cov[ψ(X, t_q), ψ(Y, t_q')] for a cloud of ``correlated_sobol``.

    The cloud is X followed by one block of Y per κ: (num_blocks − 1, n, n), symmetrised.
    """
    outputs, nodes, particles = psi.psi.shape
    block = psi.psi.reshape(outputs, nodes, num_blocks, particles // num_blocks)
    block = block - block.mean(-1, keepdims=True)
    first = block[:, :, 0]
    pairs = np.einsum("iqj,ipbj->bqp", first, block[:, :, 1:], optimize=True)
    pairs /= particles // num_blocks
    return 0.5 * (pairs + pairs.transpose(0, 2, 1))
