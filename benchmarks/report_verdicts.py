"""The table of W5."""

from __future__ import annotations

from benchmarks.rows import Row, pick
from benchmarks.tables import Cell, Table, first
from ledger.record.formatting import NOT_MEASURED, format_number

__all__ = ["verdict_costs"]


def _counts(own: list[Row]) -> str:
    """`1414 of each of 4 sizes`, `3650 + 124`, or `32`."""
    counts = [round(row.value) for row in pick(own, quantity="replicates")]
    if len(counts) > 2 and len(set(counts)) == 1:  # two: networks and trees
        return f"{counts[0]} of each of {len(counts)} sizes"
    return " + ".join(map(str, counts)) or NOT_MEASURED


def _reached(own: list[Row]) -> str:
    """The half-widths of the run as stated, by flow time."""
    return "; ".join(f"{format_number(row.value, 0.05 * row.value)} at s = {row.size:g}"
                     for row in pick(own, quantity="half_width")) or NOT_MEASURED


def verdict_costs(rows: list[Row]) -> Table:
    """CPU time to the precision of a claim, by independent networks and by halves."""
    table = Table(
        "verdict", "CPU time until the slopes of the claim on the width rate have half-width 0.02 "
        "(all sizes, s = 4 and 50), and the trace of the claim on the constant 5 % of itself, at "
        "95 %, on sine: independent networks, and networks coupled with their halves. Replicates "
        "and seconds from pilots, with the 95 % interval of a bootstrap of these (at least 32 "
        "trees); half-widths as a run of so many had them. The target is a ratio of 10.",
        ("case", "method", "replicates", "CPU s", "ratio", "half-widths in a run",
         "note"), (0.14, 0.11, 0.14, 0.15, 0.14, 0.15, 0.17))
    own = pick(rows, work="verdict")
    for row in pick(own, quantity="cpu_seconds"):
        mine = pick(own, case=row.case, method=row.method)
        ratio: Cell = first(pick(mine, quantity="cpu_ratio"))
        said = [row.note, *(one.note for one in pick(mine, quantity="cpu_ratio"))]
        table.rows.append([row.case, row.method, _counts(mine), first([row]), ratio,
                           _reached(mine), "; ".join(filter(None, said))])
    return table
