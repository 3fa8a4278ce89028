"""The mean-field equation solved for the density itself: finite volumes, no particles.

    ∂_s ρ = div_θ(ρ ∇_θ G),   G(θ, t) = δE/δρ = mean over samples of p(t)ᵀ f(Z(t), θ)

for the block f(z, θ) = a σ(z + b), θ = (a, b), k = 2, on features of one dimension (d = 1): then
G = a φ(b). At each Gauss–Legendre node t_q, ρ_q is transported by V = −ΔG/h, the difference of G
between the centres on both sides of a face (Carrillo, Chertock and Huang 2015), and s is advanced
by the strong-stability-preserving Runge–Kutta method of order 3 (Shu and Osher 1988). With the
moments m_0, m_1, m_2 (b) = ∫ (1, a, a²) ρ da, which are all that Z, p, E and its dissipation need,

    F(z) = ∫ m_1 σ(z + b) db,   ∫|∇G|² dρ = ∫ m_0 φ² + m_2 φ'² db.

Order 2 in the cells. Nothing of the particle flow is used but the coefficients of the depth rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zeroloss.integrate.steps import check
from zeroloss.limit.collocation import DepthRule
from zeroloss.limit.finite_volumes import LIMITERS, Grid, divergence, positive_step
from zeroloss.model.block import ACTIVATIONS, values
from zeroloss.model.problem import Problem

__all__ = ["Density", "DensityFlow", "DepthSolution"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_WEIGHTS = (1 / 6, 1 / 6, 2 / 3)  # of the stages in the whole step
_SAFETY = 0.9  # of the longest positive step, which moves from stage to stage


@dataclass(frozen=True)
class DepthSolution:
    """At one ρ: moments (3, n, B), Z and v = ∂g(Z(1))/∂Z at the nodes (n, N), σ and σ' there
    (n, N, B), residuals (N,), φ and φ' at the centres (n, B)."""

    moments: Array
    z: Array
    v: Array
    sigma: Array
    slope: Array
    residuals: Array
    phi: Array
    dphi: Array


@dataclass(frozen=True)
class DensityFlow:
    """The density at the output times, and what it kept or lost.

    rho (outputs, n, A, B); residuals (outputs, N); risk; dissipated = ∫∫∫|∇G|² dρ dt ds;
    mass_defect = max |mass − 1| and minimum of all cell averages of all steps so far; edge_mass in
    the outermost cells, of the node that has most; each (outputs,). waves and balance
    (outputs, n, K): ∫ e^{iκ·θ} dρ, and ∫ ds ∫ ∇e^{iκ·θ}·V dρ, which by the weak form is its
    increase. steps taken.
    """

    flow_times: tuple[float, ...]
    rho: Array
    residuals: Array
    risk: Array
    dissipated: Array
    mass_defect: Array
    minimum: Array
    edge_mass: Array
    waves: Complex
    balance: Complex
    steps: int


class Density:
    """The flow of ρ for one problem (d = 1) on one grid, at the nodes of an implicit depth rule.

    ``waves`` (K, 2) are wave vectors κ of test functions e^{iκ·θ} for the weak form.
    Raises ValueError for other problems, rules or limiters than it can take.
    """

    def __init__(
        self,
        problem: Problem,
        rule: DepthRule,
        grid: Grid,
        activation: str = "tanh",
        *,
        limiter: str = "van-leer",
        waves: Array | None = None,
    ) -> None:
        if problem.dim != 1:
            raise ValueError(
                f"features must have dimension 1 for a density, got {problem.dim}; "
                "choose a problem with one feature and lift 0"
            )
        if rule.explicit:
            raise ValueError(f"the depth rule must be implicit, got {rule.name}; use gauss_legendre")
        if limiter not in LIMITERS:
            raise ValueError(f"limiter must be one of {', '.join(LIMITERS)}, got {limiter!r}; set limiter")
        self.grid, self.activation, self.limiter = grid, ACTIVATIONS[activation], LIMITERS[limiter]
        self.x, self.y = problem.inputs[:, 0].numpy(), problem.targets.numpy()
        self.g = float(problem.readout[0])
        self.matrix, self.weights = rule.matrix.numpy(), rule.weights.numpy()
        self.adjoint_matrix = rule.adjoint_matrix.numpy()
        self.a, self.b = grid.centres(0), grid.centres(1)
        self.kappa = np.zeros((0, 2)) if waves is None else np.asarray(waves, dtype=np.float64)
        self._wave_a = np.exp(1j * np.outer(self.kappa[:, 0], self.a))
        self._wave_b = np.exp(1j * np.outer(self.kappa[:, 1], self.b))
        self._guess = np.tile(self.x, (rule.num_nodes, 1))

    def start(self, averages: Array) -> Array:
        """The state whose density (A, B) is the same at all nodes: (n, A, B)."""
        return np.tile(averages, (len(self.weights), 1, 1))

    def _sigma(self, z: Array) -> tuple[Array, Array]:
        u = torch.from_numpy(z[..., None] + self.b)
        sigma, slope = values(u, self.activation)
        return sigma.numpy(), slope.numpy()

    def solve_depth(self, rho: Array, tolerance: float = 1e-13) -> DepthSolution:
        """Z_q = x + Σ_p A_qp F_p(Z_p) by Newton's method, then the adjoint of the same rule.

        Raises FloatingPointError when Newton does not converge in 30 iterations.
        """
        moments = (self.a ** np.arange(3)[:, None]) @ rho * self.grid.area  # (n, 3, B)
        moments = moments.swapaxes(0, 1)
        z, eye, defect = self._guess, np.eye(len(self.weights)), np.full(1, np.nan)
        for _ in range(30):
            sigma, slope = self._sigma(z)
            F = np.einsum("qnb,qb->qn", sigma, moments[1])
            J = np.einsum("qnb,qb->qn", slope, moments[1]).T[:, None, :]
            defect = z - self.x - self.matrix @ F
            if np.abs(defect).max() <= tolerance * (1.0 + np.abs(self.x).max()):
                break
            z = z - np.linalg.solve(eye - self.matrix * J, defect.T[..., None])[..., 0].T
        else:
            raise FloatingPointError(
                f"collocation in depth did not converge (defect {np.abs(defect).max():.3g}); "
                "reduce the scales of the initial law"
            )
        self._guess = z
        v = np.linalg.solve(eye - self.adjoint_matrix * J, np.full((len(self.x), len(eye), 1), self.g))[..., 0].T
        r = self.g * (self.x + self.weights @ F) - self.y
        p = v * r / len(r)
        return DepthSolution(
            moments, z, v, sigma, slope, r, np.einsum("qn,qnb->qb", p, sigma), np.einsum("qn,qnb->qb", p, slope)
        )

    def velocity(self, depth: DepthSolution) -> tuple[Array, Array]:
        """V = −ΔG/h at the inner faces: along a (n, 1, B), along b (n, A, B − 1)."""
        rises = np.diff(depth.phi, axis=1) / self.grid.width(1)
        return -depth.phi[:, None, :], -self.a[:, None] * rises[:, None, :]

    def slope(self, rho: Array, v_a: Array, v_b: Array) -> Array:
        """dρ/ds = −div(V ρ): like rho (n, A, B)."""
        return -(
            divergence(rho, v_a, 1, self.grid.width(0), self.limiter)
            + divergence(rho, v_b, 2, self.grid.width(1), self.limiter)
        )

    def stable_step(self, depth: DepthSolution) -> float:
        """N/tr K ≤ N/λ_max(K): a step that follows the fastest mode of dr/ds = −K r/N."""
        inner = np.einsum("qnb,qb->qn", depth.sigma**2, depth.moments[0]) + np.einsum(
            "qnb,qb->qn", depth.slope**2, depth.moments[2]
        )
        trace = float(self.weights @ (depth.v**2 * inner).sum(1))
        return len(self.x) / trace if trace > 0 else float("inf")

    def dissipation(self, depth: DepthSolution) -> float:
        """∫∫|∇G|² dρ dt with ∇G = (φ, a φ') at the centres, not the differences of the fluxes."""
        inner = depth.moments[0] * depth.phi**2 + depth.moments[2] * depth.dphi**2
        return float(self.weights @ inner.sum(1))

    def wave(self, rho: Array) -> Complex:
        """∫ e^{iκ·θ} dρ at the nodes, by the centres: (n, K)."""
        return ((self._wave_a @ rho) * self._wave_b).sum(2) * self.grid.area

    def wave_rate(self, rho: Array, depth: DepthSolution) -> Complex:
        """−∫ ∇e^{iκ·θ}·∇G dρ at the nodes, by the centres: (n, K)."""
        along_a = 1j * self.kappa[:, :1] * depth.phi[:, None] * (self._wave_a @ rho)
        along_b = 1j * self.kappa[:, 1:] * depth.dphi[:, None] * ((self._wave_a * self.a) @ rho)
        return -((along_a + along_b) * self._wave_b).sum(2) * self.grid.area

    def run(self, rho: Array, flow_times: Sequence[float], *, max_steps: int = 100_000) -> DensityFlow:
        """Follow ρ (n, A, B) from s = 0 through the output times, which are hit exactly.

        Raises ValueError for flow times that do not increase, FloatingPointError when a value is
        not finite, RuntimeError beyond ``max_steps``.
        """
        check(1.0, 1.0, flow_times)
        book = _Book(self, rho)
        s, steps = 0.0, 0
        for target in flow_times:
            while s < target:
                h = book.step(target - s)
                steps += 1
                s = target if h >= target - s else s + h
                if not np.isfinite(book.depth.residuals).all():
                    raise FloatingPointError(
                        f"the residuals are not finite at flow time {s:.6g}; reduce the scales of the initial law"
                    )
                if steps > max_steps:
                    raise RuntimeError(
                        f"more than {max_steps} steps to reach flow time "
                        f"{flow_times[-1]}; shorten flow_times or take fewer cells"
                    )
            book.note()
        columns = {name: np.array([row[name] for row in book.rows]) for name in book.rows[0]}
        return DensityFlow(tuple(flow_times), steps=steps, **columns)


class _Book:
    """The state on its way, and what is noted at the output times."""

    def __init__(self, scheme: Density, rho: Array) -> None:
        self.scheme, self.rho, self.depth = scheme, rho, scheme.solve_depth(rho)
        self.dissipated = 0.0
        self.balance = np.zeros((len(rho), len(scheme.kappa)), dtype=np.complex128)
        self.defect, self.minimum = 0.0, np.inf
        self._watch()
        self.rows: list[dict[str, Any]] = []

    def _watch(self) -> None:
        mass = self.rho.sum((1, 2)) * self.scheme.grid.area
        self.defect = max(self.defect, float(np.abs(mass - 1.0).max()))
        self.minimum = min(self.minimum, float(self.rho.min()))

    def step(self, left: float) -> float:
        """One step of at most ``left``, shortened until all its Euler stages are positive."""
        scheme, first = self.scheme, self.depth
        v = scheme.velocity(first)
        longest = min(_SAFETY * positive_step(*v, scheme.grid), scheme.stable_step(first))
        h = left if longest >= left else min(longest, left / 2)
        while (stages := self._stages(h, v)) is None:
            h /= 2
        for weight, (rho, depth) in zip(_WEIGHTS, stages[:3], strict=True):
            self.dissipated += h * weight * scheme.dissipation(depth)
            if len(scheme.kappa):
                self.balance += h * weight * scheme.wave_rate(rho, depth)
        self.rho, self.depth = stages[3]
        self._watch()
        return h

    def _stages(self, h: float, v: tuple[Array, Array]) -> list[tuple[Array, DepthSolution]] | None:
        """The three stages and the end of a step of Shu and Osher; None where one is too long."""
        scheme, y = self.scheme, self.rho
        stages = [(y, self.depth)]
        for share in (1.0, 1 / 4, 2 / 3):  # y + share (Euler step of the last stage − y)
            rho, depth = stages[-1]
            v = v if len(stages) == 1 else scheme.velocity(depth)
            if h > positive_step(*v, scheme.grid):
                return None
            moved = rho + h * scheme.slope(rho, *v)
            new = moved if share == 1.0 else (1.0 - share) * y + share * moved
            stages.append((new, scheme.solve_depth(new)))
        return stages

    def note(self) -> None:
        r, grid = self.depth.residuals, self.scheme.grid
        inner = self.rho[:, 1:-1, 1:-1].sum((1, 2))
        edge = float((self.rho.sum((1, 2)) - inner).max()) * grid.area
        self.rows.append(
            {
                "rho": self.rho,
                "residuals": r,
                "risk": 0.5 * np.mean(r**2),
                "dissipated": self.dissipated,
                "mass_defect": self.defect,
                "minimum": self.minimum,
                "edge_mass": edge,
                "waves": self.scheme.wave(self.rho),
                "balance": self.balance.copy(),
            }
        )
