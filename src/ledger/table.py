"""A table of text: by rich on a terminal, in padded columns in a pipe, in Markdown on a page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from ledger import display

__all__ = ["markdown", "plain", "show"]

STYLES = {"supported": "green", "refuted": "bold red", "inconclusive": "yellow",
          "not judged": "dim",
          "agrees": "green", "differs": "bold red", "missing": "yellow"}  # fmt: skip
RIGHT = (
    "estimate",
    "replicates",
    "layers",
    "units",
    "weights",
    "seconds",
    "jobs",
    "CPU minutes",
    "wall minutes",
    "CPU hours",
    "wall hours",
    "memory (MB)",
    "disk (MB)",
)


def show(headings: Sequence[str], lines: Sequence[Sequence[str]], caption: str, stream: TextIO | None = None) -> None:
    """Print a table: through rich where somebody looks, as plain text in a pipe."""
    out: TextIO = sys.stdout if stream is None else stream
    if out.isatty():
        _print_rich(headings, lines, caption, out)
    else:
        out.write("\n".join(plain(headings, lines)) + f"\n{caption}\n")


def plain(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return headings and lines padded to columns, without any control character."""
    return display.columns(headings, lines, RIGHT)


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table of a page."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _print_rich(headings: Sequence[str], lines: Sequence[Sequence[str]], title: str, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(caption=title, caption_justify="left", header_style="bold")
    for heading in headings:
        justify = "right" if heading in RIGHT else "left"
        table.add_column(heading, justify=justify, no_wrap=heading == "verdict", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
    Console(file=stream).print(table)
