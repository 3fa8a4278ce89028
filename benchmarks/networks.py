"""W1 and W2: gradients and training of many networks, ours beside PyTorch and JAX.

Ours is the compiled engine, with parameters in float64 or in float32; its residuals are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from benchmarks.peers_torch import PEERS
from benchmarks.rows import OURS, Row, unavailable
from benchmarks.timing import Effort, Method, compare
from benchmarks.workload import Shape, Workload, workload
from zeroloss.model.problem import Problem
from zeroloss.network import engine
from zeroloss.network.resnet import Network

__all__ = ["JAX", "PRECISIONS", "available", "measure", "methods", "our_descent", "our_gradient"]

JAX = ("JAX vmap", "JAX map")
PRECISIONS = {"float64": (torch.float64, 1e-9), "float32": (torch.float32, 1e-3)}


def _network(load: Workload, threads: int = 1) -> Network:
    """Ours; the engine takes parameters in float32 on a problem in float64."""
    exact = workload(load.shape).problem
    served = load.theta.device.type == "cpu" and engine.serves(exact, "tanh")
    return Network(exact if served else load.problem, load.shape.L, load.shape.M, "tanh", threads=threads)


def our_gradient(load: Workload, threads: int = 1) -> Method:
    """Risks and L M ∇E of all networks by Network.gradient, into an array that is kept."""
    network = _network(load, threads)
    out = torch.empty_like(load.theta)

    def run(_: None) -> tuple[Tensor, Tensor]:
        slope, residuals = network.gradient(load.theta, out)
        return Problem.risk(residuals), slope

    return Method(OURS, run, numbers=lambda outcome: [part.cpu().numpy() for part in outcome])


def our_descent(load: Workload) -> Method:
    """Risks before each step and after the last, and final parameters, by Network.descend."""
    shape = load.shape
    network = _network(load)
    return Method(
        OURS,
        lambda _: network.descend(load.theta, shape.step, shape.steps),
        numbers=lambda run: [run.risk.cpu().numpy(), run.parameters.cpu().numpy()],
    )


def methods(work: str, load: Workload) -> dict[str, Callable[[], Method]]:
    """Ours and the peers of `gradient` or `training`; JAX is looked for when it is asked for."""

    def in_jax(name: str) -> Method:
        from benchmarks import peers_jax

        return (peers_jax.gradient if work == "gradient" else peers_jax.descent)(name, load)

    ours = our_gradient if work == "gradient" else our_descent
    return {
        OURS: partial(ours, load),
        **{name: partial(make, load) for name, make in PEERS[work].items()},
        **{name: partial(in_jax, name) for name in JAX},
    }


def available(work: str, case: str, makers: Mapping[str, Callable[[], Method]]) -> tuple[list[Method], list[Row]]:
    """The methods that can be made here, and a row for each that cannot."""
    made: list[Method] = []
    missing: list[Row] = []
    for name, make in makers.items():
        try:
            made.append(make())
        except ImportError as error:
            missing.append(unavailable(work, case, name, error, unit="s"))
    return made, missing


def measure(work: str, shape: Shape, effort: Effort) -> list[Row]:
    """W1, `gradient`: risk and all gradients, once; or W2, `training`: gradient descent over
    shape.steps steps, with the risk at each."""
    rows: list[Row] = []
    for precision, (dtype, tolerance) in PRECISIONS.items():
        makers = methods(work, workload(shape, dtype))
        ours = makers.pop(OURS)()
        peers, missing = available(work, precision, makers)
        rows += [*compare(work, precision, ours, peers, effort, tolerance), *missing]
    return rows
