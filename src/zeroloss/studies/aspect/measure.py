"""Estimates of `aspect`, each measurement beside its formula. Its controls stand in `controls`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE, COVERING, Interval, simultaneous
from ledger.record.rows import Rows, exact, plain, row
from ledger.record.statistics import Estimate, clopper_pearson, student, welch
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.aspect import controls as controls
from zeroloss.studies.aspect.plan import Bias, Classes, Information, Product, Rank, Residual, Vertex
from zeroloss.studies.replicated import by_replicate, by_size, mean_row, part_of, ratio_of, ratio_of_means


@measures("aspect.product")
def products(run: Run) -> Rows:
    """Mean and variance of log Ĝ and E Ĝ² over their exact values; share of dead networks minus its own."""
    rows: Rows = []
    for name, case, table in run.of(Product):
        wanted = [(q, where, part) for q in ("mean", "spread", "moment") for where, part in part_of(table, q)]
        interval = simultaneous(len(wanted) + 1, COVERING)
        for quantity, where, part in wanted:
            rows.append(mean_row("aspect.product", quantity, where, ratio_of(part), name, len(case.widths), interval))
        for where, part in part_of(table, "dead"):
            share, predicted = clopper_pearson(int(part.value.sum()), len(part), interval), part.predicted.iloc[0]
            shifted = replace(
                share, value=share.value - predicted, lower=share.lower - predicted, upper=share.upper - predicted
            )
            counts: dict[str, Any] = {"replicates": len(part), "sizes": len(case.widths)}
            rows.append(row("aspect.product", "dead_difference", where, shifted, [name], **counts))
    return rows


def intercept(part: pd.DataFrame, column: str, interval: Interval) -> Estimate:
    """Measured over predicted in 1/n → 0: the least-squares line through the mean at each width.

    n log(1 + u) differs from its limit by O(1/n), and for homogeneous σ by ν/2n alone, whatever the depth: what a
    line leaves out is of second order.
    """
    groups = [(n, (one.value / one[column]).to_numpy()) for n, one in by_size(part)]
    x = np.array([1 / n for n, _ in groups])
    weights = np.linalg.pinv(np.stack([np.ones_like(x), x], 1))[0]
    errors = [
        (float(w * v.std(ddof=1)) / np.sqrt(len(v)), len(v) - 1) for w, (_, v) in zip(weights, groups, strict=True)
    ]
    value = sum(w * v.mean() for w, (_, v) in zip(weights, groups, strict=True))
    return welch(float(value), [(abs(e), degrees) for e, degrees in errors], interval)


def _ratios(claim: str, quantity: str, name: str, case: Vertex | Residual, table: pd.DataFrame, column: str) -> Rows:
    cells = part_of(table, "covariance")
    counts: dict[str, Any] = {"replicates": case.replicates, "sizes": len(case.widths)}
    interval = simultaneous(len(cells), COVERING)
    return [row(claim, quantity, where, intercept(part, column, interval), [name], **counts) for where, part in cells]


@measures("aspect.vertex")
def vertex(run: Run) -> Rows:
    """n log(1 + Cov(z_i², z_j²)/K²) over V/K² in 1/n → 0."""
    rows: Rows = []
    for name, case, table in run.of(Vertex):
        rows += _ratios("aspect.vertex", "ratio", name, case, table, "predicted")
    return rows


@measures("aspect.residual", "aspect.residual-formula")
def residual(run: Run) -> Rows:
    """The same with residual branches, over the recursion with memory and over the textbook's formula.

    That is an asymptotic slope for tanh, so that only homogeneous σ are held to it.
    """
    rows: Rows = []
    for name, case, table in run.of(Residual):
        rows += _ratios("aspect.residual", "ratio", name, case, table, "predicted")
        of_formula = table.loc[~table.cell.str.startswith(("tanh", "sin"))]
        rows += _ratios("aspect.residual-formula", "ratio_formula", name, case, of_formula, "textbook")
    return rows


@measures("aspect.classes", "aspect.half-stable")
def classes(run: Run) -> Rows:
    """Growth of V/K² by layer; fixed points; growth from above the half-stable point over c₀/5."""
    rows: Rows = []
    for name, _, table in run.of(Classes):
        for quantity in ("slope", "companion"):
            for where, part in part_of(table, quantity):
                rows.append(row("aspect.classes", quantity, where, exact(part.value.iloc[0]), [name]))
        for where, part in part_of(table, "half-stable"):
            rows.append(row("aspect.half-stable", "over_fifth", where, exact(ratio_of(part)[0]), [name]))
    return rows


@measures("aspect.information", "aspect.optimum")
def information(run: Run) -> Rows:
    """Cubic coefficient over the predicted one; where series and exact information are largest, over u*."""
    rows: Rows = []
    for name, case, table in run.of(Information):
        for where, part in part_of(table, "cubic"):
            rows.append(
                row("aspect.information", "cubic", where, exact(ratio_of(part)[0]), [name], sizes=len(case.group_sizes))
            )
        for kind in ("series", "exact"):
            for where, part in part_of(table, kind):
                best = part.loc[part.value.idxmax()]
                peak = exact(best["size"] / best.predicted)
                rows.append(row("aspect.optimum", "peak", f"{kind}.{where}", peak, [name], sizes=len(case.group_sizes)))
    return rows


@measures("aspect.rank")
def rank(run: Run) -> Rows:
    """E P²/E Q over the recursion, by the delta method; exponents minus the exact ones."""
    rows: Rows = []
    for name, case, table in run.of(Rank):
        ranks, exponents = part_of(table, "rank"), part_of(table, "exponent")
        interval = simultaneous(len(ranks) + len(exponents), COVERING)
        for where, part in ranks:
            values = ratio_of_means(part, "trace") / part.predicted.to_numpy()
            rows.append(mean_row("aspect.rank", "ratio", where, values, name, len(case.aspect_ratios), interval))
        for where, part in exponents:
            values = (part.value - part.predicted).to_numpy()
            rows.append(mean_row("aspect.rank", "exponent", where, values, name, len(case.aspect_ratios), interval))
    return rows


def falls(table: pd.DataFrame, quantity: str, where: str) -> Array:
    """A rank at the largest depth minus that at the smallest, by replicate."""
    _, values = by_replicate(dict(part_of(table, quantity))[where])
    return values[:, -1] - values[:, 0]


@measures("aspect.bias")
def bias(run: Run) -> Rows:
    """What depth does to the rank of trained products, by start: with few samples, and with enough of them."""
    rows: Rows = []
    for name, case, table in run.of(Bias):
        few, enough = case.num_samples
        for kind in sorted(table.cell.str.partition(".")[0].unique()):
            fall = student(falls(table, "effective", f"{kind}.s{few}"), CONFIDENCE)
            moved = student(np.abs(falls(table, "participation", f"{kind}.s{enough}")), CONFIDENCE)
            counts: dict[str, Any] = {"replicates": case.replicates, "sizes": len(case.depths)}
            rows.append(row("aspect.bias", "fall", kind, fall, [name], **counts))
            rows.append(row("aspect.bias", "moved", kind, moved, [name], **counts))
            for depth, one in by_size(dict(part_of(table, "effective"))[f"{kind}.s{few}"]):
                rows.append(row("", "effective", f"{kind}.l{depth:g}", plain(one.value.mean()), [name]))
    return rows
