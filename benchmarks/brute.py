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
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.limit_cases import LimitCase
from benchmarks.rows import Row
from benchmarks.timing import Method, lap
from ledger.record.streams import stream
from zeroloss.model.law import sample_independent
from zeroloss.network.resnet import Network

__all__ = ["NAME", "Ladder", "Trained", "brute_force"]

NAME = "brute force"
NORMAL = 1.96


@dataclass(frozen=True)
class Ladder:
    """Sizes (L, M) with how many networks of each, the relative tolerance in s, and the CPU
    seconds that all of them may take together: sizes from the first that would pass it are left."""

    sizes: tuple[tuple[int, int, int], ...] = (
        (16, 64, 256),
        (32, 128, 128),
        (64, 256, 64),
        (128, 512, 24),
        (256, 1024, 8),
        (512, 2048, 4),
    )
    rtol: float = 1e-5
    budget: float = 30.0


class Trained(NamedTuple):
    """Networks of one size: their risks (replicates,), and CPU seconds of one, drawing left out."""

    L: int
    M: int
    risks: np.ndarray
    seconds: float


def _train(case: LimitCase, L: int, M: int, replicates: int, rtol: float) -> Trained:
    network = Network(case.problem, L, M)
    streams = [stream("bench", case.name, L, M, i) for i in range(replicates)]
    theta = torch.from_numpy(np.stack([sample_independent(case.law, one, L, M, case.problem.dim) for one in streams]))
    risks: list[np.ndarray] = []
    taken = lap(Method(NAME, lambda _: risks.append(network.train(theta, [case.flow_time], rtol=rtol).risk[0].numpy())))
    return Trained(L, M, risks[0], taken.cpu / replicates)


def _climb(case: LimitCase, ladder: Ladder) -> list[Trained]:
    """The sizes that the budget allows."""
    found: list[Trained] = []
    spent = 0.0
    for L, M, replicates in ladder.sizes:
        if found:
            before = found[-1]
            expected = before.seconds * L * M / (before.L * before.M) * replicates
            if spent + expected > ladder.budget:
                break
        found.append(_train(case, L, M, replicates, ladder.rtol))
        spent += found[-1].seconds * replicates
    return found


def _constants(found: Sequence[Trained], truth: float) -> tuple[float, float, float]:
    """A, B (relative to the risk) and κ, from all sizes.

    A: least squares of the mean error against 1/L, weighted by its standard error; B: root mean
    square of std·√(LM); κ: CPU seconds per unit of the largest.
    """
    L, M, count = np.array([(one.L, one.M, len(one.risks)) for one in found], float).T
    errors = [one.risks / truth - 1.0 for one in found]
    bias, std = np.array([(error.mean(), error.std(ddof=1)) for error in errors]).T
    weight = count / std**2
    slope = float(np.sum(weight * bias / L) / np.sum(weight / L**2))
    spread = math.sqrt(float(np.average(std**2 * L * M, weights=count)))
    return abs(slope), spread, found[-1].seconds / float(L[-1] * M[-1])


def brute_force(case: LimitCase, truth: float, ladder: Ladder) -> list[Row]:
    """Measured cost and error per size, and the cost of each accuracy; ``truth`` is E(ρ(s))."""
    found = _climb(case, ladder)
    rows: list[Row] = []
    for L, M, risks, seconds in found:
        row = partial(Row, "limit", case.name, NAME, size=L * M, repeats=len(risks), note=f"L = {L}, M = {M}")
        rms = math.sqrt(float(np.mean((risks / truth - 1.0) ** 2)))
        rows += [row("network_seconds", seconds, "s"), row("network_error", rms)]
    A, B, kappa = _constants(found, truth)
    for accuracy in case.accuracies:
        units = (2 * NORMAL * B / accuracy) ** 2
        row = partial(Row, "limit", case.name, NAME, size=accuracy)
        to = f"extrapolated to L M = {units:.1e}, L at least {2 * A / accuracy:.0f}"
        rows += [row("cpu_seconds", kappa * units, "s", note=to), row("relative_error", accuracy, note="extrapolated")]
    return rows
