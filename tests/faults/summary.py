"""What the suite counted, as the table of docs/faults.md."""

from __future__ import annotations

from pathlib import Path

ROWS: list[tuple[str, str, int, int, int]] = []
HEAD = ("| what | how | tried | survived or refused in words | data lost |\n"
        "|---|---|---:|---:|---:|\n")
BEGIN = "<!-- faults:begin (written by `make test-faults FAULTS_SUMMARY=docs/faults.md`) -->"
END = "<!-- faults:end -->"


def count(what: str, how: str, tried: int, survived: int, lost: int = 0) -> None:
    """Add a row: faults of a kind, how many were tried and survived, and the files lost."""
    ROWS.append((what, how, tried, survived, lost))


def table() -> str:
    """The table, in the order of the tests, and the totals of each kind below it."""
    return "\n\n".join(HEAD + "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
                       for rows in (ROWS, totals()))


def totals() -> list[tuple[str, str, int, int, int]]:
    """The rows of each kind added up."""
    kinds: dict[str, list[tuple[str, str, int, int, int]]] = {}
    for row in ROWS:
        kinds.setdefault(row[0], []).append(row)
    return [(what, "all", *(sum(row[i] for row in rows) for i in (2, 3, 4)))
            for what, rows in kinds.items()]


def write(path: Path) -> None:
    """Put the table between its marks in a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
