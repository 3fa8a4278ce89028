"""Near controls of `regimes`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from zeroloss.studies.regimes.plan import (
    Balance,
    Chains,
    Exponents,
    Inherited,
    Kink,
    Optimiser,
    Paths,
    Starts,
    Variation,
)


@near("regimes.exponents", Exponents)
def exponent_off(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """Weights whose exponent is larger by 0.05."""
    return scaled(table, table.quantity == "norm", table["size"] ** -0.05)


@near("regimes.balance", Balance)
def leaks(table: pd.DataFrame, case: Balance) -> pd.DataFrame:
    """Invariants that drift by 2·10⁻⁶ of δ²."""
    return table.assign(value=table.value.where(table.quantity != "drift", table.value + 2e-6))


@near("regimes.affine", Exponents)
def deviation_off(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """Deviations whose exponent is larger by 0.1."""
    return scaled(table, table.quantity == "deviation", table["size"] ** -0.1)


@near("regimes.optimiser", Optimiser)
def sum_off(table: pd.DataFrame, case: Optimiser) -> pd.DataFrame:
    """A sum of the exponents that is larger by 0.2."""
    return scaled(table, table.quantity == "norm", table["size"] ** -0.2)


@near("regimes.inherited", Inherited)
def smoother(table: pd.DataFrame, case: Inherited) -> pd.DataFrame:
    """A variation that training lowers by 2 %."""
    return scaled(table, table.quantity == "variation", 0.98)


@near("regimes.statistics", Paths)
def slopes_off(table: pd.DataFrame, case: Paths) -> pd.DataFrame:
    """Sums of squares of paths whose Hurst index is larger by 0.05."""
    return scaled(table, table.quantity == "root-sum", table["size"] ** -0.05)


@near("regimes.law", Chains)
def law_off(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """A law that is wider by 15 %."""
    return scaled(table, table.quantity == "norm", 1.15)


@near("regimes.trichotomy", Chains)
def line_off(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """A critical β that is larger than H by 0.1."""
    return table.assign(predicted=table.predicted.where(table.quantity != "level", table.predicted - 0.1))


@near("regimes.drift", Chains)
def drift_off(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """A drift that is 15 % larger."""
    return scaled(table, table.quantity == "drift", 1.15)


@near("regimes.bridge", Starts)
def increments_off(table: pd.DataFrame, case: Starts) -> pd.DataFrame:
    """Increments that fall like L^-0.95."""
    return scaled(table, table.quantity == "increment", table["size"] ** 0.05)


@near("regimes.variation", Variation)
def variation_off(table: pd.DataFrame, case: Variation) -> pd.DataFrame:
    """A variation predicted 10 % too large."""
    return table.assign(predicted=1.1 * table.predicted)


@near("regimes.bridge-relu", Kink)
def regularised_off(table: pd.DataFrame, case: Kink) -> pd.DataFrame:
    """Increments of the regularised ReLU that fall like L^-0.85."""
    return scaled(table, table.quantity == "increment", table["size"] ** 0.15)


@near("regimes.kink", Kink)
def grows_apart(table: pd.DataFrame, case: Kink) -> pd.DataFrame:
    """A quadratic variation that falls like L^-0.35 more than it does."""
    return scaled(table, table.quantity == "variation", table["size"] ** -0.35)
