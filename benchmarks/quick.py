"""Has the engine become slower? Ratios to its peers on small sizes, beside those of earlier commits.

    make bench ONLY=quick                                 in two minutes; fails where a ratio has fallen
    python -m benchmarks.quick --history FILE             the same with another history

A ratio is the time of a peer over ours, median of pairs in one run, so that it says something of
the code and less of the machine. The last ten runs are kept, one line of JSON each. A ratio less
than its median over them by a factor of 1.5 is a regression; a median of fewer than three says
nothing yet. A run that fails is not kept, so that the next one is held against the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import machine, networks
from benchmarks.rows import Row
from benchmarks.timing import Effort
from benchmarks.workload import Shape
from ledger.record import results

__all__ = ["judge", "main", "ratios"]

Ratios = Mapping[str, float]
HISTORY = Path(__file__).resolve().parents[1] / "results" / "bench-quick.jsonl"
KEPT, FEWEST, FACTOR = 10, 3, 1.5
SHAPE = Shape(networks=8, L=16, M=256, N=16, steps=10)
EFFORT = Effort(repeats=7, seconds=0.05)
WORKS = ("gradient", "training")


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Wall time of each peer over ours, by work, precision and peer."""
    return {f"{row.work}, {row.case}, {row.method}": row.value for row in rows if row.quantity == "wall_ratio"}


def judge(now: Ratios, before: Sequence[Ratios]) -> dict[str, tuple[float, float]]:
    """Each ratio that has fallen by the factor, with its median over the runs that have it."""
    fallen = {}
    for name, ratio in now.items():
        earlier = [run[name] for run in before if name in run]
        if len(earlier) >= FEWEST and ratio * FACTOR < median(earlier):
            fallen[name] = (ratio, median(earlier))
    return fallen


def main(given: Sequence[str] | None = None) -> int:
    """Measure, compare, keep; 1 where a ratio has fallen."""
    parser = argparse.ArgumentParser(description="Ratios to peers, against those of the last ten runs")
    parser.add_argument("--history", type=Path, default=HISTORY, help="earlier runs, to which this one is added")
    history = parser.parse_args(given).history
    runs = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []
    now = ratios([row for work in WORKS for row in machine.in_process(networks.measure, work, SHAPE, EFFORT)])
    fallen = judge(now, [run["ratios"] for run in runs])
    for name, ratio in now.items():
        print(f"{name}: {ratio:.2f}" + (f", was {fallen[name][1]:.2f}: slower" if name in fallen else ""))
    if fallen:
        print(f"{len(fallen)} of {len(now)} ratios have fallen by more than {FACTOR:g}; nothing was added to {history}")
        return 1
    runs.append({"commit": machine.describe()["commit"], "ratios": now})
    results.write_text(history, "".join(json.dumps(run) + "\n" for run in runs[-KEPT:]))
    print(f"{len(now)} ratios, held against {len(runs) - 1} earlier runs; added to {history}")
    return 0


if __name__ == "__main__":
    os.environ.update(machine.ONE_THREAD)
    sys.exit(main())
