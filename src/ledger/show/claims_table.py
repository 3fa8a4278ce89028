"""The table of claims: by rich on a terminal, as text in a pipe, as a data frame in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ledger.record import results, verdicts
from ledger.record.formatting import NOT_MEASURED, format_interval, format_number, half_width, prints_as_one
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.table import show

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("claim", "verdict", "quantity", "estimate", "interval", "type", "replicates")
NUMBERS = ("estimate", "lower", "upper")


def lines_of(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return one line of cells per claim, in the order of HEADINGS."""
    lines = []
    for claim in record["claims"]:
        row = verdicts.row_of(claim)
        cells = (
            ("none measured", *4 * [NOT_MEASURED])
            if row is None
            else (
                f"{row['quantity']} at {row['cell']}",
                estimate_of(row),
                "" if prints_as_one(*ends_of(row)) else interval_of(row),
                row["interval"],
                NOT_MEASURED if row["replicates"] is None else str(row["replicates"]),
            )
        )
        lines.append((claim["id"], claim["verdict"], *cells))
    return lines


def estimate_of(row: Mapping[str, Any]) -> str:
    """Return the estimate of a row, with the digits that its interval allows."""
    ends = ends_of(row)
    return format_number(results.number(row["estimate"]), half_width(*ends), ends)


def interval_of(row: Mapping[str, Any]) -> str:
    """Return the interval of a row."""
    return format_interval(*ends_of(row))


def ends_of(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of a row's interval, NaN where there is none."""
    return results.number(row["lower"]), results.number(row["upper"])


def claims_of(folder: Path | str, *, sealed: bool = True) -> pd.DataFrame:
    """Return the claims of a run as a table: `claims_of("results/full")`.

    The verdicts of a run are sealed; those of `published/`, which git keeps, are not. Columns as
    `frame`. Raises ResultError for a folder without verdicts, or with damaged ones.
    """
    return frame(read_verdicts(Path(folder) / VERDICTS, sealed=sealed))


def frame(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per claim, under its id: verdict, the deciding row, and the reasons.

    estimate, lower and upper are numbers, NaN where nothing was measured; replicates is an
    integer or missing.

    >>> row = {"key": "my.rate/slope/sine", "quantity": "slope", "cell": "sine", "estimate": -0.5,
    ...        "lower": -0.52, "upper": -0.48, "interval": "95 %", "replicates": 400}
    >>> claim = {"id": "my.rate", "verdict": "supported", "reasons": ["it holds"],
    ...          "deciding": row["key"], "rows": [row]}
    >>> table = frame({"claims": [claim]})
    >>> table.loc["my.rate", "verdict"], table.estimate.tolist(), table.replicates.tolist()
    ('supported', [-0.5], [400])
    """
    import pandas as pd

    rows = []
    for claim in record["claims"]:
        row = verdicts.row_of(claim) or {}
        rows.append(
            {"claim": claim["id"], "verdict": claim["verdict"]}
            | {name: row.get(name, "") for name in ("quantity", "cell", "interval")}
            | {name: results.number(row.get(name)) for name in NUMBERS}
            | {"replicates": row.get("replicates"), "reasons": "; ".join(claim["reasons"])}
        )
    names = ("claim", "verdict", "quantity", "cell", *NUMBERS, "interval", "replicates", "reasons")
    made = pd.DataFrame(rows, columns=list(names)).astype({"replicates": "Int64"})
    return made.set_index("claim")


def summary(record: Mapping[str, Any]) -> str:
    """Return what the counts of verdicts mean, in one line that names the mode."""
    count = verdicts.counts(record["claims"])
    kinds = Counter(claim["kind"] for claim in record["claims"])
    of_kinds = " and ".join(f"{number} {kind}{'s' if number != 1 else ''}" for kind, number in sorted(kinds.items()))
    words = ", ".join(
        f"{count[word]} {word}" for word in reversed(verdicts.WORST_FIRST) if count[word] or word != verdicts.NOT_JUDGED
    )
    below = (
        f"; {verdicts.NOT_JUDGED}: this mode is below the sizes at which they are meant, so "
        "their numbers are printed alone"
        if count[verdicts.NOT_JUDGED]
        else ""
    )
    error = verdicts.familywise_error(claim for claim in record["claims"] if claim["verdict"] != verdicts.NOT_JUDGED)
    missed = f"; a true value is not covered somewhere with a chance of {100 * error:.0f} % at most" if error else ""
    return (
        f"{count['claims']} claims in mode {record['mode']} ({of_kinds}): {words}{below}{missed}{near_controls(record)}"
    )


def near_controls(record: Mapping[str, Any]) -> str:
    """Return how many near controls that are judged are refuted, and which are not; "" for none."""
    found = {claim["id"]: claim["near"]["verdict"] for claim in record["claims"] if "near" in claim}
    judged = {claim: verdict for claim, verdict in found.items() if verdict != verdicts.NOT_JUDGED}
    missed = [claim for claim, verdict in judged.items() if verdict != verdicts.REFUTED]
    if not judged:
        return ""
    words = f"; near controls: {len(judged) - len(missed)} of {len(judged)} refuted"
    return f"{words}, not that of {', '.join(missed)}" if missed else words


def print_table(
    record: Mapping[str, Any], agreement: Mapping[str, str] | None = None, stream: TextIO | None = None
) -> None:
    """Print the claims of a record; `agreement` adds how each fared in `verify`."""
    headings, lines = HEADINGS, lines_of(record)
    if agreement is not None:
        headings = (*HEADINGS, "published")
        lines = [(*line, agreement.get(line[0], "")) for line in lines]
    show(headings, lines, summary(record), stream)
