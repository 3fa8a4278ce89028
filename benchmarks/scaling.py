"""How the time of one gradient grows: exponents in each size, and two threads against one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from benchmarks.networks import our_gradient
from benchmarks.rows import OURS, Row, spread, unavailable
from benchmarks.timing import Effort, alternate, calls_for, lap
from benchmarks.workload import Shape, workload

__all__ = ["Sweep", "exponent", "exponents", "threads"]

FACTORS = {"networks": "networks", "layers": "L", "units": "M", "samples": "N"}


@dataclass(frozen=True)
class Sweep:
    """Where each size starts (a network that fills the second cache), and by what it grows."""

    start: Shape = field(default_factory=lambda: Shape(networks=4, L=16, M=512, N=16))
    factors: tuple[int, ...] = (1, 2, 4, 8, 16)


def exponent(factors: Sequence[float], seconds: Sequence[float]) -> tuple[float, float, float]:
    """Slope of log seconds against log factors with its 95 % interval (least squares, Student)."""
    fit = stats.linregress(np.log(factors), np.log(seconds))
    half = float(stats.t.ppf(0.975, len(factors) - 2) * fit.stderr)
    return float(fit.slope), float(fit.slope) - half, float(fit.slope) + half


def exponents(sweep: Sweep, effort: Effort) -> list[Row]:
    """CPU seconds of ours while one of networks, layers, units and samples grows; exponents.

    All sizes are measured in turn, pass after pass; the time of a size is its median.
    """
    rows: list[Row] = []
    for name, attribute in FACTORS.items():
        sizes = [getattr(sweep.start, attribute) * factor for factor in sweep.factors]
        methods = [our_gradient(workload(replace(sweep.start, **{attribute: size}))) for size in sizes]
        calls = [calls_for(method, effort.seconds) for method in methods]
        laps = [
            [lap(method, count).cpu for method, count in zip(methods, calls, strict=True)]
            for _ in range(effort.repeats)
        ]
        seconds = [spread(column) for column in zip(*laps, strict=True)]
        rows += [
            Row("scaling", name, OURS, "cpu_seconds", unit="s", size=size, **one)
            for size, one in zip(sizes, seconds, strict=True)
        ]
        slope, low, high = exponent(sweep.factors, [one["value"] for one in seconds])
        fit = {"lower": low, "upper": high, "repeats": effort.repeats, "note": "95 % interval of the fit"}
        rows.append(Row("scaling", name, OURS, "exponent", slope, **fit))
    return rows


def threads(shape: Shape, effort: Effort) -> list[Row]:
    """Wall time on one thread over wall time on two, pair by pair."""
    if len(os.sched_getaffinity(0)) < 2:
        return [unavailable("threads", "float64", OURS, "one processor", quantity="speedup")]
    load = workload(shape)
    pairs = alternate(our_gradient(load), our_gradient(load, threads=2), effort)
    ratios = spread([one.wall / two.wall for one, two in pairs])
    return [Row("threads", "float64", OURS, "speedup", unit="wall 1/wall 2", size=2, **ratios)]
