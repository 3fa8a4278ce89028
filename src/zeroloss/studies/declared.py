"""Controls that studies declare in a line: something measured passed off as something else, numbers that are off by a
factor, by an amount or in their exponent, another prediction. The words of each stand in its claim.

    flow_as_least = passed_off("landscape.least-energy", Geodesics, {"least": "flow"}, quantity="spread")
    movement_off = off_by("landscape.lazy", Lazy, 1.05, "movement")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ledger.near import near, scaled
from ledger.study import Case, control

__all__ = ["Change", "instead", "off_by", "passed_off", "predicted_as", "shifted", "tilted"]

Change = Callable[[pd.DataFrame, Case], pd.DataFrame]
Mark = Callable[..., Callable[[Change], Change]]  # `control` or `near`


def _rows(table: pd.DataFrame, quantity: str, cell: str = "") -> pd.Series:
    """Where a table has rows of a quantity and of a cell; of all where none is named."""
    rows = pd.Series(True, index=table.index)
    for column, name in (("quantity", quantity), ("cell", cell)):
        if name:
            rows &= table[column] == name
    return rows


def instead(table: pd.DataFrame, names: Mapping[str, str], column: str = "cell", quantity: str = "") -> pd.DataFrame:
    """The table in which what was measured under the second of two names in a column stands under the first too; of
    one quantity, or of all."""
    part = table.loc[_rows(table, quantity)].sort_values(["quantity", "cell", "size", "replicate"])
    for name, other in names.items():
        found = part.loc[part[column] == other, "value"]
        table.loc[part.index[part[column] == name], "value"] = found.to_numpy()
    return table


def passed_off(
    claim: str, kind: type[Case], names: Mapping[str, str], column: str = "cell", quantity: str = ""
) -> Change:
    """The control in which what was measured under one name is passed off as another: {name: what stands in it}."""
    return control(claim, kind)(lambda table, case: instead(table, names, column, quantity))


def predicted_as(claim: str, kind: type[Case], quantity: str, value: Any, mark: Mark = control) -> Change:
    """The control in which a quantity is predicted to be another number, or what is read off the table."""

    @mark(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        wrong = value(table) if callable(value) else value
        return table.assign(predicted=table.predicted.where(table.quantity != quantity, wrong))

    return changed


def off_by(
    claim: str,
    kind: type[Case],
    factor: float,
    quantity: str = "",
    column: str = "predicted",
    cell: str = "",
    mark: Mark = near,
) -> Change:
    """The near control in which a quantity, or all, is predicted wrong by a factor."""
    return mark(claim, kind)(lambda table, case: scaled(table, _rows(table, quantity, cell), factor, column))


def shifted(claim: str, kind: type[Case], quantity: str, by: float, column: str = "value", unit: str = "") -> Change:
    """The near control in which a quantity is off by an amount, or by so much of another column."""

    @near(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        amount = by * table[unit] if unit else by
        return table.assign(**{column: table[column].where(table.quantity != quantity, table[column] + amount)})

    return changed


def tilted(claim: str, kind: type[Case], power: float, quantity: str, cell: str = "", same_at: str = "") -> Change:
    """The near control in which the exponent of a quantity in the size is larger by ``power``; its values stay the
    same at size 1, or at the "min" or "max" of its sizes."""

    @near(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        rows = _rows(table, quantity, cell)
        centre = table.loc[rows, "size"].agg(same_at) if same_at else 1.0
        return scaled(table, rows, (table["size"].where(rows, 1.0) / centre) ** power)

    return changed
