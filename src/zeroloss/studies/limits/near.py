"""Near controls of `limits`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled, stretched
from zeroloss.studies.limits.evidence import at
from zeroloss.studies.limits.plan import Energy, Ensemble, FixedPaths, Influence, Ladder, Pairs, Reference, Rough
from zeroloss.studies.limits.rates import pull


def _gaps(table: pd.DataFrame, draw: str, factor: float | pd.Series) -> pd.DataFrame:
    """Gaps of networks to the continuous limit, times a factor; the limit itself is left alone."""
    limit = at(table, table.num_layers == 0, [draw, "flow_time", "sample"], "residual")
    return stretched(table, limit, np.where(table.num_layers > 0, factor, 1.0), "residual")


@near("limits.depth", Ladder, FixedPaths)
def gap_exponent_off(table: pd.DataFrame, case: Ladder | FixedPaths) -> pd.DataFrame:
    """A gap that falls like L^-0.95."""
    draw = "scramble" if isinstance(case, Ladder) else "replicate"
    return _gaps(table, draw, table.num_layers.clip(lower=1) ** 0.05)


@near("limits.width-independent", Ensemble)
def width_exponent_off(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Fluctuations of independent layers that fall like M^-0.45."""
    return pull(table, table.num_units**0.05) if case.sampling == "independent" else table


@near("limits.width-path", Ensemble)
def falls_with_depth(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Fluctuations of paths that fall with the depth, like L^-0.05."""
    return pull(table, table.num_layers**-0.05) if case.sampling == "path" else table


@near("limits.constant", Influence)
def covariance_off(table: pd.DataFrame, case: Influence) -> pd.DataFrame:
    """Σ predicted 10 % too large."""
    return table.assign(covariance=1.1 * table.covariance)


@near("limits.law", Influence)
def law_off(table: pd.DataFrame, case: Influence) -> pd.DataFrame:
    """Σ predicted twice as large."""
    return table.assign(covariance=2.0 * table.covariance)


@near("limits.smooth", Pairs)
def pairs_off(table: pd.DataFrame, case: Pairs) -> pd.DataFrame:
    """The covariance predicted 10 % too large at every correlation length."""
    return table.assign(covariance=1.1 * table.covariance)


@near("limits.admissible", Rough)
def smoother_paths(table: pd.DataFrame, case: Rough) -> pd.DataFrame:
    """Admissibility sums of paths whose Hurst index is larger by 0.05."""
    return scaled(table, table.quantity == "admissibility", table.num_layers.clip(lower=1) ** -0.1)


@near("limits.commute", Reference)
def another_limit(table: pd.DataFrame, case: Reference) -> pd.DataFrame:
    """A limit whose residuals are 1 % too large."""
    return table.assign(residual=1.01 * table.residual)


@near("limits.energy", Energy)
def dissipation_off(table: pd.DataFrame, case: Energy) -> pd.DataFrame:
    """A dissipation 1e-7 too large."""
    return scaled(table, table.quantity == "dissipated", 1.0 + 1e-7)


@near("limits.loss-bias", Ladder)
def bias_off(table: pd.DataFrame, case: Ladder) -> pd.DataFrame:
    """A bias of the depth three times too large."""
    return _gaps(table, "scramble", 3.0)
