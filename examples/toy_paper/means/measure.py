"""What is estimated from the tables, and how it would fail."""

from __future__ import annotations

import math

import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, exact, row
from ledger.record.statistics import slope_of_stds
from ledger.study import Run, control, measures
from means.plan import Means


@measures("means.rate")
def rate(run: Run) -> Rows:
    """Slope of the logarithm of the standard deviation in the logarithm of the number of draws."""
    names, cases, tables = zip(*run.of(Means), strict=True)
    sizes = [case.size for case in cases]
    slope = slope_of_stds(sizes, [table[["mean"]].to_numpy() for table in tables], CONFIDENCE)
    return [
        row(
            "means.rate",
            "slope",
            "uniform",
            slope,
            list(names),
            replicates=min(case.replicates for case in cases),
            sizes=len(sizes),
        )
    ]


@measures()
def spreads(run: Run) -> Rows:
    """Standard deviation at each size over that of the theory, (12 n)^(-1/2), unjudged."""
    return [
        row("", "spread", name, exact(table["mean"].std() * math.sqrt(12 * case.size)), [name])
        for name, case, table in run.of(Means)
    ]


@control("means.rate", Means)
def copied(table: pd.DataFrame, case: Means) -> pd.DataFrame:
    """Draws that are copies of one another: their mean varies as much as each of them."""
    return table.assign(mean=0.5 + (table["mean"] - 0.5) * math.sqrt(case.size))
