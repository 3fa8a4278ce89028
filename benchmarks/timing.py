"""Alternated measurement: ours, peer, ours, peer, … so that both meet the same machine.

A ratio is taken pair by pair, and its median and quartiles over the pairs are what counts. CPU
seconds are those of the whole process, all its threads included: CPU above wall means that a method
did not keep to one thread.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rows import OURS, Row, spread

__all__ = ["Effort", "Lap", "Method", "alternate", "calls_for", "compare", "difference", "lap",
           "unavailable"]

ONE_THREAD = 1.1  # CPU over wall above this is more than one thread


def _nothing() -> None:
    return None


def _as_it_is(outcome: Any) -> Sequence[np.ndarray]:
    return outcome


@dataclass(frozen=True)
class Method:
    """A way to do a piece of work.

    ``run(state)`` is timed, ``fresh()`` makes its state and is not; ``numbers`` turns what ``run``
    returns into arrays that all methods share. ``compile_seconds``: CPU time before the first run.
    """

    name: str
    run: Callable[[Any], Any]
    fresh: Callable[[], Any] = _nothing
    numbers: Callable[[Any], Sequence[np.ndarray]] = _as_it_is
    compile_seconds: float = math.nan


@dataclass(frozen=True)
class Lap:
    """CPU and wall seconds of one call."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Effort:
    """How long to measure: pairs per peer, and seconds that one side of a pair lasts at least."""

    repeats: int
    seconds: float


def lap(method: Method, calls: int = 1) -> Lap:
    """Seconds per call; each call has a fresh state that is made off the clock."""
    cpu = wall = 0.0
    for _ in range(calls):
        state = method.fresh()
        begun = time.process_time(), time.perf_counter()
        outcome = method.run(state)
        cpu += time.process_time() - begun[0]
        wall += time.perf_counter() - begun[1]
        del outcome, state
    return Lap(cpu / calls, wall / calls)


def calls_for(method: Method, seconds: float) -> int:
    """So many calls last so long; the calls that find out are the warm-up."""
    fastest = lap(method).wall
    for _ in range(2 if fastest < seconds else 0):
        fastest = min(fastest, lap(method).wall)
    return max(1, math.ceil(seconds / max(fastest, 1e-9)))


def alternate(one: Method, other: Method, effort: Effort) -> list[tuple[Lap, Lap]]:
    """Pairs of laps, one after the other, after a warm-up of both."""
    gc.collect()
    gc.freeze()  # what the libraries hold is not looked through again on the clock
    counts = calls_for(one, effort.seconds), calls_for(other, effort.seconds)
    return [(lap(one, counts[0]), lap(other, counts[1])) for _ in range(effort.repeats)]


def difference(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Largest distance of two results, array by array, relative to the largest entry of ``one``."""
    worst = 0.0
    for x, y in zip(one, other, strict=True):
        if x.shape != y.shape:
            raise ValueError(f"results must have one shape, got {x.shape} and {y.shape}; "
                             "correct numbers() of the method")
        worst = max(worst, float(np.abs(x - y).max() / max(np.abs(x).max(), 1e-300)))
    return worst


def _clock_rows(work: str, case: str, method: str, laps: Sequence[Lap]) -> list[Row]:
    cpu, wall = [one.cpu for one in laps], [one.wall for one in laps]
    busy = spread([c / w for c, w in zip(cpu, wall, strict=True)])
    note = "" if busy["value"] <= ONE_THREAD else "more than one thread"
    return [Row(work, case, method, "cpu_seconds", unit="s", **spread(cpu), note=note),
            Row(work, case, method, "wall_seconds", unit="s", **spread(wall), note=note),
            Row(work, case, method, "cpu_per_wall", **busy, note=note)]


def compare(work: str, case: str, ours: Method, peers: Mapping[str, Method], effort: Effort,
            tolerance: float) -> list[Row]:
    """Rows of ours and of each peer whose result agrees with ours to the relative tolerance.

    A peer that disagrees is named with its difference and has no times.
    """
    expected = ours.numbers(ours.run(ours.fresh()))
    rows: list[Row] = []
    laps_of_ours: list[Lap] = []
    for peer in peers.values():
        found = difference(expected, peer.numbers(peer.run(peer.fresh())))
        agrees = found <= tolerance
        note = "" if agrees else f"differs by more than {tolerance:g}: not timed"
        rows.append(Row(work, case, peer.name, "difference", found, note=note))
        if not math.isnan(peer.compile_seconds):
            rows.append(Row(work, case, peer.name, "compile_seconds", peer.compile_seconds, "s"))
        if not agrees:
            continue
        pairs = alternate(ours, peer, effort)
        laps_of_ours += [mine for mine, _ in pairs]
        rows += _clock_rows(work, case, peer.name, [theirs for _, theirs in pairs])
        rows += [Row(work, case, peer.name, f"{clock}_ratio", unit="peer/ours",
                     **spread([getattr(b, clock) / getattr(a, clock) for a, b in pairs]))
                 for clock in ("cpu", "wall")]
    if not laps_of_ours:
        calls = calls_for(ours, effort.seconds)
        laps_of_ours = [lap(ours, calls) for _ in range(effort.repeats)]
    return [*_clock_rows(work, case, OURS, laps_of_ours), *rows]


def unavailable(work: str, case: str, method: str, reason: object) -> Row:
    """The row of a method that does not run here, and why."""
    first = str(reason).strip().splitlines()[0] if str(reason).strip() else "no reason given"
    return Row(work, case, method, "cpu_seconds", math.nan, "s", repeats=0,
               note=f"not available: {first[:120]}")
