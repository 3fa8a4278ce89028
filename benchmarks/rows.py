"""What a measurement leaves: one tidy row per number, with its unit and its spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "OURS", "Row", "pick", "spread", "values"]

OURS = "zeroloss"


@dataclass(frozen=True)
class Row:
    """One number: what was measured, for which case and method, and at which ``size``.

    ``size`` is the number that is varied within a case (an accuracy, a count of steps), NaN where
    none is. lower and upper are quartiles over ``repeats`` unless ``note`` says otherwise.
    """

    work: str
    case: str
    method: str
    quantity: str
    value: float
    unit: str = ""
    size: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    repeats: int = 1
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """The row as a mapping of JSON's types (NaN where there is no number)."""
        return asdict(self)


COLUMNS = tuple(field.name for field in fields(Row))


def spread(samples: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and count of repeated measurements, as fields of a row."""
    low, middle, high = np.quantile(np.asarray(samples, dtype=np.float64), [0.25, 0.5, 0.75])
    return {"value": float(middle), "lower": float(low), "upper": float(high),
            "repeats": len(samples)}


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows whose fields have the wanted values, in their order."""
    return [row for row in rows
            if all(getattr(row, name) == value for name, value in wanted.items())]


def values(rows: Iterable[Row], **wanted: Any) -> dict[str, float]:
    """{method: value} of the rows whose fields have the wanted values."""
    return {row.method: row.value for row in pick(rows, **wanted)}
