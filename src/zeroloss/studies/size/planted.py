"""Deliberately wrong models or data, one per claim: measured and judged, each must be `refuted`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ledger.run.planting import Planted, changed

__all__ = ["PLANTED"]


def _covariance_a_thousandth(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Fluctuations predicted too small: a bound that promises too much."""
    del spec
    table.loc[table.what.isin(["independent", "path"]), "value"] /= 1000.0
    return table


def _layers_mistaken_for_independent(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Paths whose layers are counted as independent draws."""
    del spec
    path = table.what == "path"
    table.loc[path, "value"] /= table.loc[path, "num_layers"]
    return table


def _heavy_tails(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Risks with the heaviest tail that Chebyshev's inequality allows: P(|deviation| > u) is
    proportional to 1/(M u²)."""
    first = table.replicate == table.replicate.min()
    centre = table.loc[first, "risk"].mean()
    share = (table.replicate * 0.6180339887498949) % 1.0  # equidistributed over replicates
    far = spec["accuracies"][len(spec["accuracies"]) // 2]
    least = table.num_units.min()
    table["risk"] = centre + far * np.sqrt(least / table.num_units / share.clip(lower=1e-9))
    return table


def _stopped_early(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Networks that were stopped when they had three times the risk."""
    del spec
    table.loc[table.what == "risk", "value"] *= 3.0
    return table


def _one_unit(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A theorem that is content with a layer of one unit."""
    del spec
    table.loc[table.what == "width", "value"] = 0.0
    return table


PLANTED: dict[str, Planted] = {
    "covariance-a-thousandth": changed("law", _covariance_a_thousandth),
    "layers-mistaken-for-independent": changed("law", _layers_mistaken_for_independent),
    "heavy-tails": changed("ensemble", _heavy_tails),
    "stopped-early": changed("corollary", _stopped_early),
    "one-unit": changed("theorem", _one_unit),
}
