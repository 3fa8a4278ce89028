"""Rows of a study's table of estimates, and the names of their cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.record.interval import DETERMINISTIC, NONE, range_of
from ledger.record.statistics import Estimate

__all__ = ["Row", "Rows", "between", "cell", "exact", "over", "plain", "row", "rows_of"]

Row = dict[str, Any]
Rows = list[Row]
Values = Sequence[float] | NDArray[np.float64]


def exact(value: float) -> Estimate:
    """A computed number: it is its own interval."""
    return Estimate(float(value), float(value), float(value), DETERMINISTIC)


def plain(value: float) -> Estimate:
    """A number that no claim judges and that has no interval of its own; it may be infinite."""
    return Estimate(float(value), math.nan, math.nan, NONE)


def over(values: Values) -> Estimate:
    """The largest of the values of deterministic runs, with all of them as the interval."""
    return Estimate(float(np.max(values)), float(np.min(values)), float(np.max(values)), range_of(len(values)))


def between(values: Values) -> Estimate:
    """The mean of the values of deterministic runs, with all of them as the interval."""
    low, high = float(np.min(values)), float(np.max(values))
    mean = min(max(float(np.mean(values)), low), high)  # of equal values, rounding may leave it outside
    return Estimate(mean, low, high, range_of(len(values)))


def cell(setting: str, flow_time: float, *more: str) -> str:
    """The name of a cell: `sine.s4`, `sine.path.s4`."""
    return ".".join([setting, *more, f"s{flow_time:g}"])


def row(
    claim: str,
    quantity: str,
    where: str,
    estimate: Estimate,
    sources: list[str],
    *,
    floor: float = math.nan,
    replicates: int | None = None,
    sizes: int | None = None,
    note: str = "",
) -> Row:
    """One row of the table of estimates."""
    return {
        "claim": claim,
        "quantity": quantity,
        "cell": where,
        "estimate": estimate.value,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "interval": str(estimate.interval),
        "floor": floor,
        "replicates": replicates,
        "sizes": sizes,
        "sources": ";".join(sources),
        "note": note,
    }


def rows_of(sources: list[str], **counts: Any) -> Callable[..., Row]:
    """What makes rows from the same sources, of as many replicates and sizes: `row` without them."""
    return partial(row, sources=sources, **counts)
