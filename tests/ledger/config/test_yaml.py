"""YAML is data alone, and says a number in any of its spellings."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.config import yaml

MARKS = ": -[]{}&*!%#|>\"'\n\tab01,?@`<=~._e+"


TEXTS = ["1e-5", "+1E5", "1.0e-5", "012", ".inf", "yes", "1:30", "true", "~", "", "[1, [2]]", "'1e-5'"]
VALUES = [1e-5, 1e5, 1e-5, 12, math.inf, "yes", "1:30", True, None, None, [1, [2]], "1e-5"]


@pytest.mark.parametrize(("text", "value"), [*zip(TEXTS, VALUES, strict=True)])
def test_a_value_is_read(text: str, value: Any) -> None:
    (read,) = yaml.parse(f"a: {text}").values()
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", 'found duplicate key "a", which occurs twice, in line 3'),
        ("- {a: 1, 'a': 3}", 'found duplicate key "a", which occurs twice, in line 1'),
        ("a: &x 1\nb: *x", "anchor or alias x in line 1: write the value out"),
        ("a: 1\nb: *x", "anchor or alias x in line 2: write the value out"),
        ("a: !!int 3", "tag tag:yaml.org,2002:int in line 1: write a plain value"),
        ("a: !!python/object/apply:os.getcwd []", "os.getcwd in line 1: write a plain value"),
        ("? [1, 2]\n: 3", "a key in line 1 is none: write a plain word"),
        ("a: 1\n<<: {b: 1}", "a key in line 2 is none: write a plain word"),
        ("a: [1, 2", "but got '<stream end>' in line 1"),
        ("a: 1\n---\nb: 2", "another document in line 2"),
        ("a: 2026-05-45", "day is out of range for month"),
        ("a: " + "9" * 5000, "integer string conversion"),
        ("[" * 5000, "recursion"),
    ],
)
def test_what_is_not_plain_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.parse(text)
    assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1


@given(text=st.text(max_size=40) | st.text(alphabet=MARKS, max_size=40))
def test_any_text_is_data_or_is_refused(text: str) -> None:
    for read in (yaml.parse, yaml.scalar):
        try:
            read(text)
        except yaml.YamlError:
            continue


few = settings(max_examples=50)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff"))
)


@few
@given(
    content=st.dictionaries(
        st.text("abc", min_size=1),
        st.recursive(
            plain,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=4),
        ),
    )
)
def test_what_is_written_is_read_again(content: dict[str, Any]) -> None:
    assert yaml.parse(yaml.block(content)) == content


def test_keys_keep_their_order_and_innermost_lists_their_line() -> None:
    shared = [1, 2]
    text = yaml.block({"b": {"z": shared, "a": shared}, "a": {"tiny": 1e-300}})
    assert text == "b:\n  z: [1, 2]\n  a: [1, 2]\na: {tiny: 1e-300}\n"
