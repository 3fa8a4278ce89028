"""The figures and tables of the PDF by their numbers: what each of them holds.

TeX writes it while it typesets the paper (`paper/zeroloss.sty`), and the build gathers it in one file.
"""

from __future__ import annotations

import re
from pathlib import Path

from ledger.record import results

__all__ = ["FLOATS", "canonical", "read"]

FLOATS = "floats.txt"
NUMBERED = re.compile(r"(fig|tab)[a-z]*\.?\s*(s?[0-9]+)", re.IGNORECASE)


def canonical(name: str) -> str:
    """The name of a figure or table as the PDF writes it; of anything else, nothing.

    >>> canonical("tab. s6"), canonical("Fig 1"), canonical("limits.law")
    ('Table S6', 'Figure 1', '')
    """
    found = NUMBERED.fullmatch(name.strip())
    if not found:
        return ""
    return f"{'Figure' if found[1].casefold() == 'fig' else 'Table'} {found[2].upper()}"


def read(path: Path) -> dict[str, list[str]]:
    """What each figure and table holds: targets of links, such as `zl:limits.law/…` and
    `zl:claim:limits.law`, and files of drawings; nothing where no such file is."""
    found: dict[str, list[str]] = {}
    inside: list[str] = []
    for line in results.read_text(path).splitlines() if path.exists() else ():
        word, _, rest = line.partition(" ")
        if word == "begin":
            inside = []
        elif word == "holds":
            inside.append(rest)
        else:
            found[line] = list(dict.fromkeys(inside))
    return found
