"""The table of estimates: its columns, its keys, its text form in `published/`.

One row is one estimate with its interval, for one (claim, quantity, cell). The key of a row is
`claim/quantity/cell`; a row without a claim is a plain number of its study: `study/quantity/cell`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.record import results
from ledger.record.interval import NONE, Interval
from ledger.record.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("claim", "quantity", "cell", "interval", "sources", "note")
FLOATS = ("estimate", "lower", "upper", "floor")
COUNTS = ("replicates", "sizes")
COLUMNS = (
    "claim", "quantity", "cell", "estimate", "lower", "upper", "interval", "floor",
    "replicates", "sizes", "sources", "note",
)  # fmt: skip
PUBLISHED_COLUMNS = ("study", *COLUMNS)

QUANTITY = re.compile(r"[A-Za-z0-9_.-]+")
CELL = re.compile(r"[a-z0-9.-]+")


def key_of(claim: str, quantity: str, cell: str, study: str = "") -> str:
    """Return the key of a row: `limits.depth/slope_L/sine.s4`, or `limits/…` without a claim."""
    return f"{claim or study}/{quantity}/{cell}"


def study_of(claim: str) -> str:
    """Return the study that a claim belongs to: the first part of its id."""
    return claim.partition(".")[0]


def check(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Return `frame` with the contract's columns, types and order, sorted by key.

    Raises ResultError naming study, row and remedy for a missing or unknown column, a malformed
    name, a claim of another study, two rows of one key, an interval without its estimate or type.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    unknown = [str(column) for column in frame.columns if column not in COLUMNS]
    if missing or unknown:
        raise ResultError(
            f"estimates of {study} must have exactly the columns {', '.join(COLUMNS)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    frame = _typed(frame, study)
    frame = frame.sort_values(["claim", "quantity", "cell"], kind="stable", ignore_index=True)
    seen: set[str] = set()
    for row in records(frame):
        _check_row(row, study)
        key = key_of(row["claim"], row["quantity"], row["cell"], study)
        if key in seen:
            raise ResultError(f"estimates of {study}: key {key} must be unique; give its rows own cells")
        seen.add(key)
    return frame


def _typed(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Return the columns in order, each in its own type."""
    kinds = dict.fromkeys(FLOATS, "float64") | dict.fromkeys(COUNTS, "Int64")
    typed = frame.reindex(columns=list(COLUMNS))
    for column in COLUMNS:
        if column in kinds:
            try:
                typed[column] = typed[column].astype(kinds[column])
            except (TypeError, ValueError) as error:
                raise ResultError(f"estimates of {study}: column {column} must be {kinds[column]} ({error})") from error
        else:
            typed[column] = ["" if results.jsonable(v) is None else str(v) for v in typed[column]]
    return typed


def _check_row(row: dict[str, Any], study: str) -> None:
    """Raise ResultError when one row breaks the contract."""
    where = f"estimates of {study}: {key_of(row['claim'], row['quantity'], row['cell'], study)}"
    if row["claim"] and study_of(row["claim"]) != study:
        raise ResultError(f"{where}: the claim must belong to {study}; measure it in its own study")
    if not QUANTITY.fullmatch(row["quantity"]):
        raise ResultError(f"{where}: quantity must be made of letters, digits, '_', '.' and '-'")
    if not CELL.fullmatch(row["cell"]):
        raise ResultError(f"{where}: cell must be made of lower-case letters, digits, '.' and '-'")
    lower, estimate, upper = row["lower"], row["estimate"], row["upper"]
    if lower > estimate or estimate > upper or lower > upper:  # false for NaN: not measurable
        raise ResultError(
            f"{where}: lower <= estimate <= upper must hold, got {lower} <= {estimate} <= {upper}; "
            "use NaN for what cannot be measured"
        )
    try:
        interval = Interval.parse(row["interval"])
    except ValueError as error:
        raise ResultError(f"{where}: {error}") from error
    if interval == NONE and (row["claim"] or math.isfinite(lower)):
        raise ResultError(f"{where}: an estimate of a claim, or with an interval, must say of what type that is")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dictionaries of Python's own types; a missing count is None."""
    rows = []
    for values in frame.to_dict("records"):
        row = {str(name): value for name, value in values.items()}
        row.update({name: results.number(row[name]) for name in FLOATS if name in row})
        row.update({name: _count(row[name]) for name in COUNTS if name in row})
        rows.append(row)
    return rows


def _count(value: Any) -> int | None:
    """Return an integer, or None for pandas' NA, for NaN and for what is no whole number."""
    value = results.number(results.jsonable(value))
    return int(value) if math.isfinite(value) and value.is_integer() else None


def read(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the estimates of several studies as one table, with columns `study` and `key` added.

    The study of a file is the one that its manifest names.
    """
    import pandas as pd

    frames = []
    for path in sorted({Path(path) for path in paths}):
        study = str(results.read_manifest(path).get("study", ""))
        frames.append(with_keys(check(results.read_table(path), study), study))
    if not frames:
        raise ResultError("no table of estimates was given; name one with --estimates")
    return pd.concat(frames, ignore_index=True)


def failed(paths: Iterable[Path]) -> dict[str, dict[str, str]]:
    """Return {study: {case: why}} of the cases that failed, for each study that has any."""
    manifests = [results.read_manifest(path) for path in sorted({Path(path) for path in paths})]
    return {str(m.get("study", "")): dict(m["failed"]) for m in manifests if m.get("failed")}


def with_keys(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Return `frame` with its `study` and the `key` of each row."""
    names = zip(frame["claim"], frame["quantity"], frame["cell"], strict=True)
    return frame.assign(study=study, key=[key_of(*name, study) for name in names])


def to_csv(frame: pd.DataFrame) -> str:
    """Return the table as text: floats in the shortest form that reads back exactly, NaN empty."""
    ordered = frame.sort_values(["study", "claim", "quantity", "cell"], kind="stable")
    return ordered[list(PUBLISHED_COLUMNS)].to_csv(index=False, lineterminator="\n")


def from_csv(text: str, origin: str) -> pd.DataFrame:
    """Return the table that `to_csv` wrote, with keys.

    Lenient on values (a word in place of a number reads as NaN), so that `verify` can name the row
    that somebody edited rather than stop at it; a changed header raises ResultError.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ResultError(f"{origin} is not a table of estimates ({error}); restore it from git") from error
    if tuple(frame.columns) != PUBLISHED_COLUMNS:
        raise ResultError(f"{origin} must have the columns {', '.join(PUBLISHED_COLUMNS)}; restore it")
    for column in FLOATS:
        frame[column] = pd.array([results.number(entry) for entry in frame[column]], dtype="float64")
    for column in COUNTS:
        frame[column] = pd.array([_count(entry) for entry in frame[column]], dtype="Int64")
    names = zip(frame["claim"], frame["quantity"], frame["cell"], frame["study"], strict=True)
    return frame.assign(key=[key_of(*name) for name in names])
