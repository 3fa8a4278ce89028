"""Peak memory of W2 while the number of steps grows, each method in a process of its own.

What counts is how far resident memory rises, during the call, above what it was just before: with
problem, parameters and, for PyTorch's modules, their copy already there, and code warm.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import in_process
from benchmarks.networks import methods
from benchmarks.rows import Row, unavailable
from benchmarks.timing import Method
from benchmarks.workload import Shape, bytes_held, workload

__all__ = ["descent_memory", "rise"]

STATUS = Path("/proc/self/status")


def _kilobytes(key: str) -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def rise(call: Callable[[], object]) -> int:
    """Bytes that resident memory rises above its level now while ``call()`` runs.

    Where the system cannot start a new peak, the rise is above the peak so far.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _kilobytes("VmRSS")
        kept = call()
        # ru_maxrss of a child starts at its parent's: exec hands it over
        peak = _kilobytes("VmHWM")
    except OSError:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = call()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    del kept
    return 1024 * (peak - before)


def _ready(name: str, shape: Shape) -> tuple[Method, Any]:
    """A method for descent and the state that it starts from."""
    method = methods("training", workload(shape))[name]()
    return method, method.fresh()


def _descent(name: str, shape: Shape) -> int:
    """The rise of one method's descent, after a run of it on a small network."""
    torch.set_num_threads(1)
    small, state = _ready(name, replace(shape, networks=2, L=2, M=16, steps=1))
    small.run(state)
    method, state = _ready(name, shape)
    return rise(lambda: method.run(state))


def descent_memory(shape: Shape, steps: Sequence[int], names: Sequence[str]) -> list[Row]:
    """Peak memory of each method per number of steps, over parameters, gradients, activations."""
    rows = []
    for name in names:
        for count in steps:
            try:
                ratio = in_process(_descent, name, replace(shape, steps=count)) / bytes_held(shape)
            except ImportError as error:
                rows.append(unavailable("memory", "float64", name, error, quantity="ratio", size=count))
                break
            unit = "rise/(parameters + gradients + activations)"
            rows.append(Row("memory", "float64", name, "ratio", ratio, unit, size=count))
    return rows
