"""W4: the cost of the predicted covariance Σ(s) over that of the limit, and its peak memory."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.limit_cases import LimitCase
from benchmarks.memory import in_child, rise
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

    error: float
    log2_points: tuple[int, ...]
    truth_points: int
    scrambles: int
    rtol: float
    rtols: tuple[float, ...]


def _covariance(case: LimitCase, log2_points: int, rtol: float, *name: str | int) -> np.ndarray:
    """Σ(s) (N, N) of independent layers."""
    points = case.points(log2_points, "fluctuations", *name)
    field = case.field(points.shape[-1])
    run = field.run(field.start(points[None]), [case.flow_time], rtol=rtol, record=True)
    assert run.flow.trajectory is not None
    return covariance_independent(influence(field, run.flow.trajectory, case.flow_time))


def _relative(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def _needed(case: LimitCase, target: Target) -> tuple[int, float]:
    """The smallest rule whose Σ is right to the error, root mean square over scrambles; its error.

    The largest rule where none is.
    """
    truth = np.mean([_covariance(case, target.truth_points, target.rtol, "truth", i)
                     for i in range(target.scrambles)], axis=0)
    log2_points, error = target.log2_points[0], math.inf
    for log2_points in target.log2_points:
        squares = [_relative(_covariance(case, log2_points, target.rtol, i), truth) ** 2
                   for i in range(target.scrambles)]
        error = math.sqrt(float(np.mean(squares)))
        if error <= target.error:
            break
    return log2_points, error


def _cost(case: LimitCase, log2_points: int, rtol: float, effort: Effort) -> list[Row]:
    """CPU time of the limit alone, and of the limit with Σ, in pairs."""
    points = case.points(log2_points, "fluctuations", 0)
    field = case.field(points.shape[-1])
    start = field.start(points[None])
    limit = Method("limit", lambda _: field.run(start, [case.flow_time], rtol=rtol))
    both = Method("limit and Σ", lambda _: _covariance(case, log2_points, rtol, 0))
    pairs = alternate(limit, both, effort)
    note = f"{2**log2_points} points, rtol {rtol:g}"
    return [
        Row("influence", case.name, "limit", "cpu_seconds", unit="s",
            **spread([a.cpu for a, _ in pairs]), note=note),
        Row("influence", case.name, "limit and Σ", "cpu_seconds", unit="s",
            **spread([b.cpu for _, b in pairs]), note=note),
        Row("influence", case.name, "limit and Σ", "cpu_ratio", unit="over the limit",
            **spread([b.cpu / a.cpu for a, b in pairs]), note=note)]


def _child(task: dict[str, Any]) -> dict[str, int]:
    """Accepted steps, and how far memory rises while Σ is computed; a small Σ goes before."""
    torch.set_num_threads(1)
    case, log2_points, rtol = LimitCase(**task["case"]), task["log2_points"], task["rtol"]
    _covariance(case, 4, 1e-2, 0)
    points = case.points(log2_points, "fluctuations", 0)
    field = case.field(points.shape[-1])
    steps = field.run(field.start(points[None]), [case.flow_time], rtol=rtol).flow.accepted
    return {"steps": int(steps[0]), "state": field.start(points[None]).nbytes,
            "rise": rise(lambda: _covariance(case, log2_points, rtol, 0))}


def _memory(case: LimitCase, log2_points: int, target: Target) -> list[Row]:
    """Peak memory of limit and Σ over what the costates of all outputs take, per steps taken."""
    rows = []
    for rtol in target.rtols:
        task = {"case": asdict(case), "log2_points": log2_points, "rtol": rtol}
        found = in_child("benchmarks.fluctuations", task)
        costates = found["state"] * case.num_samples
        rows += [Row("influence", case.name, OURS, "rise", found["rise"], "B", size=found["steps"]),
                 Row("influence", case.name, OURS, "memory_ratio", found["rise"] / costates,
                     "rise/costates", size=found["steps"], note=f"rtol {rtol:g}")]
    return rows


def fluctuations(case: LimitCase, target: Target, effort: Effort) -> list[Row]:
    """Resolution, cost and memory of Σ(s)."""
    log2_points, error = _needed(case, target)
    note = "" if error <= target.error else "above what was asked for, on the largest rule"
    rows = [Row("influence", case.name, OURS, "points", 2**log2_points),
            Row("influence", case.name, OURS, "relative_error", error, size=target.error,
                repeats=target.scrambles, note=note)]
    return [*rows, *_cost(case, log2_points, target.rtol, effort),
            *_memory(case, log2_points, target)]


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))
