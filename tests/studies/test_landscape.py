"""The study `landscape`: kernels, eigenvalues and energies against integrals, sums and differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm

from zeroloss.studies.drawn import sphere
from zeroloss.studies.landscape import circle, paths, relu, smooth, spheres
from zeroloss.studies.landscape.measure import needed
from zeroloss.studies.replicated import tidy
from zeroloss.studies.two_layer import tangent

RNG = np.random.default_rng
Array = np.ndarray


def difference(function: Callable[[Array], Array], at: Array, direction: Array) -> Array:
    """The derivative along a direction."""
    return (function(at + 1e-6 * direction) - function(at - 1e-6 * direction)) / 2e-6


def test_the_kernel_of_smooth_networks_is_a_mean_over_units() -> None:
    X = sphere(RNG(1), 4, 3)
    slopes = smooth.slope(RNG(2).standard_normal((400000, 3)) @ X.T)
    assert smooth.limit_kernel(X) == pytest.approx(slopes.T @ slopes / len(slopes) * (X @ X.T), abs=3e-3)


def test_flips_are_those_of_a_line_of_starts() -> None:
    """One sample: no other gate, s' = ±r 1{s > 0} with r = e^{−t/2}: a start above 0 that is pushed down by
    2 = ∫r in all changes its sign if it lies below 2."""
    X, y = np.array([[1.0, 0.0]]), np.array([1.0])
    along, ends = relu.flips(X, y, 0.05, 400, RNG(5), 4000)
    assert along.mean() == pytest.approx(0.5 * 2 / np.sqrt(2 * np.pi), rel=0.03)
    assert ends.mean() == pytest.approx(along.mean(), rel=0.05)


def test_eigenvalues_of_the_circle_are_integrals() -> None:
    found = circle.eigenvalues(8)
    for k in range(8):
        value = quad(lambda a, k=k: tangent(np.cos(a)) * np.cos(k * a), 0, np.pi)[0] / np.pi
        assert found[k] == pytest.approx(value, abs=1e-8)
    assert circle.with_bias(3) == pytest.approx(0.00939, abs=1e-5)


def test_the_first_order_of_a_sample_has_the_mean_that_is_told() -> None:
    weights = circle.deviations(2, 20.0)
    drawn = [circle.first_order(RNG(r).random(64) * 2 * np.pi, 2, weights) for r in range(2000)]
    assert np.mean(drawn) == pytest.approx(circle.total(weights, 2), rel=0.08)
    # to first order it is the deviation itself, sample by sample
    angles = RNG(6).random(500) * 2 * np.pi
    y = np.sqrt(2) * np.cos(2 * angles)[:, None]
    lam = circle.eigenvalues(3)[2]
    deviation = circle.remaining(angles, y, np.array([[20.0]]))[0] - np.exp(-lam * 20) * y
    assert (deviation**2).sum() == pytest.approx(circle.first_order(angles, 2, weights), rel=0.3)


def test_second_derivatives_of_tanh_networks() -> None:
    """Jacobian and Hessian by differences; a minimiser is one."""
    X, y = relu.labelled(7, 3, 3)
    W, signs = RNG(7).standard_normal((5, 3)), RNG(8).choice([-1.0, 1.0], 5) / np.sqrt(5)
    direction = RNG(9).standard_normal((5, 3))

    slopes = difference(lambda at: signs @ np.tanh(at @ X.T), W, direction)
    assert smooth.jacobian(W, signs, X) @ direction.ravel() == pytest.approx(slopes, abs=1e-8)
    c = np.array([0.3, -1.0, 0.5])
    bent = difference(lambda at: c @ smooth.jacobian(at, signs, X), W, direction)
    assert smooth.second_order(W, signs, X, c) @ direction.ravel() == pytest.approx(bent, abs=1e-8)
    end = smooth.minimiser(W, signs, X, 0.3 * y)
    assert signs @ np.tanh(end @ X.T) == pytest.approx(0.3 * y, abs=1e-12)
    u = np.linspace(-3, 3, 2001)
    assert np.abs(smooth.curvature(u)).max() == pytest.approx(smooth.SUP_CURVATURE, rel=1e-5)


@pytest.mark.parametrize("kind", smooth.NETS)
def test_norms_of_hessians_are_those_of_dense_ones(kind: str) -> None:
    net, outer = smooth.NETS[kind]
    p = smooth.drawn(6 * (3 + outer), 6, 3, "test", kind)
    x = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    dense = torch.stack([torch.linalg.matrix_norm(torch.func.hessian(net)(q, x), 2) for q in p])
    found = smooth.norms(net, p, x, torch.from_numpy(RNG(10).standard_normal(p.shape)))
    assert found.numpy() == pytest.approx(dense.numpy(), rel=0.02)
    if kind == "linear":
        assert smooth.closed_form(p, 6, x).numpy() == pytest.approx(dense.numpy(), rel=1e-10)


def test_energies_of_neurons() -> None:
    for D in (4, 7):
        density = quad(lambda t, p: (1 - t * t) ** p, -1, 1, args=((D - 3) / 2,))[0]
        mean = quad(lambda t, p: (2 - 2 * t) ** -0.5 * (1 - t * t) ** p, -1, 1, args=((D - 3) / 2,))[0] / density
        assert spheres.random_energy(D, 1.0) == pytest.approx(mean, rel=1e-6)
    cross = np.concatenate([np.eye(3), -np.eye(3)])
    assert spheres.least_energy(6, 3, 1.0) == pytest.approx(spheres.energy(cross, 1.0))
    assert spheres.minimised(6, 3, 1.0, RNG(11)) == pytest.approx(spheres.energy(cross, 1.0), rel=1e-6)
    simplex = np.eye(4) - 0.25
    assert spheres.least_energy(4, 3, 1.0) == pytest.approx(spheres.energy(simplex, 1.0))
    with pytest.raises(ValueError, match="power must be below D − 1 = 2"):
        spheres.random_energy(3, 2.0)
    with pytest.raises(ValueError, match="is known for"):
        spheres.least_energy(7, 3, 1.0)


def test_the_gradient_over_rotations_is_that_of_automatic_differentiation() -> None:
    X, y = relu.labelled(12, 5, 3)
    W = RNG(12).standard_normal((7, 3))

    def loss(R: torch.Tensor) -> torch.Tensor:
        features = torch.relu(torch.from_numpy(X) @ R.T @ torch.from_numpy(W).T) / 7**0.5
        kernel = features @ features.T + 0.1 * torch.eye(5, dtype=R.dtype)
        return 0.1 * torch.from_numpy(y) @ torch.linalg.solve(kernel, torch.from_numpy(y))

    free = torch.func.grad(loss)(torch.eye(3, dtype=torch.float64))
    assert spheres.gradient(W, X, y, 0.1) == pytest.approx((free - free.T).norm().item() / 2)


def test_derivatives_of_maps() -> None:
    """D by differences; steps of flow and of least norm; a path of least energy is stationary for its ends."""
    maps = paths.Maps.drawn(("test",), 2, 3, 2, 12, 4)
    a = 0.3 * RNG(13).standard_normal(maps.zero.shape)
    other = RNG(14).standard_normal(a.shape)
    end, D = maps.derivative(a)
    pushed = difference(lambda at: maps.forward(at)[0], a, other)
    assert (D @ other[..., None])[..., 0] == pytest.approx(pushed, abs=1e-8)
    c = RNG(15).standard_normal(end.shape)
    K = D @ D.mT
    assert (D @ paths.step(D, c)[..., None])[..., 0] == pytest.approx(c)
    rest = np.stack([expm(-3.0 * one) @ r for one, r in zip(K, c, strict=True)])  # of c, once flow has gone on
    assert (D @ paths.step(D, c, 3.0)[..., None])[..., 0] == pytest.approx(c - rest)
    Y = paths.displaced(maps, 0.1, ("test", "targets"))
    flowed = paths.flow(maps, Y)
    least = paths.least(maps, Y, flowed)
    assert (paths.energy(least) <= paths.energy(flowed)).all()
    assert paths.least(maps, Y, least) == pytest.approx(least, abs=1e-9)


def test_flow_is_that_of_small_steps() -> None:
    maps = paths.Maps.drawn(("small",), 1, 3, 2, 16, 3)
    Y = paths.displaced(maps, 0.2, ("small", "targets"))

    def slope(_: float, a: Array) -> Array:
        end, D = maps.derivative(a[None])
        return ((Y - end) @ D[0])[0]

    a = solve_ivp(slope, (0, 400), maps.zero[0], rtol=1e-6, atol=1e-9).y[:, -1]
    for _ in range(4):
        end, D = maps.derivative(a[None])
        a = a + np.linalg.pinv(D[0]) @ (Y - end)[0]
    assert paths.energy(paths.flow(maps, Y)) == pytest.approx((a**2).sum(), rel=1e-4)


def test_the_least_width_that_suffices() -> None:
    shares = [(4, [0, 1]), (8, [1, 1]), (16, [0, 1]), (32, [1, 1]), (64, [1, 1])]
    assert needed(pd.concat([tidy("success", "c", m, one) for m, one in shares])) == 32
    assert needed(tidy("success", "c", 4, [0, 1])) == np.inf
