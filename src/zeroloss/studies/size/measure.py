"""Estimates of `size`, and the negative controls of its claims.

A negative control is a deliberately wrong model or data: measured and judged, it must be `refuted`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.study import control
from zeroloss.studies.size import near
from zeroloss.studies.size.agreements import corollary, eta, law, threshold
from zeroloss.studies.size.demands import exponents, required, slack, sufficient, weights
from zeroloss.studies.size.plan import Corollary, Ensemble, Law

__all__ = ["corollary", "eta", "exponents", "law", "near", "required", "slack", "sufficient", "threshold", "weights"]


@control("size.sufficient", Law)
def covariance_a_thousandth(table: pd.DataFrame, case: Law) -> pd.DataFrame:
    """Fluctuations predicted too small: a bound that promises too much."""
    table.loc[table.what.isin(["independent", "path"]), "value"] /= 1000.0
    return table


@control("size.law", Law)
def layers_mistaken_for_independent(table: pd.DataFrame, case: Law) -> pd.DataFrame:
    """Paths whose layers are counted as independent draws."""
    path = table.what == "path"
    table.loc[path, "value"] /= table.loc[path, "num_layers"]
    return table


@control("size.eta", Ensemble)
def heavy_tails(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Risks with the heaviest tail that Chebyshev's inequality allows: P(|deviation| > u) is
    proportional to 1/(M u²)."""
    first = table.replicate == table.replicate.min()
    centre = table.loc[first, "risk"].mean()
    share = (table.replicate * 0.6180339887498949) % 1.0  # equidistributed over replicates
    far = case.accuracies[len(case.accuracies) // 2]
    least = table.num_units.min()
    table["risk"] = centre + far * np.sqrt(least / table.num_units / share.clip(lower=1e-9))
    return table


@control("size.corollary", Corollary)
def stopped_early(table: pd.DataFrame, case: Corollary) -> pd.DataFrame:
    """Networks that were stopped when they had three times the risk."""
    table.loc[table.what == "risk", "value"] *= 3.0
    return table
