"""The jobs of `limits` that solve limits: reference, depth ladder, influence, pairs, portrait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import MeanField, limit_residuals
from zeroloss.limit.fluctuation import pair_covariances
from zeroloss.limit.prediction import Recorded, record
from zeroloss.model.law import correlated_sobol, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.studies.limits.plan import (
    Influence,
    Ladder,
    LimitCase,
    Pairs,
    Portrait,
    Reference,
    Wide,
)
from zeroloss.studies.setup import build_law, build_problem

__all__ = ["influences", "ladder", "pairs", "portrait", "reference", "wide"]

Array = np.ndarray


def _points(case: Reference | Ladder | Wide | Influence, problem: Problem, scramble: int) -> Array:
    return sobol_rule(build_law(case.initial_law), problem.dim, case.rule.log2_points, case.seed,
                      case.setting, case.kind, scramble)


def _residuals(case: LimitCase, problem: Problem, rule: DepthRule, points: Array, rtol: float
               ) -> Array:
    """r(s) (flow_times, samples) of the limit with this depth rule and cloud."""
    return limit_residuals(problem, rule, points, case.flow_times, activation=case.activation,
                           rtol=rtol)


def _axes(case: LimitCase, samples: int) -> Mapping[str, Sequence[float]]:
    return {"flow_time": case.flow_times, "sample": range(samples)}


@job(Reference)
def reference(case: Reference) -> pd.DataFrame:
    """Residuals of the mean-field limit: every scramble, and for the first one also one depth
    node less and 100 times the tolerance, which estimate those parts of the error."""
    problem = build_problem(case)
    nodes, rtol = case.depth_nodes, case.limit_rtol
    frames = []
    for scramble in range(case.rule.scrambles):
        points = _points(case, problem, scramble)
        variants = {"reference": (nodes, rtol)}
        if scramble == 0:
            variants |= {"fewer-nodes": (nodes - 1, rtol), "looser-step": (nodes, 100 * rtol)}
        for variant, (n, tolerance) in variants.items():
            r = _residuals(case, problem, gauss_legendre(n), points, tolerance)
            frames.append(tidy(r, _axes(case, r.shape[1]), "residual", variant=variant,
                               scramble=scramble))
    return pd.concat(frames, ignore_index=True)


@job(Ladder)
def ladder(case: Ladder) -> pd.DataFrame:
    """Residuals of the wide limit (M = ∞) at each depth of the ladder and of the continuous limit
    (num_layers 0; −1 with half the nodes), on one common rule per scramble, so that its error
    cancels in differences."""
    problem = build_problem(case)
    frames = []
    for scramble in range(case.rule.scrambles):
        points = _points(case, problem, scramble)
        for depth in [-1, 0, *case.ladder]:
            nodes = case.ladder_nodes // (1 - depth) if depth <= 0 else 0
            rule = euler(depth) if depth > 0 else gauss_legendre(nodes)
            r = _residuals(case, problem, rule, points, case.limit_rtol)
            frames.append(tidy(r, _axes(case, r.shape[1]), "residual", scramble=scramble,
                               num_layers=depth))
    return pd.concat(frames, ignore_index=True)


@job(Wide)
def wide(case: Wide) -> pd.DataFrame:
    """Residuals of the wide limit (M = ∞) at the depths of networks whose law is predicted."""
    problem = build_problem(case)
    frames = []
    for scramble in range(case.rule.scrambles):
        points = _points(case, problem, scramble)
        for depth in case.depths:
            r = _residuals(case, problem, euler(depth), points, case.limit_rtol)
            frames.append(tidy(r, _axes(case, r.shape[1]), "residual", scramble=scramble,
                               num_layers=depth))
    return pd.concat(frames, ignore_index=True)


def _recorded(case: Influence | Pairs, problem: Problem, rule: DepthRule, points: Array
              ) -> Recorded:
    # float32 costates: errors near 1e-5, far below the spread over scrambles
    return record(problem, points, rule, case.flow_times, activation=case.activation,
                  rtol=case.limit_rtol, dtype=torch.float32)


@job(Influence)
def influences(case: Influence) -> pd.DataFrame:
    """Predicted Σ(s) for independent layers and for constant paths, per depth and scramble.

    num_layers 0: of the continuous limit; else of the wide limit with that many layers.
    """
    problem = build_problem(case)
    return pd.concat([_influence_at(case, problem, part.num_layers, part.scramble)
                      for part in case.parts], ignore_index=True)


def _influence_at(case: Influence, problem: Problem, depth: int, scramble: int) -> pd.DataFrame:
    rule = euler(depth) if depth else gauss_legendre(case.depth_nodes)
    recorded = _recorded(case, problem, rule, _points(case, problem, scramble))
    frames = []
    for s in case.flow_times:
        for sampling, covariance in recorded.covariances(s).items():
            samples = range(len(covariance))
            frames.append(tidy(covariance, {"row": samples, "column": samples}, "covariance",
                               sampling=sampling, num_layers=depth, flow_time=s,
                               scramble=scramble))
    return pd.concat(frames, ignore_index=True)


@job(Pairs)
def pairs(case: Pairs) -> pd.DataFrame:
    """G_{ll'}(κ) = trace Cov[ψ^L(X, l/L), ψ^L(Y, l'/L)] for each correlation κ of X and Y.

    ψ^L is that of the wide limit with the layers of the networks it predicts; depth and
    other_depth are l/L and l'/L, so that nothing is interpolated in depth.
    """
    problem = build_problem(case)
    kappas = np.array(case.correlations)
    rule = euler(case.num_layers)
    layers = rule.nodes.numpy()
    frames = []
    for scramble in range(case.rule.scrambles):
        points = correlated_sobol(build_law(case.initial_law), problem.dim,
                                  case.rule.log2_points, kappas, case.seed,
                                  case.setting, "pairs", scramble)
        recorded = _recorded(case, problem, rule, points)
        for s in case.flow_times:
            g = pair_covariances(recorded.influence(s), 1 + len(kappas))
            frames.append(tidy(g, {"correlation": kappas, "depth": layers, "other_depth": layers},
                               "covariance", flow_time=s, scramble=scramble))
    return pd.concat(frames, ignore_index=True)


@job(Portrait)
def portrait(case: Portrait) -> pd.DataFrame:
    """The flow itself: features Z(t) of each sample, and a cloud of particles at middle depth.

    Columns: what (feature or particle), flow_time, depth, index (sample or particle),
    coordinate, value.
    """
    problem = build_problem(case)
    points = sobol_rule(build_law(case.initial_law), problem.dim, case.log2_points, case.seed,
                        case.setting, "portrait")
    rule = gauss_legendre(case.depth_nodes)
    field = MeanField(problem, rule, points.shape[-1], case.activation)
    run = field.run(field.start(points[None]), case.flow_times, rtol=case.limit_rtol,
                    keep=True)
    assert run.particles is not None
    frames = []
    nodes = rule.nodes.numpy()
    for s, theta in zip(case.flow_times, run.particles, strict=True):
        state = field.cloud.forward(theta)
        z = torch.cat([field.problem.inputs[None], state.features[0], state.end], 0).cpu().numpy()
        frames.append(tidy(z, {"depth": [0.0, *nodes, 1.0], "index": range(z.shape[1]),
                               "coordinate": range(z.shape[2])}, "value", what="feature",
                           flow_time=s))
        middle = len(nodes) // 2
        shown = theta[0, middle].mT.cpu().numpy()
        frames.append(tidy(shown[None], {"depth": [nodes[middle]], "index": range(len(shown)),
                                         "coordinate": range(shown.shape[1])}, "value",
                           what="particle", flow_time=s))
    return pd.concat(frames, ignore_index=True)
