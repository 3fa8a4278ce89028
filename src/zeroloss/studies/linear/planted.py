"""Deliberately wrong models or data, one per claim: measured and judged, each must be `refuted`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from zeroloss.studies.linear import trajectories
from ledger.run.planting import Planted, changed

__all__ = ["PLANTED"]


def _unbalanced_start(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Factors of different norms, held against the equations of balanced ones."""
    del table
    return trajectories.follow(spec | {"num_layers": spec["num_layers"][:2]}, imbalance=1.2)


def _mirrored_starts(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Ends of the starts with −v in the place of v."""
    cells = spec["cells"]
    torus = table.family == "torus"
    for _, part in table.loc[torus].groupby("num_layers"):
        grid = part.measured.to_numpy().reshape(cells, cells)
        table.loc[part.index, "measured"] = np.roll(grid, cells // 2, axis=1).ravel()
    return table


def _time_backwards(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Trajectories read from their ends to their starts."""
    del spec
    return table.assign(fall_rayleigh=table.rise_rayleigh)


def _one_layer_more(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Rates of networks with one layer more than is said."""
    del spec
    moved = table.num_layers.where(table.quantity != "final-measured", table.num_layers - 1)
    kept = moved.isin(table.num_layers)
    table["num_layers"] = moved
    first = table.num_layers.max()  # the largest has nothing to take from
    return table.loc[kept & (table.num_layers < first)]


def _exponential_escape(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Times of escape that grow like log 1/σ, as those of two layers do."""
    del spec
    seen = table.quantity == "escape-measured"
    table.loc[seen, "value"] = np.log(1 / table.loc[seen, "sigma"])
    return table


def _imbalance_ignored(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The rate of balanced starts, predicted for all."""
    del spec
    balanced = table.loc[table.quantity == "rate-balanced", "value"].to_numpy()
    table.loc[table.quantity == "rate-predicted", "value"] = balanced
    return table


def _descent_as_nesterov(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Gradient descent passed off as Nesterov's method."""
    del spec
    honest = table.loc[table.method != "nesterov"]
    plain = table.loc[table.method == "descent"].assign(method="nesterov")
    return pd.concat([honest, plain], ignore_index=True)


def _half_the_kernel(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Contraction predicted with half of the step: the root of what it is."""
    del spec
    table.loc[table.quantity == "predicted", "value"] **= 0.5
    return table


def _plain_block(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The closed form of f(z, A) = A z for a block that learns both factors of A."""
    del spec
    plain = table.loc[table.quantity == "limit-plain", "value"].to_numpy()
    table.loc[table.quantity == "limit", "value"] = plain
    return table


PLANTED: dict[str, Planted] = {
    "unbalanced-start": changed("follow", _unbalanced_start),
    "mirrored-starts": changed("ends", _mirrored_starts),
    "time-backwards": changed("ends", _time_backwards),
    "one-layer-more": changed("stages", _one_layer_more),
    "exponential-escape": changed("stages", _exponential_escape),
    "imbalance-ignored": changed("unbalanced", _imbalance_ignored),
    "descent-as-nesterov": changed("momentum", _descent_as_nesterov),
    "half-the-kernel": changed("momentum", _half_the_kernel),
    "plain-block": changed("bridge", _plain_block),
}
