"""The Python that the pages on running and on notebooks show: it runs and prints what they say."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import math
import re
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib import pyplot

from figures import interactive
from ledger.record import verify
from ledger.show import drawn

ROOT = Path(__file__).resolve().parents[1]
CELL = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE  # `...` stands for what a machine decides


def cells(name: str) -> list[tuple[str, str]]:
    """Each block of Python of a page, and what it is said to print."""
    return CELL.findall((ROOT / name).read_text(encoding="utf-8"))


def run(source: str, names: dict[str, Any]) -> str:
    """What a cell prints, its last expression included, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            if value is not None:
                print(repr(value))
    return printed.getvalue()


@pytest.mark.parametrize("page", ["docs/running.md", "docs/notebook.md"])
def test_cells_run_and_print_what_they_say(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    matplotlib.use("Agg")
    names: dict[str, Any] = {}
    for source, expected in cells(page):
        printed = run(source, names)
        checker = doctest.OutputChecker()
        assert not expected or checker.check_output(expected, printed, LOOSE), printed
    pyplot.close("all")
    assert names, f"{page} shows no Python"


def test_the_parts_of_the_article_are_drawn_of_the_published_numbers() -> None:
    """Nothing foretold is far from what was measured: two to the power of one rung of a ladder of widths."""
    record = verify.read_verdicts(ROOT / "published" / "verdicts.json", sealed=False)
    named = interactive.rates(record, lambda _: pytest.fail("needs no table"))["claims"]
    assert named == list(interactive.RATES)
    for pairs in interactive.compared(record, lambda _: pytest.fail("needs no table"))["pairs"].values():
        assert len(drawn.plane(pairs).pairs) > 4
        for pair in pairs:
            assert pair.lower <= pair.estimate <= pair.upper
            assert pair.foretold / 2 < pair.estimate < pair.foretold * 4 or not math.isfinite(pair.estimate)
