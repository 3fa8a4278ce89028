"""Alternated measurement: ours, peer, ours, peer, … so that both meet the same machine.

A ratio is taken pair by pair, and its median and quartiles over the pairs are what counts. CPU
seconds are those of the whole process, all its threads included: a ratio in CPU above the one in
wall time means that a method did not keep to one thread.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.rows import OURS, Row, spread

__all__ = ["Effort", "Lap", "Method", "alternate", "calls_for", "compare", "difference", "lap"]


@dataclass(frozen=True)
class Method:
    """A way to do a piece of work.

    ``run(state)`` is timed, ``fresh()`` makes its state and is not; ``numbers`` turns what ``run``
    returns into arrays that all methods share. ``compile_seconds``: CPU time before the first run.
    """

    name: str
    run: Callable[[Any], Any]
    fresh: Callable[[], Any] = lambda: None
    numbers: Callable[[Any], Sequence[np.ndarray]] = lambda outcome: outcome
    compile_seconds: float = math.nan

    def result(self) -> Sequence[np.ndarray]:
        """The numbers of one run."""
        return self.numbers(self.run(self.fresh()))


class Lap(NamedTuple):
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
    for x, y in zip(one, other, strict=True):
        if x.shape != y.shape:
            raise ValueError(
                f"results must have one shape, got {x.shape} and {y.shape}; correct numbers() of the method"
            )
    return max(float(np.abs(x - y).max() / max(np.abs(x).max(), 1e-300)) for x, y in zip(one, other, strict=True))


def compare(work: str, case: str, ours: Method, peers: Iterable[Method], effort: Effort, tolerance: float) -> list[Row]:
    """Rows of ours and of each peer whose result agrees with ours to the relative tolerance.

    A peer that disagrees is named with its difference and has no times.
    """
    expected = ours.result()
    rows: list[Row] = []
    laps: dict[str, list[Lap]] = {OURS: []}
    for peer in peers:
        found = difference(expected, peer.result())
        agrees = found <= tolerance
        note = "" if agrees else f"differs by more than {tolerance:g}: not timed"
        row = partial(Row, work, case, peer.name)
        rows.append(row("difference", found, note=note))
        if not math.isnan(peer.compile_seconds):
            rows.append(row("compile_seconds", peer.compile_seconds, "s"))
        if not agrees:
            continue
        pairs = alternate(ours, peer, effort)
        laps[OURS] += [mine for mine, _ in pairs]
        laps[peer.name] = [theirs for _, theirs in pairs]
        ratios = np.array([theirs for _, theirs in pairs]) / [mine for mine, _ in pairs]
        rows += [
            row(f"{clock}_ratio", unit="peer/ours", **spread(column))
            for clock, column in zip(Lap._fields, ratios.T, strict=True)
        ]
    if not laps[OURS]:
        calls = calls_for(ours, effort.seconds)
        laps[OURS] = [lap(ours, calls) for _ in range(effort.repeats)]
    clocks = [
        Row(work, case, name, f"{clock}_seconds", unit="s", **spread(column))
        for name, of in laps.items()
        for clock, column in zip(Lap._fields, zip(*of, strict=True), strict=True)
    ]
    return [*clocks, *rows]
