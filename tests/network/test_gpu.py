"""The kernels for a GPU against autograd and the torch code: where there is none, by Triton's interpreter."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import oracles
import pytest
import torch

from zeroloss.integrate.runge_kutta import integrate
from zeroloss.model.catalogue import ACTIVATIONS
from zeroloss.network import engine, resnet
from zeroloss.network.resnet import Network

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it when it is first imported
WHY = "Triton is not installed: it comes with PyTorch for CUDA, on Linux"
triton: Any = pytest.importorskip("triton", reason=WHY)
tl: Any = pytest.importorskip("triton.language", reason=WHY)
gpu: Any = pytest.importorskip("zeroloss.network.gpu", reason=WHY)
kernels: Any = pytest.importorskip("zeroloss.network.kernels", reason=WHY)

COMPILES = """
import re, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from zeroloss.network import kernels
t, i = "*fp64", "i32"
net = (t, t, t, t, i, i, i, i)
constants = {"D": 3, "P": 4, "B": 64, "S": 16, "SIGMA": "tanh"}
signatures = {
    "velocity": {"theta": t, "out": t, "kept": t, "residuals": t},
    "descend": {"theta": t, "slopes": t, "kept": t, "seen": (t,) * 3, "counts": "*i64", "rule": (t,) * 2,
                "num_steps": i, "every": i},
    "flow": {"state": t, "slopes": t, "kept": t, "seen": (t,) * 4, "counts": "*i64", "rule": (t,) * 5,
             "outputs": i, "max_steps": i},
}
for name, signature in signatures.items():
    used = constants if name == "velocity" else constants | {"E": 2048}
    source = ASTSource(getattr(kernels, name), signature | {"net": net} | dict.fromkeys(used, "constexpr"), used)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 16})
    assert len(made.asm["cubin"]) > 0
    assert not re.search(r"\\b(atom|red)\\.", made.asm["ptx"]), "a sum whose order is open"
"""


def start(layers: int, units: int, dim: int, replicates: int = 2) -> torch.Tensor:
    return 0.7 * oracles.normals(layers + 10 * units, replicates, layers, 2 * dim + 1, units)


def on_device(samples: int, dim: int, dtype: torch.dtype = torch.float64) -> Any:
    p = oracles.small_problem(samples, dim)
    parts = {name: getattr(p, name).to(DEVICE, dtype) for name in ("inputs", "targets", "readout")}
    return dataclasses.replace(p, **parts)


def networks(monkeypatch: pytest.MonkeyPatch, problem: Any, *sizes: Any, **options: Any) -> tuple[Network, Network]:
    """The same network by the kernels and by torch."""
    monkeypatch.setattr(resnet, "_runner", lambda *_: gpu)
    return Network(problem, *sizes, **options), Network(problem, *sizes, **options, compiled=False)


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_is_that_of_autograd(activation: str, dim: int) -> None:
    p, theta = oracles.small_problem(3, dim), start(2, 5, dim).requires_grad_()
    risk = torch.stack([oracles.network_risk(one, p, activation) for one in theta]).sum()
    (expected,) = torch.autograd.grad(risk, theta)
    there, out = theta.detach().to(DEVICE), torch.empty_like(theta, device=DEVICE)
    r = gpu.velocity(engine.Shape(on_device(3, dim), 2, 5, activation, 0.1), there, out, sign=-1.0)
    torch.testing.assert_close(out.cpu(), 10 * expected, rtol=1e-12, atol=1e-13 * float(10 * expected.abs().max()))
    torch.testing.assert_close(0.5 * r.square().mean(1).sum().cpu(), risk.detach(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("layers", "units", "samples", "dim"), [(1, 70, 19, 3), (1, 3, 2, 32), (1, 1, 2, 1)])
def test_sizes_beside_those_of_blocks(
    monkeypatch: pytest.MonkeyPatch, layers: int, units: int, samples: int, dim: int, dtype: torch.dtype
) -> None:
    p, theta = on_device(samples, dim, dtype), start(layers, units, dim, replicates=1).to(DEVICE, dtype)
    ours, by_torch = networks(monkeypatch, p, layers, units)
    (made, r), (expected, r_expected) = ours.gradient(theta), by_torch.gradient(theta)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(r, r_expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(made, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("regularised", "size", "scale", "times", "rtol"),
    [(False, 3.0, 1.0, (0.0, 0.5), 0.1), (True, 2.0, 0.4, (0.0, 0.1, 0.5), 0.01)],
)  # few steps, of which the first case rejects some
def test_flow_is_that_of_torch(
    regularised: bool, size: float, scale: float, times: tuple[float, ...], rtol: float
) -> None:
    p, theta = on_device(3, 2), size * start(1, 4, 2).to(DEVICE)
    made = gpu.flow(engine.Shape(p, 1, 4, "tanh", scale, regularised), theta, times, rtol=rtol, atol=rtol)
    by_torch = Network(p, 1, 4, regularised=regularised, branch_scale=scale, compiled=False)
    expected = integrate(by_torch.vector_field, theta.flatten(1), times, rtol=rtol)
    assert torch.equal(made.accepted, expected.accepted) and torch.equal(made.rejected, expected.rejected)
    assert regularised or int(made.rejected.sum()) > 0
    for field in ("observed", "integral", "final"):
        torch.testing.assert_close(getattr(made, field), getattr(expected, field), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("regularised", [False, True])
def test_descent_is_that_of_torch(monkeypatch: pytest.MonkeyPatch, regularised: bool) -> None:
    theta = start(2, 4, 2).to(DEVICE)
    made, expected = (
        network.descend(theta, 0.2, 2, 2)
        for network in networks(monkeypatch, on_device(3, 2), 2, 4, regularised=regularised)
    )
    assert made.flow_times == expected.flow_times
    for field in ("residuals", "objective", "dissipated", "parameters", "steps"):
        torch.testing.assert_close(getattr(made, field), getattr(expected, field), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("bad", [float("nan"), 1e200])
def test_values_that_are_not_finite_are_named(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    theta = start(1, 4, 2).to(DEVICE)
    theta[1, 0, 0, 3] = bad
    network = networks(monkeypatch, on_device(3, 2), 1, 4)[0]
    with pytest.raises(FloatingPointError, match="replicate 1 is not finite at flow time 0"):
        network.train(theta, (0.01,))
    with pytest.raises(FloatingPointError, match="at step 0; reduce step"):
        network.descend(theta, 0.1, 1)


def test_too_many_steps_are_refused() -> None:
    shape = engine.Shape(on_device(3, 2), 1, 4, "tanh", 0.25)
    with pytest.raises(RuntimeError, match="more than 2 steps"):
        gpu.flow(shape, start(1, 4, 2).to(DEVICE), (50.0,), rtol=1e-8, atol=1e-8, max_steps=2)


def test_no_byte_depends_on_the_batch() -> None:
    theta, shape = start(2, 5, 2, replicates=3).to(DEVICE), engine.Shape(on_device(3, 2), 2, 5, "tanh", 0.1)
    whole, alone = torch.empty_like(theta), torch.empty_like(theta)
    gpu.velocity(shape, theta, whole)
    for r in range(3):
        gpu.velocity(shape, theta[r : r + 1], alone[r : r + 1])
    assert torch.equal(whole, alone)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tanh_is_within_three_ulp(dtype: torch.dtype) -> None:
    sizes = 10.0 ** np.linspace(-9, 1.5, 2048)
    u = torch.from_numpy(np.concatenate([sizes, -sizes])).to(DEVICE, dtype)
    y = torch.empty_like(u)

    @triton.jit
    def kernel(x, y, count: tl.constexpr) -> None:  # pyright: ignore[reportInvalidTypeForm]
        i = tl.arange(0, count)
        tl.store(y + i, kernels._tanh(tl.load(x + i)))

    kernel[(1,)](u, y, len(u))
    found = y.cpu().numpy()
    exact = np.tanh(u.cpu().numpy().astype(np.longdouble))
    error = np.abs(found - exact) / np.spacing(np.abs(found)).astype(np.longdouble)
    assert float(error.max()) < 3.0
    assert np.array_equal(found[:2048], -found[2048:])


def test_kernels_compile_for_a_gpu_and_use_nothing_atomic() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", COMPILES], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def cuda(dim: int = 2, dtype: torch.dtype = torch.float64) -> Any:
    """What is asked of a problem before it is decided what computes it."""
    return SimpleNamespace(dim=dim, inputs=SimpleNamespace(is_cuda=True, dtype=dtype, device=torch.device("cuda")))


def test_on_a_gpu_the_kernels_run_what_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resnet._runner(cuda(), "tanh") is None, "nobody asked for them"
    monkeypatch.setenv(engine.SWITCH, "triton")
    assert resnet._runner(cuda(), "tanh") is gpu
    assert resnet._runner(cuda(33), "tanh") is None
    assert resnet._runner(cuda(dtype=torch.float16), "tanh") is None
    assert resnet._runner(cuda(), "one of an extension") is None


def test_without_triton_torch_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.SWITCH, "triton")
    monkeypatch.delitem(sys.modules, "zeroloss.network.gpu")
    monkeypatch.delattr("zeroloss.network.gpu")
    missing: Any = None
    monkeypatch.setitem(sys.modules, "triton", missing)
    engine.say_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="torch takes the place"):
        assert resnet._runner(cuda(), "tanh") is None
    assert isinstance(triton, ModuleType)
