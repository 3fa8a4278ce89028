"""Every configuration is refused in words before any job starts, or every study plans with it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from overlays import FULL, Place, at, laid_over, places

from ledger.config import configuration, yaml
from ledger.config.configuration import ConfigError, cases_of, load
from tests.faults import summary

CASES = 1000
many = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
fewer = settings(many, max_examples=300)
PLACES = places()
WHOLE = [0, -1, 1, 2, 3, 7, 10**6, 10**9, 10**12, 10**30, 10**400, 2**63, True, False]
REAL = [0.0, 1.0, 16.0, 0.1, -0.5, 1e-300, 1e300, math.nan, math.inf, -math.inf]
TEXT = ["", "a", "a b", "a\nb", "ü", "\U0001f600", "x" * 5000, "1e-5", "null", "sine", "csv"]
SHELL = ["$(touch owned)", "; touch owned", "`touch owned`", "../../etc"]
LISTS = [[], [1], [0.0], [1, 2], [2, 1], [0.0, 1.0, 4.0], [4, 8, 16], ["sine"] * 3, [[1, 1]], [[]], [{}]]
STRANGE = [None, *WHOLE, *REAL, *TEXT, *SHELL, *LISTS, {}, {"a": 1}, {1: 2}]
VALUES = st.one_of(
    st.sampled_from(STRANGE),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.integers(-3, 70), max_size=4),
    st.lists(st.floats(0, 9), max_size=3),
)


@st.composite
def overlays(draw: st.DrawFn) -> tuple[str, Place, Any]:
    """One value of the published configuration replaced or scaled, or a key added beside it."""
    place = draw(st.sampled_from(PLACES))
    what = draw(st.sampled_from(["replace", "replace", "scale", "nudge", "nudge", "add"]))
    value, old = draw(VALUES), at(place)
    if what == "scale" and isinstance(old, int | float):
        value = old * draw(st.sampled_from([-1, 0, 2, 3, 10, 1000, 10**9]))
    if what == "nudge" and isinstance(old, int | float | list):  # often still valid
        value = old[:-1] if isinstance(old, list) else old + 1 if isinstance(old, int) else 0.9 * old
    if what == "add" and isinstance(at(place[:-1]), dict):
        place = (*place[:-1], draw(st.text(min_size=1, max_size=8)))
    return yaml.block(laid_over(place, value)), place, value


@pytest.fixture(scope="module", autouse=True)
def parsed_once() -> Iterator[None]:
    """The published file is parsed once: a thousand times would take most of the time."""
    read, published = configuration.read, configuration.read(FULL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "read", lambda path: published if path == FULL else read(path))
        yield


def plan(path: Path) -> str:
    """ "" when every study plans, else what the refusal says; any other end is a failure."""
    try:
        config = load(FULL, path)
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith((f"{FULL} + {path}: ", f"{path}: ")), line[:300]
            assert "; " in line, f"no remedy: {line[:300]}"
        assert len(str(error)) < 100_000
        return str(error)
    for study in config.studies:
        made = cases_of(config, study)
        assert made and all(
            set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(name) < 200 for name in made
        )
    return ""


@many
@given(change=overlays())
def test_a_changed_configuration(tmp_path: Path, seen: Counter[str], change: tuple[str, Place, Any]) -> None:
    text, place, value = change
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    said = plan(path)
    seen["refused" if said else "planned"] += 1
    if said:
        keys = [line.partition(f"{path}: ")[2] for line in said.splitlines()]
        assert any(names(re.split("[:,]", key)[0], place) for key in keys), (place, said)
        assert all(re.search("got |value |missing|not defined in|occurs twice", key) for key in keys), (value, said)


def names(key: str, place: Place) -> bool:
    """Tell whether a key of a message is that of a place, or of a block around it."""
    block = ".".join(map(str, place[:-1]))
    return block.startswith(key) or key.startswith(block)


MARKS = ": -[]{}&*!%#|>\"'\n\tab01,?@`"


@fewer
@given(text=st.one_of(st.text(max_size=60), st.text(alphabet=MARKS, max_size=40)))
def test_any_text_laid_over(tmp_path: Path, seen: Counter[str], text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    seen["refused" if plan(path) else "planned"] += 1


# beside what tests/ledger/config/test_yaml.py has
BROKEN = {
    "latin-1": "größe: 1\n".encode("latin-1"),
    "binary": bytes(range(256)),
    "utf-16": "seed: 1\n".encode("utf-16"),
    "loop": b"a: &a {b: *a}\n",
    "laughs": b"a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
    "list": b"- 1\n",
    "word": b"hello\n",
    "set": b"!!set {a, b}\n",
    "tab": b"seed:\t1\n\tmode: full\n",
    "new key with a line": b'"a\\nb": 1\n',
    "control": b"seed: \x07\n",
    "quote": b'seed: "1\n',
}


# names of settings are part of the names of cases, of files and of words on command lines
NO_WORDS = ["$(touch owned)", "a;b", "`a`", "a b", "-rf", "--out", "../a", "A", "a\n", "", "x" * 61]
BROKEN |= {
    f"name {name!r}": yaml.block({"size": {"settings": {name: at(("size", "settings", "sine"))}}}).encode()
    for name in NO_WORDS
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_over_the_published_one(tmp_path: Path, seen: Counter[str], name: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(BROKEN[name])
    with pytest.raises(ConfigError) as caught:
        load(FULL, path)
    lines = str(caught.value).splitlines()
    assert all(str(path) in line and "; " in line for line in lines), lines
    assert not name.startswith("name ") or "string should" in lines[0]
    assert not (Path.cwd() / "owned").exists()
    seen["refused"] += 1


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read .*; give a file"):
        load(tmp_path)


def test_the_count(seen: Counter[str]) -> None:
    assert sum(seen.values()) >= CASES
    assert seen["refused"] > 100 and seen["planned"] > 50
    summary.count("configuration", "refused with a message", seen["refused"])
    summary.count("configuration", "valid: every study plans", seen["planned"])
