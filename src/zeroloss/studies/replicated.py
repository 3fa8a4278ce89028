"""What studies of small models in numpy share: tables of replicates, and limits in their size.

A job writes one row per replicate with what was measured and what was predicted; a measurement is
their ratio, at one size or extrapolated to an infinite one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE, Interval
from ledger.record.rows import Row, Rows, row
from ledger.record.statistics import Estimate, student, welch
from zeroloss.model.arrays import Array

__all__ = [
    "at_infinity",
    "by_size",
    "limit_row",
    "mean_row",
    "mean_rows",
    "means",
    "part_of",
    "ratio_of",
    "slope_row",
    "tidy",
]


def tidy(quantity: str, where: str, size: float, values: Any, predicted: Any = 1.0) -> pd.DataFrame:
    """One row per replicate of a quantity in a cell at a size."""
    values = np.atleast_1d(np.asarray(values, dtype=float))
    return pd.DataFrame(
        {"quantity": quantity, "cell": where, "size": float(size), "replicate": np.arange(len(values)),
         "value": values, "predicted": np.broadcast_to(np.asarray(predicted, dtype=float), values.shape)}
    )  # fmt: skip


def part_of(table: pd.DataFrame, quantity: str) -> list[tuple[str, pd.DataFrame]]:
    """The rows of a quantity, cell by cell, in an order that does not depend on the table's."""
    part = table.loc[table.quantity == quantity].sort_values(["size", "replicate"])
    return [(str(where), one) for where, one in part.groupby("cell")]


def by_size(part: pd.DataFrame) -> list[tuple[float, pd.DataFrame]]:
    """The rows of each size, from the least on."""
    return [(float(str(size)), one) for size, one in part.groupby("size")]


def means(part: pd.DataFrame, column: str = "value") -> tuple[Array, Array]:
    """The sizes, and the mean of a column at each."""
    found = [(size, float(np.mean(one[column].to_numpy()))) for size, one in by_size(part)]
    return np.array([size for size, _ in found]), np.array([mean for _, mean in found])


def ratio_of(part: pd.DataFrame) -> Array:
    """Measured over predicted, replicate by replicate."""
    return (part.value / part.predicted).to_numpy()


def at_infinity(sizes: Sequence[float], samples: Sequence[Array], interval: Interval = CONFIDENCE) -> Estimate:
    """Mean of independent samples extrapolated to 1/size = 0 by the polynomial through all sizes.

    The weights are Lagrange's at zero, w_i = Π_{j≠i} x_j/(x_j − x_i) with x = 1/size; they sum to 1.
    """
    x = 1.0 / np.asarray(sizes, dtype=float)
    weights = [float(np.prod([b / (b - a) for j, b in enumerate(x) if j != i])) for i, a in enumerate(x)]
    errors = [(w * float(s.std(ddof=1)) / np.sqrt(len(s)), len(s) - 1) for w, s in zip(weights, samples, strict=True)]
    value = sum(w * float(s.mean()) for w, s in zip(weights, samples, strict=True))
    return welch(value, errors, interval)


def limit_row(
    claim: str,
    quantity: str,
    where: str,
    part: pd.DataFrame,
    name: str,
    sizes: int = 3,
    interval: Interval = CONFIDENCE,
) -> Row:
    """The ratio extrapolated to infinite size from the largest ``sizes`` that were run."""
    groups = [(size, ratio_of(one)) for size, one in by_size(part)][-sizes:]
    estimate = at_infinity([size for size, _ in groups], [values for _, values in groups], interval)
    least = min(len(values) for _, values in groups)
    return row(claim, quantity, where, estimate, [name], replicates=least, sizes=len(groups))


def mean_row(
    claim: str, quantity: str, where: str, values: Array, name: str, sizes: int = 1, interval: Interval = CONFIDENCE
) -> Row:
    """The mean over replicates with Student's interval."""
    return row(claim, quantity, where, student(values, interval), [name], replicates=len(values), sizes=sizes)


def slope_row(claim: str, quantity: str, where: str, part: pd.DataFrame, name: str, sizes: int = 0) -> Row:
    """Least-squares slope of the log mean in log size, over the largest ``sizes`` or all.

    Means of independent replicates: the error of log mean is the relative one of the mean.
    """
    groups = [(size, one.value.to_numpy()) for size, one in by_size(part)][-sizes:]
    x = np.log([size for size, _ in groups])
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    value = sum(w * np.log(v.mean()) for w, (_, v) in zip(weights, groups, strict=True))
    errors = [
        (float(w * v.std(ddof=1) / v.mean() / np.sqrt(len(v))), len(v) - 1)
        for w, (_, v) in zip(weights, groups, strict=True)
    ]
    least = min(len(v) for _, v in groups)
    return row(
        claim, quantity, where, welch(float(value), errors, CONFIDENCE), [name], replicates=least, sizes=len(groups)
    )


def mean_rows(
    claim: str,
    quantity: str,
    parts: Iterable[tuple[str, pd.DataFrame]],
    name: str,
    sizes: int = 1,
    values: Callable[[pd.DataFrame], Array] = ratio_of,
) -> Rows:
    """`mean_row` of each cell: of the ratio, or of other values."""
    return [mean_row(claim, quantity, where, values(part), name, sizes) for where, part in parts]
