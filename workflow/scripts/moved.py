"""What moved in published/ since a commit: verdicts, and numbers, those that moved most first.

    moved.py REV [LATER]     LATER is the files as they lie, unless it is given

A shift is in half-widths of the earlier interval. Python's own library alone.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

KEY = ("study", "claim", "quantity", "cell")


def read(name: str, revision: str | None) -> str:
    """The text of a file of published/ at a commit, or as it lies."""
    path = Path("published") / name
    if revision is None:
        return path.read_text(encoding="utf-8")
    command = ["git", "show", f"{revision}:./{path.as_posix()}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout


def rows(revision: str | None) -> dict[tuple[str, ...], dict[str, str]]:
    """The row of each number by study, claim, quantity and cell."""
    table = csv.DictReader(io.StringIO(read("estimates.csv", revision)))
    return {tuple(row[name] for name in KEY): row for row in table}


def verdicts(revision: str | None) -> dict[str, str]:
    """The verdict of each claim."""
    return {claim["id"]: claim["verdict"] for claim in json.loads(read("verdicts.json", revision))["claims"]}


def shift(earlier: dict[str, str], later: dict[str, str]) -> float | None:
    """|later − earlier| in half-widths of the earlier interval; None where it has none."""
    try:
        width = float(earlier["upper"]) - float(earlier["lower"])
        return 2 * abs(float(later["estimate"]) - float(earlier["estimate"])) / width
    except (ValueError, ZeroDivisionError):
        return None


def main(revision: str, later: str | None = None) -> None:
    """Print both tables as Markdown, and how many rows are new, gone or moved."""
    old, new, before, after = rows(revision), rows(later), verdicts(revision), verdicts(later)
    print("| claim | verdict before | after |\n| --- | --- | --- |")
    for claim in sorted(before.keys() | after.keys()):
        if before.get(claim) != after.get(claim):
            print(f"| {claim} | {before.get(claim, '')} | {after.get(claim, '')} |")
    moved = [
        (key, shift(old[key], new[key]))
        for key in old.keys() & new.keys()
        if old[key]["estimate"] != new[key]["estimate"]
    ]
    print("\n| number | before | after | shift |\n| --- | --- | --- | --- |")
    for key, by in sorted(moved, key=lambda one: (-(one[1] or 0), one[0])):
        name = "/".join(filter(None, key[1:] if key[1] else (key[0], *key[2:])))
        print(f"| {name} | {old[key]['estimate']} | {new[key]['estimate']} | {'' if by is None else f'{by:.2f}'} |")
    far = sum((by or 0) > 1 for _, by in moved)
    print(
        f"\n{len(moved)} of {len(old.keys() & new.keys())} numbers moved, {far} of them by more than a half-width;"
        f" {len(new.keys() - old.keys())} are new, {len(old.keys() - new.keys())} gone."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
