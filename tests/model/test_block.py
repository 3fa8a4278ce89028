"""The block against autograd and differences, and its constants against what they bound."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroloss.model.block import (
    ACTIVATIONS,
    block_constants,
    dim_theta,
    field,
    jacobian,
    preactivation,
    push,
    split,
    theta_gradient,
    values,
)

GRID = torch.linspace(-6, 6, 1000, dtype=torch.float64)  # meets no kink
FINE = torch.linspace(-9, 9, 360_001, dtype=torch.float64)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_its_definition(name: str) -> None:
    torch.testing.assert_close(ACTIVATIONS[name].value(GRID), oracles.ACTIVATIONS[name](GRID),
                               rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_is_the_derivative_by_autograd(name: str) -> None:
    u = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad(oracles.ACTIVATIONS[name](u).sum(), u)
    torch.testing.assert_close(ACTIVATIONS[name].slope(GRID), slope, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_curvature_is_the_derivative_of_the_slope(name: str) -> None:
    activation, h = ACTIVATIONS[name], 1e-6
    difference = (activation.slope(GRID + h) - activation.slope(GRID - h)) / (2 * h)
    torch.testing.assert_close(activation.curvature(GRID), difference, rtol=0, atol=1e-9)


def test_slope_of_value_is_the_slope() -> None:
    told = [a for a in ACTIVATIONS.values() if a.slope_of_value is not None]
    assert {a.name for a in told} == {"tanh", "sigmoid"}
    for a in told:
        assert a.slope_of_value is not None
        torch.testing.assert_close(a.slope_of_value(a.value(GRID)), a.slope(GRID),
                                   rtol=0, atol=1e-15)


def test_activations_leave_their_argument_alone() -> None:
    for activation in ACTIVATIONS.values():
        u = GRID.clone()
        assert activation.value(u).data_ptr() != u.data_ptr()
        assert activation.slope(u).shape == activation.curvature(u).shape == u.shape
        assert torch.equal(u, GRID)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_suprema_bound_and_are_reached(name: str) -> None:
    a = ACTIVATIONS[name]
    for bound, reached in ((a.sup_value, a.value(FINE)), (a.sup_slope, a.slope(FINE)),
                           (a.sup_curvature, a.curvature(FINE))):
        largest = float(reached.abs().max())
        if name == "relu" and bound == a.sup_curvature == math.inf:
            jump = a.slope(FINE).diff().abs().max() / FINE.diff().abs().max()
            assert jump > 1e4  # no Lipschitz constant: it grows with the number of points
        if math.isinf(bound):
            assert name == "relu" or largest > 8  # grows with the range
        else:
            assert largest <= bound * (1 + 1e-12)
            assert largest == pytest.approx(bound, rel=2e-4)


def test_parameters_split_into_a_w_b() -> None:
    theta = torch.arange(2 * 7 * 3, dtype=torch.float64).view(2, 7, 3)
    a, w, b = split(theta)
    assert dim_theta(3) == 7
    assert (a.shape, w.shape, b.shape) == ((2, 3, 3), (2, 3, 3), (2, 1, 3))
    assert torch.equal(torch.cat([a, w, b], dim=1), theta)
    a.mul_(2)  # views, so that no kernel copies its parameters
    assert theta[0, 0, 1] == 2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_field_is_the_weighted_sum_of_blocks(name: str) -> None:
    z, theta = oracles.normals(1, 2, 4, 3), oracles.normals(2, 2, 7, 5)
    weights = tensor_of_shares(5)
    expected = torch.zeros_like(z)
    u = torch.empty(2, 4, 5, dtype=torch.float64)
    for r, n, m in np.ndindex(2, 4, 5):
        expected[r, n] += weights[m] * oracles.block(z[r, n], theta[r, :, m], name)
        u[r, n, m] = theta[r, 3:6, m] @ z[r, n] + theta[r, 6, m]
    sigma, _ = values(preactivation(z, theta), ACTIVATIONS[name])
    torch.testing.assert_close(field(sigma, theta, weights), expected, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(preactivation(z, theta), u, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", oracles.SMOOTH)
def test_derivatives_are_those_of_autograd(name: str) -> None:
    theta, p, weights = oracles.normals(2, 7, 5), oracles.normals(3, 4, 3), tensor_of_shares(5)
    z = oracles.normals(1, 4, 3)

    def of(z: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        return field(oracles.ACTIVATIONS[name](preactivation(z, theta)), theta, weights)

    sigma, slope = values(preactivation(z, theta), ACTIVATIONS[name])
    for n in range(4):
        torch.testing.assert_close(jacobian(slope, theta, weights)[n],
                                   torch.func.jacrev(of)(z[n:n + 1], theta)[0, :, 0])
    expected = torch.func.grad(lambda theta: (p * of(z, theta)).sum())(theta)
    gradient = weights * theta_gradient(z, p, sigma, push(p, theta, slope))
    torch.testing.assert_close(gradient, expected)


def tensor_of_shares(count: int) -> torch.Tensor:
    weights = torch.arange(1, count + 1, dtype=torch.float64)
    return weights / weights.sum()


RANGE = st.floats(0.05, 4.0)


def derivatives(name: str, z: torch.Tensor, theta: torch.Tensor) -> dict[str, np.ndarray]:
    """f and its first two derivatives in (z, θ) by autograd: shapes (d), (d, ·), (d, ·, ·)."""
    d = len(z)

    def f(both: torch.Tensor) -> torch.Tensor:
        return oracles.block(both[:d], both[d:], name)

    both = torch.cat([z, theta])
    first = torch.func.jacrev(f)(both)
    second = torch.func.jacfwd(torch.func.jacrev(f))(both)
    assert isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    return {
        "value": f(both).numpy(), "dz": first[:, :d].numpy(), "dtheta": first[:, d:].numpy(),
        "dzz": second[:, :d, :d].numpy(), "dztheta": second[:, :d, d:].numpy(),
        "dthetatheta": second[:, d:, d:].numpy(),
    }


def norm_of(derivative: np.ndarray) -> float:
    if derivative.ndim == 3:
        return oracles.bilinear_norm(derivative, starts=3, sweeps=12)
    return float(np.linalg.norm(derivative, 2))


@settings(max_examples=10)
@given(st.sampled_from(sorted(ACTIVATIONS)), st.integers(1, 3), st.integers(0, 10**6), RANGE,
       RANGE, RANGE, RANGE)
def test_constants_bound_every_derivative(name: str, d: int, seed: int, z_max: float,
                                          a_max: float, w_max: float, b_max: float) -> None:
    """The point is put on the boundary of the ranges, where the norms are largest."""
    bounds = block_constants(ACTIVATIONS[name], z_max, a_max, w_max, b_max)
    for shift in range(3):
        z, a, w = (part * size / part.norm() for part, size in zip(
            oracles.normals(seed + shift, 3, d), (z_max, a_max, w_max), strict=True))
        b = oracles.normals(seed + shift, 4)[3:].sign() * b_max
        for key, derivative in derivatives(name, z, torch.cat([a, w, b])).items():
            assert norm_of(derivative) <= getattr(bounds, key) * (1 + 1e-9), (key, shift)


# the slope of relu has no derivative
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"relu"}))
def test_constants_are_not_loose_in_one_dimension(name: str) -> None:
    """Within a factor 3 of the largest norm met on a grid of the range: a bound that says nothing
    would pass the test above."""
    bounds = block_constants(ACTIVATIONS[name], 1.0, 1.0, 1.0, 1.0)
    met = dict.fromkeys(("value", "dz", "dtheta", "dzz", "dztheta", "dthetatheta"), 0.0)
    for z in (-1.0, 0.0, 1.0):
        for b in np.linspace(-1, 1, 9):
            found = derivatives(name, oracles.tensor([z]), oracles.tensor([1.0, 1.0, b]))
            met = {key: max(met[key], norm_of(found[key])) for key in met}
    for key, largest in met.items():
        assert largest <= getattr(bounds, key) * (1 + 1e-9), key
        assert getattr(bounds, key) <= 3 * largest + 1e-12, key


def test_a_negative_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"w_max must be at least 0, got -1; pass"):
        block_constants(ACTIVATIONS["tanh"], 1, 1, -1, 1)
