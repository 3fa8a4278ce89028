"""From the tables of `limits` to its estimates."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from zeroloss.studies.limits import agreements, rates
from zeroloss.studies.limits.evidence import Evidence
from ledger.record.rows import Part, Specs, Tables, parts_of

__all__ = ["MEASURED_BY", "measure"]

MEASURED_BY: dict[str, Part] = {
    "limits.depth": rates.depth,
    "limits.width-independent": rates.width_independent,
    "limits.width-path": rates.width_path,
    "limits.constant": agreements.constant,
    "limits.law": agreements.law,
    "limits.smooth": rates.smooth,
    "limits.admissible": rates.admissible,
    "limits.commute": agreements.commute,
    "limits.energy": agreements.energy,
    "limits.loss-bias": agreements.loss_bias,
}
NUMBERS: tuple[Part, ...] = (agreements.to_limit, agreements.numbers)


def measure(tables: Tables, specs: Specs, claims: Sequence[str] = ()) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources.

    With ``claims`` only the parts that measure one of them run, on the cases that are there.
    """
    evidence = Evidence(tables, specs)
    return pd.DataFrame([row for part in parts_of(MEASURED_BY, NUMBERS, claims)
                         for row in part(evidence)])
