"""Estimates of `my_study`: the slope of the fluctuation in the width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ledger.record.statistics import slope_of_stds
from ledger.record.rows import Specs, Tables, row
from ledger.record.tidy import untidy

__all__ = ["deviations", "measure"]


def _residuals(table: pd.DataFrame) -> np.ndarray:
    return untidy(table, ["replicate", "sample"], "residual")[0]


def deviations(tables: Tables) -> dict[int, float]:
    """Root of the trace of the covariance of the residuals, by width."""
    return {int(table.num_units.iloc[0]): float(np.sqrt(_residuals(table).var(0, ddof=1).sum()))
            for table in tables.values()}


def measure(tables: Tables, specs: Specs, claims: Sequence[str] = ()) -> pd.DataFrame:
    """One row: the slope, with its interval over replicates."""
    del claims  # there is one
    names = sorted(specs, key=lambda name: specs[name]["num_units"])
    widths = [specs[name]["num_units"] for name in names]
    slope = slope_of_stds(widths, [_residuals(tables[name]) for name in names])
    return pd.DataFrame([row("my_study.width", "slope_M", "softplus", slope, names,
                             replicates=specs[names[0]]["replicates"], sizes=len(names))])
