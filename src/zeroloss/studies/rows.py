"""Rows of a study's table of estimates, and the names of their cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zeroloss.statistics import Estimate

__all__ = ["Rows", "Specs", "Tables", "between", "cell", "exact", "of_kind", "over", "parts_of",
           "plain", "row"]

Rows = list[dict[str, Any]]
Tables = Mapping[str, pd.DataFrame]
Specs = Mapping[str, Mapping[str, Any]]
Part = Callable[..., Rows]
Values = Sequence[float] | NDArray[np.float64]


def of_kind(tables: Tables, specs: Specs, kind: str) -> Iterator[tuple[str, Any, pd.DataFrame]]:
    """(case, its specification, its table) of every job of a kind."""
    for name, spec in specs.items():
        if spec["kind"] == kind:
            yield name, spec, tables[name]


def parts_of(measured_by: Mapping[str, Part], numbers: Sequence[Part], claims: Sequence[str]
             ) -> list[Part]:
    """The functions that measure some claims; all, with those of plain numbers, for no claims."""
    chosen = [measured_by[claim] for claim in claims] if claims else [
        *measured_by.values(), *numbers]
    return list(dict.fromkeys(chosen))


def exact(value: float) -> Estimate:
    """A judged number that is its own interval: deterministic, or an end of an interval."""
    return Estimate(float(value), float(value), float(value))


def plain(value: float) -> Estimate:
    """A number that no claim judges and that has no interval of its own; it may be infinite."""
    return Estimate(float(value), math.nan, math.nan, math.nan)


def over(values: Values) -> Estimate:
    """The largest of the values of deterministic runs, with all of them as the interval."""
    return Estimate(float(np.max(values)), float(np.min(values)), float(np.max(values)))


def between(values: Values) -> Estimate:
    """The mean of the values of deterministic runs, with all of them as the interval."""
    return Estimate(float(np.mean(values)), float(np.min(values)), float(np.max(values)))


def cell(setting: str, flow_time: float, *more: str) -> str:
    """The name of a cell: `sine.s4`, `sine.path.s4`."""
    return ".".join([setting, *more, f"s{flow_time:g}"])


def row(claim: str, quantity: str, where: str, estimate: Estimate, sources: list[str], *,
        floor: float = math.nan, replicates: int | None = None, sizes: int | None = None,
        note: str = "") -> dict[str, Any]:
    """One row of the table of estimates."""
    return {"claim": claim, "quantity": quantity, "cell": where, "estimate": estimate.value,
            "lower": estimate.lower, "upper": estimate.upper, "level": estimate.level,
            "floor": floor, "replicates": replicates, "sizes": sizes,
            "sources": ";".join(sources), "note": note}
