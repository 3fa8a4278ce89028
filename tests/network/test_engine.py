"""The compiled engine against the torch code, which is tested on its own against oracles."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from scipy import special

from zeroloss.limit.collocation import euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.catalogue import ACTIVATIONS
from zeroloss.model.problem import problem
from zeroloss.network import engine
from zeroloss.network.resnet import Network

loading = importlib.import_module("zeroloss.network.engine.library")  # the package has a function of this name

# lanes are 8 units and tiles 4 samples: sizes below, at and beside their multiples
SHAPES = [(1, 1, 2, 1), (3, 5, 7, 2), (4, 8, 8, 3), (2, 17, 9, 5), (5, 24, 12, 10), (2, 40, 5, 17)]


def start(layers: int, units: int, dim: int, replicates: int = 3) -> torch.Tensor:
    return 0.7 * oracles.normals(layers + 10 * units, replicates, layers, 2 * dim + 1, units)


def test_the_engine_is_what_runs() -> None:
    assert engine.why_not() == ""
    assert Network(oracles.small_problem(3, 2), 2, 4)._engine is not None


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("layers", "units", "samples", "dim"), SHAPES)
def test_gradient_is_that_of_torch(
    layers: int, units: int, samples: int, dim: int, activation: str, recompute: bool
) -> None:
    p, theta = oracles.small_problem(samples, dim), start(layers, units, dim)
    network = Network(p, layers, units, activation, recompute=recompute)
    gradient, r = network.gradient(theta)
    expected, r_expected = Network(p, layers, units, activation, compiled=False).gradient(theta)
    torch.testing.assert_close(r, r_expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-13 * float(expected.abs().max()))


@pytest.mark.parametrize("regularised", [False, True])
def test_flow_is_that_of_torch(regularised: bool) -> None:
    p, theta = oracles.small_problem(6, 2), start(4, 11, 2)
    made, expected = (
        Network(p, 4, 11, regularised=regularised, branch_scale=0.05, compiled=compiled).train(
            theta, (0.0, 0.3, 2.0), rtol=1e-6
        )
        for compiled in (True, False)
    )
    assert torch.equal(made.steps, expected.steps)
    for field in ("residuals", "risk", "objective", "dissipated", "parameters"):
        torch.testing.assert_close(getattr(made, field), getattr(expected, field), rtol=1e-11, atol=1e-12)


def test_rejected_steps_are_those_of_torch() -> None:
    p, theta = oracles.small_problem(6, 2), 2.0 * start(3, 8, 2)
    run = engine.flow(engine.Shape(p, 3, 8, "tanh", 1.0 / 24), theta, (20.0,), rtol=1e-3, atol=1e-3)
    expected = Network(p, 3, 8, "tanh", compiled=False).train(theta, (20.0,), rtol=1e-3)
    assert int(run.rejected.sum()) > 0
    assert torch.equal(run.accepted + run.rejected, expected.steps)


@pytest.mark.parametrize(("num_steps", "every"), [(0, 1), (7, 3), (6, 3), (5, 100)])
def test_descent_is_that_of_torch(num_steps: int, every: int) -> None:
    p, theta = oracles.small_problem(6, 2), start(4, 11, 2)
    made, expected = (
        network.descend(theta, 0.2, num_steps, every)
        for network in (Network(p, 4, 11), Network(p, 4, 11, compiled=False))
    )
    assert made.flow_times == expected.flow_times
    for field in ("residuals", "dissipated", "parameters"):
        torch.testing.assert_close(getattr(made, field), getattr(expected, field), rtol=1e-12, atol=1e-13)


def test_no_byte_depends_on_threads() -> None:
    p, theta = oracles.small_problem(6, 2), start(3, 13, 2, replicates=7)
    networks = Network(p, 3, 13), Network(p, 3, 13, threads=3)
    whole, shared = (network.train(theta, (0.0, 1.0)) for network in networks)
    for field in ("residuals", "dissipated", "parameters"):
        assert torch.equal(getattr(whole, field), getattr(shared, field))
    assert torch.equal(*(network.gradient(theta)[0] for network in networks))


@pytest.mark.parametrize("single", [False, True])
def test_no_byte_depends_on_the_level_of_the_processor(single: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    system, best = loading.target()
    levels = loading.TARGETS.get(system, ())
    if len(levels) < 2:
        pytest.skip("one library serves this system")
    p, theta, made = oracles.small_problem(6, 5), start(4, 21, 5), []
    for level in levels[levels.index(best) :]:
        there = loading.library(single, level)
        monkeypatch.setattr(engine, "library", lambda _, there=there: there)
        run = Network(p, 4, 21, "gelu").train(theta.float() if single else theta, (0.0, 1.0))
        made.append(run.parameters)
    assert all(torch.equal(one, made[0]) for one in made)


def test_with_neither_engine_nor_compiler_torch_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FLAGS", ("-O0",))  # never built
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(engine.EngineError, match=loading.COMPILER) as missing:
        loading.library.__wrapped__()
    monkeypatch.setattr(engine, "why_not", lambda: str(missing.value))
    with pytest.warns(RuntimeWarning, match="torch takes the place of the compiled engine.*pip install ziglang"):
        assert Network(oracles.small_problem(6, 2), 4, 11)._engine is None


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("layers", "units", "samples", "dim"), SHAPES)
def test_parameters_of_single_precision(layers: int, units: int, samples: int, dim: int, activation: str) -> None:
    """The gradient is float32, residuals are float64."""
    p, theta = oracles.small_problem(samples, dim), start(layers, units, dim)
    network = Network(p, layers, units, activation)
    gradient, r = network.gradient(theta.float())
    expected, r_expected = network.gradient(theta)
    assert (gradient.dtype, r.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(r, r_expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=2e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_flow_of_parameters_of_single_precision(activation: str) -> None:
    p, theta, times = oracles.small_problem(12, 10), start(5, 24, 10), (0.0, 0.3, 2.0)
    network = Network(p, 5, 24, activation)
    made, exact = (network.train(each, times, rtol=1e-5) for each in (theta.float(), theta))
    assert 0 < float((made.residuals - exact.residuals).abs().max()) < 2e-5
    torch.testing.assert_close(made.dissipated, exact.dissipated, rtol=1e-4, atol=1e-6)
    in_torch = Network(p, 5, 24, activation, compiled=False).train(theta.float(), times, rtol=1e-5)
    assert in_torch.parameters.dtype == torch.float64


def test_a_problem_of_single_precision_is_left_to_torch() -> None:
    p, theta = oracles.small_problem(7, 3), start(3, 19, 3)
    low = dataclasses.replace(p, inputs=p.inputs.float(), targets=p.targets.float(), readout=p.readout.float())
    for activation in ACTIVATIONS:
        network = Network(low, 3, 19, activation)
        gradient, r = network.gradient(theta.float())
        assert network._engine is None
        expected, r_expected = Network(p, 3, 19, activation).gradient(theta)
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(r.double(), r_expected, rtol=0, atol=2e-5)
        torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


def test_tanh_of_single_precision_is_within_four_ulp() -> None:
    x = torch.cat([torch.logspace(-30, 1.5, 100_001), torch.linspace(-12, 12, 100_001)]).float()
    y = engine.tanh(x)
    error = np.abs(y.numpy() - np.tanh(x.double().numpy())) / np.spacing(np.abs(y.numpy()))
    assert 0.5 < float(error.max()) < 4.0


def test_tanh_is_within_three_ulp() -> None:
    generator = torch.Generator().manual_seed(5)
    sizes = 10.0 ** (torch.rand(200_001, generator=generator, dtype=torch.float64) * 12 - 10)
    x = torch.cat([sizes, -sizes, torch.linspace(-25, 25, 100_001, dtype=torch.float64)])
    y = engine.tanh(x)
    exact = np.tanh(x.numpy().astype(np.longdouble))
    error = np.abs(y.numpy() - exact) / np.spacing(np.abs(y.numpy())).astype(np.longdouble)
    assert float(error.max()) < 3.0
    assert torch.equal(engine.tanh(-x), -y)


def test_tanh_at_the_ends() -> None:
    x = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-300, 1e300])
    y = engine.tanh(x.double())
    assert y[0] == 0 and torch.signbit(y[1]) and y[1] == 0
    assert y[2] == 1 and y[3] == -1 and torch.isnan(y[4])
    assert y[5] == x.double()[5] and y[6] == 1


def test_gelu_is_that_of_the_error_function() -> None:
    # one unit with a = 1, w = 1, b = 0 and L M = 1: z_1 − x is the activation itself
    u = np.linspace(-12.0, 12.0, 4001)
    p = problem("line", u[:, None], np.zeros(len(u)))
    theta = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64).view(1, 1, 3, 1)
    _, r = Network(p, 1, 1, "gelu").gradient(theta)
    exact = u * special.ndtr(u)
    assert float(np.abs(r[0].numpy() - u - exact).max()) < 4e-15


def test_a_step_that_overflows_is_taken_shorter() -> None:
    """The tolerance is so loose that nothing else can be rejected."""
    p, theta = oracles.small_problem(6, 2), 2.0 * start(6, 4, 2)
    network = Network(p, 6, 4, "relu2", compiled=False)
    run = engine.flow(engine.Shape(p, 6, 4, "relu2", network.scale), theta, (0.25,), rtol=1e9, atol=1e9)
    assert int(run.rejected.max()) > 0 and bool(torch.isfinite(run.final).all())
    by_torch = network.train(theta, (0.25,), rtol=1e9)
    assert int(by_torch.steps.min()) > 1 and bool(torch.isfinite(by_torch.parameters).all())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e200])
def test_values_that_are_not_finite_name_replicate_and_time(bad: float) -> None:
    theta = start(2, 8, 2)
    theta[1, 0, 0, 3] = bad
    with pytest.raises(FloatingPointError, match=r"replicate 1 is not finite at flow time 0"):
        Network(oracles.small_problem(6, 2), 2, 8).train(theta, (1.0,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": start(1, 8, 2)}, r"theta must be \(replicates, 2, 5, 8\)"),
        ({"theta": start(2, 8, 2).half()}, "float16"),
        ({"flow_times": (1.0, 0.5)}, "flow_times must be increasing"),
        ({"rtol": 0.0}, "rtol and atol must be above 0"),
        ({"threads": 0}, "threads"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"theta": start(2, 8, 2), "flow_times": (1.0,)} | change
    network = Network(oracles.small_problem(6, 2), 2, 8, threads=given.pop("threads", 1))
    with pytest.raises(ValueError, match=message):
        network.train(**given)


def test_torch_takes_its_place_when_told() -> None:
    code = (
        "import numpy as np; from zeroloss.network.resnet import Network; "
        "from zeroloss.model.problem import problem; "
        "n = Network(problem('p', np.eye(2), np.zeros(2)), 1, 1); print(n._engine)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"ZEROLOSS_ENGINE": "torch"},
        check=True,
    )
    assert done.stdout.strip() == "None"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_numbers_of_the_processor() -> None:
    p, theta = oracles.small_problem(6, 2), start(4, 11, 2)
    there = p.to("cuda")
    r = Network(p, 4, 11).train(theta, (0.0, 2.0)).residuals
    on_device = Network(there, 4, 11).train(theta.cuda(), (0.0, 2.0)).residuals
    torch.testing.assert_close(on_device.cpu(), r, rtol=1e-10, atol=1e-10)
    clouds = [MeanField(where, gauss_legendre(3), 11) for where in (p, there)]
    limits = [field.run(field.start(theta[:1, 0].numpy()), (2.0,)).residuals.cpu() for field in clouds]
    torch.testing.assert_close(limits[0], limits[1], rtol=1e-10, atol=1e-10)


# ---- clouds


@pytest.mark.parametrize(
    ("nodes", "particles", "dim", "activation"),
    [
        (1, 5, 1, "tanh"),
        (4, 32, 2, "tanh"),
        (3, 19, 5, "gelu"),
        (6, 16, 3, "sigmoid"),
        (4, 24, 6, "tanh"),
        (3, 16, 10, "gelu"),
    ],
)  # from 6 on factors are kept
def test_the_flow_of_a_cloud_is_that_of_torch(nodes: int, particles: int, dim: int, activation: str) -> None:
    p = oracles.small_problem(6, dim)
    made, expected = (
        MeanField(p, gauss_legendre(nodes), oracles.shares(particles), activation, compiled=compiled)
        for compiled in (True, False)
    )
    assert made._compiled and not expected._compiled
    start_at = made.start(start(nodes, particles, dim, replicates=2).numpy())
    ours, theirs = (field.run(start_at, (0.0, 0.5, 3.0), rtol=1e-7) for field in (made, expected))
    assert torch.equal(ours.flow.accepted, theirs.flow.accepted)
    for field in ("residuals", "risk", "dissipated"):
        torch.testing.assert_close(getattr(ours, field), getattr(theirs, field), rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(ours.flow.final, theirs.flow.final, rtol=1e-9, atol=1e-10)


def test_the_wide_limit_is_a_network() -> None:
    p, rule = oracles.small_problem(6, 2), euler(5)
    made, expected = (MeanField(p, rule, 24, compiled=compiled) for compiled in (True, False))
    start_at = made.start(start(5, 24, 2, replicates=2).numpy())
    ours, theirs = (field.run(start_at, (1.0,), rtol=1e-7) for field in (made, expected))
    torch.testing.assert_close(ours.residuals, theirs.residuals, rtol=1e-11, atol=1e-12)
    unequal = torch.linspace(0.5, 1.5, 24, dtype=torch.float64)
    assert not MeanField(p, rule, unequal / 24)._compiled


def test_depth_that_has_no_solution_is_said() -> None:
    p = oracles.small_problem(6, 2)
    field = MeanField(p, gauss_legendre(3), 8, "relu2")
    wild = field.start(40.0 * start(3, 8, 2, replicates=1).numpy())
    with pytest.raises(FloatingPointError):
        field.run(wild, (1.0,))
