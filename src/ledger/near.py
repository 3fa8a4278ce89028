"""Near controls: the smallest wrong theory, of a stated size, that a claim refutes.

A negative control (`ledger.study.control`) shows that a claim can be refuted at all; a near one, how
little is enough. It is written in the same way, in a study's module `measure` or in a module that this
imports, and its words stand in the claim's `near_control`:

    @near("linear.late-rate", Flow)
    def too_fast(table, case):
        return scaled(table, table.quantity == "predicted", 1.03)

Whether it is refuted at the sizes of a run is judged on the tables of that run (`ledger.run.near`).
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ledger.config.case import Case
from ledger.study import Control, F, _mark, _marked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["near", "near_controls_of", "scaled", "stretched"]

MARK = "_ledger_near"


def near(claim: str, *kinds: type[Case]) -> Callable[[F], F]:
    """The near control of a claim, written as `ledger.study.control` is."""
    return lambda function: _mark(function, MARK, (*vars(function).get(MARK, ()), Control(claim, function, kinds)))


def near_controls_of(module: ModuleType) -> dict[str, Control]:
    """The near control of each claim that has one, in a study's module `measure`."""
    marked: dict[Callable[..., Any], tuple[Control, ...]] = _marked(module, MARK)
    return {one.claim: one for controls in marked.values() for one in controls}


def scaled(table: pd.DataFrame, rows: pd.Series, factor: Any, column: str = "value") -> pd.DataFrame:
    """The table with a column times a factor, one for all or of each row, in the rows where `rows` is true."""
    return table.assign(**{column: table[column].where(~rows, table[column] * factor)})


def stretched(table: pd.DataFrame, centre: Any, factor: Any, column: str = "value") -> pd.DataFrame:
    """The table with the distance of a column from a centre times a factor: one for all rows, or of each."""
    return table.assign(**{column: centre + (table[column] - centre) * factor})
