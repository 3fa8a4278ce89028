"""Particles of the block f(z, θ) = a σ(z + b), θ = (a, b), k = 2: mean-field flow with w kept at 1.

The other solution of what ``density`` solves. Particles start on a lattice of midpoints, weighted
by the density there, so that nothing is drawn; and the weak form of the equation is seen on the
waves e^{iκ·θ}: d/ds ∫ e^{iκ·θ} dρ = −∫ ∇e^{iκ·θ}·∇_θ δE/δρ dρ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zeroloss.limit.collocation import DepthRule
from zeroloss.limit.finite_volumes import Grid
from zeroloss.limit.flow import MeanField
from zeroloss.model.arrays import Array
from zeroloss.model.block import push, theta_gradient
from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import Problem

__all__ = ["Shifts", "Weak", "lattice"]


def lattice(law: InitialLaw, grid: Grid) -> tuple[Array, Array]:
    """Midpoint rule of ρ_ini(a, b) on a grid: points (3, particles), rows (a, 1, b), and weights.

    Of spectral accuracy for smooth integrands and a Gaussian law that the rectangle does not cut.
    Raises ValueError like ``Grid.averages``.
    """
    grid.averages(law)
    x, y = np.meshgrid(grid.centres(0), grid.centres(1), indexing="ij")
    u, v = x.ravel() / law.scale_a, y.ravel() / law.scale_b
    if law.kind == "gaussian":
        density = np.exp(-0.5 * (u**2 + v**2))
    else:
        density = ((abs(u) < 1) & (abs(v) < 1)).astype(np.float64)
    return np.stack([x.ravel(), np.ones(x.size), y.ravel()]), density / density.sum()


@dataclass(frozen=True)
class Weak:
    """What the weak form compares at one s: ∫ e^{iκ·θ} dρ and its rate, (n, K) each."""

    waves: NDArray[np.complex128]
    rate: NDArray[np.complex128]


class Shifts(MeanField):
    """Gradient flow of particles (a, 1, b) on a problem with d = 1; states as in ``MeanField``."""

    def __init__(self, problem: Problem, rule: DepthRule, weights: Tensor, activation: str = "tanh") -> None:
        if problem.dim != 1:
            raise ValueError(
                f"features must have dimension 1 for shifts, got {problem.dim}; "
                "choose a problem with one feature and lift 0"
            )
        super().__init__(problem, rule, weights, activation, compiled=False)

    def _slope(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """−∇_θ δE/δρ with no part along w, like theta (R, n, 3, particles), and the residuals."""
        state, r, p = self.solve_depth(theta)
        gradient = theta_gradient(state.features, p, state.sigma, push(p, theta, state.slope))
        gradient /= -self.problem.num_samples
        gradient[..., 1, :] = 0.0
        return gradient, r

    def weak(self, theta: Tensor, waves: Array) -> Weak:
        """Both sides of the weak form at one cloud (n, 3, particles), for wave vectors (K, 2)."""
        slope = self._slope(theta.unsqueeze(0))[0][0]
        kappa = torch.from_numpy(np.asarray(waves, dtype=np.float64))
        rows = [0, 2]
        phase = kappa @ theta[:, rows]  # (n, K, particles)
        mass = self.cloud.weights * torch.exp(1j * phase)
        rate = 1j * (mass * (kappa @ slope[:, rows])).sum(-1)
        return Weak(mass.sum(-1).numpy(), rate.numpy())
