"""Estimates that studies declare in a line: of every cell of a quantity its mean, its limit or its slope in the size.

    movement = limits("landscape.lazy", Lazy, "movement")
    excess = means("landscape.energy", Energies, {"over-least": "excess"}, lambda part: ratio_of(part) - 1, "counts")

Quantities of a table, or one cell of them as "quantity/cell", are named as they are called among the estimates, {} for
the cell. ``sizes`` names the list of a case that tells how many sizes it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from ledger.record.rows import Row, row
from ledger.record.statistics import Estimate
from ledger.study import Case, Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import by_size, limit_row, mean_row, part_of, ratio_of, slope_row

__all__ = ["at_largest", "estimates", "limits", "means", "slopes"]

Names = str | tuple[str, ...] | Mapping[str, str]
Measure = Callable[[Run], Iterator[Row]]


def _measure(claim: str, kind: type[Case], names: Names, made: Callable[..., Row]) -> Measure:
    """What measures each cell of quantities, in all cases of a kind: ``made`` of claim, label, cell, rows, the name of
    the case and the case."""
    listed = (names,) if isinstance(names, str) else names
    labels = listed if isinstance(listed, Mapping) else {one: one.replace("-", "_") for one in listed}

    @measures(*filter(None, [claim]))
    def measured(run: Run) -> Iterator[Row]:
        for name, case, table in run.of(kind):
            for key, label in labels.items():
                quantity, _, cell = key.partition("/")
                for where, part in part_of(table, quantity):
                    if cell in ("", where):
                        yield made(claim, label.format(where), where, part, name, case)

    return measured


def _count(case: Any, sizes: str) -> int:
    return len(getattr(case, sizes)) if sizes else 1


def at_largest(part: pd.DataFrame) -> Array:
    """Measured over predicted at the largest size."""
    return ratio_of(by_size(part)[-1][1])


def means(
    claim: str, kind: type[Case], names: Names, values: Callable[[pd.DataFrame], Array] = ratio_of, sizes: str = ""
) -> Measure:
    """The mean over replicates of the ratio, or of other values."""

    def made(claim: str, label: str, where: str, part: pd.DataFrame, name: str, case: Case) -> Row:
        return mean_row(claim, label, where, values(part), name, _count(case, sizes))

    return _measure(claim, kind, names, made)


def limits(claim: str, kind: type[Case], names: Names, largest: int = 3, predicted: float | None = None) -> Measure:
    """The ratio extrapolated to infinite size from the largest sizes; to what the table predicts, or to a number."""

    def made(claim: str, label: str, where: str, part: pd.DataFrame, name: str, case: Case) -> Row:
        over = part if predicted is None else part.assign(predicted=predicted)
        return limit_row(claim, label, where, over, name, largest)

    return _measure(claim, kind, names, made)


def slopes(claim: str, kind: type[Case], names: Names, largest: int = 0) -> Measure:
    """The slope of the log mean in log size, over the largest sizes or all."""
    return _measure(claim, kind, names, lambda *cell: slope_row(*cell[:-1], sizes=largest))


def estimates(
    claim: str, kind: type[Case], names: Names, estimate: Callable[[pd.DataFrame], Estimate], sizes: str
) -> Measure:
    """Any other estimate, of as many replicates as the case has."""

    def made(claim: str, label: str, where: str, part: pd.DataFrame, name: str, case: Any) -> Row:
        count = _count(case, sizes)
        return row(claim, label, where, estimate(part), [name], replicates=case.replicates, sizes=count)

    return _measure(claim, kind, names, made)
