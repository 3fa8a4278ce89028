"""The linear block in the mean-field flow, and its closed form.

The library's linear block is f(z, θ) = a (w·z) (identity activation, b = 0), whose sum over
particles is A(t) z with A = ∫ a wᵀ dρ: Z(1) = Φ x with the time-ordered exponential Φ of A. With
G(t) = Φ(1,t)ᵀ (Φ − Z) Φ(t,0)ᵀ the gradient flow is closed in the second moments of ρ:

    A' = −(G W + V G),  V' = −(G Aᵀ + A Gᵀ),  W' = −(Gᵀ A + Aᵀ G),   V = ∫ a aᵀ,  W = ∫ w wᵀ

For Z symmetric and a law with A = 0 and V, W multiples of I, the same at every depth, all of them
keep the eigenvectors of Z and stay constant in depth: Φ = e^A, and eigenvalue by eigenvalue,
c = V + W at the start, (V + W)² − 4 α² = c² is kept and

    α' = −e^α (e^α − ζ) √(c² + 4 α²),   σ = e^α:  σ' = −σ² (σ − ζ) √(c² + 4 log² σ).

For c → ∞ in the time c s the root is 1: the block f(z, A) = A z, dA/ds = −G, and the limit of deep
linear networks, N σ^{2−2/N} (ζ − σ) in the time s/N, as N → ∞.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.limit.collocation import euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.arrays import Array
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.linear.balanced import Start, Target, trajectory
from zeroloss.studies.linear.plan import Bridge


class MatrixProblem(Problem):
    """½ |Φ − Z|²_F as a mean over pairs (x_j, e_k): a readout (samples, dim) for each sample."""

    def residuals(self, features: Tensor) -> Tensor:
        """e_k·z(1) − y for each pair: (…, samples, dim) -> (…, samples)."""
        return (features * self.readout).sum(-1) - self.targets


def matrix_problem(Z: Array) -> MatrixProblem:
    """Inputs ±d e_j and readouts e_k for all pairs, so that E = ½ |Φ − Z|²_F for linear networks;
    both signs, so that no shift b is learnt."""
    d = len(Z)
    j, k = np.divmod(np.arange(d * d), d)
    unit = np.eye(d)
    x, y, g = d * unit[j], d * Z[k, j], unit[k]
    return MatrixProblem("matrix", *(torch.from_numpy(np.concatenate(part)) for part in ((x, -x), (y, -y), (g, g))))


def isotropic_cloud(dim: int, scale: float) -> Array:
    """Particles (a, w, b = 0) at all pairs of ±scale √d e_i: (k, 4 d²), with ∫ a aᵀ = ∫ w wᵀ =
    scale² I and ∫ a wᵀ = 0 without error."""
    corners = scale * np.sqrt(dim) * np.concatenate([np.eye(dim), -np.eye(dim)])
    a = np.repeat(corners, len(corners), axis=0)
    w = np.tile(corners, (len(corners), 1))
    return np.concatenate([a, w, np.zeros((len(a), 1))], axis=1).T


def closed_form(log_values: Array, strength: float, flow_times: Array, *, plain: bool = False) -> Array:
    """α(s) (flow_times, d) of each eigenvalue from 0 on; ``strength`` c = V + W at the start.
    ``plain`` leaves c in the place of the root: the block f(z, A) = A z in the time c s."""
    zeta = np.exp(log_values)

    def slope(_: float, alpha: Array) -> Array:
        root = strength if plain else np.sqrt(strength**2 + 4 * alpha**2)
        return -np.exp(alpha) * (np.exp(alpha) - zeta) * root

    solved = solve_ivp(
        slope,
        (0.0, float(flow_times[-1])),
        np.zeros(len(zeta)),
        method="DOP853",
        t_eval=flow_times,
        rtol=1e-12,
        atol=1e-13,
    )
    return solved.y.T


@job(Bridge)
def bridge(case: Bridge) -> pd.DataFrame:
    """Residuals of the library's limit and of networks against the closed form, and of deep linear
    networks against the limit of c → ∞: gaps |Φ − Φ_closed|_F by flow time and depth."""
    logs, times = np.log(case.values), np.array(case.flow_times)
    d = len(logs)
    Q = np.linalg.qr(stream(case.data_seed, "linear", "bridge").standard_normal((d, d)))[0]
    problem = matrix_problem((Q * np.exp(logs)) @ Q.T)
    strength = 2 * case.scale**2
    alpha = closed_form(logs, strength, times)
    exact, plain = (
        np.einsum("ik,sk,jk->sij", Q, np.exp(logs_of), Q)
        for logs_of in (alpha, closed_form(logs, strength, times, plain=True))
    )
    cloud = isotropic_cloud(d, case.scale)
    limit = _product(problem, gauss_legendre(case.depth_nodes), cloud, times, case.rtol)
    rows = [
        (name, 0, s, gap)
        for name, of in (("limit", exact), ("limit-plain", plain))
        for s, gap in zip(times, _norm(limit - of), strict=True)
    ]
    for L in case.num_layers:
        wide = _product(problem, euler(L), cloud, times, case.rtol)
        rows += [("network", L, s, gap) for s, gap in zip(times, _norm(wide - exact), strict=True)]
        rows += [
            ("network-twin", L, s, gap)
            for s, gap in zip(times, _norm(_network(problem, L, cloud, times, case.rtol) - wide), strict=True)
        ]
    rows += [
        ("eigenvalue", k, s, float(value))
        for s, of_time in zip(times, alpha, strict=True)
        for k, value in enumerate(of_time)
    ]
    return pd.DataFrame(rows + _deep(case, times), columns=["quantity", "num_layers", "flow_time", "value"])


def _norm(gaps: Array) -> Array:
    return np.linalg.norm(gaps, axis=(-2, -1))


def _matrices(problem: Problem, residuals: Tensor) -> Array:
    """Φ (outputs, d, d) from the residuals of all pairs, d (Φ − Z)_kj at the pair (j, k) of the
    first sign."""
    d = problem.dim
    products = (residuals[:, 0] + problem.targets)[:, : d * d] / d
    return products.reshape(-1, d, d).mT.numpy()


def _product(problem: Problem, rule: Any, cloud: Array, times: Array, rtol: float) -> Array:
    field = MeanField(problem, rule, cloud.shape[-1], "identity", compiled=False)
    run = field.run(field.start(cloud[None]), times.tolist(), rtol=rtol)
    return _matrices(problem, run.residuals)


def _network(problem: Problem, num_layers: int, cloud: Array, times: Array, rtol: float) -> Array:
    """The finite network whose layers all hold the cloud as their units."""
    network = Network(problem, num_layers, cloud.shape[-1], "identity", compiled=False)
    theta = torch.from_numpy(cloud).expand(1, num_layers, *cloud.shape).contiguous()
    return _matrices(problem, network.train(theta, times.tolist(), rtol=rtol).residuals)


def _deep(case: Bridge, times: Array) -> list[tuple[str, int, float, float]]:
    """|σ_N(s/N) − σ(s)| for one eigenvalue, σ(0) = 1: balanced networks of N factors against the
    limit N → ∞, which is the block f(z, A) = A z."""
    zeta = max(case.values)
    one = np.ones((1, 1))
    target, start = Target(one, np.array([zeta]), one), Start(np.ones(1), np.ones(1), 1.0)

    def slope(_: float, sigma: Array) -> Array:
        return sigma**2 * (zeta - sigma)

    exact = solve_ivp(slope, (0.0, times[-1]), [1.0], method="DOP853", t_eval=times, rtol=1e-12, atol=1e-13).y[0]
    rows = []
    for N in case.num_layers:
        sigma = trajectory([start], target, N, times / N)[:, 0, 0, 0]
        rows += [("deep", N, s, float(gap)) for s, gap in zip(times, np.abs(sigma - exact), strict=True)]
    return rows
