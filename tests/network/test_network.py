"""The finite network against loops, autograd, closed forms, and the laws of its training."""

from __future__ import annotations

import gc
import math

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zeroloss.integrate.runge_kutta import Evaluation
from zeroloss.model.block import ACTIVATIONS
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network


def some_theta(network: Network, replicates: int = 1, seed: int = 0, size: float = 1.0) -> Tensor:
    return size * oracles.normals(seed, replicates, *network.parameter_shape)


def velocity(network: Network, theta: Tensor, s: float = 0.0) -> tuple[Tensor, Evaluation]:
    flat = theta.flatten(1)
    out = torch.empty_like(flat)
    seen = network.vector_field(flat, torch.full((len(flat),), s, dtype=flat.dtype), out)
    return out.view_as(theta), seen


# ---- forward and adjoint


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("scale", "samples", "dim"), [(None, 3, 2), (0.2, 3, 2), (None, 5, 1), (None, 5, 3)])
def test_features_are_loops_and_their_gradient_is_autograd(
    name: str, scale: float | None, samples: int, dim: int
) -> None:
    """Times layers and units."""
    data = oracles.small_problem(samples, dim)
    network = Network(data, 4, 3, name, branch_scale=scale)
    theta = some_theta(network, 2)
    gradient, r = network.gradient(theta)
    features = network.features(theta)
    for i in range(2):
        expected = oracles.network_features(theta[i], data.inputs, name, network.scale)
        torch.testing.assert_close(features[:, i], expected, rtol=1e-13, atol=1e-14)
        leaf = theta[i].clone().requires_grad_()
        risk = oracles.network_risk(leaf, data, name, scale)
        (expected,) = torch.autograd.grad(risk, leaf)
        torch.testing.assert_close(gradient[i], 12 * expected, rtol=1e-11, atol=1e-13)
        assert float(Problem.risk(r)[i]) == pytest.approx(float(risk.detach()), rel=1e-13)


@pytest.mark.parametrize("s", [0.0, 1.3])
def test_regularised_velocity_is_that_of_the_penalised_risk(s: float) -> None:
    data = oracles.small_problem(3, 2)
    network = Network(data, 3, 2, regularised=True)
    theta = some_theta(network)
    leaf = theta[0].clone().requires_grad_()
    objective = oracles.network_risk(leaf, data, "tanh") + math.exp(-s) * leaf.square().sum() / 6
    (expected,) = torch.autograd.grad(objective, leaf)
    slope, seen = velocity(network, theta, s)
    torch.testing.assert_close(slope[0], -6 * expected, rtol=1e-11, atol=1e-13)
    lost = (6 * expected.square().sum() + math.exp(-s) * theta.square().sum() / 6).detach()
    assert float(seen.rate) == pytest.approx(float(lost), rel=1e-11)


# ---- training


@pytest.mark.parametrize("regularised", [False, True])
@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_lost_risk_is_the_dissipated_energy(name: str, regularised: bool) -> None:
    """E(0) − E(s) = ∫ dissipation, to a relative 1e-8, for E and for E_s."""
    network = Network(oracles.small_problem(4, 2), 3, 4, name, regularised=regularised)
    done = network.train(some_theta(network, 3), [0.0, 0.5, 2.0, 8.0], rtol=1e-11)
    lost = done.objective[0] - done.objective
    assert float(lost[-1].min()) > 0.01
    torch.testing.assert_close(done.dissipated[1:], lost[1:], rtol=1e-8, atol=0)
    if not regularised:
        assert torch.equal(done.objective, done.risk)


def test_energy_identity_sees_a_wrong_gradient() -> None:
    """The check above can fail: half the readout's adjoint breaks it."""

    class Wrong(Network):
        def vector_field(self, flat: Tensor, s: Tensor, out: Tensor) -> Evaluation:
            seen = super().vector_field(flat, s, out)
            out[:, ::2] *= 1 + 1e-4
            return seen

    network = Wrong(oracles.small_problem(4, 2), 3, 4, compiled=False)
    done = network.train(some_theta(network), [2.0], rtol=1e-9)
    start = Problem.risk(network.gradient(some_theta(network))[1])
    assert abs(float((start - done.risk[-1]) / done.dissipated[-1]) - 1) > 1e-5


@settings(max_examples=6)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(oracles.SMOOTH))
def test_risk_never_rises(seed: int, regularised: bool, name: str) -> None:
    network = Network(oracles.small_problem(4, 2, seed % 7), 2, 3, name, regularised=regularised)
    times = np.linspace(0, 4, 21).tolist()
    objective = network.train(some_theta(network, 2, seed), times, rtol=1e-8).objective
    assert bool((objective.diff(dim=0) <= 1e-12).all())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("tanh", (5, 3, 7)),
        ("gelu", (5, 3, 7)),
        ("sigmoid", (5, 3, 7)),
        ("tanh", (8, 16, 32)),
        ("tanh", (4, 64, 1)),
        ("tanh", (64, 4, 2)),
    ],
)
def test_a_network_is_the_same_in_any_batch(name: str, sizes: tuple[int, int, int]) -> None:
    """Alone, with six others or with 63: the same bytes."""
    num_samples, num_layers, num_units = sizes
    network = Network(oracles.small_problem(num_samples, 2), num_layers, num_units, name)
    theta = some_theta(network, 64)
    whole = network.train(theta, [0.3, 1.0], rtol=1e-5)
    for size in (1, 7):
        for first in (0, 9, 63 - size):
            rows = slice(first, first + size)
            part = network.train(theta[rows], [0.3, 1.0], rtol=1e-5)
            assert torch.equal(part.residuals, whole.residuals[:, rows])
            assert torch.equal(part.dissipated, whole.dissipated[:, rows])
            assert torch.equal(part.parameters, whole.parameters[rows])
            assert torch.equal(part.steps, whole.steps[rows])


def test_a_network_is_the_same_on_any_number_of_threads() -> None:
    """Sums over 40,960 parameters, long enough for torch to share them out."""
    network = Network(oracles.small_problem(8, 2), 8, 1024, compiled=False)
    theta, threads = some_theta(network), torch.get_num_threads()
    try:
        trained = []
        for count in (1, 2):
            torch.set_num_threads(count)
            trained.append(network.train(theta, [1e-3], rtol=1e-2))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(trained[0].parameters, trained[1].parameters)
    assert torch.equal(trained[0].dissipated, trained[1].dissipated)


def test_descent_follows_the_flow_with_order_one() -> None:
    network = Network(oracles.small_problem(4, 2), 3, 4)
    theta = some_theta(network, 2)
    flow = network.train(theta, [1.0], rtol=1e-11)
    errors = []
    for steps in (40, 80, 160, 320):
        descent = network.descend(theta, 1 / steps, steps)
        assert len(descent.flow_times) == steps + 1
        assert descent.flow_times[-1] == pytest.approx(1)
        errors.append(float((descent.parameters - flow.parameters).abs().max()))
    assert oracles.observed_orders(errors)[-1] == pytest.approx(1, abs=0.03)


def test_descent_records_as_often_as_asked() -> None:
    network = Network(oracles.small_problem(3, 2), 2, 3)
    theta = some_theta(network)
    done = network.descend(theta, 0.1, 10, record_every=4)
    assert done.flow_times == pytest.approx((0, 0.4, 0.8, 1.0))
    every = network.descend(theta, 0.1, 10)
    assert torch.equal(done.residuals, every.residuals[[0, 4, 8, 10]])
    assert torch.equal(network.descend(theta, 0.1, 0).parameters, theta)


def test_training_leaves_its_start_alone() -> None:
    network = Network(oracles.small_problem(3, 2), 2, 3)
    theta = some_theta(network, 2)
    kept = theta.clone()
    network.train(theta, [0.0, 1.0])
    network.descend(theta, 0.1, 3)
    assert torch.equal(theta, kept)
    again = network.train(theta, [0.0, 1.0])
    assert torch.equal(again.residuals, network.train(theta, [0.0, 1.0]).residuals)
    assert torch.equal(again.residuals[0], network.gradient(theta)[1])


def live_bytes() -> int:
    """Memory of all tensors that Python holds."""
    storages = {}
    for thing in gc.get_objects():
        if type(thing) is Tensor:
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def test_memory_does_not_grow_with_the_steps() -> None:
    """Tensors alive at the 30th and the 300th evaluation of the vector field."""
    seen: list[int] = []

    class Watched(Network):
        calls = 0

        def vector_field(self, flat: Tensor, s: Tensor, out: Tensor) -> Evaluation:
            self.calls += 1
            if self.calls in (30, 300):
                gc.collect()
                seen.append(live_bytes())
            return super().vector_field(flat, s, out)

    network = Watched(oracles.small_problem(4, 2), 8, 16, compiled=False)
    network.train(some_theta(network, 4), [8.0], rtol=1e-9)
    assert network.calls > 300
    few, many = seen
    assert many <= few + 1024 and few > 4 * 8 * 5 * 16 * 8  # it does see the state


# ---- errors


@pytest.mark.parametrize(
    ("sizes", "descent", "error", "message"),
    [
        ((0, 3), (1.0, 3), ValueError, "num_layers must be at least 1, got 0; set it in sizes"),
        ((3, -1), (1.0, 3), ValueError, "num_units must be at least 1, got -1; set it in sizes"),
        ((2, 2), (0.0, 3), ValueError, r"step must be above 0 .* got 0\.0 and 3; set step"),
        ((2, 2), (0.1, 3, 0), ValueError, "record_every must be at least 1, got 0"),
        ((4, 2), (50.0, 200), FloatingPointError, r"not finite at step \d+; reduce step \(now 50"),
    ],
)
def test_what_cannot_be_descended_is_refused(
    sizes: tuple[int, int], descent: tuple[float, int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        network = Network(oracles.small_problem(), *sizes, "relu2")
        network.descend(some_theta(network, 1, 3, 3.0), *descent)
