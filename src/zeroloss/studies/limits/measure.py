"""From the tables of `limits` to its estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zeroloss.studies.limits import agreements, rates
from zeroloss.studies.limits.evidence import Evidence

__all__ = ["measure"]

PARTS = (
    rates.depth, rates.width_independent, rates.width_path, agreements.constant, agreements.law,
    rates.smooth, rates.admissible, agreements.commute, agreements.energy, agreements.loss_bias,
    agreements.numbers,
)


def measure(tables: Mapping[str, pd.DataFrame], specs: Mapping[str, Mapping[str, Any]]
            ) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources."""
    evidence = Evidence(tables, specs)
    return pd.DataFrame([row for part in PARTS for row in part(evidence)])
