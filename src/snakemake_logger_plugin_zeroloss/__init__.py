"""Progress of a Snakemake run with an estimate of the time left: `snakemake --logger zeroloss`.

Snakemake finds this package by its name. On a terminal one line is kept up to date; anywhere else
(a file, a CI log) each finished job prints one line. Errors and dry runs are shown as Snakemake
itself shows them.
"""

from __future__ import annotations

import sys
import time
from logging import WARNING, LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_zeroloss.pace import Pace, clock

# Snakemake says that a lock is there; what to do depends on how one runs it.
LOCKED = (
    "Nothing was changed. If another run is at work in this folder, wait until it has ended. If "
    "one was killed, remove its lock, then run again: make quick SNAKEMAKE_FLAGS=--unlock (or "
    "make reproduce SNAKEMAKE_FLAGS=--unlock)."
)
# What Snakemake says outside of its events and a reader still wants to see.
WORTH_SAYING = ("Nothing to be done", "Report created", "Unlock", "Will exit", "Creating report",
                "Results lie in")


class LogHandler(LogHandlerBase):
    """Turns Snakemake's log records into progress lines on stderr."""

    def __post_init__(self) -> None:
        """Start the clock; called by Snakemake's base class."""
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.on_terminal = self.stream.isatty()
        self.pace = Pace(time.monotonic)
        self.titles: dict[int, str] = {}
        self.last_finished = ""

    def emit(self, record: LogRecord) -> None:
        """Show one record, or remember what it says about the pace of the run."""
        try:
            self._emit(record, record.__dict__)
        except (BrokenPipeError, ValueError):
            self.handleError(record)

    def _emit(self, record: LogRecord, fields: dict[str, Any]) -> None:
        event = fields.get("event")
        if event == LogEvent.WORKFLOW_STARTED:
            return  # machine, user and versions: in Snakemake's log file
        if self.common_settings.dryrun or record.levelno >= WARNING:
            text = self.format(record)
            self._say(text + (f"\n{LOCKED}" if "cannot be locked" in text else ""))
        elif event == LogEvent.RUN_INFO:
            self._plan(fields.get("stats") or {})
        elif event == LogEvent.JOB_INFO:
            self._start(fields)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(fields["job_id"])
        elif event == LogEvent.PROGRESS:
            self._progress(fields["done"], fields["total"])
        elif event is None and str(record.msg).startswith(WORTH_SAYING):
            self._say(str(record.msg))

    def _plan(self, stats: dict[str, Any]) -> None:
        counts = {rule: int(n) for rule, n in stats.items() if rule != "total"}
        self.pace.plan(counts)
        jobs = ", ".join(f"{n} {rule}" for rule, n in sorted(counts.items()))
        self._say(f"{sum(counts.values())} jobs: {jobs}")

    def _start(self, fields: dict[str, Any]) -> None:
        job, rule = fields["jobid"], fields["rule_name"]
        self.titles[job] = " ".join([rule, *map(str, (fields.get("wildcards") or {}).values())])
        self.pace.start(job, rule)

    def _finish(self, job: int) -> None:
        seconds = self.pace.finish(job)
        title = self.titles.get(job, f"job {job}")
        self.last_finished = f"{title} took {clock(seconds)}"

    def _progress(self, done: int, total: int) -> None:
        left = self.pace.seconds_left()
        until = "time left unknown yet" if left is None else f"about {clock(left)} left"
        width = len(str(total))
        line = (
            f"[{done:{width}d}/{total} {done / max(total, 1):4.0%}] "
            f"{clock(self.pace.elapsed())} gone, {until} | {self.last_finished}"
        )
        if self.on_terminal:
            self.stream.write(f"\r\x1b[K{line}" + ("\n" if done == total else ""))
            self.stream.flush()
        else:
            self._say(line)

    def _say(self, text: str) -> None:
        if text:
            self.stream.write(("\r\x1b[K" if self.on_terminal else "") + text + "\n")
            self.stream.flush()

    @property
    def writes_to_stream(self) -> bool:
        """Replace Snakemake's own stream handler."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Write no file: Snakemake's own log file stays."""
        return False

    @property
    def has_filter(self) -> bool:
        """Keep Snakemake's filter, so that --quiet and --verbose keep their meaning."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Keep Snakemake's formatter for errors and dry runs."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """Need no rule graph."""
        return False
