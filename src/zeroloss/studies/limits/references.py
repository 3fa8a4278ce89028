"""The jobs of `limits` that solve limits: reference, depth ladder, influence, pairs, portrait."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.limit.fluctuation import pair_covariances
from zeroloss.model.law import correlated_sobol
from zeroloss.model.problem import Problem
from zeroloss.studies.limits.plan import (
    Influence,
    InfluenceCase,
    InfluenceDepths,
    Ladder,
    Pairs,
    Portrait,
    Reference,
    Wide,
)
from zeroloss.studies.setup import build_law, build_problem, recorded, residuals, sobol

Array = np.ndarray
Tables = Iterator[pd.DataFrame]


def _points(case: Reference | Ladder | Wide | InfluenceCase, problem: Problem, scramble: int) -> Array:
    return sobol(case, problem, case.rule.log2_points, case.kind, scramble)


@job(Reference)
def reference(case: Reference) -> Tables:
    """Residuals of the mean-field limit: every scramble, and for the first one also one depth
    node less and 100 times the tolerance, which estimate those parts of the error."""
    problem = build_problem(case)
    nodes, rtol = case.depth_nodes, case.limit_rtol
    for scramble in range(case.rule.scrambles):
        points = _points(case, problem, scramble)
        variants = {"reference": (nodes, rtol)}
        if scramble == 0:
            variants |= {"fewer-nodes": (nodes - 1, rtol), "looser-step": (nodes, 100 * rtol)}
        for variant, (n, tolerance) in variants.items():
            r = residuals(case, problem, gauss_legendre(n), points, rtol=tolerance)
            yield tidy(
                r,
                {"flow_time": case.flow_times, "sample": range(r.shape[1])},
                "residual",
                variant=variant,
                scramble=scramble,
            )


@job(Ladder)
def ladder(case: Ladder) -> Tables:
    """Residuals of the wide limit (M = ∞) at each depth of the ladder and of the continuous limit
    (num_layers 0; −1 with half the nodes), on one common rule per scramble, so that its error
    cancels in differences."""
    limits = {-depth: gauss_legendre(case.ladder_nodes // (1 + depth)) for depth in (1, 0)}
    return _at_depths(case, limits | {depth: euler(depth) for depth in case.ladder})


@job(Wide)
def wide(case: Wide) -> Tables:
    """Residuals of the wide limit (M = ∞) at the depths of networks whose law is predicted."""
    return _at_depths(case, {depth: euler(depth) for depth in case.depths})


def _at_depths(case: Ladder | Wide, rules: dict[int, DepthRule]) -> Tables:
    problem = build_problem(case)
    for scramble in range(case.rule.scrambles):
        points = _points(case, problem, scramble)
        for depth, rule in rules.items():
            r = residuals(case, problem, rule, points)
            yield tidy(
                r,
                {"flow_time": case.flow_times, "sample": range(r.shape[1])},
                "residual",
                scramble=scramble,
                num_layers=depth,
            )


@job(Influence)
def influences(case: Influence) -> Tables:
    """Predicted Σ(s) for independent layers and for constant paths, per depth and scramble.

    num_layers 0: of the continuous limit; else of the wide limit with that many layers. log2_points:
    those of the rule, and of some scrambles also one less, the first half of the same points, which
    is itself a scrambled Sobol rule.
    """
    return _covariances(case)


@job(InfluenceDepths)
def influence_depths(case: InfluenceDepths) -> Tables:
    """The same on the way to the limit, for which no scramble is halved."""
    return _covariances(case)


def _covariances(case: InfluenceCase) -> Tables:
    problem, whole = build_problem(case), case.rule.log2_points
    for part in case.parts:
        depth = part.num_layers
        rule = euler(depth) if depth else gauss_legendre(case.depth_nodes)
        points = _points(case, problem, part.scramble)
        for log2_points in (whole, whole - 1) if part.halved else (whole,):
            limit = recorded(case, problem, rule, points[:, : 2**log2_points], case.limit_rtol)
            for s in case.flow_times:
                for sampling, covariance in limit.covariances(s).items():
                    samples = range(len(covariance))
                    yield tidy(
                        covariance,
                        {"row": samples, "column": samples},
                        "covariance",
                        sampling=sampling,
                        num_layers=depth,
                        flow_time=s,
                        scramble=part.scramble,
                        log2_points=log2_points,
                    )


@job(Pairs)
def pairs(case: Pairs) -> Tables:
    """G_{ll'}(κ) = trace Cov[ψ^L(X, l/L), ψ^L(Y, l'/L)] for each correlation κ of X and Y.

    ψ^L is that of the wide limit with the layers of the networks it predicts; depth and
    other_depth are l/L and l'/L, so that nothing is interpolated in depth.
    """
    problem = build_problem(case)
    kappas = np.array(case.correlations)
    rule = euler(case.num_layers)
    layers = rule.nodes.numpy()
    for scramble in range(case.rule.scrambles):
        points = correlated_sobol(
            build_law(case.initial_law),
            problem.dim,
            case.rule.log2_points,
            kappas,
            case.seed,
            case.setting,
            "pairs",
            scramble,
        )
        limit = recorded(case, problem, rule, points, case.limit_rtol)
        for s in case.flow_times:
            g = pair_covariances(limit.influence(s), 1 + len(kappas))
            yield tidy(
                g,
                {"correlation": kappas, "depth": layers, "other_depth": layers},
                "covariance",
                flow_time=s,
                scramble=scramble,
            )


@job(Portrait)
def portrait(case: Portrait) -> Tables:
    """The flow itself: features Z(t) of each sample, and a cloud of particles at middle depth.

    Columns: what (feature or particle), flow_time, depth, index (sample or particle),
    coordinate, value.
    """
    problem = build_problem(case)
    points = sobol(case, problem, case.log2_points, "portrait")
    rule = gauss_legendre(case.depth_nodes)
    field = MeanField(problem, rule, points.shape[-1], case.activation)
    run = field.run(field.start(points[None]), case.flow_times, rtol=case.limit_rtol, keep=True)
    assert run.particles is not None
    nodes = rule.nodes.numpy()
    middle = len(nodes) // 2
    for s, theta in zip(case.flow_times, run.particles, strict=True):
        state = field.cloud.forward(theta)
        z = torch.cat([field.problem.inputs[None], state.features[0], state.end], 0)
        particles = theta[0, middle : middle + 1].mT
        for what, depths, values in (("feature", [0.0, *nodes, 1.0], z), ("particle", [nodes[middle]], particles)):
            yield tidy(
                values.cpu().numpy(),
                {"depth": depths, "index": range(values.shape[1]), "coordinate": range(values.shape[2])},
                "value",
                what=what,
                flow_time=s,
            )
