"""Depth rules: order, exactness, and an adjoint that is the gradient of the discrete risk."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor

from zeroloss.limit.collocation import Cloud, DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.block import ACTIVATIONS
from zeroloss.model.problem import Problem, problem
from zeroloss.network.resnet import Network

RULES = pytest.mark.parametrize(
    "rule", [gauss_legendre(1), gauss_legendre(3), euler(1), euler(4)], ids=lambda rule: rule.name
)


def velocity(field: MeanField, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """−∇_θ δE/δρ like theta (R, n, k, particles), residuals, dissipation."""
    flat = theta.flatten(1)
    out = torch.empty_like(flat)
    seen = field.vector_field(flat, torch.zeros(len(flat), dtype=flat.dtype), out)
    return out.view_as(theta), seen.observed, seen.rate


# ---- coefficients


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_gauss_coefficients_satisfy_their_conditions(n: int) -> None:
    """B(2n): Σ b c^{p−1} = 1/p to p = 2n and not beyond; C(n): Σ a c^{p−1} = c^p/p; symplectic."""
    rule = gauss_legendre(n)
    A, b, c = (part.numpy() for part in (rule.matrix, rule.weights, rule.nodes))
    for p in range(1, 2 * n + 1):
        assert b @ c ** (p - 1) == pytest.approx(1 / p, abs=1e-14)
    assert abs(b @ c ** (2 * n) - 1 / (2 * n + 1)) > 1e-9
    for p in range(1, n + 1):
        np.testing.assert_allclose(A @ c ** (p - 1), c**p / p, atol=1e-13)
    np.testing.assert_allclose(b[:, None] * A + (b[:, None] * A).T, np.outer(b, b), atol=1e-15)
    np.testing.assert_allclose(rule.adjoint_matrix, b - A, atol=1e-13)
    assert rule.num_nodes == n and not rule.explicit


# ---- forward


def one_unit(rule: DepthRule, x: Tensor, particles: int = 3) -> Cloud:
    return Cloud(x, rule, oracles.shares(particles), ACTIVATIONS["tanh"], tolerance=1e-14)


def equal_particles(rule: DepthRule, beta: float, particles: int = 3) -> Tensor:
    theta = oracles.tensor([beta, 1.0, 0.0])
    return theta[None, None, :, None].expand(1, rule.num_nodes, 3, particles).contiguous()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gauss_collocation_has_order_2n(n: int) -> None:
    """z' = β tanh z over one step, against arsinh(e^β sinh z₀): halving β halves the step, and the
    local error falls with order 2n + 1."""
    rule = gauss_legendre(n)
    x = oracles.tensor([[-1.1], [0.3], [0.8]])
    errors = []
    for beta in [[1 / 8, 1 / 16, 1 / 32], [1 / 4, 1 / 8, 1 / 16], [1 / 2, 1 / 4, 1 / 8]][n - 1]:
        end = one_unit(rule, x).forward(equal_particles(rule, beta)).end[0, :, 0]
        errors.append(float(np.abs(end.numpy() - oracles.tanh_flow(x[:, 0].numpy(), beta)).max()))
    assert errors[-1] > 1e-13
    assert oracles.observed_orders(errors)[-1] == pytest.approx(2 * n + 1, abs=0.12)


@pytest.mark.parametrize("name", ["identity", "tanh"])
def test_depth_agrees_with_a_closed_form_or_an_iteration(name: str) -> None:
    data, rule = oracles.small_problem(4, 3), gauss_legendre(8)
    layer = oracles.normals(2, 7, 5)
    theta = layer.expand(1, 8, 7, 5)
    end = MeanField(data, rule, 5, name).cloud.forward(theta).end
    if name == "identity":
        expected = oracles.linear_map(oracles.linear_generator(layer), data.inputs)
    else:
        masses = (rule.weights[:, None] / 5).expand(1, 8, 5)
        expected = oracles.limit_end(masses, theta, data.inputs, rule.matrix, rule.weights, name, sweeps=100)[0].numpy()
    np.testing.assert_allclose(end[0], expected, rtol=1e-10)


def test_the_answer_does_not_depend_on_the_last_one() -> None:
    """Newton starts from the previous solution; the solution itself is one."""
    data, rule = oracles.small_problem(4, 2), gauss_legendre(4)
    cloud = MeanField(data, rule, 6).cloud
    theta, far = oracles.normals(1, 2, 4, 5, 6), 2 * oracles.normals(2, 2, 4, 5, 6)
    fresh = cloud.forward(theta).end
    cloud.forward(far)
    torch.testing.assert_close(cloud.forward(theta).end, fresh, rtol=0, atol=1e-11)


def test_a_depth_equation_without_solution_is_named() -> None:
    data = problem("steep", [[1.0], [2.0]], [0.0, 0.0])
    field = MeanField(data, gauss_legendre(2), 1, "relu2")
    theta = 30 * torch.ones(1, 2, 3, 1, dtype=torch.float64)
    with pytest.raises(FloatingPointError, match=r"did not converge \(defect .*; reduce the sca"):
        field.cloud.forward(theta)


# ---- adjoint


@RULES
@pytest.mark.parametrize("name", oracles.SMOOTH)
def test_velocity_is_minus_the_gradient_of_the_discrete_risk(rule: DepthRule, name: str) -> None:
    """By differences in every particle: −∇E over its mass b_q ω_j, also for unequal weights."""
    data, n = oracles.small_problem(3, 2), rule.num_nodes
    field = MeanField(data, rule, oracles.shares(3), name)
    field.cloud.tolerance = 1e-14  # so that differences see the solution, not Newton's last step
    theta = oracles.normals(7, 1, n, 5, 3)

    def risk(point: Tensor) -> Tensor:
        return Problem.risk(data.residuals(field.cloud.forward(point).end))[0]

    masses = (rule.weights[:, None] * oracles.shares(3)).unsqueeze(1)
    expected = -oracles.differences(risk, theta) / masses
    slope, r, rate = velocity(field, theta)
    torch.testing.assert_close(slope, expected, rtol=0, atol=3e-8)
    assert float(Problem.risk(r)) == pytest.approx(float(risk(theta)), rel=1e-12)
    assert float(rate) == pytest.approx(float((masses * slope.square()).sum()), rel=1e-12)


@RULES
def test_clouds_of_a_batch_do_not_meet(rule: DepthRule) -> None:
    data, n = oracles.small_problem(4, 2), rule.num_nodes
    theta = oracles.normals(3, 3, n, 5, 4)
    slope, r, rate = velocity(MeanField(data, rule, 4), theta)
    for i in range(3):
        alone = velocity(MeanField(data, rule, 4), theta[i : i + 1])
        for one, all_of_them in zip(alone, (slope, r, rate), strict=True):
            torch.testing.assert_close(one[0], all_of_them[i], rtol=1e-11, atol=1e-13)


# ---- the Euler rule is the network


@pytest.mark.parametrize("name", ["tanh", "gelu", "identity", "relu2"])
@pytest.mark.parametrize("num_layers", [1, 6])
def test_euler_rule_is_the_network(name: str, num_layers: int) -> None:
    """Two codes that never meet: features, residuals, gradient, dissipation to round-off."""
    data = oracles.small_problem(4, 2)
    network, field = Network(data, num_layers, 5, name), MeanField(data, euler(num_layers), 5, name)
    theta = oracles.normals(9, 2, num_layers, 5, 5)
    state = field.cloud.forward(theta)
    features = network.features(theta)
    torch.testing.assert_close(state.features, features[:-1].transpose(0, 1), rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(state.end, features[-1], rtol=1e-13, atol=1e-14)
    gradient, residuals = network.gradient(theta)
    slope, r, rate = velocity(field, theta)
    torch.testing.assert_close(slope, -gradient, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(r, residuals, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(rate, gradient.square().mean((1, 3)).sum(1), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (gauss_legendre, "depth_nodes must be at least 1, got 0; set depth_nodes"),
        (euler, "num_layers must be at least 1, got 0; set sizes"),
    ],
)
def test_rules_without_nodes_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(0)
