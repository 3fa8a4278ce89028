"""Rows of a study's table of estimates, and the names of their cells."""

from __future__ import annotations

import math
from typing import Any

from zeroloss.statistics import Estimate

__all__ = ["cell", "row"]


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
