"""Peak memory of W2 while the number of steps grows, each method in a process of its own.

What counts is how far resident memory rises, during the call, above what it was just before: with
problem, parameters and, for PyTorch's modules, their copy already there, and code warm.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.networks import methods
from benchmarks.rows import OURS, Row
from benchmarks.timing import Method
from benchmarks.workload import Shape, bytes_held, workload

__all__ = ["descent_memory", "in_child", "rise"]

STATUS = Path("/proc/self/status")


def _kilobytes(key: str) -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def _forget_peak() -> int:
    """Start a new peak where the system can; the resident bytes now.

    Where it cannot, the peak so far is what the next is measured against.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _kilobytes("VmRSS") * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peak() -> int:
    if STATUS.exists():
        # ru_maxrss of a child starts at its parent's: exec hands it over
        return _kilobytes("VmHWM") * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rise(call: Any) -> int:
    """Bytes that resident memory rises above its level now while ``call()`` runs."""
    before = _forget_peak()
    kept = call()
    peak = _peak()
    del kept
    return peak - before


def _ready(name: str, shape: Shape) -> tuple[Method, Any]:
    """A method for descent and the state that it starts from."""
    make_ours, peers = methods("training", workload(shape))
    method = (make_ours if name == OURS else peers[name])()
    return method, method.fresh()


def _child(task: dict[str, Any]) -> int:
    """The rise of one method's descent, after a run of it on a small network."""
    torch.set_num_threads(1)
    shape = Shape(**task["shape"])
    small, state = _ready(task["method"], replace(shape, networks=2, L=2, M=16, steps=1))
    small.run(state)
    method, state = _ready(task["method"], shape)
    return rise(lambda: method.run(state))


def in_child(module: str, task: dict[str, Any]) -> Any:
    """What `python -m module` prints as JSON for this task; RuntimeError with what it says."""
    done = subprocess.run([sys.executable, "-m", module, json.dumps(task)], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise RuntimeError(f"{module} failed on {task}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def descent_memory(shape: Shape, steps: Sequence[int], names: Sequence[str]) -> list[Row]:
    """Peak memory of each method per number of steps, over parameters, gradients, activations."""
    held = bytes_held(shape)
    rows = []
    for name in names:
        for count in steps:
            task = {"method": name, "shape": asdict(replace(shape, steps=count))}
            try:
                grown = in_child("benchmarks.memory", task)
            except RuntimeError as error:
                rows.append(Row("memory", "float64", name, "ratio", float("nan"), size=count,
                                repeats=0, note=f"not available: {error!s:.100}"))
                break
            rows.append(Row("memory", "float64", name, "rise", grown, "B", size=count))
            rows.append(Row("memory", "float64", name, "ratio", grown / held,
                            "rise/(parameters + gradients + activations)", size=count))
    return rows


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))
