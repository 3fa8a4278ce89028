"""Arrays to tidy tables and back: one row per entry, one column per axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["tidy", "untidy"]


def tidy(
    values: NDArray[np.float64], axes: Mapping[str, Sequence[Any] | NDArray[Any]], column: str, **constants: Any
) -> pd.DataFrame:
    """One row per entry of ``values``, in C order; ``axes`` names and labels its dimensions.

    ``constants`` become columns of one value. Raises ValueError if labels and shape differ.
    """
    shape = tuple(len(labels) for labels in axes.values())
    if shape != values.shape:
        raise ValueError(
            f"axes {list(axes)} of lengths {shape} do not label an array of shape "
            f"{values.shape}; give one label per entry"
        )
    grids = np.meshgrid(*[np.asarray(labels) for labels in axes.values()], indexing="ij")
    data: dict[str, Any] = dict(constants)
    data.update((name, grid.ravel()) for name, grid in zip(axes, grids, strict=True))
    data[column] = np.ascontiguousarray(values, dtype=np.float64).ravel()
    return pd.DataFrame(data)


def untidy(
    table: pd.DataFrame, axes: Sequence[str], column: str
) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """The array of ``column`` over sorted labels of ``axes``, and these labels.

    Raises ValueError if an entry is missing or stands twice.
    """
    labels = {name: np.unique(table[name].to_numpy()) for name in axes}
    shape = tuple(len(values) for values in labels.values())
    if int(np.prod(shape)) != len(table):
        sizes = dict(zip(axes, shape, strict=True))
        raise ValueError(f"{len(table)} rows are not one per entry of {sizes}; select the rows of one array first")
    codes = tuple(np.searchsorted(labels[name], table[name].to_numpy()) for name in axes)
    if len(np.unique(np.ravel_multi_index(codes, shape))) != len(table):
        raise ValueError(
            f"an entry of {list(axes)} stands twice and another is missing; select the rows of one array first"
        )
    values = np.full(shape, np.nan)
    values[codes] = table[column].to_numpy(np.float64)
    return values, labels
