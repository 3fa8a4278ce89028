"""W3 by brute force: networks so large that their risk is the limit's.

The risk of one trained network is off by A/L (depth) and by a spread B/√(LM). Both are measured on
networks that the budget allows, with the CPU time κ L M of one; a relative error ε at 95 % needs

    L ≥ 2 A/ε,   L M ≥ (2 · 1.96 B/ε)²:   κ (3.92 B/ε)² CPU seconds for one network.

Averaging smaller networks costs the same: the spread depends on the units trained in all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.limit_cases import LimitCase
from benchmarks.reference import Refined
from benchmarks.rows import Row
from benchmarks.timing import Method, lap
from ledger.record.streams import stream
from zeroloss.model.law import sample_independent
from zeroloss.network.resnet import Network

__all__ = ["NAME", "Ladder", "brute_force"]

NAME = "brute force"
NORMAL = 1.96


@dataclass(frozen=True)
class Ladder:
    """Sizes (L, M) with how many networks of each, the relative tolerance in s, and the CPU
    seconds that all of them may take together: sizes from the first that would pass it are left."""

    sizes: tuple[tuple[int, int, int], ...]
    rtol: float
    budget: float


def _trained(case: LimitCase, L: int, M: int, replicates: int, rtol: float
             ) -> tuple[np.ndarray, float]:
    """Trained risks (replicates,) and CPU seconds of one network, drawing it left out."""
    network = Network(case.problem, L, M)
    theta = torch.from_numpy(np.stack([
        sample_independent(case.law, stream("bench", case.name, L, M, i), L, M, case.problem.dim)
        for i in range(replicates)]))
    risks: list[np.ndarray] = []

    def run(_: None) -> None:
        risks.append(network.train(theta, [case.flow_time], rtol=rtol).risk[0].numpy())

    taken = lap(Method(NAME, run))
    return risks[0], taken.cpu / replicates


def _climb(case: LimitCase, ladder: Ladder) -> list[tuple[int, int, np.ndarray, float]]:
    """(L, M, risks, CPU seconds of one) of the sizes that the budget allows."""
    found: list[tuple[int, int, np.ndarray, float]] = []
    spent = 0.0
    for L, M, replicates in ladder.sizes:
        if found:
            before = found[-1]
            expected = before[3] * L * M / (before[0] * before[1]) * replicates
            if spent + expected > ladder.budget:
                break
        risks, seconds = _trained(case, L, M, replicates, ladder.rtol)
        spent += seconds * replicates
        found.append((L, M, risks, seconds))
    return found


def _constants(found: Sequence[tuple[int, int, np.ndarray, float]], truth: float
               ) -> tuple[float, float, float]:
    """A, B (relative to the risk) and κ, from all sizes.

    A: least squares of the mean error against 1/L, weighted by its standard error; B: root mean
    square of std·√(LM); κ: CPU seconds per unit of the largest.
    """
    L = np.array([size[0] for size in found], dtype=np.float64)
    units = np.array([size[0] * size[1] for size in found], dtype=np.float64)
    bias = np.array([size[2].mean() / truth - 1.0 for size in found])
    std = np.array([size[2].std(ddof=1) / truth for size in found])
    count = np.array([len(size[2]) for size in found])
    weight = count / std**2
    slope = float(np.sum(weight * bias / L) / np.sum(weight / L**2))
    spread = math.sqrt(float(np.sum(count * std**2 * units) / np.sum(count)))
    return abs(slope), spread, found[-1][3] / (L[-1] * found[-1][1])


def brute_force(case: LimitCase, truth: Refined, ladder: Ladder) -> list[Row]:
    """Measured cost and error per size, the constants, and the cost of each accuracy."""
    found = _climb(case, ladder)
    rows: list[Row] = []
    for L, M, risks, seconds in found:
        rms = math.sqrt(float(np.mean((risks / truth.risk - 1.0) ** 2)))
        note = f"L = {L}, M = {M}"
        rows += [Row("limit", case.name, NAME, "network_seconds", seconds, "s", size=L * M,
                     repeats=len(risks), note=note),
                 Row("limit", case.name, NAME, "network_error", rms, size=L * M,
                     repeats=len(risks), note=note)]
    A, B, kappa = _constants(found, truth.risk)
    rows += [Row("limit", case.name, NAME, name, value)
             for name, value in (("bias_constant", A), ("spread_constant", B),
                                 ("seconds_per_unit", kappa))]
    for accuracy in case.accuracies:
        units = (2 * NORMAL * B / accuracy) ** 2
        rows += [Row("limit", case.name, NAME, "cpu_seconds", kappa * units, "s", size=accuracy,
                     note=f"extrapolated to L M = {units:.1e}, L at least {2 * A / accuracy:.0f}"),
                 Row("limit", case.name, NAME, "relative_error", accuracy, size=accuracy,
                     note="extrapolated")]
    return rows
