"""What an interval costs in two published runs."""

from __future__ import annotations

import json

import pytest

from benchmarks import intervals
from benchmarks.intervals import Run


def published(seconds: dict[str, float], width: float, spec: str = "same") -> Run:
    """A run of one study: jobs with their CPU seconds, three claims."""
    claims = {"big": "limits.constant;limits.law", "small": "limits.law", "other": "limits.depth"}
    lines = [f"full,limits,{name},{s},{spec},{claims[name]}" for name, s in seconds.items()]
    lines += [f"full,linear,{name},{10 * s},{spec},linear.ends" for name, s in seconds.items()]
    row = {
        "key": "limits.constant/ratio/a",
        "lower": 1 - width,
        "upper": 1 + width,
        "interval": "95 %",
        "sources": "big;big;small",
    }
    exact = row | {"key": "limits.constant/ratio/b", "lower": 1.0, "upper": 1.0}
    verdicts = {"claims": [{"id": "limits.constant", "rows": [row, exact]}, {"id": "limits.depth", "rows": []}]}
    return Run.read("mode,study,case,cpu_seconds,spec,claims\n" + "\n".join(lines) + "\n", json.dumps(verdicts))


BEFORE = published({"big": 100.0, "small": 20.0, "other": 30.0}, 0.02)
NOW = published({"big": 50.0, "small": 10.0, "other": 15.0}, 0.01)


def test_time_at_equal_half_width_counts_each_job_once() -> None:
    """Half the time for half the width: eight times as fast."""
    (one,) = intervals.pairs(BEFORE, NOW, ["limits.constant"])
    assert (one.seconds_before, one.seconds) == (120.0, 60.0)
    assert one.gain == pytest.approx(8.0)


def test_processors_are_told_apart_by_jobs_that_both_runs_have() -> None:
    assert intervals.processors(BEFORE, NOW) == (0.5, 3)
    (one,) = intervals.pairs(BEFORE, NOW, ["limits.constant"], 0.5)
    assert one.gain == pytest.approx(4.0)
    assert intervals.processors(BEFORE, published({"big": 50.0}, 0.01, "other"))[1] == 0


def test_claims_that_share_most_of_their_jobs_count_once() -> None:
    assert intervals.dearest(BEFORE, 3) == ["linear.ends", "limits.law", "limits.depth"]
