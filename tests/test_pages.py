"""The Python that the pages on running and on notebooks show: it runs and prints what they say."""

from __future__ import annotations

import doctest
import math
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import pytest
from matplotlib import pyplot

from figures import interactive
from ledger.record import verify
from ledger.show import drawn
from workflow.scripts.notebook import cells, run

ROOT = Path(__file__).resolve().parents[1]
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE  # `...` stands for what a machine decides


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["docs/running.md", "docs/notebook.md"])
def test_cells_run_and_print_what_they_say(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    matplotlib.use("Agg")
    names: dict[str, Any] = {}
    for source, expected in cells(read(page)):
        printed, value = run(source, names)
        printed += "" if value is None else repr(value) + "\n"
        checker = doctest.OutputChecker()
        assert not expected or checker.check_output(expected, printed, LOOSE), printed
    pyplot.close("all")
    assert names, f"{page} shows no Python"


def test_the_notebook_is_the_page_run() -> None:
    notebook: Any = nbformat.reads(read("docs/notebook.ipynb"), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    page = cells(read("docs/notebook.md"))
    assert [cell.source for cell in code] == [source.rstrip() for source, _ in page], "make notebook writes it anew"
    for cell, (_, expected) in zip(code, page, strict=True):
        shown = "".join(
            one.get("text") or one.data["text/plain"] for one in cell.outputs if one.output_type != "display_data"
        )
        assert not expected or doctest.OutputChecker().check_output(expected, shown + "\n", LOOSE), shown
    assert sum(one.output_type == "display_data" for cell in code for one in cell.outputs) >= 4, "figures"


def test_the_parts_of_the_article_are_drawn_of_the_published_numbers() -> None:
    """Nothing predicted is far from what was measured: two to the power of one rung of a ladder of widths."""
    record = verify.read_verdicts(ROOT / "published" / "verdicts.json", sealed=False)
    named = interactive.rates(record, lambda _: pytest.fail("needs no table"))["claims"]
    assert named == list(interactive.RATES)
    for pairs in interactive.compared(record, lambda _: pytest.fail("needs no table"))["pairs"].values():
        assert len(drawn.plane(pairs).pairs) > 4
        for pair in pairs:
            assert pair.lower <= pair.estimate <= pair.upper
            assert pair.predicted / 2 < pair.estimate < pair.predicted * 4 or not math.isfinite(pair.estimate)
