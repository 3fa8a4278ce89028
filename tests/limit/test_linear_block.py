"""The limit of the linear block against the equations of its second moments and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.studies.linear.bridge import closed_form, isotropic_cloud, matrix_problem

TIMES = [0.0, 0.3, 1.0]


def product_of_the_limit(Z: np.ndarray, cloud: np.ndarray, nodes: int) -> np.ndarray:
    """Φ at the last time by the library's solver."""
    problem = matrix_problem(Z)
    field = MeanField(problem, gauss_legendre(nodes), cloud.shape[-1], "identity", compiled=False)
    run = field.run(field.start(cloud[None]), TIMES, rtol=1e-10)
    d = len(Z)
    return ((run.residuals[-1, 0] + problem.targets)[: d * d] / d).reshape(d, d).T.numpy()


def product_by_moments(Z: np.ndarray, A0: np.ndarray, V0: np.ndarray, W0: np.ndarray, cells: int) -> np.ndarray:
    """Φ at the last time from A', V', W' at the middle of so many cells in depth, each crossed by
    an exponential: second order in the cells, and no particle anywhere."""
    d = len(Z)

    def slope(s: float, y: np.ndarray) -> np.ndarray:
        del s
        A, V, W = y.reshape(3, cells, d, d)
        steps = [expm(a / cells) for a in A]
        halves = [expm(a / (2 * cells)) for a in A]
        before = [np.eye(d)]
        for step in steps:
            before.append(step @ before[-1])
        after = [np.eye(d)]
        for step in reversed(steps):
            after.append(after[-1] @ step)
        gap, slopes = before[-1] - Z, np.empty((3, cells, d, d))
        for i in range(cells):
            # Φ(1, t)ᵀ (Φ − Z) Φ(t, 0)ᵀ at the middle of the cell
            late, early = after[cells - 1 - i] @ halves[i], halves[i] @ before[i]
            G = late.T @ gap @ early.T
            slopes[:, i] = -(G @ W[i] + V[i] @ G), -(G @ A[i].T + A[i] @ G.T), -(G.T @ A[i] + A[i].T @ G)
        return slopes.ravel()

    start = np.stack([np.broadcast_to(part, (cells, d, d)) for part in (A0, V0, W0)])
    solved = solve_ivp(slope, (0.0, TIMES[-1]), start.ravel(), rtol=1e-9, atol=1e-9)
    A = solved.y[:, -1].reshape(3, cells, d, d)[0]
    product = np.eye(d)
    for a in A:
        product = expm(a / cells) @ product
    return product


def test_symmetric_targets_close_on_the_eigenvalues() -> None:
    logs = np.array([0.6, -0.4])
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    found = product_of_the_limit((Q * np.exp(logs)) @ Q.T, isotropic_cloud(2, 0.9), 4)
    alpha = closed_form(logs, 2 * 0.9**2, np.array(TIMES))[-1]
    assert found == pytest.approx((Q * np.exp(alpha)) @ Q.T, abs=1e-8)
    plain = closed_form(logs, 2 * 0.9**2, np.array(TIMES), plain=True)[-1]
    assert found != pytest.approx((Q * np.exp(plain)) @ Q.T, abs=1e-3)


def test_any_target_closes_on_the_second_moments() -> None:
    """A target and a law that share no eigenvectors: A(t) changes with depth and order matters."""
    rng = np.random.default_rng(1)
    Z = np.eye(2) + 0.5 * rng.standard_normal((2, 2))
    a, w = rng.standard_normal((2, 6)), rng.standard_normal((2, 6))
    cloud = np.concatenate([a, w, np.zeros((1, 6))])
    moments = a @ w.T / 6, a @ a.T / 6, w @ w.T / 6
    found = product_of_the_limit(Z, cloud, 5)
    coarse, fine = (product_by_moments(Z, *moments, cells) for cells in (8, 16))
    extrapolated = fine + (fine - coarse) / 3
    assert found == pytest.approx(extrapolated, abs=2e-5)
    assert found != pytest.approx(coarse, abs=2e-5)  # the oracle is not exact by accident


def test_the_cloud_has_the_moments_it_promises() -> None:
    cloud = torch.from_numpy(isotropic_cloud(3, 0.7))
    a, w, b = cloud[:3], cloud[3:6], cloud[6]
    for part in (a, w):
        assert (part @ part.T / 36).numpy() == pytest.approx(0.49 * np.eye(3))
    assert float((a @ w.T).abs().max()) < 1e-14 and not b.any()
