"""The jobs of `size` that solve limits: the law of the risk, and the constants of the theorem."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import euler, gauss_legendre
from zeroloss.model.problem import Problem
from zeroloss.studies.setup import build_law, build_problem, recorded, residuals, sobol
from zeroloss.studies.size.plan import Law, Theorem
from zeroloss.theory.bounds import certificate, sizes

Tables = Iterator[pd.DataFrame]


@job(Law)
def law(case: Law) -> Tables:
    """Residuals of wide limits and the continuous one, and the joint Σ(s, s') of the former.

    Column what: `wide` (r_L on the rule ``wide``), `gap` (r_L and, at num_layers 0, r on one common
    rule), `independent` and `path` (Σ; row and other count flow time × samples + sample).
    """
    problem = build_problem(case)
    yield from _residuals(case, problem)
    yield from _covariances(case, problem)


def _residuals(case: Law, problem: Problem) -> Tables:
    rules = {L: euler(L) for L in case.depths}
    both = rules | {0: gauss_legendre(case.depth_nodes)}
    for what, rule, depths in (("wide", case.wide, rules), ("gap", case.gap, both)):
        for scramble in range(rule.scrambles):
            points = sobol(case, problem, rule.log2_points, what, scramble)
            for L, depth_rule in depths.items():
                r = residuals(case, problem, depth_rule, points).ravel()
                yield tidy(r, {"row": range(len(r))}, "value", what=what, num_layers=L, scramble=scramble, other=0)


def _covariances(case: Law, problem: Problem) -> Tables:
    for scramble in range(case.influence.scrambles):
        points = sobol(case, problem, case.influence.log2_points, "influence", scramble)
        for L in case.depths:
            limit = recorded(case, problem, euler(L), points, case.influence_rtol)
            for sampling, covariance in limit.joint_covariances().items():
                index = range(len(covariance))
                yield tidy(
                    covariance, {"row": index, "other": index}, "value", what=sampling, num_layers=L, scramble=scramble
                )


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
        bound = certificate(
            problem,
            build_law(case.initial_law),
            case.activation,
            times,
            sampling=sampling,
            depth_nodes=case.depth_nodes,
            log2_points=case.gap.log2_points,
            steps=case.steps,
            seed=case.seed,
        )
        for i, s in enumerate(times):
            rows += [
                ("constant-depth", sampling, s, 1.0, 1.0, bound.log10_depth[i]),
                ("constant-width", sampling, s, 1.0, 1.0, bound.log10_width[i]),
            ]
        etas = case.failure_probabilities
        for eps in accuracies:
            for eta in sorted({*etas, *(eta / len(times) for eta in etas)}):
                depth, width = sizes(bound, eps, eta)
                for i, s in enumerate(times):
                    rows += [("depth", sampling, s, eps, eta, depth[i]), ("width", sampling, s, eps, eta, width[i])]
    return pd.DataFrame(rows, columns=["what", "sampling", "flow_time", "accuracy", "failure_probability", "value"])
