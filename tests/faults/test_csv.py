"""Every table of a user is a problem, or is refused in one line that names it."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from overlays import FULL

from ledger.config.configuration import ConfigError, load
from tests.faults import summary
from zeroloss import cli
from zeroloss.model.problem import DataError, from_csv

CASES = 1000
many = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NUMBERS = ["nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0x10", "1_0", " 3 ", "１"]
WORDS = ["", "NA", "1,5", '"1,5"', "True", "x", '"', "\x00", "=1+1", "$(touch owned)"]
CELLS = (
    st.floats().map(repr)
    | st.integers().map(str)
    | st.integers(-9, 9).map(str)
    | st.sampled_from([*NUMBERS, *WORDS])
    | st.text(max_size=4)
)
NAMES = st.one_of(st.sampled_from(["x", "y", "z", "x ", "", "y", "Y", "ü", "$(touch owned)"]), st.text(max_size=3))


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A table with a header, mostly of a common width, in some encoding."""
    tame = draw(st.booleans())
    width = draw(st.integers(2 if tame else 1, 4))
    names = ["x", "y", "z", "u"][:width] if tame else draw(st.lists(NAMES, min_size=width, max_size=width))
    cells = st.floats(-1e6, 1e6).map(repr) if tame and draw(st.booleans()) else CELLS
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=2 * tame, max_size=6))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = end.join(",".join(row) for row in [names, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "utf-32"]))
    return text.encode(encoding, errors="replace")


def read(path: Path) -> str:
    """`refused` or `read`; any other end of it is a failure."""
    try:
        problem = from_csv(path, "y")
    except DataError as error:
        assert str(error).startswith(str(path))
        assert any(mark in str(error) for mark in (";", "columns are")), f"no remedy: {error}"
        return "refused"
    for part in (problem.inputs, problem.targets):
        assert bool(torch.isfinite(part).all())
    return "read"


@many
@given(content=st.one_of(tables(), tables(), tables(), st.binary(max_size=80)))
def test_any_table(tmp_path: Path, seen: Counter[str], content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    seen[read(path)] += 1


HARD = {
    "no row": b"x,y\n",
    "empty": b"",
    "one row": b"x,y\n1,2\n",
    "huge values": b"x,y\n1e308,1\n-1e308,2\n1e308,3\n",
    "tiny values": b"x,y\n1e-320,1\n2e-320,2\n3e-320,3\n",
    "overflow": b"x,y\n1e999,1\n1,2\n",
    "nan": b"x,y\nnan,1\n1,2\n",
    "twice": b"x,x,y\n1,2,3\n2,1,5\n",
    "long cell": b"x,y\n%b,1\n1,2\n" % (b"9" * 200_000),
    "many columns": b"x%b,y\n1%b\n" % (b",x".join(b"%d" % i for i in range(3000)), b",2" * 3000),
    "zero byte": b"x,y\n1\x00,2\n2,3\n",
    "constant": b"x,y\n1,1\n1,2\n1,3\n",
    "UTF-16": codecs.BOM_UTF16_LE + b"x,y\n1,2\n2,3\n",
    "UTF-32": codecs.BOM_UTF32_BE + b"x,y\n1,2\n2,3\n",
}


@pytest.mark.parametrize("name", HARD)
def test_a_hard_table_is_refused(tmp_path: Path, seen: Counter[str], name: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(HARD[name])
    found = read(path)
    assert found == "refused" or name == "tiny values"
    seen[found] += 1


def test_a_million_rows_are_read(tmp_path: Path, seen: Counter[str]) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i % 7}\n" for i in range(1_000_000)))
    problem = from_csv(path, "y", num_samples=8)
    assert problem.num_samples == 8
    seen["read"] += 1


def test_a_configuration_that_names_a_bad_table_is_refused(tmp_path: Path) -> None:
    """Before any job starts: the table is read when the run is planned."""
    table, mine = tmp_path / "mine.csv", tmp_path / "mine.yaml"
    table.write_text("x,y\n1,2\n,3\n4,5\n")
    problem = {"kind": "csv", "path": str(table), "target": "y", "num_samples": 3}
    mine.write_text(json.dumps({"limits": {"settings": {"sine": {"problem": problem}}}}))
    with pytest.raises(ConfigError, match=r"limits, case .*mine\.csv: column 'x' has a miss"):
        load(FULL, mine)
    table.write_text("x,y\n1,2\n3,3\n4,5\n")
    assert load(FULL, mine).limits.settings["sine"].problem.path == str(table)
    for settings_, message in (
        ({"identity": {"num_samples": {"diabetes": 5000}}}, "at most 442"),
        ({"labels": {"num_samples": {"diabetes": 443}}}, "at most 442"),
    ):
        mine.write_text(json.dumps({"controls": settings_}))
        with pytest.raises(ConfigError, match=message):
            load(FULL, mine)


def test_the_command_line_refuses_in_one_line(tmp_path: Path, capsys) -> None:
    path = tmp_path / "$(touch owned); mine.csv"
    path.write_text("x,y\n1,2\n,3\n")
    asked = "--target y --accuracy 0.1 --failure-probability 0.1 --flow-time 1"
    assert cli.main(["size", "--csv", str(path), *asked.split()]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "missing value in line 3; fill it" in said


def test_the_count(seen: Counter[str]) -> None:
    assert sum(seen.values()) >= CASES and seen["refused"] > 100 and seen["read"] > 50
    summary.count("CSV", "refused with a message", seen["refused"])
    summary.count("CSV", "read", seen["read"])
