"""From the tables of `size` to its estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ledger.record.rows import Part, Specs, Tables, parts_of
from zeroloss.studies.size import agreements, demands
from zeroloss.studies.size.evidence import Evidence

__all__ = ["MEASURED_BY", "measure"]

MEASURED_BY: dict[str, Part] = {
    "size.sufficient": demands.sufficient,
    "size.law": agreements.law,
    "size.eta": agreements.eta,
    "size.corollary": agreements.corollary,
    "size.slack": demands.slack,
}
NUMBERS: tuple[Part, ...] = (
    demands.required, demands.exponents, demands.weights, agreements.threshold,
)


def measure(tables: Tables, specs: Specs, claims: Sequence[str] = ()) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources.

    With ``claims`` only the parts that measure one of them run, on the cases that are there.
    """
    evidence = Evidence(tables, specs)
    rows: list[dict[str, Any]] = [
        row for part in parts_of(MEASURED_BY, NUMBERS, claims) for row in part(evidence)]
    return pd.DataFrame(rows)
