"""The compiled engine: gradients, gradient flow and descent of finite ResNets on the processor, and
the flow of clouds of particles.

The same numbers as the torch code of `zeroloss.network.resnet` and `zeroloss.limit` to rounding,
several times faster: one network after the other stays in cache, layers run in vector registers
(engine.c). In float64, or a network in float32 where its parameters are, twice as fast: residuals are
float64 then, with errors near 1e-6. Replicates may be shared among threads; no number depends on how.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from zeroloss.integrate.runge_kutta import DORMAND_PRINCE, Flow
from zeroloss.integrate.steps import check
from zeroloss.model.catalogue import ACTIVATIONS
from zeroloss.model.problem import Problem
from zeroloss.network.engine.library import NOT_FINITE, SWITCH, TOO_MANY, EngineError, library, raise_for, why_not

__all__ = [
    "NOT_FINITE",
    "SWITCH",
    "TOO_MANY",
    "Depth",
    "EngineError",
    "Shape",
    "call",
    "checked",
    "descend",
    "filled",
    "flow",
    "raise_for",
    "recomputes",
    "say_once",
    "serves",
    "tanh",
    "velocity",
    "why_not",
]

_long, _double, _pointer = ctypes.c_long, ctypes.c_double, ctypes.c_void_p


class _Shape(ctypes.Structure):
    _fields_ = [(name, _long) for name in ("L", "M", "N", "d", "act", "recompute", "regularised")] + [
        ("scale", _double),
        *((name, _pointer) for name in ("inputs", "targets", "readout", "masses", "rule")),
    ]


class _Rule(ctypes.Structure):
    _fields_ = [(name, _pointer) for name in ("matrix", "weights", "adjoint")] + [("tolerance", _double)]


class _Tableau(ctypes.Structure):
    _fields_ = [(name, _long) for name in ("stages", "order")] + [(name, _pointer) for name in ("a", "b", "error", "c")]


class _Record(ctypes.Structure):
    _fields_ = [("replicates", _long)] + [
        (name, _pointer) for name in ("residuals", "final", "integral", "size", "accepted", "rejected")
    ]


def filled(kind: type[ctypes.Structure], *values: Any) -> Any:
    """A structure of numbers and of pointers to tensors and structures, which live as long."""
    parts = [part.contiguous() if isinstance(part, Tensor) else part for part in values]
    struct = kind(*map(_address, parts))
    struct.kept = parts
    return struct


def _address(value: Any) -> Any:
    """Where a tensor or a structure lies; all else as it is."""
    if isinstance(value, Tensor):
        return value.data_ptr()
    return ctypes.addressof(value) if isinstance(value, ctypes.Structure) else value


MOST_KEPT = 2**20  # activations of one network: 8 MB, what a cache may hold


def recomputes(num_layers: int, num_units: int, num_samples: int) -> bool:
    """Whether a network is too large to keep its activations for the way back.

    They are computed a second time then, to the same bytes: from memory they come more slowly.
    """
    return num_layers * num_units * num_samples > MOST_KEPT


@dataclass(frozen=True)
class Depth:
    """An implicit rule in depth and the particles' masses: matrix A, its adjoint C (n, n), weights
    b (n,), masses ω (particles,); Newton stops at a defect of ``tolerance`` (1 + max |x|)."""

    matrix: Tensor
    weights: Tensor
    adjoint: Tensor
    masses: Tensor
    tolerance: float


@dataclass(frozen=True)
class Shape:
    """A network's shape and problem, as the engine takes it; ``recompute`` keeps no activations
    of layers and computes them a second time on the way back. With ``depth`` it is a cloud of
    num_units particles at each of num_layers nodes."""

    problem: Problem
    num_layers: int
    num_units: int
    activation: str
    scale: float
    regularised: bool = False
    recompute: bool = False
    depth: Depth | None = None

    def _struct(self) -> Any:
        p, depth = self.problem, self.depth
        rule = depth and filled(_Rule, depth.matrix, depth.weights, depth.adjoint, depth.tolerance)
        return filled(
            _Shape,
            self.num_layers,
            self.num_units,
            p.num_samples,
            p.dim,
            ACTIVATIONS.index(self.activation),
            self.recompute,
            self.regularised,
            self.scale,
            p.inputs,
            p.targets,
            p.readout,
            depth and depth.masses,
            rule,
        )


class _Recorder:
    """What is seen at the output times, as the engine writes it: residuals (outputs, replicates,
    samples), integral of the dissipation and mean |θ|² (outputs, replicates), last parameters,
    steps taken and rejected."""

    def __init__(self, shape: Shape, theta: Tensor, outputs: int) -> None:
        self.shape, self.theta, R = shape, theta, theta.shape[0]
        self.residuals = torch.zeros((outputs, R, shape.problem.num_samples), dtype=torch.float64)
        self.final = torch.empty_like(theta)
        self.integral, self.size = torch.zeros((2, outputs, R), dtype=torch.float64)
        self.accepted, self.rejected = torch.zeros((2, R), dtype=torch.int64)
        self.struct = filled(
            _Record, R, self.residuals, self.final, self.integral, self.size, self.accepted, self.rejected
        )

    def run(
        self, name: str, method: Sequence[Any], rule: Sequence[Any], threads: int, refuse: Callable[..., None]
    ) -> Flow:
        """Run a function of the engine on all replicates; its flow as `integrate` returns it, mean
        |θ|² beside the residuals if regularised. ``refuse`` raises for a status, replicate and s."""
        struct = self.shape._struct()

        def part(first: int, count: int) -> None:
            failed, s = _long(), _double()
            ends = self.struct, ctypes.byref(failed), ctypes.byref(s)
            status = call(name, ctypes.byref(struct), *method, first, count, self.theta, *rule, *ends)
            refuse(status, failed.value, s.value)

        _share(part, self.theta.shape[0], threads)
        observed = self.residuals
        if self.shape.regularised:
            observed = torch.cat([observed, self.size.unsqueeze(-1)], -1)
        return Flow(observed, self.integral, None, self.final.flatten(1), self.accepted, self.rejected, None)


@cache
def say_once(reason: str) -> None:
    """Warn, once for a reason, that torch does the work."""
    warnings.warn(
        f"torch takes the place of the compiled engine, several times slower: {reason}", RuntimeWarning, stacklevel=3
    )


def serves(problem: Problem, activation: str) -> bool:
    """Whether the engine runs this: float64 on the processor, an activation of the catalogue, and
    it can be built.

    Warns once if it cannot be built; ZEROLOSS_ENGINE=torch leaves it aside silently.
    """
    x = problem.inputs
    if x.device.type != "cpu" or x.dtype != torch.float64 or activation not in ACTIVATIONS:
        return False
    if reason := why_not():
        if not reason.startswith(SWITCH):
            say_once(reason)
        return False
    return True


def call(name: str, *arguments: Any) -> int:
    """The status of a function of the library, in float32 where a tensor is: an int is handed over as
    long, a float as double, a tensor by its address."""

    def in_c(value: Any) -> Any:
        if isinstance(value, Tensor):
            return _pointer(value.data_ptr())
        if isinstance(value, int):
            return _long(value)
        return _double(value) if isinstance(value, float) else value

    single = any(isinstance(value, Tensor) and value.dtype == torch.float32 for value in arguments)
    return getattr(library(single), name)(*map(in_c, arguments))


def checked(shape: Shape, theta: Tensor) -> Tensor:
    """theta, contiguous; ValueError unless it is (replicates, L, k, M) of the problem's type, or float32."""
    expected = (shape.num_layers, 2 * shape.problem.dim + 1, shape.num_units)
    if theta.ndim != 4 or tuple(theta.shape[1:]) != expected:
        raise ValueError(f"theta must be (replicates, {', '.join(map(str, expected))}), got {tuple(theta.shape)}")
    single = theta.dtype == torch.float32 and theta.device.type == "cpu" and shape.depth is None
    if theta.dtype != shape.problem.inputs.dtype and not single:
        raise ValueError(f"theta must be of the problem's type {shape.problem.inputs.dtype}, got {theta.dtype}")
    return theta.contiguous()


def velocity(shape: Shape, theta: Tensor, out: Tensor, threads: int = 1, sign: float = 1.0) -> Tensor:
    """Write −L M ∇_θ E times ``sign``, like theta (replicates, L, k, M), to ``out``; return
    residuals (R, N)."""
    theta = checked(shape, theta)
    direct = out if out.is_contiguous() else torch.empty_like(theta)
    residuals = torch.empty((theta.shape[0], shape.problem.num_samples), dtype=torch.float64)
    struct = shape._struct()

    def part(first: int, count: int) -> None:
        own = slice(first, first + count)
        parts = count, theta[own], float(sign), direct[own], residuals[own]
        raise_for(call("engine_velocity", ctypes.byref(struct), *parts), 0, 0.0)

    _share(part, theta.shape[0], threads)
    if direct is not out:
        out.copy_(direct)
    return residuals


def flow(
    shape: Shape,
    theta: Tensor,
    flow_times: Sequence[float],
    *,
    rtol: float,
    atol: float,
    max_steps: int = 100_000,
    threads: int = 1,
) -> Flow:
    """Gradient flow of theta (replicates, L, k, M) through the flow times.

    Steps as `zeroloss.integrate.steps` says. Raises FloatingPointError with replicate and s if a
    value is not finite, RuntimeError after ``max_steps`` steps.
    """
    check(rtol, atol, flow_times)
    theta, pair = checked(shape, theta), DORMAND_PRINCE
    stages = len(pair.c)
    rows = [(*row, *(0.0,) * (stages - len(row))) for row in pair.a]
    tableau = filled(
        _Tableau,
        stages,
        pair.order,
        *(torch.tensor(part, dtype=torch.float64) for part in (rows, pair.b, pair.error, pair.c)),
    )
    times = torch.tensor(list(flow_times), dtype=torch.float64)
    rule = len(times), times, float(rtol), float(atol), max_steps
    recorder = _Recorder(shape, theta, len(times))
    return recorder.run("engine_flow", (ctypes.byref(tableau),), rule, threads, partial(raise_for, max_steps=max_steps))


def descend(shape: Shape, theta: Tensor, step: float, num_steps: int, record_every: int, threads: int = 1) -> Flow:
    """Gradient descent θ ← θ − step L M ∇E, recorded as `Network.descend` says."""

    def refuse(status: int, replicate: int, s: float) -> None:
        if status == NOT_FINITE:
            raise FloatingPointError(
                f"the squared gradient in gradient descent of replicate {replicate} is not finite at step "
                f"{round(s / step)}; reduce step (now {step})"
            )
        raise_for(status, replicate, s)

    recorder = _Recorder(shape, checked(shape, theta), -(-num_steps // record_every) + 1)
    return recorder.run("engine_descend", (), (float(step), num_steps, record_every), threads, refuse)


def tanh(x: Tensor, repeat: int = 1) -> Tensor:
    """The engine's own tanh (error below 3 ulp), elementwise; ``repeat`` to measure its speed."""
    x = x.contiguous()
    y = torch.empty_like(x)
    call("engine_tanh", x.numel(), repeat, x, y)
    return y


def _share(part: Callable[[int, int], None], replicates: int, threads: int) -> None:
    """part(first, count) over all replicates, on so many threads."""
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    if (threads := min(threads, replicates)) <= 1:
        return part(0, replicates)
    edges = [i * replicates // threads for i in range(threads + 1)]
    for done in [_pool(threads, os.getpid()).submit(part, a, b - a) for a, b in pairwise(edges)]:
        done.result()
    return None


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that stay, with the memory that they keep; those of another process do not count."""
    del process
    return ThreadPoolExecutor(threads, thread_name_prefix="zeroloss")
