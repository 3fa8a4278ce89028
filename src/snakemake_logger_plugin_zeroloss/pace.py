"""How long the rest of a run takes, from the jobs that are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Pace:
    """Counts and durations of jobs by rule.

    The time left is the sum over the jobs to come of the mean duration of their rule, less what the
    running ones have behind them, divided by the number of jobs that ran side by side so far.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._left: dict[str, int] = {}
        self._running: dict[int, tuple[str, float]] = {}
        self._durations: dict[str, list[float]] = defaultdict(list)

    def plan(self, counts: Mapping[str, int]) -> None:
        """Take the number of jobs of each rule; the clock starts here."""
        self._began = self._now()
        self._left = dict(counts)

    def elapsed(self) -> float:
        """Seconds since the plan."""
        return self._now() - self._began

    def start(self, job: int, rule: str) -> None:
        """Note that a job began."""
        self._running[job] = (rule, self._now())

    def finish(self, job: int) -> float:
        """Note that a job ended; its duration in seconds (0 for a job never started)."""
        if job not in self._running:
            return 0.0
        rule, began = self._running.pop(job)
        seconds = self._now() - began
        self._durations[rule].append(seconds)
        self._left[rule] = max(self._left.get(rule, 1) - 1, 0)
        return seconds

    def seconds_left(self) -> float | None:
        """Estimated seconds to the end, None before the first job has finished."""
        done = [seconds for rule in self._durations.values() for seconds in rule]
        busy = sum(done)
        if not done or busy <= 0:
            return None
        means = {rule: sum(d) / len(d) for rule, d in self._durations.items()}
        # A rule that has not run yet counts with the mean of all.
        ahead = sum(n * means.get(rule, busy / len(done)) for rule, n in self._left.items())
        behind = 0.0
        for rule, began in self._running.values():
            spent = self._now() - began
            busy += spent
            behind += min(spent, means.get(rule, spent))
        side_by_side = max(busy / max(self.elapsed(), 1e-9), 1.0)
        return max(ahead - behind, 0.0) / side_by_side
