"""The jobs of `limits` that solve limits: reference, depth ladder, influence, pairs, portrait."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from zeroloss.model.law import correlated_sobol, sobol_rule
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import LimitFlow, MeanField
from zeroloss.limit.fluctuation import (
    covariance_independent,
    covariance_of_paths,
    influence,
    pair_covariances,
)
from zeroloss.studies.setup import build_law, build_problem
from ledger.record.tidy import tidy

__all__ = ["influence_covariances", "ladder", "pairs", "portrait", "reference", "wide"]

Spec = dict[str, Any]
Array = np.ndarray


def _points(spec: Spec, scramble: int) -> Array:
    return sobol_rule(build_law(spec), spec["problem_dim"], spec["rule"]["log2_points"],
                      spec["seed"], spec["setting"], spec["kind"], scramble)


def _with_dim(spec: Spec) -> Spec:
    return spec | {"problem_dim": build_problem(spec).dim}


def _residuals(spec: Spec, rule: DepthRule, points: Array, rtol: float) -> Array:
    """r(s) (flow_times, samples) of the limit with this depth rule and cloud."""
    field = MeanField(build_problem(spec), rule, points.shape[-1], spec["activation"])
    run = field.run(field.start(points[None]), spec["flow_times"], rtol=rtol)
    return run.residuals[:, 0].cpu().numpy()


def _axes(spec: Spec, samples: int) -> dict[str, Any]:
    return {"flow_time": spec["flow_times"], "sample": range(samples)}


def reference(spec: Spec) -> pd.DataFrame:
    """Residuals of the mean-field limit: every scramble, and for the first one also one depth
    node less and 100 times the tolerance, which estimate those parts of the error."""
    spec = _with_dim(spec)
    nodes, rtol = spec["depth_nodes"], spec["limit_rtol"]
    frames = []
    for scramble in range(spec["rule"]["scrambles"]):
        points = _points(spec, scramble)
        variants = {"reference": (nodes, rtol)}
        if scramble == 0:
            variants |= {"fewer-nodes": (nodes - 1, rtol), "looser-step": (nodes, 100 * rtol)}
        for variant, (n, tolerance) in variants.items():
            r = _residuals(spec, gauss_legendre(n), points, tolerance)
            frames.append(tidy(r, _axes(spec, r.shape[1]), "residual", variant=variant,
                               scramble=scramble))
    return pd.concat(frames, ignore_index=True)


def ladder(spec: Spec) -> pd.DataFrame:
    """Residuals of the wide limit (M = ∞) at each depth of the ladder and of the continuous limit
    (num_layers 0; −1 with half the nodes), on one common rule per scramble, so that its error
    cancels in differences."""
    spec = _with_dim(spec)
    frames = []
    for scramble in range(spec["rule"]["scrambles"]):
        points = _points(spec, scramble)
        for depth in [-1, 0, *spec["ladder"]]:
            nodes = spec["ladder_nodes"] // (1 - depth) if depth <= 0 else 0
            rule = euler(depth) if depth > 0 else gauss_legendre(nodes)
            r = _residuals(spec, rule, points, spec["limit_rtol"])
            frames.append(tidy(r, _axes(spec, r.shape[1]), "residual", scramble=scramble,
                               num_layers=depth))
    return pd.concat(frames, ignore_index=True)


def wide(spec: Spec) -> pd.DataFrame:
    """Residuals of the wide limit (M = ∞) at the depths of networks whose law is predicted."""
    spec = _with_dim(spec)
    frames = []
    for scramble in range(spec["rule"]["scrambles"]):
        points = _points(spec, scramble)
        for depth in spec["depths"]:
            r = _residuals(spec, euler(depth), points, spec["limit_rtol"])
            frames.append(tidy(r, _axes(spec, r.shape[1]), "residual", scramble=scramble,
                               num_layers=depth))
    return pd.concat(frames, ignore_index=True)


def _recorded(spec: Spec, rule: DepthRule, points: Array) -> tuple[MeanField, LimitFlow]:
    field = MeanField(build_problem(spec), rule, points.shape[-1], spec["activation"])
    return field, field.run(field.start(points[None]), spec["flow_times"], record=True,
                            rtol=spec["limit_rtol"])


def influence_covariances(spec: Spec) -> pd.DataFrame:
    """Predicted Σ(s) for independent layers and for constant paths, per depth and scramble.

    num_layers 0: of the continuous limit; else of the wide limit with that many layers.
    """
    spec = _with_dim(spec)
    return pd.concat([_influence_at(spec, part["num_layers"], part["scramble"])
                      for part in spec["parts"]], ignore_index=True)


def _influence_at(spec: Spec, depth: int, scramble: int) -> pd.DataFrame:
    rule = euler(depth) if depth else gauss_legendre(spec["depth_nodes"])
    field, run = _recorded(spec, rule, _points(spec, scramble))
    assert run.flow.trajectory is not None
    frames = []
    for s in spec["flow_times"]:
        # float32 costates: errors near 1e-5, far below the spread over scrambles
        psi = influence(field, run.flow.trajectory, s, torch.float32)
        for sampling, covariance in (("independent", covariance_independent(psi)),
                                     ("path", covariance_of_paths(psi))):
            samples = range(len(covariance))
            frames.append(tidy(covariance, {"row": samples, "column": samples}, "covariance",
                               sampling=sampling, num_layers=depth, flow_time=s,
                               scramble=scramble))
    return pd.concat(frames, ignore_index=True)


def pairs(spec: Spec) -> pd.DataFrame:
    """G_{ll'}(κ) = trace Cov[ψ^L(X, l/L), ψ^L(Y, l'/L)] for each correlation κ of X and Y.

    ψ^L is that of the wide limit with the layers of the networks it predicts; depth and
    other_depth are l/L and l'/L, so that nothing is interpolated in depth.
    """
    spec = _with_dim(spec)
    kappas = np.array(spec["correlations"])
    rule = euler(spec["num_layers"])
    layers = rule.nodes.numpy()
    frames = []
    for scramble in range(spec["rule"]["scrambles"]):
        points = correlated_sobol(build_law(spec), spec["problem_dim"],
                                  spec["rule"]["log2_points"], kappas, spec["seed"],
                                  spec["setting"], "pairs", scramble)
        field, run = _recorded(spec, rule, points)
        assert run.flow.trajectory is not None
        for s in spec["flow_times"]:
            g = pair_covariances(influence(field, run.flow.trajectory, s,
                                           torch.float32), 1 + len(kappas))
            frames.append(tidy(g, {"correlation": kappas, "depth": layers, "other_depth": layers},
                               "covariance", flow_time=s, scramble=scramble))
    return pd.concat(frames, ignore_index=True)


def portrait(spec: Spec) -> pd.DataFrame:
    """The flow itself: features Z(t) of each sample, and a cloud of particles at middle depth.

    Columns: what (feature or particle), flow_time, depth, index (sample or particle),
    coordinate, value.
    """
    spec = _with_dim(spec)
    points = sobol_rule(build_law(spec), spec["problem_dim"], spec["log2_points"], spec["seed"],
                        spec["setting"], "portrait")
    rule = gauss_legendre(spec["depth_nodes"])
    field = MeanField(build_problem(spec), rule, points.shape[-1], spec["activation"])
    run = field.run(field.start(points[None]), spec["flow_times"], rtol=spec["limit_rtol"],
                    keep=True)
    assert run.particles is not None
    frames = []
    nodes = rule.nodes.numpy()
    for s, theta in zip(spec["flow_times"], run.particles, strict=True):
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
