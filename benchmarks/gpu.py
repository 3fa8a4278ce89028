"""W1 and W2 on a GPU, at sizes that fill it, against its bandwidth and rate of operations.

`python -m benchmarks.gpu` measures and prints; without a GPU it says so and ends well. A few of the
networks are computed on the processor as well: float64 results agree to 1e-10.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks import networks
from benchmarks.machine import describe
from benchmarks.peers_torch import FUNC
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Table, first, markdown, rich_table
from benchmarks.timing import Effort, Method, compare, difference
from benchmarks.workload import (
    Shape,
    Workload,
    bytes_held,
    bytes_moved,
    flops,
    tanh_evaluations,
    workload,
)
from ledger.record import results

__all__ = ["AGREEMENT", "LARGE", "Probe", "measure"]

AGREEMENT = 1e-10
LARGE = Shape(networks=256, L=32, M=4096, N=16, steps=50)


@dataclass(frozen=True)
class Probe:
    """Order of the matrices, elements of tanh (few enough to stay in cache: memory is another
    bound), bytes of the copy, repeats of each."""

    matrix: int = 8192
    elements: int = 1 << 21
    size: int = 1 << 32
    repeats: int = 10


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _fastest(work: Callable[[], object], device: str, repeats: int, calls: int = 1) -> float:
    """Shortest wall time of one call, among so many in a row, after a warm-up."""
    work()
    _wait(device)
    best = math.inf
    for _ in range(repeats):
        begun = time.perf_counter()
        for _ in range(calls):
            work()
        _wait(device)
        best = min(best, (time.perf_counter() - begun) / calls)
    return best


def _tanh_rate(device: str, dtype: torch.dtype, probe: Probe) -> float:
    x = torch.linspace(-3.0, 3.0, probe.elements, dtype=dtype, device=device)
    y = torch.empty_like(x)
    return probe.elements / _fastest(lambda: torch.tanh(x, out=y), device, probe.repeats, 100)


def _product_rate(device: str, dtype: torch.dtype, probe: Probe) -> float:
    a, b = (torch.rand((probe.matrix, probe.matrix), dtype=dtype, device=device)
            for _ in range(2))
    c = torch.empty_like(a)
    return 2 * probe.matrix**3 / _fastest(lambda: torch.mm(a, b, out=c), device, probe.repeats)


def _bandwidth(device: str, dtype: torch.dtype, probe: Probe) -> float:
    source = torch.ones(probe.size // dtype.itemsize, dtype=dtype, device=device)
    target = torch.empty_like(source)
    taken = _fastest(lambda: target.copy_(source), device, probe.repeats)
    return 2 * source.numel() * dtype.itemsize / taken


def rates(device: str, dtype: torch.dtype, probe: Probe) -> dict[str, float]:
    """tanh evaluations, operations of a matrix product, bytes read and written, per second."""
    return {"tanh": _tanh_rate(device, dtype, probe),
            "products": _product_rate(device, dtype, probe),
            "memory": _bandwidth(device, dtype, probe)}


def bounds(shape: Shape, rate: dict[str, float], item: int) -> dict[str, float]:
    """Seconds of one gradient at least: by tanh, by operations, by bytes that no code can avoid,
    and by bytes when each stored activation is written once and read once."""
    stored = 2 * (bytes_held(shape, item) - bytes_moved(shape, item))
    return {"tanh": tanh_evaluations(shape) / rate["tanh"],
            "products": flops(shape) / rate["products"],
            "memory": bytes_moved(shape, item) / rate["memory"],
            "memory, activations stored": (bytes_moved(shape, item) + stored) / rate["memory"]}


def _on(load: Workload, device: str) -> Workload:
    return replace(load, problem=load.problem.to(device), theta=load.theta.to(device))


def _waiting(method: Method, device: str) -> Method:
    """The method, timed until the device is done."""
    def run(state: object) -> object:
        outcome = method.run(state)
        _wait(device)
        return outcome

    return replace(method, run=run)


def _agreement(work: str, load: Workload, few: int, device: str) -> float:
    """Largest relative difference of the first networks between device and processor."""
    part = replace(load, shape=replace(load.shape, networks=few), theta=load.theta[:few])
    found = []
    for where in (device, "cpu"):
        method = networks.methods(work, _on(part, where))[0]()
        found.append(method.numbers(method.run(method.fresh())))
    return difference(found[1], found[0])


def _rows(work: str, name: str, load: Workload, device: str, effort: Effort, tolerance: float
          ) -> list[Row]:
    """Times of ours and of torch.func, and the agreement with the processor."""
    make_ours, makers = networks.methods(work, _on(load, device))
    peers = {FUNC: _waiting(makers[FUNC](), device)}
    rows = compare(work, name, _waiting(make_ours(), device), peers, effort, tolerance)
    few = min(2, load.shape.networks)
    return [*rows, Row(work, name, OURS, "difference", _agreement(work, load, few, device),
                       note="from the processor")]


def measure(device: str, shape: Shape, probe: Probe, effort: Effort) -> list[Row]:
    """Rates, bounds, times and agreement in both precisions."""
    rows: list[Row] = []
    for name, (dtype, tolerance) in networks.PRECISIONS.items():
        rate = rates(device, dtype, probe)
        rows += [Row("machine", name, "torch", what, value, "1/s") for what, value in rate.items()]
        bound = bounds(shape, rate, dtype.itemsize)
        rows += [Row("bound", name, what, "seconds", value, "s") for what, value in bound.items()]
        load = workload(shape, dtype)
        for work, evaluations in (("gradient", 1), ("training", shape.steps + 1)):
            rows += _rows(work, name, load, device, effort, tolerance)
            wall = pick(rows, work=work, case=name, method=OURS, quantity="wall_seconds")[0].value
            rows += [Row("over bound", name, what, work, wall / (evaluations * value))
                     for what, value in bound.items()]
    return rows


def _table(rows: Sequence[Row], device: str, shape: Shape) -> Table:
    table = Table(
        "gpu", f"{device}: {shape.networks} networks, L = {shape.L}, M = {shape.M}, N = {shape.N}, "
        f"d = {shape.d}; training: {shape.steps} steps.",
        ("precision", "what", "of", "value", "unit"), (0.15, 0.25, 0.25, 0.2, 0.15))
    for row in rows:
        if row.quantity not in ("cpu_seconds", "cpu_ratio", "cpu_per_wall"):
            what = row.quantity if row.work in ("machine", "bound") else f"{row.work} " \
                f"{row.quantity}"
            table.rows.append([row.case, what, row.method, first([row]), row.unit])
    return table


def _disagreements(rows: Sequence[Row]) -> list[Row]:
    """float64 results of ours that differ from the processor's."""
    return [row for row in pick(rows, method=OURS, quantity="difference", case="float64")
            if not row.value <= AGREEMENT]


def main(given: Sequence[str] | None = None) -> int:
    """Measure on the GPU, print, and write if asked to; 1 if results differ from the processor."""
    from rich.console import Console

    parser = argparse.ArgumentParser(description="zeroloss on a GPU")
    parser.add_argument("--networks", type=int, default=LARGE.networks)
    parser.add_argument("--out", type=Path, help="folder for gpu.md and gpu.json")
    asked = parser.parse_args(given)
    if not torch.cuda.is_available():
        print("no GPU: torch finds no CUDA device here; nothing was measured")
        return 0
    shape = replace(LARGE, networks=asked.networks)
    device = torch.cuda.get_device_name()
    rows = measure("cuda", shape, Probe(), Effort(repeats=7, seconds=0.5))
    table = _table(rows, device, shape)
    Console(width=120).print(rich_table(table))
    if asked.out:
        results.write_text(asked.out / "gpu.md", markdown(table))
        results.write_json(asked.out / "gpu.json", {
            "device": device, "rows": [row.plain() for row in rows], **describe()})
    for row in (wrong := _disagreements(rows)):
        print(f"{row.work} differs from the processor by {row.value:.1e}, more than {AGREEMENT:g}",
              file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
