"""W4: the cost of the predicted covariance Σ(s) over that of the limit, and its peak memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from benchmarks.limit_cases import LimitCase
from benchmarks.machine import in_process
from benchmarks.memory import rise
from benchmarks.rows import OURS, Row, spread
from benchmarks.timing import Effort, Method, alternate
from zeroloss.limit.fluctuation import covariance_independent, influence

__all__ = ["Target", "fluctuations"]


@dataclass(frozen=True)
class Target:
    """Σ to a relative ``error``, from rules of 2^log2_points tried in turn.

    The truth is the mean over scrambles on 2^truth_points; rtol is that of the flow, rtols those
    of the measurement of memory, the tighter the more steps.
    """

    error: float = 0.01
    log2_points: tuple[int, ...] = (8, 9, 10, 11, 12, 13)
    truth_points: int = 14
    scrambles: int = 8
    rtol: float = 1e-5
    rtols: tuple[float, ...] = (1e-3, 1e-5, 1e-7, 1e-9)


def _covariance(case: LimitCase, log2_points: int, rtol: float, *name: str | int) -> np.ndarray:
    """Σ(s) (N, N) of independent layers."""
    field, start = case.cloud(log2_points, "fluctuations", *name)
    run = field.run(start, [case.flow_time], rtol=rtol, record=True)
    assert run.flow.trajectory is not None
    return covariance_independent(influence(field, run.flow.trajectory, case.flow_time))


def _needed(case: LimitCase, target: Target) -> tuple[int, float]:
    """The smallest rule whose Σ is right to the error, root mean square over scrambles; its error.

    The largest rule where none is.
    """
    scrambles = range(target.scrambles)
    truth = np.mean([_covariance(case, target.truth_points, target.rtol, "truth", i) for i in scrambles], axis=0)
    log2_points, error = target.log2_points[0], math.inf
    for log2_points in target.log2_points:
        differences = [_covariance(case, log2_points, target.rtol, i) - truth for i in scrambles]
        error = float(np.linalg.norm(differences) / np.linalg.norm(truth)) / len(scrambles) ** 0.5
        if error <= target.error:
            break
    return log2_points, error


def _cost(case: LimitCase, log2_points: int, rtol: float, effort: Effort) -> list[Row]:
    """CPU time of the limit alone, and of the limit with Σ, in pairs."""
    field, start = case.cloud(log2_points, "fluctuations", 0)
    limit = Method("limit", lambda _: field.run(start, [case.flow_time], rtol=rtol))
    both = Method("limit and Σ", lambda _: _covariance(case, log2_points, rtol, 0))
    pairs = alternate(limit, both, effort)
    row = partial(Row, "influence", case.name, note=f"{2**log2_points} points, rtol {rtol:g}")
    return [
        row(limit.name, "cpu_seconds", unit="s", **spread([a.cpu for a, _ in pairs])),
        row(both.name, "cpu_seconds", unit="s", **spread([b.cpu for _, b in pairs])),
        row(both.name, "cpu_ratio", unit="over the limit", **spread([b.cpu / a.cpu for a, b in pairs])),
    ]


def _memory_of(case: LimitCase, log2_points: int, rtol: float) -> tuple[int, float]:
    """Accepted steps, and how far memory rises while Σ is computed, over what the costates of all
    outputs take; a small Σ goes before."""
    torch.set_num_threads(1)
    _covariance(case, 4, 1e-2, 0)
    field, start = case.cloud(log2_points, "fluctuations", 0)
    steps = field.run(start, [case.flow_time], rtol=rtol).flow.accepted
    grown = rise(lambda: _covariance(case, log2_points, rtol, 0))
    return int(steps[0]), grown / (start.nbytes * case.num_samples)


def fluctuations(case: LimitCase, target: Target, effort: Effort) -> list[Row]:
    """Resolution, cost and memory of Σ(s)."""
    log2_points, error = _needed(case, target)
    note = "" if error <= target.error else "above what was asked for, on the largest rule"
    row = partial(Row, "influence", case.name, OURS)
    rows = [
        row("points", 2**log2_points),
        row("relative_error", error, "", target.error, repeats=target.scrambles, note=note),
        *_cost(case, log2_points, target.rtol, effort),
    ]
    for rtol in target.rtols:
        steps, ratio = in_process(_memory_of, case, log2_points, rtol)
        rows.append(row("memory_ratio", ratio, "rise/costates", steps, note=f"rtol {rtol:g}"))
    return rows
