"""What this machine can do at most, measured in the same run, and the bound on W1 from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.rows import OURS, Row, pick
from benchmarks.workload import Shape, bytes_moved, flops, tanh_evaluations
from zeroloss.network import engine

__all__ = ["Probe", "bounds", "rates"]

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Probe:
    """Sizes of the probes: order of the matrices, elements of tanh (in cache), bytes of the copies
    (in the second cache, and far beyond the last), seconds for each."""

    matrix: int = 1536
    elements: int = 1 << 14
    near_bytes: int = 1 << 19
    far_bytes: int = 1 << 30
    seconds: float = 0.5


def _best(work: Callable[[], object], seconds: float) -> float:
    """Shortest CPU time of one call among those that fit in so many seconds, after a warm-up."""
    work()
    begun, fastest = time.perf_counter(), math.inf
    calls = 1
    while time.perf_counter() - begun < seconds:
        start = time.process_time()
        for _ in range(calls):
            work()
        once = (time.process_time() - start) / calls
        fastest = min(fastest, once)
        calls = max(1, min(10_000, round(0.01 / max(once, 1e-7))))
    return fastest


def _tanh_by_library(dtype: torch.dtype, elements: int) -> dict[str, Callable[[], object]]:
    """tanh of ``elements`` numbers in cache, per library that is installed; out of place."""
    x = torch.linspace(-3.0, 3.0, elements, dtype=dtype)
    y, array, out = torch.empty_like(x), x.numpy(), np.empty_like(x.numpy())
    found: dict[str, Callable[[], object]] = {
        "torch": lambda: torch.tanh(x, out=y), "numpy": lambda: np.tanh(array, out=out)}
    try:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        inside = jnp.asarray(array)
        call = jax.jit(lambda v: jax.lax.fori_loop(0, 100, lambda _, u: jnp.tanh(u), v))
        found["JAX"] = lambda: jax.block_until_ready(call(inside))
    except ImportError:
        pass
    if dtype == torch.float64 and not engine.why_not():
        found[OURS] = lambda: engine.tanh(x, 100)
    return found


PER_CALL = {"JAX": 100, OURS: 100}  # evaluations of each element in one call


def _tanh_rates(name: str, probe: Probe) -> list[Row]:
    rows = []
    for library, work in _tanh_by_library(DTYPES[name], probe.elements).items():
        count = probe.elements * PER_CALL.get(library, 1)
        rows.append(Row("machine", name, library, "tanh_rate",
                        count / _best(work, probe.seconds), "1/s"))
    return rows


def _flop_rate(name: str, probe: Probe) -> Row:
    n = probe.matrix
    a, b = (torch.ones((n, n), dtype=DTYPES[name]) for _ in range(2))
    out = torch.empty_like(a)
    seconds = _best(lambda: torch.mm(a, b, out=out), 2 * probe.seconds)
    return Row("machine", name, "torch", "flop_rate", 2 * n**3 / seconds, "1/s")


def _bandwidth(where: str, size: int, seconds: float) -> Row:
    """Bytes read and written per second by a copy."""
    source = torch.ones(size // 8, dtype=torch.float64)
    target = torch.empty_like(source)
    taken = _best(lambda: target.copy_(source), seconds)
    return Row("machine", where, "torch", "bandwidth", 2 * source.numel() * 8 / taken, "B/s")


def rates(probe: Probe) -> list[Row]:
    """tanh evaluations, floating-point operations and bytes per second, on one thread.

    Best of many: a bound needs the machine at its best.
    """
    rows = [row for name in DTYPES for row in (*_tanh_rates(name, probe), _flop_rate(name, probe))]
    rows.append(_bandwidth("second cache", probe.near_bytes, probe.seconds))
    rows.append(_bandwidth("memory", probe.far_bytes, 4 * probe.seconds))
    return rows


def bounds(shape: Shape, measured: list[Row]) -> list[Row]:
    """Seconds that one gradient of all networks takes at least, and how far ours is from it.

    tanh evaluations over the best rate of tanh, other operations over the rate of a matrix product,
    bytes of parameters and gradients over the bandwidth of memory. In sum they bound code that does
    one after the other; where a processor overlaps them, the largest alone is the bound.
    """
    rows: list[Row] = []
    far = pick(measured, quantity="bandwidth", case="memory")[0].value
    for name, dtype in DTYPES.items():
        tanh = max(row.value for row in pick(measured, quantity="tanh_rate", case=name))
        products = pick(measured, quantity="flop_rate", case=name)[0].value
        parts = {"tanh": tanh_evaluations(shape) / tanh, "products": flops(shape) / products,
                 "memory": bytes_moved(shape, dtype.itemsize) / far}
        parts |= {"sum": parts["tanh"] + parts["products"], "largest": max(parts.values())}
        rows += [Row("bound", name, part, "seconds", seconds, "s")
                 for part, seconds in parts.items()]
        ours = pick(measured, work="gradient", case=name, method=OURS, quantity="cpu_seconds")
        rows += [Row("bound", name, part, "ratio", one.value / parts[part], "zeroloss/bound",
                     lower=one.lower / parts[part], upper=one.upper / parts[part],
                     repeats=one.repeats)
                 for one in ours for part in ("sum", "largest")]
    return rows
