"""Estimates of `regimes`: exponents in the depth, each minus its prediction. Its controls stand in `controls`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kstest

from ledger.record.interval import CONFIDENCE, Interval, one_sided, simultaneous
from ledger.record.rows import Row, over, plain, row
from ledger.record.statistics import Estimate, bootstrap, clopper_pearson, log_slope, student
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.regimes import controls as controls
from zeroloss.studies.regimes import plan
from zeroloss.studies.regimes.small import EXPONENTS
from zeroloss.studies.replicated import by_replicate, by_size, mean_row, part_of, ratio_of, ratio_of_means, slopes

JUDGED = 4  # largest increments of a unit whose share is judged
# slope of log statistic in log L on known paths; the others carry logarithms or vanish
KNOWN = {
    ("root-sum", "smooth"): -0.5,
    ("root-sum", "independent"): 0.5,
    ("increment", "smooth"): -1.0,
    ("sum", "smooth"): 1.0,
    ("sum", "independent"): 0.5,
}


def slope_row(
    claim: str, quantity: str, where: str, name: str, part: pd.DataFrame, predicted: float = 0.0, shift: int = 0
) -> Row:
    """A slope minus its prediction, with the interval of its mean over replicates."""
    return mean_row(claim, quantity, where, slopes(part, shift) - predicted, name, len(by_size(part)))


@measures("regimes.exponents", "regimes.affine")
def exponents(run: Run) -> Iterator[Row]:
    """Slopes of δ and of the largest weight at both shares of the risk, of tasks that reach the share at all depths;
    slope of the affine deviation; how many networks rest above the share."""
    for name, case, table in run.of(plan.Exponents):
        last = table[(table.quantity == "norm") & (table.share == min(case.shares))]
        networks = last.cell.nunique() * case.replicates * len(case.num_layers)
        at_rest = clopper_pearson(networks - len(last), networks, CONFIDENCE)
        yield row("regimes.exponents", "at_rest", "all", at_rest, [name], replicates=networks)
        seen = table.groupby(["share", "quantity", "cell", "replicate"]).value.transform("size")
        table = table.loc[seen == len(case.num_layers)]
        for share, at_share in table.groupby("share"):
            for where, part in part_of(at_share, "norm"):
                alpha, beta = EXPONENTS[where.partition(".")[0]]
                cell = f"{where}.e{share:g}"
                yield slope_row("regimes.exponents", "norm_error", cell, name, part, -beta)
                yield row("", "norm_slope", cell, plain(slopes(part).mean()), [name])
                if alpha not in (0.0, 1.0):
                    delta = dict(part_of(at_share, "delta"))[where]
                    yield slope_row("regimes.exponents", "delta_error", cell, name, delta, -alpha)
                    yield row("", "delta_slope", cell, plain(slopes(delta).mean()), [name])
        for where, part in part_of(table.loc[table.share == max(case.shares)], "deviation"):
            kind, activation, *data = where.split(".")
            beta = EXPONENTS[kind][1] * (2 if activation == "tanh" else 1)
            claim = "regimes.affine" if beta and not data else ""
            yield slope_row(claim, "deviation_error", where, name, part, -beta)


@measures("regimes.affine")
def floor(run: Run) -> Iterator[Row]:
    """Risk long after it has come near the affine floor, over that: at the small and at the large depth."""
    for name, case, table in run.of(plan.Floor):
        for where, part in part_of(table, "floor"):
            quantity = "floor_deep" if where == f"l{max(case.num_layers)}" else "floor_shallow"
            estimate = student(ratio_of(part), CONFIDENCE)
            yield row("regimes.affine", quantity, where, estimate, [name], replicates=len(part))


@measures("regimes.balance")
def balance(run: Run) -> Iterator[Row]:
    """Largest drifts over replicates."""
    for name, _, table in run.of(plan.Balance):
        for quantity in ("drift", "rescaled"):
            for where, part in part_of(table, quantity):
                values = part.value.to_numpy()
                yield row("regimes.balance", quantity, where, over(values), [name], replicates=len(values))


@measures("regimes.optimiser")
def optimiser(run: Run) -> Iterator[Row]:
    """α + β, and α minus ½, at each rate."""
    for name, case, table in run.of(plan.Optimiser):
        norms, sizes = dict(part_of(table, "norm")), len(case.num_layers)
        for where, part in part_of(table, "delta"):
            alpha, beta = -slopes(part), -slopes(norms[where])
            yield mean_row("regimes.optimiser", "sum", where, alpha + beta, name, sizes)
            yield mean_row("regimes.optimiser", "alpha_error", where, alpha - 0.5, name, sizes)
            yield row("", "alpha", where, plain(alpha.mean()), [name])


@measures("regimes.inherited")
def inherited(run: Run) -> Iterator[Row]:
    """Quadratic variation trained over start at the largest depth; slope of the displacement."""
    for name, case, table in run.of(plan.Inherited):
        for where, part in part_of(table, "variation"):
            values = by_size(part)[-1][1].value.to_numpy()
            yield mean_row("regimes.inherited", "variation", where, values, name, len(case.num_layers))
        for where, part in part_of(table, "displacement"):
            yield slope_row("regimes.inherited", "displacement_error", where, name, part, -1.0)


@measures("regimes.statistics")
def statistics(run: Run) -> Iterator[Row]:
    """Slopes of statistics on known paths minus the known ones."""
    for name, _, table in run.of(plan.Paths):
        for quantity in ("root-sum", "increment", "sum"):
            for where, part in part_of(table, quantity):
                known = KNOWN.get((quantity, where))
                if where.startswith("h") and quantity != "increment":
                    known = 0.5 - float(where[1:]) if quantity == "root-sum" else 1.0
                if known is not None:
                    label = f"{quantity.replace('-', '_')}_error"
                    yield slope_row("regimes.statistics", label, where, name, part, known)


def ks_of_normal(values: Array, interval: Interval) -> Estimate:
    """Distance of a sample from the standard normal law; |D − D_true| ≤ √(log(2/α)/2R) (Dvoretzky et al.)."""
    distance = float(kstest(values, "norm").statistic)
    half = np.sqrt(np.log(2 / (1 - interval.level)) / (2 * len(values)))
    return Estimate(distance, max(distance - half, 0.0), distance + half, interval)


@measures("regimes.law", "regimes.trichotomy", "regimes.drift")
def chains(run: Run) -> Iterator[Row]:
    """Distance of the law of log |z_L|²; displacements over their moment; critical β; drifts."""
    for name, case, table in run.of(plan.Chains):
        for where, part in part_of(table, "norm"):
            if where != "without-w":
                ks = ks_of_normal(part.value.to_numpy(), one_sided())
                yield row("regimes.law", "ks", where, ks, [name], replicates=len(part))
        moments = part_of(table, "moment")
        for where, part in moments:
            interval = simultaneous(len(moments))
            yield mean_row("regimes.trichotomy", "moment", where, ratio_of(part), name, len(moments), interval)
        for where, part in part_of(table, "level"):
            betas, falling = by_replicate(part)
            crossings = np.array([np.interp(0.0, values[::-1], betas[::-1]) for values in falling])
            errors = crossings - part.predicted.iloc[0]
            yield mean_row("regimes.trichotomy", "crossing_error", where, errors, name, len(case.hursts))
        for where, part in part_of(table, "drift"):
            curved = where == "gelu"
            values = ratio_of(part) if curved else part.value.to_numpy()
            yield mean_row("regimes.drift", "ratio" if curved else "drift", where, values, name, 1)


@measures("regimes.bridge")
def bridge(run: Run) -> Iterator[Row]:
    """Slopes of the largest increment and of the quadratic variation, by start, minus the predicted ones."""
    for name, _, table in run.of(plan.Starts):
        increments = dict(part_of(table, "increment"))
        for where, part in part_of(table, "variation"):
            start = where.partition(".")[0]
            predicted = {"path": -1.0, "brownian": 0.0, "independent": 1.0}[start]
            shift = -1 if start == "independent" else 0
            yield slope_row("regimes.bridge", f"variation_{start}_error", where, name, part, predicted, shift)
            if start == "path":
                found = increments[where]
                yield slope_row("regimes.bridge", "increment_error", where, name, found, -1.0)


@measures("regimes.variation")
def variation(run: Run) -> Iterator[Row]:
    """Quadratic variation trained over start, over the mean square of tangents, at the largest depth."""
    for name, case, table in run.of(plan.Variation):
        for where, part in part_of(table, "variation"):
            deepest = by_size(part)[-1][1]
            values = ratio_of_means(deepest)  # of networks on the same paths
            yield mean_row("regimes.variation", "ratio", where, values, name, len(case.num_layers))
            yield row("", "grown", where, plain(deepest.value.mean()), [name])


def share_of_largest(table: pd.DataFrame, where: str, L: float, count: int) -> tuple[Array, Array]:
    """Squares of the largest increments of all units, and of all increments, by replicate."""
    rows = table.loc[(table.cell == where) & (table["size"] == L)].sort_values("replicate")

    def values(quantity: str) -> Array:
        return rows.loc[rows.quantity == quantity, "value"].to_numpy()

    return values(f"largest{count}"), values("variation")


def pooled_slope(part: pd.DataFrame) -> Estimate:
    """Slope of the log of the mean over replicates in log L."""
    sizes, values = by_replicate(part)
    return bootstrap(lambda weights: log_slope(sizes, weights @ values), len(values), CONFIDENCE)


@measures("regimes.bridge-relu", "regimes.kink")
def kink(run: Run) -> Iterator[Row]:
    """Slope of the largest increment; slope of the variation of all networks together, and the share of the largest
    increments of each unit in it, at the largest depth."""
    for name, case, table in run.of(plan.Kink):
        counts: dict[str, Any] = {"replicates": case.replicates, "sizes": len(case.num_layers)}
        for where, part in part_of(table, "increment"):
            if where != "brownian":
                claim = "regimes.bridge-relu" if where.endswith(f"h{min(case.steps):g}") else ""
                yield slope_row(claim, "increment_slope", where, name, part)
        for where, part in part_of(table, "variation"):
            claim = "regimes.kink" if where.startswith("relu") else ""
            yield row(claim, "variation_slope", where, pooled_slope(part), [name], **counts)
            top, total = share_of_largest(table, where, max(case.num_layers), JUDGED)
            share = bootstrap(lambda w, top=top, total=total: (w @ top) / (w @ total), len(top), CONFIDENCE)
            yield row(claim, f"share{JUDGED}", where, share, [name], **counts)
