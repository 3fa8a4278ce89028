"""Depth rules and the forward and adjoint depth equations of a cloud of particles.

With Runge–Kutta coefficients (A, b, c) in t, F_q(z) = Σ_j ω_j f(z, θ_qj), J_q = ∂_z F_q:

    Z_q = x + Σ_p A_qp F_p(Z_p),   Z(1) = x + Σ_q b_q F_q(Z_q)
    P_q = p(1) + Σ_p C_qp J_pᵀ P_p,   C_qp = b_p A_pq / b_q

The second line is the exact adjoint of the first (Sanz-Serna 2016): b_q ω_j Pᵀ ∂_θ f is the
gradient of the discrete risk. For Gauss–Legendre nodes C_qp = b_p − A_qp and the order is 2 n; for
the explicit Euler rule with L nodes this is the ResNet of L layers with its own adjoint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.polynomial import polynomial
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from zeroloss.model import block
from zeroloss.model.block import Activation

__all__ = ["Cloud", "DepthRule", "DepthState", "euler", "gauss_legendre"]


@dataclass(frozen=True)
class DepthRule:
    """Runge–Kutta coefficients in depth: matrix A (n, n), weights b (n,), nodes c (n,)."""

    name: str
    matrix: Tensor
    weights: Tensor
    nodes: Tensor
    explicit: bool

    @property
    def adjoint_matrix(self) -> Tensor:
        """C_qp = b_p A_pq / b_q."""
        return self.matrix.T * self.weights[None, :] / self.weights[:, None]

    def to(self, device: torch.device) -> DepthRule:
        """The same rule on another device."""
        return replace(
            self, matrix=self.matrix.to(device), weights=self.weights.to(device), nodes=self.nodes.to(device)
        )

    @property
    def num_nodes(self) -> int:
        """n, the number of nodes in depth (layers for the Euler rule)."""
        return len(self.nodes)


def gauss_legendre(num_nodes: int) -> DepthRule:
    """Gauss–Legendre collocation on [0, 1] with n nodes, order 2 n."""
    if num_nodes < 1:
        raise ValueError(f"depth_nodes must be at least 1, got {num_nodes}; set depth_nodes")
    c, b = leggauss(num_nodes)
    c, b = (c + 1) / 2, b / 2
    matrix = np.empty((num_nodes, num_nodes))
    for q in range(num_nodes):
        roots = np.delete(c, q)
        basis = polynomial.polyfromroots(roots) / np.prod(c[q] - roots)
        matrix[:, q] = polynomial.polyval(c, polynomial.polyint(basis))
    return DepthRule(f"gauss-{num_nodes}", *map(torch.from_numpy, (matrix, b, c)), explicit=False)


def euler(num_layers: int) -> DepthRule:
    """Explicit Euler with L equal steps: the layers of the ResNet, order 1."""
    if num_layers < 1:
        raise ValueError(f"num_layers must be at least 1, got {num_layers}; set sizes")
    L = num_layers
    matrix = torch.tril(torch.full((L, L), 1.0 / L, dtype=torch.float64), diagonal=-1)
    return DepthRule(
        f"euler-{L}",
        matrix,
        torch.full((L,), 1.0 / L, dtype=torch.float64),
        torch.arange(L, dtype=torch.float64) / L,
        explicit=True,
    )


@dataclass
class DepthState:
    """Features at the nodes Z (R, n, N, d) and at the end (R, N, d), J (R, n, N, d, d), and σ, σ'
    at the nodes (R, n, N, particles)."""

    features: Tensor
    end: Tensor
    jacobian: Tensor
    sigma: Tensor
    slope: Tensor


class Cloud:
    """Weighted particles at the depth nodes: theta (R, n, dim_theta, particles).

    ``weights`` (particles,) sum to 1 and are shared by the nodes; R counts independent clouds.
    """

    def __init__(
        self, inputs: Tensor, rule: DepthRule, weights: Tensor, activation: Activation, tolerance: float = 1e-12
    ) -> None:
        self.inputs, self.rule, self.weights = inputs, rule.to(inputs.device), weights
        self.activation, self.tolerance = activation, tolerance
        self._guess: Tensor | None = None

    def _field(self, z: Tensor, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """F, J, σ, σ' at z (R, n, N, d) for theta (R, n, k, particles)."""
        sigma, slope = block.values(block.preactivation(z, theta), self.activation)
        F, J = block.field(sigma, theta, self.weights), block.jacobian(slope, theta, self.weights)
        return F, J, sigma, slope

    def forward(self, theta: Tensor, *, polish: bool = False) -> DepthState:
        """Solve the forward depth equation by Newton's method from the last solution.

        ``polish`` takes one step more: residuals are then right to round-off, not to the tolerance.
        Raises FloatingPointError when Newton does not converge in 30 iterations.
        """
        if self.rule.explicit:
            return self._march(theta)
        R, n = theta.shape[:2]
        x = self.inputs
        z = self._guess
        if z is None or z.shape[0] != R:
            z = x.expand(R, n, *x.shape).clone()
        A = self.rule.matrix
        worst = float("nan")
        for _ in range(30):
            F, J, sigma, slope = self._field(z, theta)
            defect = z - x - torch.einsum("qp,rpnd->rqnd", A, F)
            worst = float(defect.abs().max())
            if worst < self.tolerance * (1.0 + float(x.abs().max())):
                if polish:
                    polish, z = False, z - self.solve(A, J, defect)
                    continue
                self._guess = z
                end = x + torch.einsum("q,rqnd->rnd", self.rule.weights, F)
                return DepthState(z, end, J, sigma, slope)
            z = z - self.solve(A, J, defect)
        raise FloatingPointError(
            f"collocation in depth did not converge (defect {worst:.3g}); reduce the scales of the initial law or rtol"
        )

    def _march(self, theta: Tensor) -> DepthState:
        """Layer after layer: z_{q+1} = z_q + F_q(z_q)/L."""
        R, n = theta.shape[:2]
        z = self.inputs.expand(R, *self.inputs.shape)
        parts: list[tuple[Tensor, ...]] = []
        for q in range(n):
            F, J, sigma, slope = self._field(z, theta[:, q])
            parts.append((z, J, sigma, slope))
            z = z + self.rule.weights[q] * F
        features, J, sigma, slope = (torch.stack(column, 1) for column in zip(*parts, strict=True))
        return DepthState(features, z, J, sigma, slope)

    def solve(self, matrix: Tensor, operator: Tensor, forcing: Tensor) -> Tensor:
        """y with y_q − Σ_p matrix_qp operator_p y_p = forcing_q, sample by sample.

        operator (R, n, N, d, d); forcing (…, R, n, N, d) with any leading axes -> like forcing.
        A strictly triangular matrix (explicit rule) is solved by substitution.
        """
        if self.rule.explicit:
            return self._substitute(matrix, operator, forcing)
        n, d = operator.shape[1], operator.shape[-1]
        blocks = torch.einsum("qp,rpnij->rnqipj", matrix, operator)
        R, N = blocks.shape[:2]
        system = torch.eye(n * d, dtype=forcing.dtype, device=forcing.device) - blocks.reshape(R, N, n * d, n * d)
        lead = forcing.shape[:-4]
        right = forcing.reshape(-1, R, n, N, d).permute(1, 3, 2, 4, 0).reshape(R, N, n * d, -1)
        y = torch.linalg.solve(system, right)
        return y.reshape(R, N, n, d, -1).permute(4, 0, 2, 1, 3).reshape(*lead, R, n, N, d)

    def _substitute(self, matrix: Tensor, operator: Tensor, forcing: Tensor) -> Tensor:
        """Substitution for the Euler rule: all non-zero entries of ``matrix`` are 1/L."""
        n = operator.shape[1]
        lower = bool(matrix[-1, 0] != 0) or n == 1
        y = torch.empty_like(forcing)
        total = torch.zeros_like(forcing[..., 0, :, :])
        for q in range(n) if lower else reversed(range(n)):
            y[..., q, :, :] = forcing[..., q, :, :] + total / n
            total = total + torch.einsum("rnij,...rnj->...rni", operator[:, q], y[..., q, :, :])
        return y

    def adjoint(self, state: DepthState, final: Tensor) -> Tensor:
        """P_q of the adjoint depth equation for p(1) = final (…, R, N, d) -> (…, R, n, N, d)."""
        forcing = final.unsqueeze(-3).expand(*final.shape[:-2], self.rule.num_nodes, *final.shape[-2:])
        return self.solve(self.rule.adjoint_matrix, state.jacobian.mT, forcing)
