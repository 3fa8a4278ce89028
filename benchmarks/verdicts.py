"""W5: CPU time to a verdict on width: independent networks beside networks and their halves.

The slopes of `limits.width-independent` to a half-width of 0.02, the constant of `limits.constant`
to 5 % of itself, on `sine`. An estimate is, to first order, a sum of means of independent values,
one mean for each part (a size, the trees, …): its variance is Σ V/R over the parts, R the
replicates. A pilot gives the V and the seconds of one replicate, and with them the replicates and
seconds that an interval takes; a run of so many trees then shows the interval that it got.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.coupling import (
    allocate,
    coupled_slope,
    differences,
    multilevel_trace,
    squares,
    traces,
    tree,
)
from benchmarks.rows import Row
from ledger.record.statistics import Estimate, bootstrap_weights, log_slope
from ledger.record.streams import stream
from zeroloss.model.law import InitialLaw, sample_independent
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network

__all__ = ["Part", "Plan", "Way", "constant", "slopes", "verdicts"]

Array = NDArray[np.float64]
LAW = InitialLaw()
PLAIN, BEST, COUPLED = "independent", "independent, best shares", "halves"
WIDTH, CONSTANT = "limits.width-independent", "limits.constant"
TARGET = 10.0  # times less CPU time than independent networks


@dataclass(frozen=True)
class Plan:
    """Sizes and precisions. ``sweeps``: name, what is halved, largest L and M; ``levels`` sizes.

    ``pilot_trees`` for the slopes, ``pilot_ladders`` for the constant. Fewer than ``least`` trees
    are never taken: their intervals would cover too rarely.
    """

    num_samples: int = 8
    flow_times: tuple[float, ...] = (4.0, 50.0)
    rtol: float = 1e-5
    sweeps: tuple[tuple[str, str, int, int], ...] = (
        ("slope_M", "units", 8, 512), ("slope_L", "layers", 512, 8))
    levels: int = 4
    slope_half_width: float = 0.02
    top: tuple[int, int] = (8, 256)
    most_levels: int = 7
    relative_half_width: float = 0.05
    pilot_trees: int = 100
    pilot_ladders: int = 300
    pilot_networks: int = 400
    batch: int = 32
    least: int = 32

    def deviation(self, half_width: float) -> float:
        """The standard deviation to aim at for a 95 % interval of this half-width."""
        return half_width / float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Forest:
    """Residuals (flow_times, trees, 2^j, N) and CPU seconds of a network, per level j."""

    residuals: list[Array]
    seconds: list[float]

    def trees(self, t: int) -> list[Array]:
        """The levels (trees, 2^j, N) at the t-th flow time."""
        return [r[t] for r in self.residuals]

    def squares(self, size: float = 1.0) -> Array:
        """size |x|² of the first network of each tree: (flow_times, trees)."""
        return np.stack([squares(size, r[:, 0]) for r in self.residuals[0]])

    @property
    def seconds_of_tree(self) -> float:
        """CPU seconds of one tree."""
        return sum(seconds * 2**j for j, seconds in enumerate(self.seconds))

    @property
    def seconds_spent(self) -> float:
        """CPU seconds of all."""
        return self.seconds_of_tree * self.residuals[0].shape[1]


def grow(plan: Plan, axis: str, L: int, M: int, levels: int, count: int, name: str) -> Forest:
    """Draw networks of the largest size, and train them, their halves, quarters, …"""
    problem = built_in("sine", plan.num_samples, 0)
    parts: list[list[Array]] = [[] for _ in range(levels)]
    seconds = [0.0] * levels
    for first in range(0, count, plan.batch):
        clock = time.process_time()
        theta = torch.from_numpy(np.stack([
            sample_independent(LAW, stream("bench", "verdicts", name, L, M, i), L, M, problem.dim)
            for i in range(first, min(first + plan.batch, count))]))
        for j, networks in enumerate(tree(theta, levels, axis)):
            flat = networks.flatten(0, 1).contiguous()
            network = Network(problem, flat.shape[1], flat.shape[3])
            r = network.train(flat, plan.flow_times, rtol=plan.rtol).residuals.numpy()
            parts[j].append(r.reshape(len(r), *networks.shape[:2], -1))
            seconds[j] += time.process_time() - clock
            clock = time.process_time()
    return Forest([np.concatenate(part, axis=1) for part in parts],
                  [total / (count * 2**j) for j, total in enumerate(seconds)])


@dataclass(frozen=True)
class Part:
    """Values (flow_times, replicates) of which an estimate takes the mean; seconds of each."""

    values: Array
    seconds: float


def variances(parts: Sequence[Part], resampled: bool = False) -> Array:
    """V (draws, flow_times, parts) of one value: a single draw, or those of a bootstrap."""
    columns = []
    for i, part in enumerate(parts):
        R = part.values.shape[1]
        w = bootstrap_weights(R, "verdicts", i) if resampled else np.ones((1, R))
        centred = part.values - part.values.mean(1, keepdims=True)
        second, mean = w @ (centred**2).T / R, w @ centred.T / R
        columns.append((second - mean**2) * R / (R - 1))
    return np.stack(columns, -1)


@dataclass(frozen=True)
class Way:
    """A method on one case: its parts, the shares (parts,) of their replicates, the standard
    deviation asked for, and the fewest replicates of a part."""

    name: str
    parts: list[Part]
    shares: Array
    deviation: float
    least: float = 0.0
    note: str = ""

    def needed(self, resampled: bool = False) -> Array:
        """Replicates of each part until all flow times are as precise as asked: (draws, parts)."""
        scale = (variances(self.parts, resampled) / self.shares).sum(-1).max(-1)
        return np.maximum(scale[:, None] / self.deviation**2 * self.shares, self.least)

    def replicates(self) -> tuple[int, ...]:
        """The same, whole numbers."""
        return tuple(math.ceil(count) for count in self.needed()[0])

    def seconds(self, resampled: bool = False) -> Array:
        """CPU seconds that the needed replicates take: (draws,)."""
        return self.needed(resampled) @ np.array([part.seconds for part in self.parts])

    def limiting(self, flow_times: Sequence[float]) -> float:
        """The flow time that asks for the most replicates."""
        return flow_times[int((variances(self.parts)[0] / self.shares).sum(-1).argmax())]


def _best(plan: Plan, name: str, parts: list[Part], deviation: float, least: int, note: str = ""
          ) -> Way:
    """The way with the shares of least cost."""
    made = allocate(variances(parts)[0], np.array([part.seconds for part in parts]),
                    np.full(len(plan.flow_times), deviation), least)
    return Way(name, parts, np.array(made.replicates, dtype=np.float64), deviation, least, note)


def _tree_values(sizes: Sequence[float], residuals: list[Array]) -> Array:
    """Jackknife pseudo-values of the coupled slope: (trees,)."""
    R, n = len(residuals[0]), np.asarray(sizes, dtype=np.float64)
    others = (1.0 - np.eye(R)) * R / (R - 1)
    whole, left_out = (log_slope(n, np.sqrt(traces(sizes, residuals, w) / n))
                       for w in (None, others))
    return R * whole - (R - 1) * left_out


def _independent(plan: Plan, name: str, axis: str, L: int, M: int, sizes: Sequence[float]
                 ) -> list[Part]:
    """A part for each size: ½ weight |x|²/E|x|², the slope being weights times ½ log |x|²."""
    weights = log_slope(sizes, np.exp(np.eye(len(sizes))))
    parts = []
    for j, weight in enumerate(weights):
        shape = (L, M // 2**j) if axis == "units" else (L // 2**j, M)
        alone = grow(plan, axis, *shape, 1, plan.pilot_networks, f"{name}-independent")
        values = alone.squares()
        parts.append(Part(0.5 * weight * values / values.mean(1, keepdims=True), alone.seconds[0]))
    return parts


def slopes(plan: Plan, name: str, axis: str, L: int, M: int) -> tuple[list[Way], list[Row]]:
    """The ways to one slope by their pilots, and the run of the coupled one as stated."""
    sizes = [(M if axis == "units" else L) / 2**j for j in range(plan.levels)]
    deviation = plan.deviation(plan.slope_half_width)
    parts = _independent(plan, name, axis, L, M, sizes)
    pilot = grow(plan, axis, L, M, plan.levels, plan.pilot_trees, f"{name}-pilot")
    values = [_tree_values(sizes, pilot.trees(t)) for t in range(len(plan.flow_times))]
    coupled = Way(COUPLED, [Part(np.stack(values), pilot.seconds_of_tree)], np.ones(1), deviation,
                  plan.least, f"trees of {plan.levels} sizes")
    ways = [Way(PLAIN, parts, np.ones(plan.levels), deviation, note="as many of each size"),
            _best(plan, BEST, parts, deviation, 2), coupled]
    count = coupled.replicates()[0]
    run = grow(plan, axis, L, M, plan.levels, count, f"{name}-stated")
    rows = [Row("verdict", name, COUPLED, "cpu_spent", run.seconds_spent, "s", repeats=count)]
    for t, s in enumerate(plan.flow_times):
        found = coupled_slope(sizes, run.trees(t))
        rows += _interval(name, s, found, found.half_width, count)
    return ways, rows


def _interval(case: str, s: float, found: Estimate, half_width: float, count: int) -> list[Row]:
    return [Row("verdict", case, COUPLED, "estimate", found.value, "", s, found.lower,
                found.upper, count, "95 % interval"),
            Row("verdict", case, COUPLED, "half_width", half_width, "", s, repeats=count)]


def _ladder(plan: Plan, pilot: Forest, last: int) -> list[Part]:
    """Networks of the size of level ``last``, and trees from there to the top: shares of T."""
    n = [plan.top[0] * plan.top[1] / 2**j for j in range(last + 1)]
    leaves, trees = [], []
    for t in range(len(plan.flow_times)):
        levels = pilot.trees(t)[: last + 1]
        T = traces(n, levels)[0, 0]
        leaves.append(squares(n[-1], levels[-1].reshape(-1, plan.num_samples)) / T)
        trees.append(differences(n, levels) / T)
    seconds = sum(one * 2**j for j, one in enumerate(pilot.seconds[: last + 1]))
    return [Part(np.stack(leaves), pilot.seconds[last]), Part(np.stack(trees), seconds)]


def constant(plan: Plan) -> tuple[list[Way], list[Row]]:
    """The ways to the trace at the top by their pilots, and the multilevel run as stated."""
    L, M = plan.top
    deviation = plan.deviation(plan.relative_half_width)
    alone = grow(plan, "units", L, M, 1, plan.pilot_networks, "constant-independent")
    values = alone.squares()
    plain = Way(PLAIN, [Part(values / values.mean(1, keepdims=True), alone.seconds[0])],
                np.ones(1), deviation)
    pilot = grow(plan, "units", L, M, plan.most_levels, plan.pilot_ladders, "constant-pilot")
    ladders = {last: _best(plan, COUPLED, _ladder(plan, pilot, last), deviation, plan.least,
                           f"networks of M = {M // 2**last}, and trees from there")
               for last in range(1, plan.most_levels)}
    last = min(ladders, key=lambda j: float(ladders[j].seconds()[0]))
    way, n = ladders[last], [L * M / 2**j for j in range(last + 1)]
    counts = way.replicates()
    leaves = grow(plan, "units", L, M // 2**last, 1, counts[0], "constant-stated")
    trees = grow(plan, "units", L, M, last + 1, counts[1], "constant-stated")
    small = leaves.squares(n[-1])
    rows = [Row("verdict", "constant", COUPLED, "cpu_spent",
                leaves.seconds_spent + trees.seconds_spent, "s", repeats=sum(counts))]
    for t, s in enumerate(plan.flow_times):
        found = multilevel_trace([small[t], differences(n, trees.trees(t))])
        rows += _interval("constant", s, found, found.half_width / found.value, sum(counts))
        pair = differences(n[:2], pilot.trees(t)[:2])
        left = pair.var() / squares(n[0], pilot.residuals[0][t][:, 0]).var()
        rows.append(Row("verdict", "constant", COUPLED, "variance_left", float(left),
                        "Var D/Var n|x|²", s, repeats=plan.pilot_ladders, note="at the top"))
    return [plain, way], rows


def _way_rows(plan: Plan, case: str, ways: Sequence[Way]) -> list[Row]:
    """Stated replicates and seconds of each method on a case."""
    rows = []
    for way in ways:
        s = way.limiting(plan.flow_times)
        low, high = np.quantile(way.seconds(resampled=True), [0.025, 0.975])
        seconds = way.needed()[0] * [part.seconds for part in way.parts]
        said = [f"limited by s = {s:g}", way.note]
        if way.name == COUPLED and len(seconds) > 1:
            said.append(f"{seconds[0] / seconds.sum():.0%} of the time on the former")
        rows.append(Row("verdict", case, way.name, "cpu_seconds", float(way.seconds()[0]), "s",
                        math.nan, float(low), float(high), note="; ".join(filter(None, said))))
        rows += [Row("verdict", case, way.name, "replicates", count, "", j)
                 for j, count in enumerate(way.replicates())]
    return rows


def _claim_rows(claim: str, cases: Sequence[Sequence[Way]]) -> list[Row]:
    """Seconds of a claim, all of its cases together, and independent networks over each method.

    The interval of the ratio is at 95 %, by a bootstrap of the pilots.
    """
    def total(ways: Sequence[Way]) -> Array:
        return np.sum([np.concatenate([way.seconds(), way.seconds(resampled=True)])
                       for way in ways], axis=0)

    base, rows = total([ways[0] for ways in cases]), []
    for ways in zip(*cases, strict=True):
        own = total(ways)
        ratios = base / own
        low, high = np.quantile(ratios[1:], [0.025, 0.975])
        rows += [Row("verdict", claim, ways[0].name, "cpu_seconds", float(own[0]), "s"),
                 Row("verdict", claim, ways[0].name, "cpu_ratio", float(ratios[0]),
                     "independent/method", math.nan, float(low), float(high),
                     note="" if ways[0].name != COUPLED else
                     f"{'at' if ratios[0] >= TARGET else 'below'} the target of {TARGET:g}")]
    return rows


def verdicts(plan: Plan) -> list[Row]:
    """All rows of W5."""
    first = plan.sweeps[0]
    grow(plan, first[1], *first[2:], plan.levels, 1, "warm-up")
    rows, cases = [], []
    for name, axis, L, M in plan.sweeps:
        ways, found = slopes(plan, name, axis, L, M)
        rows += [*_way_rows(plan, name, ways), *found]
        cases.append(ways)
    ways, found = constant(plan)
    return [*rows, *_claim_rows(WIDTH, cases), *_way_rows(plan, "constant", ways), *found,
            *_claim_rows(CONSTANT, [ways])]
