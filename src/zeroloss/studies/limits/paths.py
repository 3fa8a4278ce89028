"""Correlated layers: networks on smooth paths of any correlation length, and on rough ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE, COVERING, simultaneous
from ledger.record.rows import Rows, cell, row
from ledger.record.statistics import Estimate, bootstrap, log_slope, student
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.model.law import SmoothPath
from zeroloss.studies.limits.evidence import at
from zeroloss.studies.limits.plan import Pairs, Rough, Smooth
from zeroloss.theory.covariance import Trace, trace_ratio

Array = np.ndarray
FINEST = 3  # nested pairs of depths that a rate of rough paths is fitted to


def smooth_prediction(table: pd.DataFrame, flow_time: float, lengths: Sequence[float]) -> Array:
    """trace Σ_{ℓ,L} = (1/L²) Σ_l Σ_l' G_{ll'}(κ_ℓ(t_l − t_l')): (lengths, scrambles).

    G is the table of pairs at one flow time, computed at every pair of layers t_l = l/L; in κ it
    is the polynomial through the computed correlations and G(0) = 0.
    """
    g, labels = untidy(
        table.loc[table.flow_time == flow_time], ["scramble", "correlation", "depth", "other_depth"], "covariance"
    )
    kappas, t = labels["correlation"], labels["depth"]
    basis = np.stack([kappas**n for n in range(1, len(kappas) + 1)], 1)
    coefficients = np.einsum("nk,sklm->nslm", np.linalg.inv(basis), g)
    lag = t[:, None] - t[None, :]
    powers = np.stack([[SmoothPath(ell).correlation(lag) ** n for n in range(1, len(kappas) + 1)] for ell in lengths])
    return np.einsum("enlm,nslm->es", powers, coefficients, optimize=True) / len(t) ** 2


@measures("limits.smooth")
def smooth(run: Run) -> Rows:
    """Measured over predicted covariance on smooth paths of each correlation length."""
    rows: Rows = []
    pairs_name, _, pairs = run.one(Pairs)
    cases = [(name, case, table, length) for name, case, table in run.of(Smooth) for length in case.correlation_lengths]
    family = simultaneous(sum(len(case.flow_times) for _, case, _, _ in cases), COVERING)
    for name, case, table, length in cases:
        r, _ = untidy(table.loc[table.correlation_length == length], ["replicate", "flow_time", "sample"], "residual")
        M = case.num_units
        for t, s in enumerate(case.flow_times):
            traces = smooth_prediction(pairs, s, [length])[0]
            predicted = student(traces, CONFIDENCE)
            ratio = trace_ratio(r[:, t], Trace.of(traces), M, family)
            where = cell(case.setting, s, f"l{length:g}")
            count: dict[str, Any] = {"replicates": len(r), "sizes": len(cases)}
            rows.append(row("limits.smooth", "ratio", where, ratio, [name, pairs_name], **count))
            rows.append(row("", "smooth_predicted", where, predicted, [pairs_name]))
            ends = (x * predicted.value for x in (ratio.value, ratio.lower, ratio.upper))
            measured = Estimate(*ends, interval=family)
            rows.append(row("", "smooth_measured", where, measured, [name, pairs_name], replicates=len(r)))
    return rows


@measures("limits.admissible")
def admissible(run: Run) -> Rows:
    """Rate of the admissibility sum and of the depth gap, per roughness of the paths."""
    rows: Rows = []
    for name, case, table in run.of(Rough):
        for path, part in table.groupby("path"):
            rows += _roughness(name, case.flow_times, str(path), part)
    return rows


def _roughness(name: str, flow_times: Sequence[float], path: str, table: pd.DataFrame) -> Rows:
    sums, labels = untidy(table.loc[table.quantity == "admissibility"], ["num_layers", "replicate"], "value")
    depths = labels["num_layers"]
    slope = bootstrap(lambda w: log_slope(depths, w @ sums.T), sums.shape[1], CONFIDENCE)
    rows = [row("limits.admissible", "bound_slope", path, slope, [name], replicates=sums.shape[1], sizes=len(depths))]
    residuals = table.loc[table.quantity == "residual"]
    for s in flow_times:
        r, labels = untidy(residuals.loc[residuals.flow_time == s], ["num_layers", "replicate", "sample"], "value")
        gap = ((r[:-1] - r[1:]) ** 2).sum(-1)  # nested pairs (L, 2 L), replicates
        finest = gap[-FINEST:]
        ratios = [2.0**i for i in range(len(finest))]
        rate = bootstrap(lambda w, g=finest, x=ratios: -0.5 * log_slope(x, w @ g.T), gap.shape[1], CONFIDENCE)
        count: dict[str, Any] = {"replicates": gap.shape[1], "sizes": len(labels["num_layers"])}
        rows.append(row("limits.admissible", "depth_rate", cell(path, s), rate, [name], **count))
    return rows


@control("limits.smooth", Pairs)
def correlation_ignored(table: pd.DataFrame, case: Pairs) -> pd.DataFrame:
    """Every lag fully correlated, whatever the correlation length: the law of constant paths."""
    return table.assign(
        covariance=at(
            table,
            table.correlation == max(case.correlations),
            ["scramble", "flow_time", "depth", "other_depth"],
            "covariance",
        )
    )


@control("limits.admissible")
def brownian_as_lipschitz(run: Run) -> Mapping[str, pd.DataFrame]:
    """Brownian paths passed off as Lipschitz ones."""
    rough = {name: table for name, _, table in run.of(Rough)}
    brownian = pd.concat([table.loc[table.path == "h0.5"] for table in rough.values()])
    return {
        **run.tables,
        **{
            name: pd.concat([table.loc[table.path != "lipschitz"], brownian.assign(path="lipschitz")])
            for name, table in rough.items()
            if (table.path == "lipschitz").any()
        },
    }
