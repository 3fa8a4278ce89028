"""A table once, printed in two ways: Markdown and LaTeX (booktabs)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rows import Row
from ledger.paper import latex
from ledger.record.formatting import NOT_MEASURED, format_number, half_width, show

__all__ = ["Table", "first", "number", "rough"]

PRECISION = 0.05  # of a value: numbers without a wider interval show three digits
SYMBOLS = {"Σ": r"\Sigma", "ρ": r"\rho", "θ": r"\theta"}
INTERVAL = re.compile(r"\[\\num\{\S+, \\num\{\S+\]")


def number(value: float, lower: float = math.nan, upper: float = math.nan) -> str:
    """`9.30`, or `9.30 [9.17, 9.40]`, with the digits that the interval vouches for."""
    known = half_width(lower, upper)
    width = math.nan
    if math.isfinite(value) and not value.is_integer():
        width = max(known if math.isfinite(known) else 0.0, PRECISION * abs(value))
    if math.isnan(known):
        return format_number(value, width)
    digits, exponent = show((lower, value, upper), width)
    low, middle, high = (f"{one}e{exponent}" if exponent else one for one in digits)
    return f"{middle} [{low}, {high}]"


def first(rows: Sequence[Row], unit: float = 1.0) -> str:
    """The number of the first row in a unit, or why there is none."""
    if not rows:
        return NOT_MEASURED
    row = rows[0].over(unit)
    return number(row.value, row.lower, row.upper) if row.repeats else row.note


def rough(rows: Sequence[Row]) -> str:
    """The number of the first row to one digit, or "n/a" where there is none."""
    return format_number(rows[0].value, 10 * abs(rows[0].value)) if rows else NOT_MEASURED


def _tex(text: str) -> str:
    """Text for LaTeX: escaped, its numbers and intervals set as such, and the symbols it uses."""
    if text == NOT_MEASURED:
        return r"\zlna{}"
    escaped = INTERVAL.sub(r"\\ensuremath{\g<0>}", latex.numbers_in(text))
    return "".join(rf"\ensuremath{{{SYMBOLS[one]}}}" if one in SYMBOLS else one for one in escaped)


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings, which are parted by `|`.

    ``columns``: of each the type of zeroloss.sty, Y (flush right) or Z, and percent of the width.
    """

    key: str
    caption: str
    headings: str
    columns: str
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """A heading, the caption and the table."""
        rule = "---|" * len(self.columns.split())
        lines = [f"| {self.headings} |", f"|{rule}"]
        lines += ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in self.rows]
        return "\n".join([f"## {self.key.capitalize()}", "", self.caption, "", *lines, ""])

    def tex(self) -> str:
        """A booktabs longtable labelled `tab:bench-KEY`."""
        columns = [
            latex.Column(_tex(heading.strip()), float(kind[1:]), kind[0] == "Y")
            for heading, kind in zip(self.headings.split("|"), self.columns.split(), strict=True)
        ]
        rows = [latex.row(*map(_tex, row)) for row in self.rows]
        return latex.longtable(columns, rows, _tex(self.caption), f"tab:bench-{self.key}", r"\scriptsize")
