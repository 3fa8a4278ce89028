"""The planted failure of `my_study`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ledger.run.planting import Planted, changed

__all__ = ["PLANTED"]


def _no_averaging(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Residuals that keep their spread at every width."""
    mean = table.groupby("sample").residual.transform("mean")
    table["residual"] = mean + (table.residual - mean) * spec["num_units"] ** 0.5
    return table


PLANTED: dict[str, Planted] = {"no-averaging": changed("ensemble", _no_averaging)}
