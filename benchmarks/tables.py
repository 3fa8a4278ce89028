"""A table once, printed three ways: Markdown, LaTeX (booktabs) and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table as RichTable

from benchmarks.rows import Row
from ledger.paper import latex
from ledger.record.formatting import (
    NOT_MEASURED,
    Shown,
    format_number,
    half_width,
    show,
    tex_number,
)

__all__ = ["Cell", "Number", "Table", "first", "markdown", "rich_table", "rough",
           "tex"]

PRECISION = 0.05  # of a value: numbers without a wider interval show three digits


@dataclass(frozen=True)
class Number:
    """A value, and the interval that stands behind it where it has one."""

    value: float
    lower: float = math.nan
    upper: float = math.nan

    @property
    def width(self) -> float:
        """Half the interval's width, but never below what three digits resolve."""
        if not math.isfinite(self.value) or self.value.is_integer():
            return math.nan
        known = half_width(self.lower, self.upper)
        return max(known if math.isfinite(known) else 0.0, PRECISION * abs(self.value))

    def plain(self) -> str:
        """`9.30`, or `9.30 [9.17, 9.40]`."""
        if math.isnan(self.lower) or math.isnan(self.upper):
            return format_number(self.value, self.width)
        low, middle, high = self._digits()
        power = f"e{self._shown().exponent}" if self._shown().exponent else ""
        return f"{middle}{power} [{low}{power}, {high}{power}]"

    def tex(self) -> str:
        r"""The same for LaTeX, each number in `\num`."""
        if math.isnan(self.lower) or math.isnan(self.upper):
            return tex_number(self.value, self.width)
        power = f"e{self._shown().exponent}" if self._shown().exponent else ""
        low, middle, high = (rf"\num{{{digits}{power}}}" for digits in self._digits())
        return rf"{middle} \ensuremath{{[{low}, {high}]}}"

    def _shown(self) -> Shown:
        return show((self.lower, self.value, self.upper), self.width)

    def _digits(self) -> tuple[str, ...]:
        return self._shown().digits


Cell = str | Number


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings; ``shares`` are of the text width, in print."""

    key: str
    caption: str
    headings: tuple[str, ...]
    shares: tuple[float, ...]
    rows: list[list[Cell]] = field(default_factory=list)


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.plain()


def markdown(table: Table) -> str:
    """A heading, the caption and the table."""
    lines = [f"## {table.key.capitalize()}", "", table.caption, "",
             "| " + " | ".join(table.headings) + " |", "|" + "---|" * len(table.headings)]
    lines += ["| " + " | ".join(_plain(cell).replace("|", r"\|") for cell in row) + " |"
              for row in table.rows]
    return "\n".join(lines) + "\n"


def _is_numeric(table: Table, column: int) -> bool:
    return any(isinstance(row[column], Number) for row in table.rows)


SYMBOLS = {"Σ": r"\Sigma", "ρ": r"\rho", "θ": r"\theta", "ε": r"\varepsilon", "σ": r"\sigma"}


def _words(text: str) -> str:
    """Text for LaTeX: escaped, its numbers set as such, and the symbols that it uses."""
    escaped = latex.numbers_in(text)
    return "".join(rf"\ensuremath{{{SYMBOLS[one]}}}" if one in SYMBOLS else one for one in escaped)


def _tex_cell(cell: Cell) -> str:
    if isinstance(cell, Number):
        return cell.tex()
    return r"\zlna{}" if cell == NOT_MEASURED else _words(cell)


def tex(table: Table) -> str:
    """A booktabs longtable labelled `tab:bench-KEY`; column types are those of zeroloss.sty."""
    columns = [latex.Column(_words(heading), share, _is_numeric(table, i))
               for i, (heading, share) in enumerate(zip(table.headings, table.shares, strict=True))]
    rows = [latex.row(*(_tex_cell(cell) for cell in row)) for row in table.rows]
    return latex.longtable(columns, rows, _words(table.caption),
                           f"tab:bench-{table.key}", r"\scriptsize")


def rich_table(table: Table) -> RichTable:
    """The same for the terminal."""
    shown = RichTable(title=table.key, caption=table.caption, title_justify="left",
                      caption_justify="left")
    for i, heading in enumerate(table.headings):
        shown.add_column(heading, justify="right" if _is_numeric(table, i) else "left")
    for row in table.rows:
        shown.add_row(*map(_plain, row))
    return shown


def first(rows: Sequence[Row], interval: bool = True, unit: float = 1.0) -> Cell:
    """The number of the first row in a unit, or why there is none."""
    if not rows:
        return NOT_MEASURED
    row = rows[0]
    if row.repeats == 0:
        return row.note
    value, lower, upper = (part / unit for part in (row.value, row.lower, row.upper))
    return Number(value, lower, upper) if interval else Number(value)


def rough(rows: Sequence[Row]) -> str:
    """The number of the first row to one digit, or "n/a" where there is none."""
    if not rows or rows[0].repeats == 0:
        return NOT_MEASURED
    value = rows[0].value
    return format_number(value, 10 * abs(value))
