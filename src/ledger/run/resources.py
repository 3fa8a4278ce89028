"""What a job asks of a scheduler: memory and time, from what the same job took before.

`published/costs.csv` holds peak memory and CPU time of each case of the published run; the rules
of the workflow ask here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from ledger.run.costs import Cost, Costs

# A request above what was measured: another machine is slower, another library larger. A job that
# is killed for asking too little asks for as much again with every attempt.
MEMORY_MARGIN, TIME_MARGIN = 1.5, 4.0
MEMORY_STEP_MB = 100
START_UP_SECONDS = 120  # Python, torch and two Snakemakes, from a slow shared disk

# For a case that no run has measured yet: twice the largest of the published run.
UNMEASURED_MB, UNMEASURED_SECONDS = 5800.0, 640.0


class Request(NamedTuple):
    """What a job asks for, in the units of Snakemake: MB and minutes."""

    mem_mb: int
    runtime: int


def request(costs: Costs, study: str, cases: Iterable[str], attempt: int = 1) -> Request:
    """Return what a job asks for that runs these cases one after the other in one process.

    Memory is that of the largest case, time the sum of all; each with its margin, times `attempt`.
    The margin of a prediction is at least the error that it states.
    """
    unmeasured = Cost(UNMEASURED_SECONDS, UNMEASURED_MB, 0)
    known = [costs.get((study, case), unmeasured) for case in cases]
    errors = [cost.errors or (1.0, 1.0) for cost in known]
    memory = max(
        max(MEMORY_MARGIN, error) * cost.peak_memory_mb for cost, (_, error) in zip(known, errors, strict=True)
    )
    seconds = START_UP_SECONDS + sum(
        max(TIME_MARGIN, error) * cost.cpu_seconds for cost, (error, _) in zip(known, errors, strict=True)
    )
    return Request(
        mem_mb=attempt * MEMORY_STEP_MB * math.ceil(memory / MEMORY_STEP_MB), runtime=attempt * math.ceil(seconds / 60)
    )
