"""W1 and W2: gradients and training of many networks, ours beside PyTorch and JAX.

In float64 ours is the compiled engine, in float32 the torch code that stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import peers_torch
from benchmarks.rows import OURS, Row
from benchmarks.timing import Effort, Method, compare, unavailable
from benchmarks.workload import Shape, Workload, workload
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network, Training

__all__ = ["gradient", "methods", "our_descent", "our_gradient", "training"]

JAX = ("JAX vmap", "JAX map")
PRECISIONS = {"float64": (torch.float64, 1e-9), "float32": (torch.float32, 1e-3)}
Makers = dict[str, Callable[[], Method]]


def our_gradient(load: Workload) -> Method:
    """Risks and L M ∇E of all networks by Network.gradient, into an array that is kept."""
    shape = load.shape
    network = Network(load.problem, shape.L, shape.M, "tanh")
    out = torch.empty_like(load.theta)

    def run(_: None) -> tuple[Tensor, Tensor]:
        slope, residuals = network.gradient(load.theta, out)
        return Problem.risk(residuals), slope

    def numbers(outcome: tuple[Tensor, Tensor]) -> list[np.ndarray]:
        return [part.cpu().numpy() for part in outcome]

    return Method(OURS, run, numbers=numbers)


def our_descent(load: Workload) -> Method:
    """Risks before each step and after the last, and final parameters, by Network.descend."""
    shape = load.shape
    network = Network(load.problem, shape.L, shape.M, "tanh")

    def numbers(outcome: Training) -> list[np.ndarray]:
        return [outcome.risk.cpu().numpy(), outcome.parameters.cpu().numpy()]

    return Method(OURS, lambda _: network.descend(load.theta, shape.step, shape.steps),
                  numbers=numbers)


def methods(work: str, load: Workload) -> tuple[Callable[[], Method], Makers]:
    """Ours and the peers of `gradient` or `training`; JAX is looked for when it is asked for."""
    def in_jax(name: str) -> Method:
        from benchmarks import peers_jax

        return (peers_jax.gradient if work == "gradient" else peers_jax.descent)(load, name)

    jax_peers = {name: partial(in_jax, name) for name in JAX}
    if work == "gradient":
        return lambda: our_gradient(load), {**peers_torch.gradient_peers(load), **jax_peers}
    return lambda: our_descent(load), {**peers_torch.descent_peers(load), **jax_peers}


def _measure(work: str, shape: Shape, effort: Effort) -> list[Row]:
    rows: list[Row] = []
    for precision, (dtype, tolerance) in PRECISIONS.items():
        make_ours, makers = methods(work, workload(shape, dtype))
        try:
            ours = make_ours()
            ours.run(ours.fresh())
        except (RuntimeError, TypeError, ValueError) as error:
            rows.append(unavailable(work, precision, OURS, error))
            continue
        peers: dict[str, Method] = {}
        for name, make in makers.items():
            try:
                peers[name] = make()
            except ImportError as error:
                rows.append(unavailable(work, precision, name, error))
        rows += compare(work, precision, ours, peers, effort, tolerance)
    return rows


def gradient(shape: Shape, effort: Effort) -> list[Row]:
    """W1: risk and all gradients, once."""
    return _measure("gradient", shape, effort)


def training(shape: Shape, effort: Effort) -> list[Row]:
    """W2: gradient descent over shape.steps steps, with the risk at each."""
    return _measure("training", shape, effort)


def describe(shape: Shape) -> dict[str, Any]:
    """The sizes of W1 and W2, for the record."""
    return {"networks": shape.networks, "num_layers": shape.L, "num_units": shape.M,
            "num_samples": shape.N, "dim": shape.d, "steps": shape.steps, "step": shape.step}
