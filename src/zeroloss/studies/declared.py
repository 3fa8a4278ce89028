"""Controls that studies declare in a line: something measured passed off as something else, numbers that are off by a
factor or in their exponent. The words of each stand in its claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from ledger.near import near, scaled
from ledger.study import Case, control

__all__ = ["Change", "instead", "off_by", "passed_off", "tilted"]

Change = Callable[[pd.DataFrame, Case], pd.DataFrame]


def _rows(table: pd.DataFrame, quantity: str) -> pd.Series:
    """Where a table has rows of a quantity; all rows where none is named."""
    return table.quantity == quantity if quantity else pd.Series(True, index=table.index)


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

    @control(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        return instead(table, names, column, quantity)

    return changed


def off_by(claim: str, kind: type[Case], factor: float, quantity: str = "", column: str = "predicted") -> Change:
    """The near control in which a quantity, or all, is predicted wrong by a factor."""

    @near(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        return scaled(table, _rows(table, quantity), factor, column)

    return changed


def tilted(claim: str, kind: type[Case], power: float, quantity: str) -> Change:
    """The near control in which the exponent of a quantity in the size is larger by ``power``."""

    @near(claim, kind)
    def changed(table: pd.DataFrame, case: Case) -> pd.DataFrame:
        return scaled(table, _rows(table, quantity), table["size"] ** power)

    return changed
