"""The block against autograd and differences, and the suprema of activations."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import torch

from zeroloss.model.block import (
    ACTIVATIONS,
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
def test_activation_slope_and_curvature_are_those_of_the_definition(name: str) -> None:
    """σ' by autograd, σ'' by differences of σ'; and σ' from σ, where there is such a function."""
    activation, h = ACTIVATIONS[name], 1e-6
    u = GRID.clone().requires_grad_()
    value = oracles.ACTIVATIONS[name](u)
    (slope,) = torch.autograd.grad(value.sum(), u)
    torch.testing.assert_close(activation.value(GRID), value.detach(), rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(activation.slope(GRID), slope, rtol=1e-12, atol=1e-12)
    difference = (activation.slope(GRID + h) - activation.slope(GRID - h)) / (2 * h)
    torch.testing.assert_close(activation.curvature(GRID), difference, rtol=0, atol=1e-9)
    assert (activation.slope_of_value is not None) == (name in ("tanh", "sigmoid"))
    if activation.slope_of_value is not None:
        torch.testing.assert_close(
            activation.slope_of_value(activation.value(GRID)), activation.slope(GRID), rtol=0, atol=1e-15
        )


def test_activations_leave_their_argument_alone() -> None:
    for activation in ACTIVATIONS.values():
        u = GRID.clone()
        assert activation.value(u).data_ptr() != u.data_ptr()
        assert activation.slope(u).shape == activation.curvature(u).shape == u.shape
        assert torch.equal(u, GRID)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_suprema_bound_and_are_reached(name: str) -> None:
    a = ACTIVATIONS[name]
    for bound, reached in (
        (a.sup_value, a.value(FINE)),
        (a.sup_slope, a.slope(FINE)),
        (a.sup_curvature, a.curvature(FINE)),
    ):
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
    weights = oracles.shares(5)
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
    theta, p, weights = oracles.normals(2, 7, 5), oracles.normals(3, 4, 3), oracles.shares(5)
    z = oracles.normals(1, 4, 3)

    def of(z: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        return field(oracles.ACTIVATIONS[name](preactivation(z, theta)), theta, weights)

    sigma, slope = values(preactivation(z, theta), ACTIVATIONS[name])
    for n in range(4):
        torch.testing.assert_close(
            jacobian(slope, theta, weights)[n], torch.func.jacrev(of)(z[n : n + 1], theta)[0, :, 0]
        )
    expected = torch.func.grad(lambda theta: (p * of(z, theta)).sum())(theta)
    gradient = weights * theta_gradient(z, p, sigma, push(p, theta, slope))
    torch.testing.assert_close(gradient, expected)
