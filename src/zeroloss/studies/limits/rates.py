"""Estimates of `limits` that are rates: in depth, width, correlation length, of rough paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zeroloss.model.law import SmoothPath
from ledger.record.statistics import (
    Estimate,
    bootstrap,
    log_slope,
    observed_orders,
    simultaneous_level,
    slope_of_stds,
    student,
    trace_ratio,
)
from zeroloss.studies.limits.evidence import Evidence
from ledger.record.rows import cell, row
from ledger.record.tidy import untidy

__all__ = ["DepthGaps", "admissible", "depth", "depth_gaps", "smooth", "smooth_prediction",
           "width_independent", "width_path"]

Array = np.ndarray
Rows = list[dict[str, Any]]
LARGEST = 4  # sizes that a rate in width or depth is fitted to
FLOOR_SHARE = 0.25  # of the finest gap: the most that the reference's own error may be
FINEST = 3  # nested pairs of depths that a rate of rough paths is fitted to


def depth(evidence: Evidence) -> Rows:
    """Order of the gap in L on the finest pair, at M = ∞ and at fixed paths.

    The gap is taken to the continuous limit where this is known far better than the finest gap,
    else between nested depths, which needs no reference: no slope is measured on the floor.
    """
    rows: Rows = []
    for setting in evidence.settings:
        depths, r = evidence.ladder(setting)
        name, spec, _ = evidence.one("ladder", setting=setting)
        for t, s in enumerate(spec["flow_times"]):
            gaps = depth_gaps(r[:, :, t].swapaxes(0, 1))
            slope = -0.5 * observed_orders(gaps.squares.T)[:, -1]
            rows.append(row("limits.depth" if s > 0 else "", "slope_wide", cell(setting, s),
                            student(slope), [name], floor=gaps.floor, sizes=len(depths) - 2,
                            note=gaps.note))
    for name, spec, table in evidence.of_kind("fixed-paths"):
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        for t, s in enumerate(spec["flow_times"]):
            gaps = depth_gaps(r[:, :, t])
            pair = gaps.squares[-2:]
            slope = bootstrap(lambda w, pair=pair: 0.5 * np.log2((w @ pair[1]) / (w @ pair[0])),
                              pair.shape[1])
            rows.append(row("limits.depth" if s > 0 else "", "slope_paths",
                            cell(spec["setting"], s), slope, [name], floor=gaps.floor,
                            replicates=pair.shape[1], sizes=len(labels["num_layers"]) - 2,
                            note=gaps.note))
    return rows


@dataclass(frozen=True)
class DepthGaps:
    """Squared gaps (depths, or nested pairs, draws), summed over samples, and which they are.

    ``nested``: |r_{2L} − r_L|², one fewer than depths; else |r_L − r|², with r known to ``floor``.
    """

    squares: Array
    floor: float
    nested: bool
    note: str


def depth_gaps(r: Array) -> DepthGaps:
    """The gaps in L that a slope may be measured on, of residuals r (2 + depths, draws, N).

    The first two rows are the continuous limit with fewer and with all nodes: their difference is
    the reference's error. Where it is above a quarter of the finest gap, depths are nested.
    """
    to_reference = ((r[2:] - r[1]) ** 2).sum(-1)
    floor = float(np.sqrt(((r[0] - r[1]) ** 2).sum(-1).max()))
    if floor <= FLOOR_SHARE * float(np.sqrt(to_reference[-1].mean())):
        return DepthGaps(to_reference, floor, False, "gap to the continuous limit")
    if len(to_reference) < 3:
        return DepthGaps(to_reference, floor, False,
                         "too few depths for nested gaps: the reference is not exact")
    nested = (np.diff(r[2:], axis=0) ** 2).sum(-1)
    return DepthGaps(nested, floor, True, "gap between nested depths")


def _slopes(evidence: Evidence, claim: str, sampling: str) -> Rows:
    rows: Rows = []
    for role, axis in (("units", "num_units"), ("layers", "num_layers")):
        for setting in evidence.settings:
            group = evidence.with_role(role, setting=setting, sampling=sampling)
            group = group[-LARGEST:]
            if len(group) < 2:
                continue
            sizes = [getattr(e, axis) for e in group]
            paired = sampling == "path" and role == "layers"
            for t, s in enumerate(group[0].flow_times):
                slope = slope_of_stds(sizes, [e.residuals[:, t] for e in group], paired)
                rows.append(row(claim, "slope_M" if role == "units" else "slope_L",
                                cell(setting, s), slope, [n for e in group for n in e.sources],
                                replicates=min(len(e.residuals) for e in group), sizes=len(group)))
    return rows


def width_independent(evidence: Evidence) -> Rows:
    """Slopes of log std of the residuals in M and L on the largest sizes, independent layers."""
    return _slopes(evidence, "limits.width-independent", "independent")


def width_path(evidence: Evidence) -> Rows:
    """The same for constant paths; all depths share their paths, so that L is compared in pairs."""
    return _slopes(evidence, "limits.width-path", "path")


def smooth_prediction(table: pd.DataFrame, flow_time: float, lengths: Sequence[float]) -> Array:
    """trace Σ_{ℓ,L} = (1/L²) Σ_l Σ_l' G_{ll'}(κ_ℓ(t_l − t_l')): (lengths, scrambles).

    G is the table of pairs at one flow time, computed at every pair of layers t_l = l/L; in κ it
    is the polynomial through the computed correlations and G(0) = 0.
    """
    g, labels = untidy(table.loc[table.flow_time == flow_time],
                       ["scramble", "correlation", "depth", "other_depth"], "covariance")
    kappas, t = labels["correlation"], labels["depth"]
    basis = np.stack([kappas**n for n in range(1, len(kappas) + 1)], 1)
    coefficients = np.einsum("nk,sklm->nslm", np.linalg.inv(basis), g)
    lag = t[:, None] - t[None, :]
    powers = np.stack([[SmoothPath(ell).correlation(lag) ** n for n in range(1, len(kappas) + 1)]
                       for ell in lengths])
    return np.einsum("enlm,nslm->es", powers, coefficients, optimize=True) / len(t) ** 2


def smooth(evidence: Evidence) -> Rows:
    """Measured over predicted covariance on smooth paths of each correlation length."""
    rows: Rows = []
    pairs_name, _, pairs = evidence.one("pairs")
    cases = [(name, spec, table, length) for name, spec, table in evidence.of_kind("smooth")
             for length in spec["correlation_lengths"]]
    level = simultaneous_level(0.95, sum(len(spec["flow_times"]) for _, spec, _, _ in cases))
    for name, spec, table, length in cases:
        r, _ = untidy(table.loc[table.correlation_length == length],
                      ["replicate", "flow_time", "sample"], "residual")
        M = spec["num_units"]
        for t, s in enumerate(spec["flow_times"]):
            traces = smooth_prediction(pairs, s, [length])[0]
            predicted = student(traces)
            error = float(traces.std(ddof=1)) / np.sqrt(len(traces))
            ratio = trace_ratio(r[:, t], predicted.value / M, error / M, level)
            where = cell(spec["setting"], s, f"l{length:g}")
            rows.append(row("limits.smooth", "ratio", where, _at(ratio), [name, pairs_name],
                            replicates=len(r), sizes=len(cases)))
            rows.append(row("", "smooth_predicted", where, predicted, [pairs_name]))
            measured = Estimate(*(x * predicted.value for x in (ratio.value, ratio.lower,
                                                                ratio.upper)))
            rows.append(row("", "smooth_measured", where, measured, [name, pairs_name],
                            replicates=len(r)))
    return rows


def _at(estimate: Estimate, level: float = 0.95) -> Estimate:
    """The same interval, at the level that it holds jointly with the other cells."""
    return Estimate(estimate.value, estimate.lower, estimate.upper, level)


def admissible(evidence: Evidence) -> Rows:
    """Rate of the admissibility sum and of the depth gap, per roughness of the paths."""
    rows: Rows = []
    for name, spec, table in evidence.of_kind("rough"):
        for path, part in table.groupby("path"):
            rows += _roughness(name, spec["flow_times"], str(path), part)
    return rows


def _roughness(name: str, flow_times: list[float], path: str, table: pd.DataFrame) -> Rows:
    sums, labels = untidy(table.loc[table.quantity == "admissibility"],
                          ["num_layers", "replicate"], "value")
    depths = labels["num_layers"]
    slope = bootstrap(lambda w: log_slope(depths, w @ sums.T), sums.shape[1])
    rows = [row("limits.admissible", "bound_slope", path, slope, [name],
                replicates=sums.shape[1], sizes=len(depths))]
    residuals = table.loc[table.quantity == "residual"]
    for s in flow_times:
        r, labels = untidy(residuals.loc[residuals.flow_time == s],
                           ["num_layers", "replicate", "sample"], "value")
        gap = ((r[:-1] - r[1:]) ** 2).sum(-1)  # nested pairs (L, 2 L), replicates
        rate = bootstrap(lambda w, g=gap[-FINEST:]: -0.5 * log_slope(
            [2.0**i for i in range(len(g))], w @ g.T), gap.shape[1])
        rows.append(row("limits.admissible", "depth_rate", cell(path, s), rate, [name],
                        replicates=gap.shape[1], sizes=len(labels["num_layers"])))
    return rows
