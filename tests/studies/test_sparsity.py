"""The study `sparsity`: gradients by layer, minima against grids, risks against samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zeroloss.studies.sparsity import factors, nets, risks

X = torch.linspace(0.0, 1.0, 9, dtype=torch.float64)
Y = torch.cos(3 * X)
# two networks of three subnets with two units in each of four layers
W = nets.start(np.random.default_rng(0), (2, 3, 2), np.linspace(1.4, 0.6, 4))


def test_every_layer_has_the_same_share_of_the_gradient_and_what_is_no_weight_has_none() -> None:
    gradient = torch.func.grad(nets.loss)(W, X, Y)
    shares = (W * gradient).sum((-2, -1)).numpy()
    assert np.ptp(shares, axis=0) == pytest.approx(0.0, abs=1e-13) and np.abs(shares).max() > 1e-2
    assert not gradient[-1, ..., 1:, :].any() and nets.values(W, X).shape == (2, 9)


def test_imbalance_decays_exactly_under_the_flow_and_not_under_adamw() -> None:
    ends = nets.flow(W, X, Y, 0.05, 5.0, 0.02), nets.trained(W, X, Y, 0.05, 250, 0.01, torch.optim.AdamW)
    shares = [np.diff(nets.norms(end), axis=0) / np.diff(nets.norms(W), axis=0) * np.e for end in ends]
    flow, adamw = (np.median(np.abs(share - 1)) for share in shares)
    assert flow < 1e-4 < 1e-2 < adamw


@pytest.mark.parametrize("layers", [2, 3, 4, 6, 40])
def test_the_minimiser_is_that_of_a_grid(layers: int) -> None:
    y, a = np.linspace(0.0, 1.5, 40), np.linspace(0.0, 1.5, 60001)
    decay = 0.05
    values = (a - y[:, None]) ** 2 + decay * layers * a ** (2 / layers)
    assert factors.least_objective(y, layers, decay) == pytest.approx(values.min(1), abs=1e-6)
    local, tau = factors.switches(layers, decay)
    assert a[values.argmin(1)] == pytest.approx(factors.minimiser(y, layers, decay), abs=1e-3)
    assert local <= tau and (layers == 2 or factors.minimiser(np.array([tau * 1.0001]), layers, decay) > 0.1 * tau)


@pytest.mark.parametrize("layers", [3, 4, 6])
def test_a_local_minimum_appears_at_its_switch(layers: int) -> None:
    """Beyond 0 the objective rises everywhere for targets just below τ_loc, and not just above."""
    local, _ = factors.switches(layers, 0.05)
    a = np.linspace(1e-6, 1.0, 200001)
    for share, monotone in ((0.999, True), (1.001, False)):
        values = (a - share * local) ** 2 + 0.05 * layers * a ** (2 / layers)
        assert (np.diff(values) > 0).all() == monotone


@pytest.mark.parametrize("layers", [2, 3, 40])
def test_risks_are_those_of_samples(layers: int) -> None:
    z, tau = np.random.default_rng(2).standard_normal(400000), 2.0
    for m in (0.0, 1.5, 3.0, 8.0):
        y = np.abs(m + z)
        found = np.where(y > tau, tau * factors.shrunken(np.maximum(y / tau, 1.0), layers), 0.0) * np.sign(m + z)
        expected = ((found - m) ** 2).mean()
        assert risks.spike_risk(np.array([m]), tau, layers)[0] == pytest.approx(expected, rel=0.02)


def test_a_linear_estimator_of_one_level_is_the_textbook_one() -> None:
    """At α → ∞ one level counts: E/(1 + E/ε²) is the linear minimax risk of θ² ≤ E."""
    assert risks.linear_risk(30.0, 0.5, 4) == pytest.approx(0.25 / (1 + 16 * 0.25), rel=1e-6)
