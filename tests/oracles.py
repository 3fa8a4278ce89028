"""Slow and obvious versions of what the library computes, and closed forms; for tests only.

Nothing here uses the library's own kernels: activations are written again, networks are loops,
gradients come from autograd or from differences. Equations are those of the paper's appendix.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg
from torch import Tensor

from zeroloss.model.problem import Problem, problem

Array = NDArray[np.float64]

SMOOTH = ("tanh", "sigmoid", "gelu", "identity")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda u: (u.exp() - (-u).exp()) / (u.exp() + (-u).exp()),
    "sigmoid": lambda u: 1 / (1 + (-u).exp()),
    "gelu": torch.nn.functional.gelu,
    "relu": torch.relu,
    "relu2": lambda u: torch.relu(u) ** 2,
    "regularised-relu": lambda u: torch.where(u <= -0.5, 0 * u, torch.where(u >= 0.5, u, (u + 0.5) ** 2 / 2)),
    "identity": lambda u: u,
}


def tensor(values: object) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def normals(seed: int, *shape: int) -> Tensor:
    """Standard normals of a seed, by numpy: the same with every version of torch."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def shares(count: int) -> Tensor:
    """Unequal weights of so many particles: 1, 2, … over their sum."""
    weights = torch.arange(1, count + 1, dtype=torch.float64)
    return weights / weights.sum()


def lifted_cosine(name: str = "mine") -> Problem:
    """Four samples of a cosine, lifted by one dimension."""
    x = np.linspace(-1.0, 1.0, 4)
    return problem(name, x, np.cos(2.0 * x), lift=1)


def small_problem(num_samples: int = 4, dim: int = 2, seed: int = 0) -> Problem:
    """Random inputs, targets and readout, of order one."""
    numbers = np.random.default_rng([seed, num_samples, dim])
    return problem(
        "small",
        numbers.uniform(-1, 1, (num_samples, dim)),
        numbers.uniform(-1, 1, num_samples),
        numbers.uniform(0.3, 1, dim),
    )


# ---- the block and the network, entry by entry


def block(z: Tensor, theta: Tensor, activation: str) -> Tensor:
    """f(z, θ) = a σ(w·z + b) of one sample z (d,) and one unit θ (2 d + 1,)."""
    d = len(z)
    return theta[:d] * ACTIVATIONS[activation](theta[d : 2 * d] @ z + theta[2 * d])


def network_features(theta: Tensor, inputs: Tensor, activation: str, scale: float) -> Tensor:
    """z_l for l = 0…L of one network theta (L, k, M): (L + 1, N, d), by three loops."""
    layers, _, units = theta.shape
    z = [inputs]
    for layer in range(layers):
        new = []
        for x in z[-1]:
            total = torch.zeros_like(x)
            for m in range(units):
                total = total + block(x, theta[layer, :, m], activation)
            new.append(x + scale * total)
        z.append(torch.stack(new))
    return torch.stack(z)


def network_risk(theta: Tensor, data: Problem, activation: str, scale: float | None = None) -> Tensor:
    """E of one network theta (L, k, M), differentiable by autograd."""
    layers, _, units = theta.shape
    scale = 1 / (layers * units) if scale is None else scale
    end = network_features(theta, data.inputs, activation, scale)[-1]
    total = torch.zeros((), dtype=theta.dtype)
    for n in range(len(end)):
        total = total + 0.5 * (end[n] @ data.readout - data.targets[n]) ** 2
    return total / len(end)


def differences(function: Callable[[Tensor], Tensor], point: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences of a function with scalar values: like ``point``, error O(step²)."""
    out = torch.empty_like(point)
    for i in np.ndindex(*point.shape):
        up, down = point.clone(), point.clone()
        up[i] += step
        down[i] -= step
        out[i] = (function(up) - function(down)) / (2 * step)
    return out


def observed_orders(errors: Sequence[float]) -> list[float]:
    """log₂ of the ratio of errors whose step is halved each time."""
    return [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]


# ---- the limit as a system with a mass for each particle, by fixed point and autograd


def limit_end(
    masses: Tensor, theta: Tensor, inputs: Tensor, matrix: Tensor, weights: Tensor, activation: str, sweeps: int = 40
) -> Tensor:
    """Z(1) (B, N, d) for masses (B, n, particles), theta (B, n, k, particles), by iteration."""
    d = inputs.shape[1]
    a, w, b = theta[:, :, :d], theta[:, :, d : 2 * d], theta[:, :, 2 * d]
    share = masses / weights[:, None]

    def fields(z: Tensor) -> Tensor:
        u = torch.einsum("bqnd,bqdj->bqnj", z, w) + b.unsqueeze(2)
        return torch.einsum("bqnj,bqdj,bqj->bqnd", ACTIVATIONS[activation](u), a, share)

    z = inputs.expand(*theta.shape[:2], *inputs.shape)
    for _ in range(sweeps):
        z, last = inputs + torch.einsum("qp,bpnd->bqnd", matrix, fields(z)), z
        if float((z - last).detach().abs().max()) < 1e-15:
            break
    return inputs + torch.einsum("q,bqnd->bnd", weights, fields(z))


def limit_residuals(
    masses: Tensor,
    theta: Tensor,
    data: Problem,
    matrix: Tensor,
    weights: Tensor,
    activation: str,
    flow_time: float,
    steps: int,
) -> Tensor:
    """r(s) (B, N): each particle moves by −∇E over its mass, classical Runge–Kutta in s."""

    def residuals(position: Tensor) -> Tensor:
        end = limit_end(masses, position, data.inputs, matrix, weights, activation)
        return end @ data.readout - data.targets

    def velocity(position: Tensor) -> Tensor:
        position = position.detach().requires_grad_()
        risk = 0.5 * residuals(position).square().mean(1).sum()
        (gradient,) = torch.autograd.grad(risk, position)
        return -gradient / masses.unsqueeze(2)

    h = flow_time / max(steps, 1)
    for _ in range(steps if flow_time else 0):
        k1 = velocity(theta)
        k2 = velocity(theta + h / 2 * k1)
        k3 = velocity(theta + h / 2 * k2)
        k4 = velocity(theta + h * k3)
        theta = theta + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return residuals(theta).detach()


def influence_by_mass(
    theta: Tensor,
    shares: Tensor,
    data: Problem,
    matrix: Tensor,
    weights: Tensor,
    activation: str,
    flow_time: float,
    steps: int = 60,
    step: float = 1e-4,
) -> Array:
    """∂r(s)/∂mass (N, n, particles) by central differences, all masses in one batch.

    theta (n, k, particles), shares (particles,): the particle (q, j) has mass weights_q shares_j.
    """
    masses = weights[:, None] * shares
    n, particles = masses.shape
    bumps = step * torch.eye(n * particles, dtype=torch.float64).view(-1, n, particles)
    batch = torch.cat([masses + bumps, masses - bumps])
    r = limit_residuals(
        batch, theta.expand(len(batch), *theta.shape), data, matrix, weights, activation, flow_time, steps
    )
    slope = (r[: len(bumps)] - r[len(bumps) :]) / (2 * step)
    return slope.T.reshape(-1, n, particles).numpy()


# ---- closed forms


def gauss_rule(scales: Array, points_per_axis: int) -> tuple[Array, Array]:
    """Tensor Gauss–Hermite rule of N(0, diag scales²): points (k, n^k), weights (n^k,); exact to
    degree 2 n − 1 in each coordinate."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points_per_axis)
    points = np.stack([x.ravel() for x in np.meshgrid(*[nodes] * len(scales), indexing="ij")])
    product = functools.reduce(np.multiply.outer, [weights / weights.sum()] * len(scales))
    return points * scales[:, None], product.ravel()


def tanh_flow(z0: Array | float, beta: float, t: float = 1.0) -> Array:
    """z(t) of z' = β tanh z: arsinh(e^{βt} sinh z₀)."""
    return np.arcsinh(math.exp(beta * t) * np.sinh(z0))


def linear_generator(theta: Tensor) -> Array:
    """The matrix of (Z, 1)' for σ(u) = u and a cloud (k, particles) of equal weights."""
    k, particles = theta.shape
    d = (k - 1) // 2
    a, w, b = (part.numpy() for part in (theta[:d], theta[d : 2 * d], theta[2 * d]))
    out = np.zeros((d + 1, d + 1))
    out[:d, :d], out[:d, d] = a @ w.T / particles, a @ b / particles
    return out


def linear_map(generator: Array, inputs: Tensor) -> Array:
    """Z(1) (N, d): exp(G) (x, 1)."""
    return (np.column_stack([inputs.numpy(), np.ones(len(inputs))]) @ linalg.expm(generator).T)[:, :-1]


def linear_fluctuation(data: Problem, alpha: float, gamma: float, beta: float) -> Array:
    """V: Σ at s = 0 of σ(u) = u with centred Gaussians of scales α, γ, β_b for a, w, b."""
    x, g = data.inputs.numpy(), data.readout.numpy()
    return alpha**2 * (g @ g) * (gamma**2 * x @ x.T + beta**2)


def linear_covariance(data: Problem, alpha: float, gamma: float, beta: float, num_layers: int, num_units: int) -> Array:
    """Cov[r_i, r_j] at s = 0 of L × M independent units with σ(u) = u, exact at any size."""
    x, g, d = data.inputs.numpy(), data.readout.numpy(), data.dim
    growth = (1 + d * (alpha * gamma) ** 2 / (num_layers**2 * num_units)) ** num_layers - 1
    return (g @ g) / (d * gamma**2) * (gamma**2 * x @ x.T + beta**2) * growth


def linear_pairs(
    data: Problem,
    means: tuple[Array, Array, float],
    scales: tuple[float, float, float],
    times: tuple[float, float],
    kappa: float,
) -> Array:
    """G_{tt'}(κ) (N, N) at s = 0 of σ(u) = u: Cov[ψ(X, t), ψ(Y, t')] at correlation κ."""
    (a_mean, w_mean, b_mean), (alpha, gamma, beta) = means, scales
    x, g = data.inputs.numpy(), data.readout.numpy()
    rate = float(w_mean @ a_mean)

    def grown(t: float) -> float:  # (e^{λt} − 1)/λ
        return math.expm1(rate * t) / rate if rate else t

    u0 = x @ w_mean + b_mean
    (z, q, u), (z1, q1, u1) = (
        (x + np.outer(u0, a_mean) * grown(t), g + w_mean * (a_mean @ g) * grown(1 - t), u0 * math.exp(rate * t))
        for t in times
    )
    Q = gamma**2 * z @ z1.T + beta**2
    both = alpha**2 * (q @ q1)
    linear = both * np.outer(u, u1) + (q @ a_mean) * (q1 @ a_mean) * Q
    return kappa * linear + kappa**2 * both * Q
