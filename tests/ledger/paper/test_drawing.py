"""Figure files carry no date, and those of a quick run say so."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from ledger.paper import drawing
from ledger.record.results import ResultError
from ledger.study import Case, Run


def figure() -> Figure:
    made = Figure()
    made.subplots().plot([1.0, 2.0], label="$\\beta$")
    return made


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_same_figure_same_bytes(kind: str) -> None:
    content = drawing.render(figure(), kind)
    assert content == drawing.render(figure(), kind)
    assert b"CreationDate" not in content
    assert b"Matplotlib" not in content


def test_a_stamp_changes_the_figure_and_not_its_layout() -> None:
    plain, stamped = figure(), figure()
    drawing.stamp(stamped, "quick")
    assert [text.get_text() for text in stamped.texts] == ["quick"]
    assert not stamped.texts[0].get_in_layout()
    assert plain.axes[0].get_position().bounds == stamped.axes[0].get_position().bounds


def test_looking_at_a_table_is_noted() -> None:
    tables = drawing.Recorded({name: pd.DataFrame() for name in ("a", "b", "c")})
    assert "a" in tables and len(tables) == 3 and list(tables) == ["a", "b", "c"]
    assert tables.read == set()
    assert tables["b"].empty and tables.read == {"b"}
    assert len(dict(tables.items())) == 3 and tables.read == {"a", "b", "c"}


class Rate(Case):
    units: int


def test_looking_at_a_table_of_a_run_is_noted() -> None:
    """`of` looks at the tables of one kind, and of the values asked for."""
    tables = drawing.Recorded({name: pd.DataFrame() for name in ("a", "b")})
    frames = drawing.Frames(Run({"a": Rate(units=4), "b": Rate(units=8)}, tables), pd.DataFrame(), "full")
    assert [name for name, _, _ in frames.run.of(Rate, units=8)] == ["b"]
    assert list(frames.cases) == list(frames.tables) == ["a", "b"] and tables.read == {"b"}


@pytest.mark.parametrize(("content", "message"), [(None, "found none; check"), ("x = 1", "bind FIGURES to a mapping")])
def test_a_module_without_figures_is_named(tmp_path: Path, monkeypatch, content, message) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = tmp_path / "drawn" / "nothing.py"
    if content is not None:
        module.parent.mkdir()
        module.write_text(content)
    frames = drawing.Frames(Run({}, {}), pd.DataFrame(), "full")
    with pytest.raises(ResultError, match=rf"nothing\.py must .*{message}"):
        drawing.draw("toy", module, frames, tmp_path, {})
