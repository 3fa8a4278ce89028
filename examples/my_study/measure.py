"""The estimate of `my_study`, the slope of the fluctuation in the width, and its control."""

import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, row
from ledger.record.statistics import slope_of_stds
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures

from .plan import Ensemble


@measures("my_study.width")
def width(run: Run) -> Rows:
    """The slope, with its interval over replicates."""
    names, cases, tables = zip(*sorted(run.of(Ensemble), key=lambda one: one[1].num_units), strict=True)
    residuals = [untidy(table, ["replicate", "sample"], "residual")[0] for table in tables]
    slope = slope_of_stds([case.num_units for case in cases], residuals, CONFIDENCE)
    count = {"replicates": cases[0].replicates, "sizes": len(cases)}
    return [row("my_study.width", "slope_M", "softplus", slope, list(names), **count)]


@control("my_study.width", Ensemble)
def no_averaging(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Residuals that keep their spread at every width."""
    mean = table.groupby("sample").residual.transform("mean")
    return table.assign(residual=mean + (table.residual - mean) * case.num_units**0.5)
