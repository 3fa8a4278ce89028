"""What an interval costs: processor seconds against half-width, in two published runs.

    python -m benchmarks.intervals REV       published/ beside what it was at REV

The cost of a judged row is that of all jobs that its estimate was computed from, the error of it half its interval. An error
that falls like one over the square root of the time moves along a line of constant time × half-width²;
what lies off that line was gained or lost. Both runs name their processor; jobs that neither changed tell the ratio of
the two processors, by which the earlier times are multiplied.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from figures import style
from ledger.paper.drawing import render
from ledger.record import results

__all__ = ["Interval", "Run", "costs", "draw", "main", "pairs", "processors"]

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "benchmarks" / "results"
DEAREST = 4
# Their jobs use neither the engine for networks nor influence functions: the same work in every run.
SAME = ("linear", "aspect", "imitation", "sampling", "neighbours")


class Run(NamedTuple):
    """One published run: CPU seconds and specification by job, rows by claim."""

    jobs: pd.DataFrame  # study, case, spec, cpu_seconds
    claims: Mapping[str, Mapping[str, object]]

    @classmethod
    def read(cls, costs: str, verdicts: str) -> Run:
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


def costs(run: Run) -> dict[str, float]:
    """CPU seconds of the jobs that each claim needs."""
    shares = run.jobs.assign(claims=run.jobs["claims"].fillna("").str.split(";")).explode("claims")
    return {str(claim): float(sum_) for claim, sum_ in shares.groupby("claims")["cpu_seconds"].sum().items() if claim}


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
    figure, axes = style.canvas([claims], 2.6)
    old, new = style.colours(2)
    for claim in claims:
        ax, own = axes[claim], [row for row in rows if row.claim == claim]
        ax.set_xscale("log")
        ax.set_yscale("log")
        for row in own:
            ends = [row.half_width_before, row.half_width], [row.seconds_before, row.seconds]
            ax.plot(*ends, color="0.8", linewidth=0.5, zorder=1)
        ax.plot([r.half_width_before for r in own], [r.seconds_before for r in own], "o", mfc="white", color=old)
        ax.plot([r.half_width for r in own], [r.seconds for r in own], "s", color=new)
        middle = np.sqrt(np.prod(ax.get_xlim())), float(np.median([row.seconds_before for row in own]))
        reach = np.array(ax.get_xlim())
        ax.plot(reach, middle[1] * (middle[0] / reach) ** 2, color=style.GUIDE, linestyle=":", zorder=0)
        ax.set_xlabel("half-width")
        ax.xaxis.set_major_locator(LogLocator(numticks=4))
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[claims[0]].set_ylabel("CPU time (s)")
    style.share_rows([axes[claim] for claim in claims])
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
    spent = costs(before)
    dearest = sorted(spent, key=lambda claim: -spent[claim])[:DEAREST]
    rows = pairs(before, now, dearest, processor)
    for claim in dearest:
        gains = [row.gain for row in rows if row.claim == claim]
        low, middle, high = np.quantile(gains, [0.25, 0.5, 0.75])
        print(f"{claim}: {middle:.2g} times as fast at equal half-width ({low:.2g} to {high:.2g}, {len(gains)} rows)")
    results.write_text(HOME / "intervals.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.5g"))
    results.write_bytes(HOME / "bench-intervals.pdf", render(draw(rows), "pdf"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
