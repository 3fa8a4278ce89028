"""Numbers as the paper prints them, to be found again from what a reader copies out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ledger.paper import settings_table as sizes
from ledger.record import results
from ledger.record.formatting import NOT_MEASURED, format_interval, format_number, half_width

NUM = re.compile(r"\\num\{([^}]*)\}")
POWER = re.compile(r"(?:×|x|\*|\\times)\s*10\s*\^?\s*\{?\s*([+-]?\d+)\}?")
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
MINUS = str.maketrans("−–", "--")


def number_in(text: str) -> Decimal | None:
    """Return a printed number whatever its typography, or None for what is none.

    `−5.523 × 10⁻¹¹` and `-5.523e-11` are the same; `0.50` and `0.5` are not, for their digits.
    """
    plain = POWER.sub(r"e\1", text.translate(RAISED).translate(MINUS))
    try:
        found = Decimal(re.sub(r"[\s,'\u2009\u202f]", "", plain))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def same_digits(one: Decimal, other: Decimal | None) -> bool:
    """Tell whether two numbers are printed with the same digits."""
    return other is not None and one.as_tuple() == other.as_tuple()


def values_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what the paper can print of an estimate, by its place in the row."""
    estimate, lower, upper, floor = (
        results.number(row[name]) for name in ("estimate", "lower", "upper", "floor")
    )
    width = half_width(lower, upper)
    shown = {"estimate": format_number(estimate, width)}
    ends = format_interval(lower, upper).strip("[]").split(", ")
    shown["lower end"], shown["upper end"] = ends if len(ends) == 2 else (NOT_MEASURED,) * 2
    within = min(abs(floor), width) if width > 0 else abs(floor)
    if floor == floor:  # not NaN
        shown["floor"] = format_number(floor, within)
    shown |= {name: str(row[name]) for name in ("replicates", "sizes") if row[name] is not None}
    return shown


def settings_of(spec: Any, case: str) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of each number and word of a specification, as the paper prints them."""
    for path, shown in sizes.leaves(spec, case):
        yield path, NUM.sub(r"\1", shown).replace("\\_", "_").replace("\\%", "%")
