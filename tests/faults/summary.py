"""What the suite counted, as the table of docs/faults.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROWS: list[tuple[str, str, int]] = []
BEGIN = "<!-- faults:begin (written by `make test-faults FAULTS_SUMMARY=docs/faults.md`) -->"
END = "<!-- faults:end -->"


def count(what: str, how: str, tried: int = 1) -> None:
    """Add a row: faults of a kind, and how many ended well; any other has failed its test."""
    ROWS.append((what, how, tried))


def table() -> str:
    """The table, in the order of the tests, and the totals of each kind below it."""
    totals: Counter[str] = Counter()
    for what, _, tried in ROWS:
        totals[what] += tried
    return "\n\n".join(
        "\n".join(
            [
                "| what | how | survived or refused in words |",
                "|---|---|---:|",
                *(f"| {what} | {how} | {tried} |" for what, how, tried in rows),
            ]
        )
        for rows in (ROWS, [(what, "all", tried) for what, tried in totals.items()])
    )


def write(path: Path) -> None:
    """Put the table between its marks in a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
