"""The kernel of training against autograd, for networks and clouds; what follows from it."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor

from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.block import ACTIVATIONS
from zeroloss.model.kernel import Linearised, log_certificate, sample_gradients
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network

SMOOTH = pytest.mark.parametrize("name", ["tanh", "gelu", "regularised-relu"])


def network_jacobian(data: Problem, theta: Tensor, name: str, scale: float | None) -> Tensor:
    """∂r_i/∂θ (N, L, k, M) by autograd."""
    L, _, M = theta.shape
    each = scale if scale is not None else 1 / (L * M)

    def residuals(leaf: Tensor) -> Tensor:
        z = oracles.network_features(leaf, data.inputs, name, each)[-1]
        return z @ data.readout - data.targets

    rows = torch.autograd.functional.jacobian(residuals, theta)
    assert isinstance(rows, Tensor)
    return rows


@SMOOTH
@pytest.mark.parametrize("scale", [None, 0.2])
def test_networks_linearise_as_autograd_does(name: str, scale: float | None) -> None:
    data, L, M = oracles.small_problem(3, 2), 4, 3
    network = Network(data, L, M, name, branch_scale=scale)
    theta = oracles.normals(1, L, 5, M)
    now = network.linearise(theta)
    rows = network_jacobian(data, theta, name, scale).flatten(1)
    torch.testing.assert_close(now.kernel, L * M * rows @ rows.T, rtol=1e-10, atol=1e-13)
    c = oracles.normals(2, 3)
    torch.testing.assert_close(now.pull(c).flatten(), L * M * c @ rows / 3, rtol=1e-10, atol=1e-13)
    slope, r = network.gradient(theta[None])
    torch.testing.assert_close(now.pull(now.residuals), slope[0], rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(now.residuals, r[0], rtol=1e-12, atol=1e-14)


@SMOOTH
def test_clouds_linearise_as_their_flow_does(name: str) -> None:
    """r' = −K r/N along the flow, and pull(r) is its velocity."""
    data = oracles.small_problem(3, 2)
    field = MeanField(data, gauss_legendre(3), 16, name)
    start = field.start(sobol_rule(InitialLaw(), 2, 4, "kernel")[None])
    theta = field.shape(start)[0]
    now, slope = field.linearise(theta), torch.empty_like(start)
    seen = field.vector_field(start, torch.zeros(1), slope)
    torch.testing.assert_close(now.pull(now.residuals).flatten(), -slope[0], rtol=1e-10, atol=1e-13)
    assert now.dissipation() == pytest.approx(float(seen.rate), rel=1e-10)
    h = 1e-5
    ahead, behind = (field.linearise(theta + x * field.shape(slope)[0]).residuals for x in (h, -h))
    torch.testing.assert_close((ahead - behind) / (2 * h), -now.kernel @ now.residuals / 3, rtol=1e-7, atol=1e-9)


def test_first_variation_is_the_response_to_new_mass() -> None:
    """dE when a share of the mass moves to a probe, at one node: by finite differences."""
    data, rule = oracles.small_problem(3, 2), gauss_legendre(2)
    points = torch.from_numpy(sobol_rule(InitialLaw(), 2, 3, "first"))
    probe = oracles.normals(4, 5, 1)
    theta = torch.cat([points, probe], 1).expand(2, -1, -1).contiguous()

    def risk(share: float) -> float:
        weights = torch.cat([torch.full((8,), (1 - share) / 8), torch.tensor([share])]).double()
        return float(Problem.risk(MeanField(data, rule, weights).linearise(theta).residuals))

    now = MeanField(data, rule, torch.cat([torch.full((8,), 1 / 8), torch.zeros(1)]).double()).linearise(theta)
    variation = now.first_variation(theta, ACTIVATIONS["tanh"])
    expected = (rule.weights * (variation[:, -1] - variation[:, :-1].mean(1))).sum()
    h = 1e-5
    assert (risk(h) - risk(0.0)) / h == pytest.approx(float(expected), rel=1e-3)


def test_first_variation_needs_no_axis_of_nodes() -> None:
    r, z, v, sigma, push, mass = (
        oracles.normals(i, *shape) for i, shape in enumerate([(3,), (2, 3, 2), (2, 3, 2), (2, 3, 4), (2, 3, 4), (2, 4)])
    )
    now = Linearised(r, z, v, sigma, push, mass)
    probes = oracles.normals(9, 5, 6)
    both = [now.first_variation(theta, ACTIVATIONS["gelu"]) for theta in (probes, probes.expand(2, -1, -1))]
    assert both[0].shape == (2, 6)
    torch.testing.assert_close(*both)
    one = sample_gradients(now.z[0], now.q[0], probes, ACTIVATIONS["gelu"])
    expected = torch.stack([now.q[0, i] @ oracles.block(now.z[0, i], probes[:, 5], "gelu") for i in range(3)])
    torch.testing.assert_close(one[:, 5], expected)


def test_the_certificate_understates_a_monotone_integral() -> None:
    s = np.linspace(0, 2, 2001)
    for smallest, exact in ((s**2, 8 / 3), (np.exp(-s), 1 - math.exp(-2))):
        bound = log_certificate(s, smallest, 4)
        assert bound[0] == 0 and bool((np.diff(bound) <= 0).all())
        assert -exact * 2 / 4 <= bound[-1] <= -exact * 2 / 4 * (1 - 3e-3)
