"""The kernel of training K(s), and what it says: rates, certificates, first variation.

With q_i(t) = ∂g(Z_i(1))/∂Z_i(t), for a network or a cloud of particles alike,

    K_ij = ∫∫ (q_iᵀ ∂_θ f(Z_i, θ)) (q_jᵀ ∂_θ f(Z_j, θ))ᵀ dρ dt,   dr/ds = −K r/N
    dE/ds = −rᵀ K r/N² ≤ −(2/N) λ_min(K) E,   so   E(s) ≤ E(0) exp(−(2/N) ∫ λ_min(K))

Since q_i meets sample i alone, one adjoint pass gives the whole Jacobian of the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zeroloss.model.block import Activation, preactivation, split, theta_gradient

__all__ = ["Linearised", "log_certificate", "sample_gradients"]


def sample_gradients(z: Tensor, p: Tensor, theta: Tensor, activation: Activation) -> Tensor:
    """p_iᵀ f(z_i, θ) for each sample and probe: z, p (…, N, d), theta (…, k, probes) -> (…, N,
    probes). With p the adjoint, its mean over samples is the first variation δE/δρ(θ, t)."""
    a, _, _ = split(theta)
    return (p @ a) * activation.value(preactivation(z, theta))


@dataclass(frozen=True)
class Linearised:
    """Residuals and their derivatives at one point of training.

    residuals (N,); at each of n layers or depth nodes: features z and adjoints q (n, N, d), σ and
    push = (q·a) σ' (n, N, particles), the parameters' a (n, d, particles) through these, and
    ``mass`` (n, particles), the share of each particle in dρ dt. ``gain`` is 1 but for networks
    whose branches are scaled otherwise than by 1/(L M): ∂r/∂θ carries it once.
    """

    residuals: Tensor
    z: Tensor
    q: Tensor
    sigma: Tensor
    push: Tensor
    mass: Tensor
    gain: float = 1.0

    @property
    def kernel(self) -> Tensor:
        """K (N, N), from Gram matrices: (q_i·q_j) σ_i·σ_j + (1 + z_i·z_j) push_i·push_j."""
        mass = self.mass.unsqueeze(-2)
        values = (self.sigma * mass) @ self.sigma.mT
        pushes = (self.push * mass) @ self.push.mT
        gram = (self.q @ self.q.mT) * values + (1.0 + self.z @ self.z.mT) * pushes
        return self.gain**2 * gram.sum(0)

    def pull(self, c: Tensor) -> Tensor:
        """(1/N) Σ_i c_i q_iᵀ ∂_θ f(Z_i, θ): (n, k, particles); with c = r it is ∇_θ δE/δρ."""
        scaled = (self.gain / len(c)) * c
        return theta_gradient(self.z, self.q * scaled[:, None], self.sigma, self.push * scaled[:, None])

    def first_variation(self, theta: Tensor, activation: Activation) -> Tensor:
        """δE/δρ(θ, t) = mean over samples of pᵀ f(Z(t), θ) at probes: theta (n, k, probes) or
        (k, probes), the same for all nodes -> (n, probes)."""
        p = self.q * self.residuals[:, None]
        return sample_gradients(self.z, p, theta, activation).mean(-2)

    def dissipation(self) -> float:
        """∫∫ |∇_θ δE/δρ|² dρ dt = rᵀ K r/N² = −dE/ds."""
        r = self.residuals
        return float(r @ self.kernel @ r) / len(r) ** 2


def log_certificate(
    flow_times: NDArray[np.float64], smallest: NDArray[np.float64], num_samples: int
) -> NDArray[np.float64]:
    """−(2/N) ∫_0^s λ_min(K) by the lesser of two values on each step: (times,).

    ``smallest`` (times,) are λ_min at ``flow_times``, from s = 0 on. The lesser value understates
    the integral wherever λ_min is monotone between two times: the bound stays a bound.
    """
    steps = np.diff(flow_times) * np.minimum(smallest[1:], smallest[:-1])
    return -(2.0 / num_samples) * np.concatenate([[0.0], np.cumsum(steps)])
