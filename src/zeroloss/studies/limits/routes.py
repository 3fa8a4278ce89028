"""Three orders of the limits, and the energy along the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from ledger.record.interval import COVERING, Interval, simultaneous
from ledger.record.rows import Rows, cell, exact, row, rows_of
from ledger.record.statistics import Estimate, about, student
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.limits.evidence import Evidence, at, evidence_of
from zeroloss.studies.limits.plan import Commute, Energy, Ladder, Reference


@measures("limits.commute")
def commute(run: Run) -> Rows:
    """Three orders of the limits against the mean-field limit, sample by sample, held together."""
    evidence = evidence_of(run)
    name, case, table = run.one(Commute)
    setting, s = case.setting, case.flow_times[0]
    t = evidence.flow_times(setting).index(s)
    r, error, _ = evidence.reference(setting)
    family = simultaneous(3 * r.shape[1], COVERING)
    z = float(stats.norm.ppf(0.5 + family.two_sided_level / 2))
    routes = {
        "depth_first": _extrapolate(table, "depth-first", "num_units", (-1.0, 2.0)),
        "jointly": _extrapolate(table, "jointly", "num_units", (1 / 3, -2.0, 8 / 3)),
    }
    rows: Rows = []
    for quantity, (mean, deviation) in routes.items():
        for i, value in enumerate(mean - r[t]):
            one = rows_of(
                [name, run.one(Reference, setting=setting)[0]], replicates=min(case.replicates, case.joint_replicates)
            )
            rows.append(
                one(
                    "limits.commute",
                    quantity,
                    f"{cell(setting, s)}.x{i}",
                    about(value, z * deviation[i] + error[t, i], family),
                    floor=float(error[t, i]),
                )
            )
    return rows + _width_first(evidence, setting, t, s, family)


def _extrapolate(table: pd.DataFrame, route: str, size: str, weights: tuple[float, ...]) -> tuple[Array, Array]:
    """Mean residuals extrapolated in 1/size on sizes that double, and their standard deviation."""
    chosen = table.loc[table.route == route]
    mean, variance = 0.0, 0.0
    sizes = sorted(chosen[size].unique())[-len(weights) :]
    for weight, value in zip(weights, sizes, strict=True):
        r, _ = untidy(chosen[chosen[size] == value], ["replicate", "sample"], "residual")
        mean = mean + weight * r.mean(0)
        variance = variance + weight**2 * r.var(0, ddof=1) / len(r)
    return np.asarray(mean), np.sqrt(variance)


def _width_first(evidence: Evidence, setting: str, t: int, s: float, family: Interval) -> Rows:
    """M → ∞ first: the depth ladder extrapolated, on the same rules as its continuous limit.

    The interval holds the change by the last extrapolation, an estimate of what is left out.
    """
    depths, r = evidence.ladder(setting)
    name = evidence.run.one(Ladder, setting=setting)[0]
    exact = r[:, depths.index(0), t]
    a, b, c = (r[:, i, t] - exact for i in (-3, -2, -1))
    second, third = 2 * c - b, (8 * c - 6 * b + a) / 3
    rows: Rows = []
    for i in range(r.shape[-1]):
        value = student(third[:, i], family)
        left_out = float(np.abs(third - second)[:, i].max())
        estimate = Estimate(value.value, value.lower - left_out, value.upper + left_out, family)
        where = f"{cell(setting, s)}.x{i}"
        rows.append(row("limits.commute", "width_first", where, estimate, [name], floor=left_out))
    return rows


@measures("limits.energy")
def energy(run: Run) -> Rows:
    """|E(s) − E(0) + ∫ dissipation| / E(0), along the limit and the worst of the networks."""
    rows: Rows = []
    name, case, table = run.one(Energy)
    for setting in case.cases:
        for model in ("limit", "network"):
            part = table.loc[(table.model == model) & (table.setting == setting.setting)]
            risk, _ = untidy(part.loc[part.quantity == "risk"], ["flow_time", "replicate"], "value")
            lost, _ = untidy(part.loc[part.quantity == "dissipated"], ["flow_time", "replicate"], "value")
            defect = (np.abs(risk - risk[0] + lost) / risk[0]).max(1)
            for t, s in enumerate(setting.flow_times):
                if s > 0:
                    one = rows_of([name], replicates=risk.shape[1])
                    rows.append(one("limits.energy", f"defect_{model}", cell(setting.setting, s), exact(defect[t])))
    return rows


@control("limits.commute", Reference)
def reference_at_another_time(table: pd.DataFrame, case: Reference) -> pd.DataFrame:
    """The limit at the last flow time, offered as the limit at all of them."""
    return table.assign(
        residual=at(table, table.flow_time == max(case.flow_times), ["variant", "scramble", "sample"], "residual")
    )


@control("limits.energy", Energy)
def half_dissipation(table: pd.DataFrame, case: Energy) -> pd.DataFrame:
    """A dissipation of ½ ∫∫|∇_θ δE/δρ|²."""
    table.loc[table["quantity"] == "dissipated", "value"] *= 0.5
    return table
