"""What a measurement leaves: one tidy row per number, with its unit and its spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["OURS", "Row", "pick", "spread", "unavailable"]

OURS = "zeroloss"


class Row(NamedTuple):
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

    def over(self, unit: float) -> Row:
        """The same with value and bounds in a unit."""
        return self._replace(value=self.value / unit, lower=self.lower / unit, upper=self.upper / unit)


def spread(samples: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and count of repeated measurements, as fields of a row."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75]).tolist()
    return {"value": middle, "lower": low, "upper": high, "repeats": len(samples)}


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows whose fields have the wanted values, in their order."""
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def unavailable(work: str, case: str, method: str, reason: object, **fields: Any) -> Row:
    """The row of a method that does not run here, and why."""
    first = next(iter(str(reason).splitlines()), "no reason given")
    fields = {"quantity": "cpu_seconds", **fields}
    return Row(work, case, method, value=math.nan, repeats=0, note=f"not available: {first[:120]}", **fields)
