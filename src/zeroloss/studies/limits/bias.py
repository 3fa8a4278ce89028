"""The bias of the mean risk in depth and width, fitted, against that predicted in depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ledger.record.interval import CONFIDENCE, COVERING, Interval, simultaneous
from ledger.record.rows import Rows, cell, row, rows_of
from ledger.record.statistics import Estimate, about, student
from ledger.study import Run, control, measures
from zeroloss.studies.limits import plan
from zeroloss.studies.limits.evidence import at, evidence_of

Array = np.ndarray


@measures("limits.loss-bias")
def loss_bias(run: Run) -> Rows:
    """E[risk] − E = A'/L + C/L² + B/(LM) + D/(LM)²: fitted, and A' predicted as mean r·A.

    Networks for the decay of the law alone are too small for a fit of second order.
    """
    evidence = evidence_of(run)
    rows: Rows = []
    for setting in evidence.settings:
        group = [
            e
            for e in evidence.ensembles
            if e.setting == setting and e.sampling == "independent" and e.roles != ("decay",)
        ]
        if len(group) < 6:
            continue
        risk, error = evidence.risk(setting)
        r, _, _ = evidence.reference(setting)
        A = evidence.first_order_bias(setting)
        L = np.array([e.num_layers for e in group], dtype=float)
        n = np.array([e.count for e in group], dtype=float)
        design = np.stack([1 / L, 1 / n, 1 / L**2, 1 / n**2], axis=1)
        ladder, reference = (run.one(kind, setting=setting)[0] for kind in (plan.Ladder, plan.Reference))
        sources = [reference, *(name for e in group for name in e.sources)]
        family = simultaneous(len(group[0].flow_times), COVERING)
        for t, s in enumerate(group[0].flow_times):
            y = np.array([e.risk[:, t].mean() for e in group]) - risk[t]
            sd = np.array([e.risk[:, t].std(ddof=1) / np.sqrt(len(e.risk)) for e in group])
            fitted, deviation = _weighted_fit(design, y, np.hypot(sd, error[t] / 2))
            where = cell(setting, s)
            size: dict[str, Any] = {"replicates": min(len(e.risk) for e in group), "sizes": len(group)}
            scrambles = A[:, t] @ r[t] / r.shape[1]
            predicted = student(scrambles, CONFIDENCE)
            spread = float(scrambles.std(ddof=1)) / np.sqrt(len(scrambles))
            one = rows_of(sources, **size)
            rows += [
                one("limits.loss-bias", "Aprime", where, _normal(fitted[0], deviation[0], CONFIDENCE)),
                one("limits.loss-bias", "B", where, _normal(fitted[1], deviation[1], CONFIDENCE)),
                row(
                    "limits.loss-bias",
                    "Aprime_difference",
                    where,
                    _normal(fitted[0] - predicted.value, float(np.hypot(deviation[0], spread)), family),
                    [*sources, ladder],
                    **size,
                ),
                row("", "Aprime_predicted", where, predicted, [ladder, reference]),
            ]
    return rows


def _weighted_fit(design: Array, y: Array, sd: Array) -> tuple[Array, Array]:
    """Weighted least squares: coefficients and their standard deviations."""
    scaled = design / sd[:, None]
    covariance = np.linalg.inv(scaled.T @ scaled)
    return covariance @ scaled.T @ (y / sd), np.sqrt(np.diag(covariance))


def _normal(value: float, deviation: float, interval: Interval) -> Estimate:
    return about(value, float(stats.norm.ppf(0.5 + interval.two_sided_level / 2)) * deviation, interval)


@control("limits.loss-bias", plan.Ladder)
def bias_a_hundredfold(table: pd.DataFrame, case: plan.Ladder) -> pd.DataFrame:
    """A depth bias A a hundred times too large."""
    limit = at(table, table.num_layers == 0, ["scramble", "flow_time", "sample"], "residual")
    return table.assign(residual=limit + 100.0 * (table["residual"] - limit))
