"""What an interval costs: processor seconds against half-width, in two published runs.

    python -m benchmarks.intervals REV       published/ beside what it was at REV

The cost of a judged row is that of all jobs that its estimate was computed from, its error half of the interval.
An error that falls like one over the square root of the time moves along a line of constant
time × half-width²; what leaves that line was gained or lost. The processors of the two runs may differ: jobs that
neither changed tell by how much, and earlier times are multiplied by that ratio.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from figures import style
from ledger.paper.drawing import render
from ledger.record import results

__all__ = ["Interval", "Run", "dearest", "draw", "main", "pairs", "processors"]

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "benchmarks" / "results"
DEAREST = 4
# Their jobs use neither the engine for networks nor influence functions: the same work in every run.
SAME = ("linear", "aspect", "imitation", "sampling", "neighbours")


class Run(NamedTuple):
    """One published run: CPU seconds and specification by job, rows by claim."""

    jobs: pd.DataFrame  # study, case, spec, cpu_seconds
    claims: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, costs: str, verdicts: str) -> Run:
        """The run of two published files, costs.csv and verdicts.json, given as text."""
        jobs = pd.read_csv(io.StringIO(costs)).query("mode == 'full'")
        return cls(jobs, {claim["id"]: claim for claim in json.loads(verdicts)["claims"]})


class Interval(NamedTuple):
    """One judged row in both runs: half-widths, CPU seconds of the jobs behind it."""

    claim: str
    key: str
    half_width_before: float
    seconds_before: float
    half_width: float
    seconds: float

    @property
    def gain(self) -> float:
        """Time before over time now at equal half-width, if both fall like n^(-1/2)."""
        return self.seconds_before * self.half_width_before**2 / (self.seconds * self.half_width**2)


def processors(before: Run, now: Run) -> tuple[float, int]:
    """CPU time now over before of the jobs that both runs share unchanged, the median, and their number."""
    both = before.jobs.merge(now.jobs, on=["study", "case", "spec"], suffixes=("_before", ""))
    both = both[both["study"].isin(SAME)]
    return float((both["cpu_seconds"] / both["cpu_seconds_before"]).median()), len(both)


def dearest(run: Run, count: int = DEAREST) -> list[str]:
    """The claims whose jobs cost most, of those that share most of their jobs the dearer one."""
    jobs = run.jobs.set_index(["study", "case"])
    needed: dict[str, set[tuple[str, str]]] = {}
    for job, claims in jobs["claims"].fillna("").items():
        for claim in filter(None, claims.split(";")):
            needed.setdefault(claim, set()).add(job)

    def seconds(of: set[tuple[str, str]]) -> float:
        return float(jobs.loc[sorted(of), "cpu_seconds"].sum())

    found: list[str] = []
    for claim in sorted(needed, key=lambda claim: -seconds(needed[claim])):
        own = needed[claim]
        if all(seconds(own & needed[other]) < seconds(own) / 2 for other in found):
            found.append(claim)
    return found[:count]


def _rows(run: Run, claim: str) -> dict[str, tuple[float, float]]:
    """Half-width and CPU seconds by key, of the rows whose interval has a width."""
    study = claim.split(".")[0]
    seconds = run.jobs[run.jobs["study"] == study].set_index("case")["cpu_seconds"].to_dict()
    found = {}
    for row in run.claims[claim]["rows"]:
        width = (row["upper"] - row["lower"]) / 2 if None not in (row["upper"], row["lower"]) else math.nan
        jobs = [name for name in set(row["sources"].split(";")) if name in seconds]
        if row["interval"].startswith(("95 %", "simultaneous")) and 0 < width < math.inf and jobs:
            found[row["key"]] = (width, sum(seconds[name] for name in jobs))
    return found


def pairs(before: Run, now: Run, claims: Sequence[str], processor: float = 1.0) -> list[Interval]:
    """The rows of the claims that both runs judged; earlier times multiplied by ``processor``."""
    found = []
    for claim in claims:
        earlier, later = _rows(before, claim), _rows(now, claim)
        for key in sorted(earlier.keys() & later.keys()):
            (wide, long), (narrow, short) = earlier[key], later[key]
            found.append(Interval(claim, key, wide, long * processor, narrow, short))
    return found


def draw(rows: Sequence[Interval]) -> Figure:
    """A panel for each claim: the rows before and now, and lines of equal time × half-width²."""
    claims = list(dict.fromkeys(row.claim for row in rows))
    figure, axes = style.canvas([claims[:2], claims[2:]], 4.4)
    old, new = style.colours(2)
    for claim in claims:
        ax, own = axes[claim], [row for row in rows if row.claim == claim]
        ax.set_xscale("log")
        ax.set_yscale("log")
        ends = np.array([[(r.half_width_before, r.half_width), (r.seconds_before, r.seconds)] for r in own])
        ax.plot(*ends.transpose(1, 2, 0), color="0.8", linewidth=0.5, zorder=1)
        ax.plot(*ends[..., 0].T, "o", markerfacecolor="white", color=old)
        ax.plot(*ends[..., 1].T, "s", color=new)
        guide = np.array([ends[:, 0].min(), ends[:, 0].max()])
        top = float(np.median(ends[:, 1, 0] * ends[:, 0, 0] ** 2))
        low, high = ends[:, 1].min(), ends[:, 1].max()
        ax.set_ylim(low / 2, high * 2)
        ax.plot(guide, top / guide**2, color=style.GUIDE, linestyle=":", zorder=0)
        ax.set_xlabel("half-width")
        ax.set_ylabel("CPU time (s)")
        ax.xaxis.set_major_locator(LogLocator(numticks=4))
        ax.xaxis.set_minor_formatter(NullFormatter())
    style.names(axes, {claim: claim for claim in claims})
    style.legend(figure, [style.entry("before", old, marker="o", filled=False), style.entry("now", new, marker="s")])
    return figure


def _at(rev: str, name: str) -> str:
    return subprocess.run(
        ["git", "show", f"{rev}:published/{name}"], cwd=ROOT, check=True, text=True, capture_output=True
    ).stdout


def main(given: Sequence[str] | None = None) -> int:
    """Print time at equal half-width for each of the dearest claims; write table and figure."""
    parser = argparse.ArgumentParser(description="What an interval costs in two published runs")
    parser.add_argument("rev", help="the commit that holds the earlier published/")
    rev = parser.parse_args(given).rev
    before = Run.read(_at(rev, "costs.csv"), _at(rev, "verdicts.json"))
    published = ROOT / "published"
    now = Run.read((published / "costs.csv").read_text(), (published / "verdicts.json").read_text())
    processor, shared = processors(before, now)
    print(f"earlier times × {processor:.2f}: the processors, by {shared} jobs that both runs have")
    claims = dearest(before)
    rows = pairs(before, now, claims, processor)
    for claim in claims:
        gains = [row.gain for row in rows if row.claim == claim]
        low, middle, high = np.quantile(gains, [0.25, 0.5, 0.75])
        print(f"{claim}: {middle:.2g} times as fast at equal half-width ({low:.2g} to {high:.2g}, {len(gains)} rows)")
    results.write_text(HOME / "intervals.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.5g"))
    results.write_bytes(HOME / "bench-intervals.pdf", render(draw(rows), "pdf"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
