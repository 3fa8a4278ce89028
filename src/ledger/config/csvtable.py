"""A user's table: read cell by cell, and checked, without anything heavy.

The workflow checks the tables that a configuration names before it starts a job.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

__all__ = ["DataError", "columns"]

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_Rows = list[tuple[int, list[str]]]


class DataError(ValueError):
    """Data that cannot be a problem: the message names source, column or row, and remedy."""


def columns(
    path: str | Path, target: str, features: Sequence[str] | None = None, num_samples: int | None = None
) -> list[list[float]]:
    """The features (all columns but the target unless named), then the target, of all rows.

    Raises DataError naming the column or line for missing or doubled columns, missing values,
    text, constant columns, and fewer rows than 2 or ``num_samples``.
    """
    source = Path(path)
    header, rows = _read(source)
    names = [c for c in header if c != target] if features is None else list(features)
    _check_names(source, header, names, target)
    if len(rows) < 2:
        raise DataError(f"{source}: at least 2 rows are needed, got {len(rows)}; add rows")
    found = [_column(source, rows, header.index(name), name) for name in [*names, target]]
    wanted = len(rows) if num_samples is None else num_samples
    if not 2 <= wanted <= len(rows):
        raise DataError(
            f"{source}: num_samples must lie in 2…{len(rows)} (the rows), got {wanted}; set problem.num_samples"
        )
    return found


def _read(source: Path) -> tuple[list[str], _Rows]:
    """The names of the columns, and each row with its line; cells as they are written.

    Read cell by cell: a reader that guesses would rename doubled columns, take a first column
    without a name for row labels, and count lines without the blank ones.
    """
    if not source.is_file():
        what = "a directory, not a file" if source.is_dir() else "no such file"
        raise DataError(f"{source}: {what}; set problem.path")
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}); make it readable") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{source}: not readable as CSV ({error}); save it as UTF-8 with commas and one header line"
        ) from error
    if not lines:
        raise DataError(
            f"{source}: not readable as CSV (it is empty); save it with one header line and a row per sample"
        )
    header = lines[0][1]
    mark = next((mark for mark in ";\t|" if mark in header[0]), "") if len(header) == 1 else ""
    if mark:
        raise DataError(f"{source}: not readable as CSV (its cells are separated by {mark!r}); save it with commas")
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise DataError(
                f"{source}: not readable as CSV (line {line} has {len(cells)} cells "
                f"under a header of {len(header)}); give every row every column"
            )
    return header, lines[1:]


def _check_names(source: Path, header: list[str], names: list[str], target: str) -> None:
    listed = ", ".join(header)
    if "" in header:
        raise DataError(f"{source}: column {header.index('') + 1} has no name; name or remove it")
    for column in header:
        if header.count(column) > 1:
            raise DataError(f"{source}: column {column!r} occurs twice; rename one")
    for column in [target, *names]:
        if column not in header:
            raise DataError(f"{source}: no column {column!r}; columns are {listed}")
        if names.count(column) > 1:
            raise DataError(f"{source}: feature {column!r} is named twice; remove one")
    if target in names:
        raise DataError(f"{source}: the target {target!r} is among the features; remove it")
    if not names:
        raise DataError(f"{source}: no feature besides the target {target!r}; add a column")


def _column(source: Path, rows: _Rows, index: int, name: str) -> list[float]:
    where = f"{source}: column {name!r}"
    values = []
    for line, cells in rows:
        cell = cells[index]
        if cell.lower() in _MISSING:
            raise DataError(f"{where} has a missing value in line {line}; fill it or drop the row")
        try:
            value = float(cell if "_" not in cell else "text")  # Python reads 1_0 as 10
        except ValueError:
            raise DataError(
                f"{where} is not numeric (first such value {_shown(cell)}, in line "
                f"{line}); encode it as numbers or leave the column out"
            ) from None
        if not math.isfinite(value):
            raise DataError(f"{where} has an infinite value in line {line}; clean it")
        values.append(value)
    std = _deviation(values)
    # equal values may have a standard deviation of round-off
    if min(values) == max(values) or not (math.isfinite(std) and std > 0):
        raise DataError(f"{where} is constant or too large to standardise (std {std:.3g}); leave it out")
    return values


def _shown(cell: str) -> str:
    return repr(cell) if len(cell) <= 60 else f"{cell[:60]!r}…"


def _deviation(values: list[float]) -> float:
    """The standard deviation; infinite where it is too large for a number."""
    try:
        mean = math.fsum(values) / len(values)
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    except OverflowError:
        return math.inf
