"""The jobs of `size` that solve limits: the law of the risk, and the constants of the theorem."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from zeroloss.theory.bounds import certificate, sizes
from zeroloss.model.law import sobol_rule
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.limit.joint import joint_covariances
from zeroloss.model.problem import Problem
from zeroloss.studies.setup import build_law, build_problem
from ledger.record.tidy import tidy

__all__ = ["field_of", "law", "residuals", "theorem"]

Spec = dict[str, Any]
Array = np.ndarray


def _points(spec: Spec, problem: Problem, rule: dict[str, int], what: str, scramble: int) -> Array:
    return sobol_rule(build_law(spec), problem.dim, rule["log2_points"], spec["seed"],
                      spec["setting"], what, scramble)


def field_of(spec: Spec, problem: Problem, rule: DepthRule, points: Array) -> MeanField:
    """The limit under a depth rule, for a cloud of so many points."""
    return MeanField(problem, rule, points.shape[-1], spec["activation"])


def residuals(spec: Spec, problem: Problem, rule: DepthRule, points: Array,
              flow_times: list[float]) -> Array:
    """r(s) (flow_times, samples) of the limit under a depth rule."""
    field = field_of(spec, problem, rule, points)
    run = field.run(field.start(points[None]), flow_times, rtol=spec["limit_rtol"])
    return run.residuals[:, 0].cpu().numpy()


def law(spec: Spec) -> pd.DataFrame:
    """Residuals of wide limits and the continuous one, and the joint Σ(s, s') of the former.

    Column what: `wide` (r_L on the rule ``wide``), `gap` (r_L and, at num_layers 0, r on one common
    rule), `independent` and `path` (Σ; row and other count flow time × samples + sample).
    """
    problem = build_problem(spec)
    return pd.concat([_residuals(spec, problem), _covariances(spec, problem)], ignore_index=True)


def _residuals(spec: Spec, problem: Problem) -> pd.DataFrame:
    times = spec["flow_times"]
    frames = []
    for what in ("wide", "gap"):
        rule = spec[what]
        for scramble in range(rule["scrambles"]):
            points = _points(spec, problem, rule, what, scramble)
            rules = {L: euler(L) for L in spec["depths"]}
            if what == "gap":
                rules[0] = gauss_legendre(spec["depth_nodes"])
            for L, depth_rule in rules.items():
                r = residuals(spec, problem, depth_rule, points, times).ravel()
                frames.append(tidy(r, {"row": range(len(r))}, "value", what=what, num_layers=L,
                                   scramble=scramble, other=0))
    return pd.concat(frames, ignore_index=True)


def _covariances(spec: Spec, problem: Problem) -> pd.DataFrame:
    frames = []
    for scramble in range(spec["influence"]["scrambles"]):
        points = _points(spec, problem, spec["influence"], "influence", scramble)
        for L in spec["depths"]:
            field = field_of(spec, problem, euler(L), points)
            run = field.run(field.start(points[None]), spec["flow_times"], record=True,
                            rtol=spec["influence_rtol"])
            assert run.flow.trajectory is not None
            # float32 costates: errors near 1e-5, far below the spread over scrambles
            joint = joint_covariances(field, run.flow.trajectory, spec["flow_times"],
                                      torch.float32)
            for sampling, covariance in joint.items():
                index = range(len(covariance))
                frames.append(tidy(covariance, {"row": index, "other": index}, "value",
                                   what=sampling, num_layers=L, scramble=scramble))
    return pd.concat(frames, ignore_index=True)


def theorem(spec: Spec) -> pd.DataFrame:
    """log10 of the least L and M by the theorem with explicit constants, for each (s, ε, η).

    Column what: `depth`, `width` at that accuracy and failure probability; `constant-depth`,
    `constant-width`, the constants C_L and C_M at accuracy and failure probability 1. Asked for at
    η and at η/T, the share of each of T flow times in a bound of the largest deviation.
    """
    problem, times = build_problem(spec), spec["flow_times"]
    rows: list[tuple[str, str, float, float, float, float]] = []
    for sampling, accuracies in spec["demands"].items():
        found = certificate(problem, build_law(spec), spec["activation"], times,
                            sampling=sampling, depth_nodes=spec["depth_nodes"],
                            log2_points=spec["gap"]["log2_points"], steps=spec["steps"],
                            seed=spec["seed"])
        for i, s in enumerate(times):
            rows.append(("constant-depth", sampling, s, 1.0, 1.0, found.log10_depth[i]))
            rows.append(("constant-width", sampling, s, 1.0, 1.0, found.log10_width[i]))
        asked = spec["failure_probabilities"]
        for eps in accuracies:
            for eta in sorted({*asked, *(one / len(times) for one in asked)}):
                depth, width = sizes(found, eps, eta)
                for i, s in enumerate(times):
                    rows += [("depth", sampling, s, eps, eta, depth[i]),
                             ("width", sampling, s, eps, eta, width[i])]
    return pd.DataFrame(rows, columns=["what", "sampling", "flow_time", "accuracy",
                                       "failure_probability", "value"])
