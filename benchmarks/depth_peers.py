"""The gradient of the limit by general solvers: torchdiffeq and diffrax on the same particles.

Particles live at the Gauss nodes in depth, θ(t) = Σ_q ℓ_q(t) θ_q with the Lagrange basis of the
nodes. A solver integrates dz/dt = Σ_j ω_j f(z, θ_j(t)) for all samples, and its own adjoint gives
∂E/∂θ_qj; the flow is dθ_qj/ds = −∂E/∂θ_qj / (b_q ω_j), with b_q the weights of the nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.limit_cases import LimitCase
from zeroloss.limit.collocation import gauss_legendre

__all__ = ["DIFFRAX", "MAKERS", "TORCHDIFFEQ", "DepthPeer", "basis"]

TORCHDIFFEQ, DIFFRAX = "torchdiffeq", "diffrax"


@dataclass(frozen=True)
class DepthPeer:
    """``evaluate(prepare(theta))`` gives residuals (N,) and −∇δE/δρ like theta (n, k, P)."""

    name: str
    prepare: Callable[[Tensor], Any]
    evaluate: Callable[[Any], tuple[Any, Any]]


def basis(nodes: np.ndarray) -> np.ndarray:
    """Coefficients C with ℓ_q(t) = Σ_j C_qj t^j: (n, n)."""
    return np.linalg.inv(np.vander(nodes, increasing=True)).T


class DepthEquation(nn.Module):
    """dz/dt = (1/P) Σ_j a_j tanh(w_j·z + b_j) with θ(t) interpolated from ``theta`` (n, k, P)."""

    def __init__(self, theta: Tensor, coefficients: Tensor) -> None:
        super().__init__()
        self.theta = nn.Parameter(theta)
        self.coefficients = coefficients
        self.powers = torch.arange(len(coefficients), dtype=theta.dtype)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """Velocity of the features (N, d) at depth t."""
        weights = self.coefficients @ t**self.powers
        theta = torch.tensordot(weights, self.theta, dims=1)
        d = z.shape[1]
        a, w, b = theta[:d], theta[d : 2 * d], theta[2 * d]
        return torch.tanh(z @ w + b) @ a.T / theta.shape[1]


def _with_torchdiffeq(case: LimitCase, tolerance: float) -> DepthPeer:
    """odeint_adjoint with Dormand–Prince 5(4); steps of the adjoint by the features alone."""
    from torchdiffeq import odeint_adjoint

    problem, rule = case.problem, gauss_legendre(case.depth_nodes)
    coefficients = torch.from_numpy(basis(rule.nodes.numpy()))
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    options: dict[str, Any] = {"rtol": tolerance, "atol": tolerance, "method": "dopri5"}
    options["adjoint_options"] = {"norm": "seminorm"}

    def evaluate(theta: Tensor) -> tuple[Tensor, Tensor]:
        equation = DepthEquation(theta, coefficients)
        z: Any = odeint_adjoint(equation, problem.inputs, ends, **options)
        r = problem.residuals(z[-1])
        problem.risk(r).backward()
        assert equation.theta.grad is not None
        mass = rule.weights[:, None, None] / theta.shape[-1]
        return r.detach(), -equation.theta.grad / mass

    return DepthPeer(TORCHDIFFEQ, lambda theta: theta, evaluate)


def _with_diffrax(case: LimitCase, tolerance: float) -> DepthPeer:
    """diffeqsolve with Tsitouras 5(4) and its default adjoint, compiled."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    problem, rule = case.problem, gauss_legendre(case.depth_nodes)
    x, y, g, mass = (
        jnp.asarray(part.numpy()) for part in (problem.inputs, problem.targets, problem.readout, rule.weights)
    )
    coefficients, powers = jnp.asarray(basis(rule.nodes.numpy())), jnp.arange(rule.num_nodes)
    d = problem.dim

    def velocity(t: Any, z: Any, theta: Any) -> Any:
        now = jnp.tensordot(coefficients @ t**powers, theta, axes=1)
        a, w, b = now[:d], now[d : 2 * d], now[2 * d]
        return jnp.tanh(z @ w + b) @ a.T / theta.shape[-1]

    term, method = diffrax.ODETerm(velocity), diffrax.Tsit5()
    steps = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    def risk(theta: Any) -> tuple[Any, Any]:
        solution = diffrax.diffeqsolve(term, method, 0.0, 1.0, None, x, args=theta, stepsize_controller=steps)
        ends: Any = solution.ys
        r = ends[-1] @ g - y
        return 0.5 * jnp.mean(r**2), r

    @jax.jit
    def both(theta: Any) -> tuple[Any, Any]:
        (_, r), slope = jax.value_and_grad(risk, has_aux=True)(theta)
        return r, -slope * theta.shape[-1] / mass[:, None, None]

    return DepthPeer(
        DIFFRAX, lambda theta: jnp.asarray(theta.numpy()), lambda theta: jax.block_until_ready(both(theta))
    )


MAKERS: dict[str, Callable[[LimitCase, float], DepthPeer]] = {TORCHDIFFEQ: _with_torchdiffeq, DIFFRAX: _with_diffrax}
