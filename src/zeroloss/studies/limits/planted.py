"""Deliberately wrong models or data, one per claim: measured and judged, each must be `refuted`.

Each function takes the tables and specifications of an honest run and returns the tables that a
wrong theory, or a wrong program, would have made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ledger.run.planting import Made, Planted, changed
from ledger.record.rows import Specs, Tables

__all__ = ["PLANTED"]

Factor = pd.Series | np.ndarray


def _pull(table: pd.DataFrame, groups: list[str], factor: Factor) -> pd.DataFrame:
    """Multiply deviations from the mean of each group by a factor per row."""
    mean = table.groupby(groups)["residual"].transform("mean")
    table["residual"] = mean + (table["residual"] - mean) * factor
    return table


SIZE = ["num_layers", "num_units", "flow_time", "sample"]


def _second_order_layers(tables: Tables, specs: Specs) -> Made:
    """Layers that approach their limit like 1/L², as a midpoint rule would."""

    def change(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
        del spec
        axis = "scramble" if "scramble" in table else "replicate"
        keys = [axis, "flow_time", "sample"]
        exact = table.loc[table.num_layers == 0].set_index(keys)["residual"]
        base = exact.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
        shrink = np.where(table.num_layers > 0, 1.0 / table.num_layers.clip(lower=1), 1.0)
        table["residual"] = base + (table["residual"] - base) * shrink
        return table

    return changed("fixed-paths", change)(changed("ladder", change)(tables, specs), specs)


def _branches_by_root(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Branches scaled by 1/√M instead of 1/M: fluctuations that do not fall with M."""
    if spec["sampling"] != "independent":
        return table
    return _pull(table, SIZE, np.sqrt(table["num_units"]))


def _redrawn_layers(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Layers drawn anew where one path was promised: fluctuations that fall with L."""
    if spec["sampling"] != "path":
        return table
    return _pull(table, SIZE, 1.0 / np.sqrt(table["num_layers"]))


def _untrained_influence(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """The influence function of initialisation, taken for that of the trained network."""
    first = min(spec["flow_times"])
    keys = ["sampling", "num_layers", "scramble", "row", "column"]
    start = table.loc[table.flow_time == first].set_index(keys)["covariance"]
    table["covariance"] = start.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
    return table


def _layers_mistaken_for_independent(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Paths whose layers are counted as L independent draws: a covariance too small by 16."""
    del spec
    path = table["sampling"] == "path"
    table.loc[path, "covariance"] /= 16.0
    return table


def _correlation_ignored(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Every lag fully correlated, whatever the correlation length: the law of constant paths."""
    del spec
    keys = ["scramble", "flow_time", "depth", "other_depth"]
    full = table.loc[table.correlation == table.correlation.max()].set_index(keys)["covariance"]
    table["covariance"] = full.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
    return table


def _brownian_as_lipschitz(tables: Tables, specs: Specs) -> Made:
    """Brownian paths passed off as Lipschitz ones."""
    rough = [n for n in tables if specs[n]["kind"] == "rough"]
    brownian = pd.concat([tables[n][tables[n].path == "h0.5"] for n in rough])
    made = dict(tables)
    for name in rough:
        table = tables[name]
        if (table.path == "lipschitz").any():
            kept = table.loc[table.path != "lipschitz"]
            made[name] = pd.concat([kept, brownian.assign(path="lipschitz")])
    return made


def _reference_at_another_time(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """The limit at the last flow time, offered as the limit at all of them."""
    last = max(spec["flow_times"])
    keys = ["variant", "scramble", "sample"]
    late = table.loc[table.flow_time == last].set_index(keys)["residual"]
    table["residual"] = late.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
    return table


def _half_dissipation(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """A dissipation of ½ ∫∫|∇_θ δE/δρ|²."""
    del spec
    table.loc[table["quantity"] == "dissipated", "value"] *= 0.5
    return table


def _bias_a_hundredfold(table: pd.DataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """A depth bias A a hundred times too large."""
    del spec
    keys = ["scramble", "flow_time", "sample"]
    exact = table.loc[table.num_layers == 0].set_index(keys)["residual"]
    base = exact.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
    table["residual"] = base + 100.0 * (table["residual"] - base)
    return table


PLANTED: dict[str, Planted] = {
    "second-order-layers": _second_order_layers,
    "branches-by-root": changed("ensemble", _branches_by_root),
    "redrawn-layers": changed("ensemble", _redrawn_layers),
    "untrained-influence": changed("influence", _untrained_influence),
    "layers-mistaken-for-independent": changed("influence", _layers_mistaken_for_independent),
    "correlation-ignored": changed("pairs", _correlation_ignored),
    "brownian-as-lipschitz": _brownian_as_lipschitz,
    "reference-at-another-time": changed("reference", _reference_at_another_time),
    "half-dissipation": changed("energy", _half_dissipation),
    "bias-a-hundredfold": changed("ladder", _bias_a_hundredfold),
}
