"""The table of estimates holds what was agreed, and its text form reads back exactly."""

from __future__ import annotations

import math

import evidence
import pandas as pd
import pytest

from ledger.record import estimates, results
from ledger.record.results import ResultError
from ledger.record.rows import between


def test_rows_are_sorted_and_keyed() -> None:
    frame = evidence.frame(*reversed(evidence.rows()))
    assert list(frame["key"])[:3] == ["toy/num_samples/sine.s4", "toy/risk/sine.s4", "toy.depth/slope_L/sine.s0"]
    assert frame["replicates"].dtype == "Int64"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "other.depth"}, "must belong to toy"),
        ({"cell": "Sine"}, "cell must be made of lower-case"),
        ({"quantity": "slope L"}, "quantity must be made of"),
        ({"lower": -0.5}, r"toy\.depth/slope_L/sine\.s4: lower <= estimate <= upper must hold"),
        ({"estimate": "big"}, "column estimate must be float64"),
        ({"replicates": 2.5}, "column replicates must be Int64"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(change, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        evidence.frame(evidence.row(**change))


def test_keys_are_unique() -> None:
    with pytest.raises(ResultError, match=r"key toy\.depth/slope_L/sine\.s4 must be unique"):
        evidence.frame(evidence.row(), evidence.row(value=-2.0))


def test_columns_are_closed() -> None:
    content = pd.DataFrame([evidence.row()])
    with pytest.raises(ResultError, match="missing: floor; unknown: none"):
        estimates.check(content.drop(columns="floor"), "toy")
    with pytest.raises(ResultError, match="missing: none; unknown: extra"):
        estimates.check(content.assign(extra=1), "toy")


def test_nan_is_an_estimate_that_could_not_be_measured() -> None:
    frame = evidence.frame(evidence.row(value=math.nan, half=0.0, replicates=None))
    record = estimates.records(frame)[0]
    assert math.isnan(record["estimate"])
    assert record["replicates"] is None


def test_text_form_reads_back_exactly() -> None:
    frame = evidence.frame(*evidence.rows(), evidence.row(cell="third", value=1 / 3, upper=math.inf))
    text = estimates.to_csv(frame)
    back = estimates.from_csv(text, "estimates.csv")
    assert estimates.to_csv(back) == text
    left = sorted(estimates.records(frame), key=lambda row: row["key"])
    right = sorted(estimates.records(back), key=lambda row: row["key"])
    assert [results.jsonable(row) for row in left] == [results.jsonable(row) for row in right]


def test_a_hand_edited_text_form_is_read_leniently_but_not_its_header() -> None:
    text = estimates.to_csv(evidence.frame(evidence.row()))
    back = estimates.from_csv(text.replace("-1.0,", "about one,"), "estimates.csv")
    assert math.isnan(estimates.records(back)[0]["estimate"])
    with pytest.raises(ResultError, match=r"estimates\.csv must have the columns"):
        estimates.from_csv(text.replace("floor", "ceiling"), "estimates.csv")
    with pytest.raises(ResultError, match=r"estimates\.csv is not a table"):
        estimates.from_csv("", "estimates.csv")


def test_equal_values_are_their_own_mean() -> None:
    """Summed and divided, 0.1 three times is a bit more than 0.1: outside of its own interval."""
    one = between([0.1, 0.1, 0.1])
    assert one.value == one.lower == one.upper == 0.1
