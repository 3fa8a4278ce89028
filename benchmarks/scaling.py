"""How the time of one gradient grows: exponents in each size, and two threads against one."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.networks import our_gradient
from benchmarks.rows import OURS, Row, spread
from benchmarks.timing import Effort, Method, alternate, calls_for, lap
from benchmarks.workload import Shape, Workload, workload
from zeroloss.network.resnet import Network

__all__ = ["Sweep", "exponent", "exponents", "threads"]

FACTORS = {"networks": "networks", "layers": "L", "units": "M", "samples": "N"}


@dataclass(frozen=True)
class Sweep:
    """Where each size starts (a network that fills the second cache), and by what it grows."""

    start: Shape = field(default_factory=lambda: Shape(networks=4, L=16, M=512, N=16))
    factors: tuple[int, ...] = (1, 2, 4, 8, 16)


def exponent(factors: Sequence[float], seconds: Sequence[float]) -> tuple[float, float, float]:
    """Slope of log seconds against log factors with its 95 % interval (least squares, Student)."""
    x, y = np.log(np.asarray(factors)), np.log(np.asarray(seconds))
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    variance = float(np.sum((y - slope * x) ** 2)) / (len(x) - 2)
    half = float(stats.t.ppf(0.975, len(x) - 2)) * math.sqrt(variance / float(x @ x))
    return slope, slope - half, slope + half


def exponents(sweep: Sweep, effort: Effort) -> list[Row]:
    """CPU seconds of ours while one of networks, layers, units and samples grows; exponents.

    All sizes are measured in turn, pass after pass; the time of a size is its median.
    """
    rows: list[Row] = []
    for name, attribute in FACTORS.items():
        start = getattr(sweep.start, attribute)
        methods = [our_gradient(workload(replace(sweep.start, **{attribute: start * factor})))
                   for factor in sweep.factors]
        calls = [calls_for(method, effort.seconds) for method in methods]
        laps = [[lap(method, count).cpu for method, count in zip(methods, calls, strict=True)]
                for _ in range(effort.repeats)]
        seconds = [spread(column) for column in zip(*laps, strict=True)]
        rows += [Row("scaling", name, OURS, "cpu_seconds", unit="s", size=start * factor, **one)
                 for factor, one in zip(sweep.factors, seconds, strict=True)]
        slope, low, high = exponent(sweep.factors, [one["value"] for one in seconds])
        rows.append(Row("scaling", name, OURS, "exponent", slope, lower=low, upper=high,
                        repeats=effort.repeats, note="95 % interval of the fit"))
    return rows


def _on_threads(load: Workload, count: int) -> Method:
    """Gradients on so many threads: by the argument of that name, else by torch's own threads."""
    takes = "threads" in inspect.signature(Network.__init__).parameters
    options: dict[str, Any] = {"threads": count} if takes else {}
    network = Network(load.problem, load.shape.L, load.shape.M, **options)
    out = torch.empty_like(load.theta)

    def fresh() -> None:
        if not takes:
            torch.set_num_threads(count)

    return Method(f"{count} threads", lambda _: network.gradient(load.theta, out), fresh)


def threads(shape: Shape, effort: Effort) -> list[Row]:
    """Wall time on one thread over wall time on two, pair by pair."""
    if len(os.sched_getaffinity(0)) < 2:
        return [Row("threads", "float64", OURS, "speedup", math.nan, repeats=0,
                    note="not available: one processor")]
    load = workload(shape)
    pairs = alternate(_on_threads(load, 1), _on_threads(load, 2), effort)
    torch.set_num_threads(1)
    return [Row("threads", "float64", OURS, "speedup", unit="wall 1/wall 2", size=2,
                **spread([one.wall / two.wall for one, two in pairs]))]
