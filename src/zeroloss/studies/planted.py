"""Changes of tables of replicates that controls plant: what was measured or predicted is made wrong.

    bottleneck_as_linear = control("landscape.hessian", Hessians)(passed_off("norm", "linear", by="bottleneck"))
    movement_off = near("landscape.lazy", Lazy)(off_by(1.05, "movement"))

The words of a control stand in its claim.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ledger.near import scaled
from ledger.study import Case
from zeroloss.studies.replicated import part_of

__all__ = ["off_by", "passed_off", "predicted_as"]

Change = Callable[[pd.DataFrame, Case], pd.DataFrame]


def passed_off(quantity: str, where: str, by: str) -> Change:
    """What was measured in one cell stands in another."""

    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        cells = dict(part_of(table, quantity))
        table.loc[cells[where].index, "value"] = cells[by].value.to_numpy()
        return table

    return changed


def predicted_as(value: float, quantity: str) -> Change:
    """Another number is predicted for a quantity."""
    return lambda table, case: table.assign(predicted=table.predicted.where(table.quantity != quantity, value))


def off_by(factor: float, quantity: str = "", where: str = "", column: str = "predicted") -> Change:
    """What is predicted, or another column, is wrong by a factor: of one quantity and in one cell, or of all."""

    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        rows = pd.Series(True, table.index)
        for name, value in (("quantity", quantity), ("cell", where)):
            if value:
                rows &= table[name] == value
        return scaled(table, rows, factor, column)

    return changed
