"""Negative controls of `regimes`: deliberately wrong models or data, each of which its claim must refute."""

from __future__ import annotations

import pandas as pd

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


@control("regimes.exponents", Exponents)
def frozen(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """Networks of δ = 1 passed off as those of shared δ."""
    for activation in ("tanh", "gelu"):
        one = table.cell == f"one.{activation}"
        shared = table.cell == f"shared.{activation}"
        table.loc[shared, "value"] = table.loc[one, "value"].to_numpy()
    return table


@control("regimes.affine", Exponents)
def curvature_exchanged(table: pd.DataFrame, case: Exponents) -> pd.DataFrame:
    """The deviation of tanh networks passed off as that of GELU networks."""
    rows = table.quantity == "deviation"
    for kind in EXPONENTS:
        tanh, gelu = rows & (table.cell == f"{kind}.tanh"), rows & (table.cell == f"{kind}.gelu")
        table.loc[gelu, "value"] = table.loc[tanh, "value"].to_numpy()
    return table


@control("regimes.balance", Balance)
def under_adam(table: pd.DataFrame, case: Balance) -> pd.DataFrame:
    """Adam for the flow."""
    kept = table.loc[table.quantity != "drift"]
    return pd.concat([kept, kept.loc[kept.quantity == "adam"].assign(quantity="drift")], ignore_index=True)


@control("regimes.optimiser", Optimiser)
def as_a_flow(table: pd.DataFrame, case: Optimiser) -> pd.DataFrame:
    """The exponents of the flow, which know no rate, for those of Adam."""
    predicted = {"delta": -EXPONENTS["shared"][0], "norm": -EXPONENTS["shared"][1]}
    return table.assign(value=table["size"] ** table.quantity.map(predicted))


@control("regimes.inherited", Inherited)
def of_running_means(table: pd.DataFrame, case: Inherited) -> pd.DataFrame:
    """The variation of running means over layers."""
    kept = table.loc[table.quantity != "variation"]
    return pd.concat([kept, kept.loc[kept.quantity == "of-means"].assign(quantity="variation")], ignore_index=True)


@control("regimes.statistics", Paths)
def smoothed(table: pd.DataFrame, case: Paths) -> pd.DataFrame:
    """Statistics of running means of the weights."""
    kept = table.loc[table.quantity != "root-sum"]
    return pd.concat([kept, kept.loc[kept.quantity == "smoothed"].assign(quantity="root-sum")], ignore_index=True)


@control("regimes.law", Chains)
def without_inner_weights(table: pd.DataFrame, case: Chains) -> pd.DataFrame:
    """ReLU branches without the matrix inside, which remember signs."""
    kept = table.loc[~((table.quantity == "norm") & (table.cell == "relu"))]
    renamed = kept.loc[kept.cell == "without-w"].assign(cell="relu")
    return pd.concat([kept, renamed], ignore_index=True)


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
        table.loc[table.cell == cell, "value"] = table.loc[table.cell == "independent.tanh", "value"].to_numpy()
    return table


@control("regimes.variation", Variation)
def without_tangents(table: pd.DataFrame, case: Variation) -> pd.DataFrame:
    """J = I: weights that move all alike."""
    return table.assign(predicted=1.0)


def _brownian_for_relu(table: pd.DataFrame) -> pd.DataFrame:
    values = table.loc[table.cell == "brownian"].set_index(["quantity", "size", "replicate"]).value
    for cell in table.loc[table.cell.str.contains("relu"), "cell"].unique():
        rows = table.cell == cell
        keys = pd.MultiIndex.from_frame(table.loc[rows, ["quantity", "size", "replicate"]])
        table.loc[rows, "value"] = values.reindex(keys).to_numpy()
    return table


@control("regimes.bridge-relu", Kink)
def rough(table: pd.DataFrame, case: Kink) -> pd.DataFrame:
    """Brownian weights for those of ReLU networks."""
    return _brownian_for_relu(table)


@control("regimes.kink", Kink)
def diffusive(table: pd.DataFrame, case: Kink) -> pd.DataFrame:
    """Brownian weights for those of ReLU networks."""
    return _brownian_for_relu(table)
