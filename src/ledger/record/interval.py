"""What the ends of an interval mean.

Two numbers around an estimate can be a confidence interval, one of several that hold together, a
bound on one side alone, the range of a few runs, or nothing but a number that is computed. A
predicate that asks for one of them must not be met by another.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "CONFIDENCE",
    "COVERING",
    "DETERMINISTIC",
    "NONE",
    "Interval",
    "Kind",
    "one_sided",
    "range_of",
    "simultaneous",
]


class Kind(StrEnum):
    """The kinds of interval."""

    CONFIDENCE = "confidence"
    SIMULTANEOUS = "simultaneous"  # holds together with the others of its family
    ONE_SIDED = "one-sided"  # each end alone holds at the level
    RANGE = "range"  # smallest and largest of some runs, without a probability
    DETERMINISTIC = "deterministic"  # what is computed, up to round-off
    NONE = "none"  # a number that nothing is said of


WORDS = re.compile(r"(?:(simultaneous|one-sided) )?([0-9.]+) %(?: of ([0-9]+))?|range of ([0-9]+)|(deterministic)|")


@dataclass(frozen=True)
class Interval:
    """A kind, the level (of the whole family, where there is one), the cells or the runs.

    As text: `95 %`, `simultaneous 95 % of 24`, `one-sided 95 %`, `range of 3`, `deterministic`.
    """

    kind: Kind
    level: float = math.nan
    count: int = 1

    def __post_init__(self) -> None:
        random = self.kind in (Kind.CONFIDENCE, Kind.SIMULTANEOUS, Kind.ONE_SIDED)
        if random and not 0 < self.level < 1:
            raise ValueError(f"level of an interval must lie in (0, 1), got {self.level}")
        if self.count < 1:
            raise ValueError(f"an interval must be of 1 cell or run at least, got {self.count}")

    @property
    def own_level(self) -> float:
        """The level of this interval alone: 1 − (1 − level)/cells (Bonferroni) in a family."""
        return 1 - (1 - self.level) / self.count if self.kind == Kind.SIMULTANEOUS else self.level

    @property
    def two_sided_level(self) -> float:
        """The level of the two-sided interval with the same ends."""
        return 2 * self.level - 1 if self.kind == Kind.ONE_SIDED else self.own_level

    def __str__(self) -> str:
        percent = f"{100 * self.level:g} %"
        return {
            Kind.CONFIDENCE: percent,
            Kind.SIMULTANEOUS: f"simultaneous {percent} of {self.count}",
            Kind.ONE_SIDED: f"one-sided {percent}",
            Kind.RANGE: f"range of {self.count}",
            Kind.DETERMINISTIC: "deterministic",
            Kind.NONE: "",
        }[self.kind]

    @classmethod
    def parse(cls, text: str) -> Interval:
        """The interval that a text names; ValueError with the texts that there are."""
        found = WORDS.fullmatch(text)
        if found:
            kind, percent, cells, runs, deterministic = found.groups()
            if deterministic:
                return DETERMINISTIC
            if runs:
                return cls(Kind.RANGE, count=int(runs))
            if not percent:
                return NONE
            if (kind == Kind.SIMULTANEOUS) == bool(cells):
                return cls(Kind(kind or "confidence"), round(float(percent) / 100, 12), int(cells or 1))
        raise ValueError(
            "the type of an interval must be one of '95 %', 'simultaneous 95 % of 24', 'one-sided 95 %', "
            f"'range of 3', 'deterministic' or '' for none, got {text!r}"
        )


CONFIDENCE = Interval(Kind.CONFIDENCE, 0.95)
DETERMINISTIC = Interval(Kind.DETERMINISTIC)
NONE = Interval(Kind.NONE)
COVERING = 0.99
"""The level of a family of intervals that must cover their theory: true theories of up to ten such
families are all covered with a chance of 90 % at least (Bonferroni)."""


def simultaneous(cells: int, level: float = 0.95) -> Interval:
    """One of so many intervals that hold together."""
    return Interval(Kind.SIMULTANEOUS, level, max(cells, 1))


def one_sided(level: float = 0.95) -> Interval:
    """An interval of which one end is used: each end alone is wrong with probability 1 − level."""
    return Interval(Kind.ONE_SIDED, level)


def range_of(runs: int) -> Interval:
    """Smallest to largest of some runs."""
    return Interval(Kind.RANGE, count=runs)
