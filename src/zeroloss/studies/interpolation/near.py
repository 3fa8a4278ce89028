"""Near controls of `interpolation`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from zeroloss.studies.interpolation.plan import Benign, Exact, Features, Kernels, Snr, Spectra


@near("interpolation.exact", Exact)
def moments_off(table: pd.DataFrame, case: Exact) -> pd.DataFrame:
    """A bias and a variance predicted 3 % too large."""
    return scaled(table, table.quantity.isin(["bias", "variance"]), 1.03, "predicted")


@near("interpolation.equivalent", Spectra)
def equivalents_off(table: pd.DataFrame, case: Spectra) -> pd.DataFrame:
    """Equivalents on Gaussian rows that are 3 % too large."""
    return scaled(table, table.quantity.isin(["bias", "variance"]), 1.03, "predicted")


@near("interpolation.benign", Benign)
def limits_off(table: pd.DataFrame, case: Benign) -> pd.DataFrame:
    """Limits of the variance predicted 3.5 % too large."""
    return table.assign(limit=1.035 * table.limit)


@near("interpolation.random-features", Features)
def risks_off(table: pd.DataFrame, case: Features) -> pd.DataFrame:
    """Risks predicted 4 % too large."""
    return scaled(table, table.quantity == "risk", 1.04, "predicted")


@near("interpolation.self-ridge", Kernels)
def ridge_law_off(table: pd.DataFrame, case: Kernels) -> pd.DataFrame:
    """A ridge law that is 4 % too large."""
    return scaled(table, table.quantity == "risk", 1.04, "predicted")


@near("interpolation.snr", Snr)
def zero_off(table: pd.DataFrame, case: Snr) -> pd.DataFrame:
    """A ratio 1/λ predicted 1.5 % too large."""
    return scaled(table, table.quantity.str.endswith("slope"), 1.015, "predicted")
