"""The jobs of `size` that solve limits: the law of the risk, and the constants of the theorem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import limit_residuals
from zeroloss.limit.prediction import record
from zeroloss.model.law import sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.studies.settings import Rule
from zeroloss.studies.setup import build_law, build_problem
from zeroloss.studies.size.plan import Law, SizeCase, Theorem
from zeroloss.theory.bounds import certificate, sizes

__all__ = ["law", "residuals", "theorem"]

Array = np.ndarray


def _points(case: SizeCase, problem: Problem, rule: Rule, what: str, scramble: int) -> Array:
    return sobol_rule(build_law(case.initial_law), problem.dim, rule.log2_points, case.seed,
                      case.setting, what, scramble)


def residuals(case: SizeCase, problem: Problem, rule: DepthRule, points: Array,
              flow_times: Sequence[float]) -> Array:
    """r(s) (flow_times, samples) of the limit under a depth rule."""
    return limit_residuals(problem, rule, points, flow_times, activation=case.activation,
                           rtol=case.limit_rtol)


@job(Law)
def law(case: Law) -> pd.DataFrame:
    """Residuals of wide limits and the continuous one, and the joint Σ(s, s') of the former.

    Column what: `wide` (r_L on the rule ``wide``), `gap` (r_L and, at num_layers 0, r on one common
    rule), `independent` and `path` (Σ; row and other count flow time × samples + sample).
    """
    problem = build_problem(case)
    return pd.concat([_residuals(case, problem), _covariances(case, problem)], ignore_index=True)


def _residuals(case: Law, problem: Problem) -> pd.DataFrame:
    times = case.flow_times
    frames = []
    for what in ("wide", "gap"):
        rule = case.wide if what == "wide" else case.gap
        for scramble in range(rule.scrambles):
            points = _points(case, problem, rule, what, scramble)
            rules = {L: euler(L) for L in case.depths}
            if what == "gap":
                rules[0] = gauss_legendre(case.depth_nodes)
            for L, depth_rule in rules.items():
                r = residuals(case, problem, depth_rule, points, times).ravel()
                frames.append(tidy(r, {"row": range(len(r))}, "value", what=what, num_layers=L,
                                   scramble=scramble, other=0))
    return pd.concat(frames, ignore_index=True)


def _covariances(case: Law, problem: Problem) -> pd.DataFrame:
    frames = []
    for scramble in range(case.influence.scrambles):
        points = _points(case, problem, case.influence, "influence", scramble)
        for L in case.depths:
            recorded = record(problem, points, euler(L), case.flow_times, dtype=torch.float32,
                              activation=case.activation, rtol=case.influence_rtol)
            for sampling, covariance in recorded.joint_covariances().items():
                index = range(len(covariance))
                frames.append(tidy(covariance, {"row": index, "other": index}, "value",
                                   what=sampling, num_layers=L, scramble=scramble))
    return pd.concat(frames, ignore_index=True)


@job(Theorem)
def theorem(case: Theorem) -> pd.DataFrame:
    """log10 of the least L and M by the theorem with explicit constants, for each (s, ε, η).

    Column what: `depth`, `width` at that accuracy and failure probability; `constant-depth`,
    `constant-width`, the constants C_L and C_M at accuracy and failure probability 1. Asked for at
    η and at η/T, the share of each of T flow times in a bound of the largest deviation.
    """
    problem, times = build_problem(case), case.flow_times
    rows: list[tuple[str, str, float, float, float, float]] = []
    for sampling, accuracies in case.demands.items():
        bound = certificate(problem, build_law(case.initial_law), case.activation, times,
                            sampling=sampling, depth_nodes=case.depth_nodes,
                            log2_points=case.gap.log2_points, steps=case.steps,
                            seed=case.seed)
        for i, s in enumerate(times):
            rows.append(("constant-depth", sampling, s, 1.0, 1.0, bound.log10_depth[i]))
            rows.append(("constant-width", sampling, s, 1.0, 1.0, bound.log10_width[i]))
        etas = case.failure_probabilities
        for eps in accuracies:
            for eta in sorted({*etas, *(eta / len(times) for eta in etas)}):
                depth, width = sizes(bound, eps, eta)
                for i, s in enumerate(times):
                    rows += [("depth", sampling, s, eps, eta, depth[i]),
                             ("width", sampling, s, eps, eta, width[i])]
    return pd.DataFrame(rows, columns=["what", "sampling", "flow_time", "accuracy",
                                       "failure_probability", "value"])
