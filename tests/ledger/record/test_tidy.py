"""Tidy tables: nothing is lost on the way there and back, in whatever order rows come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.record.streams import stream
from ledger.record.tidy import tidy, untidy

AXES = {"replicate": [3, 1, 2], "flow_time": [0.0, 4.0], "sample": ["b", "a"]}
VALUES = np.arange(12.0).reshape(3, 2, 2)


def test_one_row_per_entry_in_c_order() -> None:
    table = tidy(VALUES, AXES, "residual", num_layers=8)
    assert list(table) == ["num_layers", "replicate", "flow_time", "sample", "residual"]
    assert table.residual.tolist() == VALUES.ravel().tolist()
    assert table.replicate.tolist() == [3] * 4 + [1] * 4 + [2] * 4
    assert table["sample"].tolist() == ["b", "a"] * 6
    assert (table.num_layers == 8).all()
    for row in table.to_dict("records"):
        assert VALUES[tuple(AXES[name].index(row[name]) for name in AXES)] == row["residual"]


def test_back_over_sorted_labels() -> None:
    values, labels = untidy(tidy(VALUES, AXES, "residual"), list(AXES), "residual")
    assert {name: list(found) for name, found in labels.items()} == {
        name: sorted(given_labels) for name, given_labels in AXES.items()
    }
    assert values.tolist() == VALUES[[1, 2, 0]][:, :, ::-1].tolist()


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_there_and_back_in_any_order_of_rows_and_axes(shape: list[int], seed: int) -> None:
    rng = stream("tidy", seed)
    values = rng.standard_normal(shape)
    names = [f"axis{i}" for i in range(len(shape))]
    table = tidy(values, {n: range(size) for n, size in zip(names, shape, strict=True)}, "value")
    shuffled = table.iloc[rng.permutation(len(table))]
    order = rng.permutation(len(names))
    back, _ = untidy(shuffled, [names[i] for i in order], "value")
    assert back.tobytes() == np.ascontiguousarray(values.transpose(order)).tobytes()


def test_values_that_are_not_contiguous_or_not_finite_are_kept() -> None:
    values = np.array([[1.0, np.nan], [np.inf, -0.0]])
    table = tidy(values.T, {"x": [0, 1], "y": [0, 1]}, "value")
    back, _ = untidy(table, ["y", "x"], "value")
    np.testing.assert_array_equal(back, values)
    assert np.signbit(back[1, 1])


@pytest.mark.parametrize("axes", [{"x": range(3)}, {"x": range(3), "y": range(3)}, {"y": range(2), "x": range(3)}])
def test_labels_fit_the_array(axes: dict[str, range]) -> None:
    with pytest.raises(ValueError, match=r"do not label an array of shape \(3, 2\); give one"):
        tidy(np.zeros((3, 2)), axes, "value")


def test_a_missing_entry_and_one_that_stands_twice() -> None:
    table = tidy(VALUES, AXES, "residual")
    for wrong in (table.drop(index=5), pd.concat([table, table.iloc[[5]]])):
        with pytest.raises(ValueError, match=r"rows are not one per entry .* select the rows"):
            untidy(wrong, list(AXES), "residual")


def test_several_arrays_in_one_table_are_not_mixed() -> None:
    both = pd.concat([tidy(VALUES, AXES, "residual", num_layers=L) for L in (8, 16)])
    with pytest.raises(ValueError, match="24 rows"):
        untidy(both, list(AXES), "residual")
    back, _ = untidy(both, ["num_layers", *AXES], "residual")
    assert back.shape == (2, 3, 2, 2) and (back[0] == back[1]).all()
