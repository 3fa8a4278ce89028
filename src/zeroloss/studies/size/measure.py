"""From the tables of `size` to its estimates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.rows import Rows, Specs, Tables
from zeroloss.studies.size import agreements, demands
from zeroloss.studies.size.evidence import Evidence

__all__ = ["measure"]

PARTS: tuple[Callable[[Evidence], Rows], ...] = (
    demands.sufficient, demands.slack, demands.required, demands.exponents, demands.weights,
    agreements.law, agreements.eta, agreements.corollary, agreements.threshold,
)


def measure(tables: Tables, specs: Specs) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources."""
    evidence = Evidence(tables, specs)
    rows: list[dict[str, Any]] = [row for part in PARTS for row in part(evidence)]
    return pd.DataFrame(rows)
