"""Changes of tables of replicates that controls plant: what was measured or predicted is made wrong.

    bottleneck_as_linear = control("landscape.hessian", Hessians)(passed_off("norm", "linear", by="bottleneck"))
    movement_off = near("landscape.lazy", Lazy)(off_by("movement", 1.05))

The words of a control stand in its claim.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ledger.near import scaled
from ledger.study import Case
from zeroloss.studies.replicated import part_of

__all__ = ["off_by", "passed_off"]

Change = Callable[[pd.DataFrame, Case], pd.DataFrame]


def passed_off(quantity: str, where: str, by: str) -> Change:
    """What was measured in one cell stands in another."""

    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        cells = dict(part_of(table, quantity))
        table.loc[cells[where].index, "value"] = cells[by].value.to_numpy()
        return table

    return changed


def off_by(quantity: str, factor: float, where: str = "", column: str = "predicted") -> Change:
    """A quantity is predicted wrong by a factor, or another column is, in one cell or in all."""

    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        rows = (table.quantity == quantity) & ((table.cell == where) | (not where))
        return scaled(table, rows, factor, column)

    return changed
