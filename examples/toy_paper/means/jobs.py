"""What one job computes."""

from __future__ import annotations

import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from means.plan import Means


@job(Means)
def means(case: Means) -> pd.DataFrame:
    """The mean of `size` uniform draws from [0, 1], once for each replicate."""
    draws = stream(case.seed, "means", case.size).random((case.replicates, case.size))
    return pd.DataFrame({"mean": draws.mean(axis=1)})
