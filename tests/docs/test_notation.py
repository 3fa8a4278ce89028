"""The words of docs/notation.md are those of the code: symbols in kernels, words at boundaries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ROOT / "src" / "zeroloss"
PAGE = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## In code and columns")[2].partition("\n## ")[0]


def words(column: int) -> set[str]:
    """What a column of the table of code names."""
    cells = (line.split("|")[column] for line in TABLE.splitlines() if line.startswith("|"))
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


def names(path: Path) -> Iterator[str]:
    """Names in a module, and columns: text that is one word."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SPOKEN = {name for path in SCIENCE.rglob("*.py") for name in names(path)}
SYMBOLS = words(2)


@pytest.mark.parametrize("word", sorted(SYMBOLS | words(3)))
def test_the_code_uses_the_word(word: str) -> None:
    assert word in SPOKEN


def test_no_setting_and_no_field_of_a_case_is_a_symbol() -> None:
    """At a boundary stands the word."""
    fields = [
        f"{path.parent.name}: {node.target.id}"
        for pattern in ("**/plan.py", "*.py")
        for path in SCIENCE.glob(f"studies/{pattern}")
        for body in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(body, ast.ClassDef)
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    assert fields
    allowed = {"weights", "nodes", "matrix"}  # of a rule: words themselves
    own = {"linear: sigma"}  # the page names it: the singular value of a product of factors
    assert not [field for field in set(fields) - own if field.split()[1] in SYMBOLS - allowed]
