"""What the article draws itself: intervals beside what is asked, estimates beside what predicted them.

A paper names them in a module that binds `INTERACTIVE = {figure: function}`; each function takes the
verdicts of the run and a function from a study to its `Run`, and returns what follows that figure:

    {"kind": "claims", "claims": [id, ...]}                         one table of intervals a claim
    {"kind": "pairs", "pairs": {name: [Pair, ...]}}                 one plane a name
    {"kind": "sliders", "sliders": {name: {"sliders": [{"name": ..., "values": [...]}, ...],
     "curves": {name: values[first][second]...[last]}}}}            curves over the last slider; null: no value

with `title`, `note` and, of sliders, `unit`, the name of what the curves show.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from ledger.record import results
from ledger.record.claims import Predicate
from ledger.record.results import ResultError
from ledger.study import Run

WIDTH = 150  # of the drawing of an interval, in pixels
SIDE = 300  # of a plane
KINDS = ("claims", "pairs", "sliders")

Part = Callable[[Mapping[str, Any], Callable[[str], Run]], Mapping[str, Any]]


class Bar(NamedTuple):
    """An interval beside what its predicate asks for, in units of a drawing WIDTH wide."""

    lower: float
    estimate: float
    upper: float
    asked_from: float
    asked_to: float


def bars(rows: Sequence[Mapping[str, Any]], predicates: Sequence[Predicate]) -> list[Bar | None]:
    """Return a bar for each row that a predicate judges; rows of one predicate share their scale.

    What is asked for without an end reaches the edge; an interval that is not finite has no bar.
    """
    drawn: list[Bar | None] = [None] * len(rows)
    for predicate in predicates:
        held = {
            i: [results.number(row[name]) for name in ("lower", "estimate", "upper")]
            for i, row in enumerate(rows)
            if predicate.concerns(row["quantity"], row["cell"])
        }
        held = {i: ends for i, ends in held.items() if all(map(math.isfinite, ends))}
        if not held:
            continue
        if predicate.inside is not None:
            asked = list(predicate.inside)
        elif predicate.covers is not None:
            asked = [predicate.covers] * 2
        else:
            asked = [-math.inf, predicate.at_most]
        known = [x for ends in (asked, *held.values()) for x in ends if math.isfinite(x)]
        least, span = min(known), (max(known) - min(known)) or 1.0

        def place(value: float, least: float = least, span: float = span) -> float:
            share = 0.06 + 0.88 * (value - least) / span
            return round(WIDTH * min(max(share, 0.0), 1.0), 1)

        for i, ends in held.items():
            drawn[i] = Bar(*map(place, [*ends, *asked]))
    return drawn


class Pair(NamedTuple):
    """A positive estimate of the run, by its key, with its interval and the value that was predicted."""

    key: str
    predicted: float
    lower: float
    estimate: float
    upper: float


class Plane(NamedTuple):
    """Pairs (x predicted, y measured) in a square of SIDE, both axes with the same logarithmic scale."""

    pairs: list[Pair]
    ticks: list[tuple[float, str]]


def plane(pairs: Sequence[Pair]) -> Plane:
    """Return pairs as places in the square, from its lower left corner; y = x is the diagonal.

    Values that are not positive and finite have no place in it: their pairs are left out.
    """
    shown = [pair for pair in pairs if 0 < pair.estimate < math.inf and 0 < pair.predicted < math.inf]
    if not shown:
        return Plane([], [])
    values = [value for pair in shown for value in (pair.predicted, pair.estimate)]
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = 0.06 * (high - low) or 0.1
    low, span = low - margin, high - low + 2 * margin

    def place(value: float) -> float:
        share = (math.log10(value) - low) / span if value > 0 else 0.0
        return round(SIDE * min(max(share, 0.0), 1.0), 1)

    decades = range(math.floor(low), math.ceil(low + span) + 1)
    step, digits = (max(1, round(span / 5)), (1,)) if span > 2 else (1, (1, 2, 5))
    marks = [digit * 10.0**power for power in decades[::step] for digit in digits]
    ticks = [(place(mark), f"{mark:g}") for mark in marks if low <= math.log10(mark) <= low + span]
    return Plane([Pair(pair.key, *map(place, pair[1:])) for pair in shown], ticks)


def parts_of(module: str, record: Mapping[str, Any], run_of: Callable[[str], Run]) -> dict[str, Mapping[str, Any]]:
    """Return {figure: what follows it} of a paper's module, but for what is empty; ResultError for a kind unknown."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # the module is the paper's, beside its figures
    named: Mapping[str, Part] = import_module(module).INTERACTIVE
    parts = {figure: function(record, run_of) for figure, function in named.items()}
    for figure, part in parts.items():
        if part["kind"] not in KINDS:
            raise ResultError(f"what follows {figure} must be of kind {', '.join(KINDS)}, got {part['kind']}")
    return {figure: part for figure, part in parts.items() if part[part["kind"]]}
