"""What a job asks of a scheduler: memory and time, from what the same job took before.

`workflow/resources.csv` holds peak memory and wall time of each case of a full run. `zeroloss
resources` writes it from the manifests of that run; the rules of the workflow read it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from zeroloss import results
from zeroloss.results import MissingResultError, ResultError

COLUMNS = ("study", "case", "peak_memory_mb", "wall_seconds")
MEASURE = "zeroloss resources --results results/full --out workflow/resources.csv"

# A request above what was measured: another machine is slower, another library larger. A job that
# is killed for asking too little asks for as much again with every attempt.
MEMORY_MARGIN, TIME_MARGIN = 1.5, 4.0
MEMORY_STEP_MB = 100
START_UP_SECONDS = 120  # Python, torch and two Snakemakes, from a slow shared disk


class Cost(NamedTuple):
    """What a job took: peak memory of its process in MB (2^20 bytes), wall time in seconds."""

    peak_memory_mb: float
    wall_seconds: float


class Request(NamedTuple):
    """What a job asks for, in the units of Snakemake: MB and minutes."""

    mem_mb: int
    runtime: int


# For a case that no run has measured yet: twice the largest of the published run.
UNMEASURED = Cost(peak_memory_mb=3000.0, wall_seconds=300.0)

Table = Mapping[tuple[str, str], Cost]


def measured(folder: Path) -> dict[tuple[str, str], Cost]:
    """Return {(study, case): cost} of all manifests of a run; its measurements are `estimates`."""
    found: dict[tuple[str, str], Cost] = {}
    for path in sorted(Path(folder).glob("*/*.manifest.json")):
        manifest = results.read_json(path)
        try:
            key = str(manifest["study"]), str(manifest["case"])
            found[key] = Cost(float(manifest["peak_memory_mb"]), float(manifest["wall_seconds"]))
        except (KeyError, TypeError, ValueError):
            raise ResultError(
                f"{path} must name study, case, peak_memory_mb and wall_seconds; "
                f"{results.REBUILD.format('its table')}"
            ) from None
    if not found:
        raise MissingResultError(f"{folder} holds no manifest of a job; run make reproduce")
    return found


def write(table: Table, out: Path) -> None:
    """Write the table as CSV, in the order of its keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (study, case), cost in sorted(table.items()):
        writer.writerow([study, case, round(cost.peak_memory_mb), round(cost.wall_seconds, 1)])
    results.write_text(out, text.getvalue())


def read(path: Path) -> dict[tuple[str, str], Cost]:
    """Return the table that `write` wrote."""
    lines = csv.DictReader(io.StringIO(results.read_text(path)))
    if tuple(lines.fieldnames or ()) != COLUMNS:
        raise ResultError(f"{path} must have the columns {', '.join(COLUMNS)}, got "
                          f"{', '.join(lines.fieldnames or ['none'])}; write it with {MEASURE}")
    table = {}
    for row in lines:
        try:
            cost = Cost(float(row["peak_memory_mb"]), float(row["wall_seconds"]))
        except (TypeError, ValueError):
            cost = Cost(math.nan, math.nan)
        if not all(math.isfinite(number) and number >= 0 for number in cost):
            raise ResultError(f"{path} line {lines.line_num}: memory and time must be numbers "
                              f"from 0, got {list(row.values())}; write it with {MEASURE}")
        table[row["study"], row["case"]] = cost
    return table


def request(table: Table, study: str, cases: Iterable[str], attempt: int = 1) -> Request:
    """Return what a job asks for that runs these cases one after the other in one process.

    Memory is that of the largest case, time the sum of all; each with its margin, times `attempt`.
    """
    costs = [table.get((study, case), UNMEASURED) for case in cases]
    memory = MEMORY_MARGIN * max(cost.peak_memory_mb for cost in costs)
    seconds = TIME_MARGIN * sum(cost.wall_seconds for cost in costs) + START_UP_SECONDS
    return Request(
        mem_mb=attempt * MEMORY_STEP_MB * math.ceil(memory / MEMORY_STEP_MB),
        runtime=attempt * math.ceil(seconds / 60),
    )
