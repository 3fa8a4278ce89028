"""Controls of `regimes`: wrong models or data that its claims must refute, and the smallest that they do refute."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from ledger.study import control
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
from zeroloss.studies.regimes.small import EXPONENTS


def instead(table: pd.DataFrame, column: str, name: str, other: str, among: str = "") -> pd.DataFrame:
    """The table with the rows of one name in a column replaced by those of another; in one quantity, or in all."""
    part = (table.quantity == among) | (not among)
    wrong = table.loc[part & (table[column] == other)].assign(**{column: name})
    return pd.concat([table.loc[~(part & (table[column] == name))], wrong], ignore_index=True)


@control("regimes.exponents", Exponents)
def frozen(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """Networks of δ = 1 passed off as those of shared δ."""
    return instead(instead(table, "cell", "shared.tanh", "one.tanh"), "cell", "shared.gelu", "one.gelu")


@control("regimes.affine", Exponents)
def curvature_exchanged(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """The deviation of tanh networks passed off as that of GELU networks."""
    for kind in EXPONENTS:
        table = instead(table, "cell", f"{kind}.gelu", f"{kind}.tanh", "deviation")
    return table


@control("regimes.balance", Balance)
def under_adam(table: pd.DataFrame, case: Balance) -> pd.DataFrame:
    """Adam for the flow."""
    return instead(table, "quantity", "drift", "adam")


@control("regimes.optimiser", Optimiser)
def as_a_flow(table: pd.DataFrame, case: Optimiser) -> pd.DataFrame:
    """The exponents of the flow, which know no rate, for those of Adam."""
    predicted = {"delta": -EXPONENTS["shared"][0], "norm": -EXPONENTS["shared"][1]}
    return table.assign(value=table["size"] ** table.quantity.map(predicted))


@control("regimes.inherited", Inherited)
def of_running_means(table: pd.DataFrame, case: Inherited) -> pd.DataFrame:
    """The variation of running means over layers."""
    return instead(table, "quantity", "variation", "of-means")


@control("regimes.statistics", Paths)
def smoothed(table: pd.DataFrame, case: Paths) -> pd.DataFrame:
    """Statistics of running means of the weights."""
    return instead(table, "quantity", "root-sum", "smoothed")


@control("regimes.law", Chains)
def without_inner_weights(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """ReLU branches without the matrix inside, which remember signs."""
    return instead(table, "cell", "relu", "without-w", "norm")


@control("regimes.trichotomy", Chains)
def independent_as_smooth(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """Independent layers passed off as noise of H = 0.75."""
    rows = (table.quantity == "level") & (table.cell == "h0.5")
    return table.assign(predicted=table.predicted.where(~rows, 0.75))


@control("regimes.drift", Chains)
def drift_of_tanh(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """The drift of tanh passed off as that of GELU."""
    rows = table.quantity == "drift"
    values = table.loc[rows & (table.cell == "tanh"), "value"].to_numpy()
    table.loc[rows & (table.cell == "gelu"), "value"] = values
    return table


@control("regimes.bridge", Starts)
def independent_as_path(table: pd.DataFrame, case: Starts) -> pd.DataFrame:
    """Independent layers passed off as a constant path."""
    for cell in ("path.tanh", "path.gelu"):
        table = instead(table, "cell", cell, "independent.tanh")
    return table


@control("regimes.variation", Variation)
def without_tangents(table: pd.DataFrame, case: Variation) -> pd.DataFrame:
    """J = I: weights that move all alike."""
    return table.assign(predicted=1.0)


@control("regimes.bridge-relu", Kink)
@control("regimes.kink", Kink)
def diffusive(table: pd.DataFrame, case: Kink) -> pd.DataFrame:
    """Brownian weights for those of ReLU networks."""
    for cell in table.loc[table.cell.str.contains("relu"), "cell"].unique():
        table = instead(table, "cell", cell, "brownian")
    return table


# ---- near controls


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
