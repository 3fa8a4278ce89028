"""The newcomer's map of docs/index.md: files hold the symbols it names, rooms are as held."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.test_architecture import ROWS

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ROOT / "src" / "zeroloss"
PAGE = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").partition("## A newcomer's map")[2]


def symbols(path: Path) -> set[str]:
    """Functions and classes at the top of a module, and `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (one.name for one in node.body if isinstance(one, ast.FunctionDef))
            found |= {f"{node.name}.{name}" for name in inner}
    return found


def test_each_file_holds_the_symbols_that_the_map_names() -> None:
    rows = re.findall(r"^\|.+\| (\S+\.py) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == PAGE.count("\n|") - 2 >= 30, "every row names a file"
    for file, named in rows:
        path = (ROOT if file.startswith("src/") else SCIENCE) / file
        assert path.is_file(), file
        names = re.findall(r"`([\w.]+)`", named)
        assert names and set(names) <= symbols(path), f"{file}: {named}"


def test_rooms_are_drawn_as_they_are_held() -> None:
    drawn = PAGE.partition("```text\n")[2].partition("```")[0].splitlines()
    rows = {line.split()[0]: line.partition(" ")[2].strip().split(" ← ") for line in drawn}
    assert rows == {name: [", ".join(row) for row in held] for name, held in ROWS.items()}
