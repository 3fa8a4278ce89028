"""What this machine can do at most, measured in the same run, and the bound on W1 from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.rows import OURS, Row, pick
from benchmarks.workload import Shape, bytes_moved, flops, tanh_evaluations
from zeroloss.network import engine

__all__ = ["Probe", "best", "bounds", "least", "operations", "rates"]

Call = Callable[[], object]
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


def best(
    work: Call, seconds: float, clock: Callable[[], float] = time.process_time, wait: Call = lambda: None
) -> float:
    """Shortest time of one call among those that fit in so many seconds, after a warm-up.

    Calls are timed in rows of some 10 ms, at whose end ``wait()`` returns when all are done.
    """
    work()
    wait()
    begun, fastest = time.perf_counter(), math.inf
    calls = 1
    while time.perf_counter() - begun < seconds:
        start = clock()
        for _ in range(calls):
            work()
        wait()
        once = (clock() - start) / calls
        fastest = min(fastest, once)
        calls = max(1, min(10_000, round(0.01 / max(once, 1e-7))))
    return fastest


def operations(probe: Probe, dtype: torch.dtype, device: str = "cpu") -> dict[str, tuple[float, Call]]:
    """By torch: evaluations of tanh in cache, operations of a matrix product, bytes of a copy read
    and written, each with the call that does so many; all out of place."""
    x = torch.linspace(-3.0, 3.0, probe.elements, dtype=dtype, device=device)
    a, b = torch.ones((2, probe.matrix, probe.matrix), dtype=dtype, device=device)
    source = torch.ones(probe.far_bytes // dtype.itemsize, dtype=dtype, device=device)
    y, c, target = map(torch.empty_like, (x, a, source))
    return {
        "tanh": (probe.elements, lambda: torch.tanh(x, out=y)),
        "products": (2 * probe.matrix**3, lambda: torch.mm(a, b, out=c)),
        "memory": (2 * source.nbytes, lambda: target.copy_(source)),
    }


def _other_tanh(dtype: torch.dtype, elements: int) -> dict[str, tuple[float, Call]]:
    """tanh by the other libraries that are installed, and by the engine."""
    array = np.linspace(-3.0, 3.0, elements).astype(str(dtype).removeprefix("torch."))
    out = np.empty_like(array)
    found: dict[str, tuple[float, Call]] = {"numpy": (elements, lambda: np.tanh(array, out=out))}
    try:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        inside = jnp.asarray(array)
        call = jax.jit(lambda v: jax.lax.fori_loop(0, 100, lambda _, u: jnp.tanh(u), v))
        found["JAX"] = (100 * elements, lambda: jax.block_until_ready(call(inside)))
    except ImportError:
        pass
    if dtype == torch.float64 and not engine.why_not():
        x = torch.from_numpy(array)
        found[OURS] = (100 * elements, lambda: engine.tanh(x, 100))
    return found


def rates(probe: Probe) -> list[Row]:
    """tanh evaluations, floating-point operations and bytes per second, on one thread.

    Best of many: a bound needs the machine at its best.
    """

    def row(where: str, by: str, quantity: str, work: tuple[float, Call], longer: int = 1, unit: str = "1/s") -> Row:
        rate = work[0] / best(work[1], longer * probe.seconds)
        return Row("machine", where, by, quantity, rate, unit)

    rows = []
    for name, dtype in DTYPES.items():
        by_torch = operations(replace(probe, far_bytes=8), dtype)
        rows += [
            row(name, by, "tanh_rate", work)
            for by, work in {"torch": by_torch["tanh"], **_other_tanh(dtype, probe.elements)}.items()
        ]
        rows.append(row(name, "torch", "flop_rate", by_torch["products"], 2))
    for where, size, longer in (("second cache", probe.near_bytes, 1), ("memory", probe.far_bytes, 4)):
        copy = operations(Probe(1, 1, far_bytes=size), torch.float64)["memory"]
        rows.append(row(where, "torch", "bandwidth", copy, longer, "B/s"))
    return rows


def least(shape: Shape, rate: Mapping[str, float], item: int) -> dict[str, float]:
    """Seconds of one gradient of all networks at least, by what limits it: tanh evaluations, other
    operations at the rate of a matrix product, bytes of parameters and gradients."""
    return {
        "tanh": tanh_evaluations(shape) / rate["tanh"],
        "products": flops(shape) / rate["products"],
        "memory": bytes_moved(shape, item) / rate["memory"],
    }


def bounds(shape: Shape, measured: list[Row]) -> list[Row]:
    """Seconds that one gradient of all networks takes at least, and how far ours is from it.

    In sum they bound code that does one after the other; where a processor overlaps them, the
    largest alone is the bound.
    """
    rows: list[Row] = []
    far = pick(measured, quantity="bandwidth", case="memory")[0].value
    for name, dtype in DTYPES.items():
        tanh = max(row.value for row in pick(measured, quantity="tanh_rate", case=name))
        products = pick(measured, quantity="flop_rate", case=name)[0].value
        parts = least(shape, {"tanh": tanh, "products": products, "memory": far}, dtype.itemsize)
        parts |= {"sum": parts["tanh"] + parts["products"], "largest": max(parts.values())}
        rows += [Row("bound", name, part, "seconds", seconds, "s") for part, seconds in parts.items()]
        ours = pick(measured, work="gradient", case=name, method=OURS, quantity="cpu_seconds")
        rows += [
            one.over(parts[part])._replace(work="bound", method=part, quantity="ratio", unit="zeroloss/bound")
            for one in ours
            for part in ("sum", "largest")
        ]
    return rows
