"""The time left of a run, and the lines that say it."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_zeroloss import LogHandler
from snakemake_logger_plugin_zeroloss.pace import Pace, clock


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01"), (-3, "0:00")],
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_no_estimate_before_the_first_job() -> None:
    pace = Pace(Clock())
    pace.plan({"simulate": 4})
    pace.start(1, "simulate")
    assert pace.seconds_left() is None


def test_two_at_a_time_take_half_as_long() -> None:
    now = Clock()
    pace = Pace(now)
    pace.plan({"simulate": 6})
    pace.start(1, "simulate")
    pace.start(2, "simulate")
    now.now = 10.0
    assert pace.finish(1) == pytest.approx(10.0)
    pace.finish(2)
    assert pace.seconds_left() == pytest.approx(20.0)


def test_running_jobs_count_with_what_they_have_behind_them() -> None:
    now = Clock()
    pace = Pace(now)
    pace.plan({"simulate": 2})
    pace.start(1, "simulate")
    now.now = 10.0
    pace.finish(1)
    pace.start(2, "simulate")
    now.now = 14.0
    assert pace.seconds_left() == pytest.approx(6.0)
    now.now = 40.0
    assert pace.seconds_left() == pytest.approx(0.0)


def test_rules_have_their_own_durations() -> None:
    now = Clock()
    pace = Pace(now)
    pace.plan({"simulate": 2, "draw": 2})
    for job, rule, end in ((1, "simulate", 10.0), (2, "draw", 12.0)):
        pace.start(job, rule)
        now.now = end
        pace.finish(job)
    assert pace.seconds_left() == pytest.approx(12.0)


def record(event: LogEvent | None, message: str = "", level: int = logging.INFO, **fields: object):
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__.update(event=event, **fields)
    return made


def shown(records: list[logging.LogRecord], *, terminal: bool, dryrun: bool = False) -> str:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    handler = LogHandler(SimpleNamespace(stdout=False, dryrun=dryrun), None)  # type: ignore[arg-type]
    handler.stream, handler.on_terminal = stream, terminal
    for one in records:
        handler.emit(one)
    return stream.getvalue()


RUN = [
    record(LogEvent.RUN_INFO, "Job stats", stats={"simulate": 2, "total": 2}),
    record(LogEvent.JOB_INFO, jobid=3, rule_name="simulate", wildcards={"case": "sine"}),
    record(LogEvent.JOB_FINISHED, job_id=3),
    record(LogEvent.PROGRESS, done=1, total=2),
]


def test_a_file_gets_a_line_for_each_job() -> None:
    lines = shown(RUN, terminal=False).splitlines()
    assert lines[0] == "2 jobs: 2 simulate"
    assert lines[1].startswith("[1/2  50%]") and lines[1].endswith("| simulate sine took 0:00")
    assert "\r" not in "".join(lines)


def test_a_terminal_gets_one_line_kept_up_to_date() -> None:
    assert shown(RUN, terminal=True).count("\n") == 1


def test_a_lock_comes_with_its_remedy() -> None:
    locked = record(None, "Error: Directory cannot be locked.", logging.ERROR)
    said = shown([locked], terminal=False)
    assert "cannot be locked" in said and "Nothing was changed" in said
    assert "make quick SNAKEMAKE_FLAGS=--unlock" in said


def test_errors_and_dry_runs_are_shown_as_snakemake_shows_them() -> None:
    broken = record(None, "job broke", logging.ERROR)
    assert "job broke" in shown([broken], terminal=False)
    assert "some plan" in shown([record(None, "some plan")], terminal=False, dryrun=True)
    assert not shown([record(None, "some chatter")], terminal=False)
    assert shown([record(None, "Results lie in results/with-01234567/quick; d")], terminal=False)
