"""W1 and W2 on a GPU, at sizes that fill it, beside torch.func, torch.compile and JAX, and against
its bandwidth and rate of operations.

`make bench-gpu` measures and prints; without a GPU it says so and ends well. A few of the networks
are computed on the processor as well: float64 results agree to 1e-10. JAX needs its own package for
CUDA beside benchmarks/requirements.txt. The kernels have not been measured so yet.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from benchmarks import networks
from benchmarks.peers_torch import COMPILED, FUNC, compiled
from benchmarks.roofline import Probe, best, least, operations
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Table, first
from benchmarks.timing import Effort, Method, compare, difference
from benchmarks.workload import Shape, Workload, bytes_held, bytes_moved, workload
from ledger.record import results
from zeroloss.network import engine

__all__ = ["AGREEMENT", "LARGE", "PEERS", "PROBE", "measure"]

AGREEMENT = 1e-10
PEERS = (FUNC, COMPILED, networks.JAX[0])
LARGE = Shape(networks=256, L=32, M=4096, N=16, steps=50)
PROBE = Probe(matrix=8192, elements=1 << 21, far_bytes=1 << 32)  # tanh in cache still


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _jax_has_a_gpu() -> None:
    import jax

    if (backend := jax.default_backend()) != "gpu":
        raise ImportError(f"JAX runs on {backend}; install its package for CUDA")


def _on(device: str, work: str, load: Workload) -> dict[str, Callable[[], Method]]:
    """The methods of a work on a device, timed until it is done."""

    def made(name: str, make: Callable[[], Method]) -> Method:
        if name in networks.JAX and device == "cuda":
            _jax_has_a_gpu()
        method = make()

        def run(state: object) -> object:
            outcome = method.run(state)
            _wait(device)
            return outcome

        return replace(method, run=run)

    there = replace(load, problem=load.problem.to(device), theta=load.theta.to(device))
    makers = networks.methods(work, there) | {COMPILED: partial(compiled, work, there)}
    return {name: partial(made, name, make) for name, make in makers.items()}


def _rows(
    work: str, name: str, load: Workload, device: str, effort: Effort, tolerance: float, peers: Sequence[str]
) -> list[Row]:
    """Times of ours and of the peers; agreement of the first networks with the processor."""
    makers = _on(device, work, load)
    others, missing = networks.available(work, name, {peer: makers[peer] for peer in peers})
    rows = compare(work, name, makers[OURS](), others, effort, tolerance)
    rows += [row._replace(quantity="wall_seconds") for row in missing]
    few = replace(load, shape=replace(load.shape, networks=2), theta=load.theta[:2])
    expected, found = (_on(where, work, few)[OURS]().result() for where in ("cpu", device))
    return [*rows, Row(work, name, OURS, "difference", difference(expected, found), note="from the processor")]


def measure(device: str, shape: Shape, probe: Probe, effort: Effort, peers: Sequence[str] = PEERS) -> list[Row]:
    """Rates, bounds, times and agreement in both precisions.

    A second bound on memory has each stored activation written once and read once.
    """
    rows: list[Row] = []
    for name, (dtype, tolerance) in networks.PRECISIONS.items():
        rate = {
            what: count / best(work, probe.seconds, time.perf_counter, partial(_wait, device))
            for what, (count, work) in operations(probe, dtype, device).items()
        }
        rows += [Row("machine", name, "torch", *one, "1/s") for one in rate.items()]
        moved, held = (count(shape, dtype.itemsize) for count in (bytes_moved, bytes_held))
        bound = least(shape, rate, dtype.itemsize)
        bound["memory, activations stored"] = (2 * held - moved) / rate["memory"]
        rows += [Row("bound", name, what, "seconds", value, "s") for what, value in bound.items()]
        load = workload(shape, dtype)
        for work, evaluations in (("gradient", 1), ("training", shape.steps + 1)):
            rows += _rows(work, name, load, device, effort, tolerance, peers)
            wall = pick(rows, work=work, case=name, method=OURS, quantity="wall_seconds")[0].value
            rows += [Row("over bound", name, what, work, wall / (evaluations * value)) for what, value in bound.items()]
    return rows


def _table(rows: Sequence[Row], device: str, shape: Shape) -> Table:
    lines = [
        [row.case, f"{row.work} {row.quantity}", row.method, first([row]), row.unit]
        for row in rows
        if not row.quantity.startswith("cpu")
    ]
    return Table(
        "gpu",
        f"{device}: {shape.networks} networks, L = {shape.L}, M = {shape.M}, N = {shape.N}, "
        f"d = {shape.d}; training: {shape.steps} steps.",
        "precision | what | of | value | unit",
        "Z15 Z25 Z25 Y20 Z15",
        lines,
    )


def _disagreements(rows: Sequence[Row]) -> list[Row]:
    """float64 results of ours that differ from the processor's."""
    return [row for row in pick(rows, method=OURS, quantity="difference", case="float64") if not row.value <= AGREEMENT]


def main(given: Sequence[str] | None = None) -> int:
    """Measure on the GPU, print, and write if asked to; 1 if results differ from the processor."""
    parser = argparse.ArgumentParser(description="zeroloss on a GPU")
    parser.add_argument("--networks", type=int, default=LARGE.networks)
    parser.add_argument("--out", type=Path, help="file to write the table into")
    options = parser.parse_args(given)
    if not torch.cuda.is_available():
        print("no GPU: torch finds no CUDA device here; nothing was measured")
        return 0
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX leaves memory to the others
    os.environ[engine.SWITCH] = "triton"
    shape = replace(LARGE, networks=options.networks)
    device = torch.cuda.get_device_name()
    rows = measure("cuda", shape, PROBE, Effort(repeats=7, seconds=0.5))
    page = _table(rows, device, shape).markdown()
    print(page)
    if options.out:
        results.write_text(options.out, page)
    for row in (wrong := _disagreements(rows)):
        print(f"{row.work} differs from the processor by {row.value:.1e}, more than {AGREEMENT:g}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
