"""Near controls of `stability`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled, stretched
from zeroloss.studies.stability.plan import Accuracy, Central, Decay, Delay, Depth, Edge, Recipe, Restrained, Thresholds


@near("stability.heat", Thresholds)
def heat_threshold_off(table: pd.DataFrame, case: Thresholds) -> pd.DataFrame:
    """A threshold of the heat equation predicted 0.2 % too large."""
    return scaled(table, (table.quantity == "predicted") & (table["where"] == "heat"), 1.002)


@near("stability.linear", Thresholds)
def network_thresholds_off(table: pd.DataFrame, case: Thresholds) -> pd.DataFrame:
    """Thresholds of the network predicted 0.2 % too large."""
    return scaled(table, (table.quantity == "predicted") & (table["where"] != "heat"), 1.002)


@near("stability.onset", Restrained)
def onset_off(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Onsets predicted 0.2 % too large."""
    return scaled(table, table.quantity == "predicted", 1.002)


@near("stability.band", Restrained)
def growth_off(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Rates of growth beyond the band predicted 2 % too large."""
    return scaled(table, table.quantity == "growth", 1 / 1.02)


@near("stability.windows", Restrained)
def exponents_too_large(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Exponents of the map larger by 0.15."""
    return table.assign(value=table.value + 0.15 * (table.quantity == "exponent"))


@near("stability.edge", Edge)
def edge_threshold_off(table: pd.DataFrame, case: Edge) -> pd.DataFrame:
    """Thresholds 10 % larger."""
    return scaled(table, table.quantity == "hovers", 1 / 1.1)


@near("stability.delay", Delay)
def later_exits(table: pd.DataFrame, case: Delay) -> pd.DataFrame:
    """Exits predicted 15 steps later."""
    return table.assign(value=table.value + 15.0 * (table.quantity == "exit_predicted"))


@near("stability.central", Central)
def loss_off(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """A mean loss predicted 5 % too small."""
    return scaled(table, table.quantity == "loss", 1.05)


@near("stability.decay", Decay)
def peaks_off(table: pd.DataFrame, case: Decay) -> pd.DataFrame:
    """Peaks of S + λ on the flow predicted 15 % too large."""
    return scaled(table, table.quantity == "flow", 1.15)


@near("stability.homogeneous", Decay)
def not_quite_homogeneous(table: pd.DataFrame, case: Decay) -> pd.DataFrame:
    """A relative error of 2e-6 in Euler's relation."""
    return table.assign(value=table.value + 2e-6 * (table.quantity == "homogeneous"))


@near("stability.localised", Central)
def rate_off(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """Rates of growth predicted 5 % too large."""
    return scaled(table, table.quantity == "rate", 1 / 1.05)


@near("stability.accuracy", Accuracy)
def tangents_grow_less(table: pd.DataFrame, case: Accuracy) -> pd.DataFrame:
    """Tangents that grow with 0.45 of the exponent."""
    return scaled(table, table.quantity == "growth", 0.45)


@near("stability.recipe", Recipe)
def less_spread(table: pd.DataFrame, case: Recipe) -> pd.DataFrame:
    """A spread over factors ten times smaller."""
    factors = table.quantity == "factor"
    return stretched(table, table.value[factors].mean(), np.where(factors, 0.1, 1.0))


@near("stability.resnet", Depth)
def factor_off(table: pd.DataFrame, case: Depth) -> pd.DataFrame:
    """Factors of the top mode predicted too small by 0.002."""
    return table.assign(value=table.value + 0.002 * (table.quantity == "factor_error"))
