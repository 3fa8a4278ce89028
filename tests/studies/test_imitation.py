"""The study `imitation`: adjoints against differences, the law against all subsets, fits against the features."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from zeroloss.model.block import preactivation
from zeroloss.model.problem import built_in
from zeroloss.studies.imitation import nets, thinning
from zeroloss.studies.imitation.layers import imitate
from zeroloss.studies.imitation.plan import KINDS, Kind

SINE = built_in("sine", num_samples=5, seed=0)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def small(kind: Kind, num_layers: int = 3, num_units: int = 4, replicates: int = 2) -> tuple[nets.Net, torch.Tensor]:
    net = nets.NETWORKS[kind](SINE, num_layers, num_units)
    return net, nets.start(net, replicates, "test")


def test_plain_layers_of_many_units_are_about_the_identity() -> None:
    net, theta = small("plain", num_layers=2, num_units=40000, replicates=1)
    z = net.features(theta)
    assert_close(z[2], z[0], rtol=0.0, atol=0.2)


@EACH_KIND
def test_adjoints_are_those_in_the_gradient(kind: Kind) -> None:
    """M L ∂E/∂v_{l,i} = s L mean_x r σ(w_i·z_l + b_i) q_{l+1}, by the engine or by automatic differentiation."""
    net, theta = small(kind)
    gradient, r = net.gradient(theta)
    for l, z in enumerate(net.features(theta)[:-1]):
        pull = r.unsqueeze(-1) * nets.adjoints(net, theta)[l] * (net.scale * net.L * net.M / SINE.num_samples)
        h = torch.tanh(preactivation(z, theta[:, l]))
        assert_close(pull.mT @ h, gradient[:, l, : SINE.dim], rtol=1e-10, atol=1e-12)


@EACH_KIND
def test_the_law_is_the_mean_of_the_first_order_over_all_subsets(kind: Kind) -> None:
    net, theta = small(kind, num_layers=2, num_units=5, replicates=1)
    c = thinning.effects(net, theta)
    units = torch.tensor(list(product(combinations(range(5), 2), repeat=2)))
    _, first = thinning.errors(net, theta, c, kind, units)
    assert float(first.mean()) == pytest.approx(thinning.law(c, 2), rel=1e-12)


@EACH_KIND
def test_the_first_order_is_that_of_small_changes(kind: Kind) -> None:
    """Where units are nearly equal, what is of second order in their differences is a tenth at a tenth of them."""
    net, theta = small(kind, num_units=8, replicates=1)
    units, gaps = nets.chosen(np.random.default_rng(0), 50, 3, 8, 4), []
    for size in (0.01, 0.001):
        near = theta.mean(-1, keepdim=True) + size * theta
        delta, first = thinning.errors(net, near, thinning.effects(net, near), kind, units)
        gaps.append(float((delta / first - 1).abs().median()))
    assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.2) and gaps[1] < 0.02


def test_chosen_units_are_drawn_once_each_and_alike() -> None:
    units = nets.chosen(np.random.default_rng(0), 2000, 2, 6, 3)
    assert all(len(set(one)) == 3 for one in units.reshape(-1, 3).tolist())
    assert np.bincount(units.flatten().numpy()) / 4000 == pytest.approx(np.full(6, 0.5), abs=0.05)


@EACH_KIND
def test_all_units_imitate_exactly_and_few_do_not(kind: Kind) -> None:
    """The first fit is the same, forced or sequential; the errors of sequential fits are those of the features."""
    net, theta = small(kind, num_units=6)
    whole = torch.arange(6).expand(2, 3, 6)
    for forced in (True, False):
        parameters, fits = imitate(net, theta, net, whole, forced, 1e-12)
        assert_close(nets.residuals(net, parameters), nets.residuals(net, theta), rtol=0.0, atol=1e-7)
        assert fits.abs().max() < 1e-7
    thin = nets.NETWORKS[kind](SINE, 3, 2)
    forced, sequential = (imitate(net, theta, thin, whole[..., :2], forced, 1e-12) for forced in (True, False))
    assert torch.equal(forced[0][:, 0], sequential[0][:, 0]) and not torch.equal(forced[0][:, 1], sequential[0][:, 1])
    last = thin.features(sequential[0])[-1] - net.features(theta)[-1]
    assert_close(last, sequential[1][-1], rtol=0.0, atol=1e-12)


def test_training_leaves_its_start_alone_and_lowers_the_loss() -> None:
    net, theta = small("plain", num_units=16)
    before = theta.clone()
    trained, seen = nets.train(net, theta, 30, 0.01, (0, 30))
    assert torch.equal(theta, before)
    assert_close(nets.residuals(net, trained), seen[30])
    assert (SINE.risk(seen[30]) < SINE.risk(seen[0])).all()
