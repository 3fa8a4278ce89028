"""Problems: the built-in ones, arrays, and a user's CSV with all that can be wrong with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroloss.model.problem import BUILT_IN, DataError, Problem, built_in, from_csv, problem

SIZES = {"sine": (8, 2), "surface": (20, 3), "diabetes": (32, 10), "digits": (64, 16)}


# ---- built-in problems


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_problems_have_their_shape_and_seed(name: str) -> None:
    num_samples, dim = SIZES[name]
    data, again, other = (built_in(name, num_samples, seed) for seed in (1, 1, 2))
    assert (data.num_samples, data.dim, data.name) == (num_samples, dim, name)
    shapes = (num_samples, dim), (num_samples,), (dim,)
    for part, shape in zip((data.inputs, data.targets, data.readout), shapes, strict=True):
        assert part.shape == shape and part.dtype == torch.float64
        assert bool(torch.isfinite(part).all())
    assert float(data.readout.norm()) == pytest.approx(1)
    assert len(torch.unique(data.inputs, dim=0)) == num_samples  # no contradictory labels
    assert torch.equal(data.inputs, again.inputs) and torch.equal(data.targets, again.targets)
    # sine has nothing to choose
    assert torch.equal(data.inputs, other.inputs) == (name == "sine")


def test_sine_is_the_prototype() -> None:
    data = built_in("sine", 8, 0)
    x = np.linspace(-1, 1, 8)
    np.testing.assert_allclose(data.inputs, np.column_stack([x, np.zeros(8)]))
    np.testing.assert_allclose(data.targets, 0.8 * np.sin(np.pi * x), atol=1e-15)
    assert data.readout.tolist() == [0, 1]


def test_surface_is_lifted_and_neither_odd_nor_even() -> None:
    data = built_in("surface", 400, 0)
    x, y = data.inputs.numpy(), data.targets.numpy()
    assert np.all(x[:, 2] == 0) and x[:, :2].min() < -0.9 and x[:, :2].max() > 0.9
    np.testing.assert_allclose(y, 0.7 * np.sin(np.pi * x[:, 0]) * x[:, 1] + 0.5 * x[:, 0] ** 2 - 0.3 * x[:, 1])


def test_diabetes_is_standardised_over_all_rows() -> None:
    data = built_in("diabetes", 442, 0)
    for part in (data.inputs.numpy(), data.targets.numpy()[:, None]):
        np.testing.assert_allclose(part.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(part.std(0), 1)
    few = built_in("diabetes", 32, 0)
    rows = {row.tobytes() for row in data.inputs.numpy()}
    assert all(row.tobytes() in rows for row in few.inputs.numpy())


def test_digits_are_balanced_and_whitened() -> None:
    data = built_in("digits", 64, 0)
    assert sorted(data.targets.tolist()) == [-1.0] * 32 + [1.0] * 32
    whole = built_in("digits", 2 * 174, 0).inputs.numpy()  # all but a few rows
    np.testing.assert_allclose(whole.std(0), 1, atol=0.05)
    correlations = np.asarray(np.corrcoef(whole.T)) - np.eye(16)
    assert np.abs(correlations).max() < 0.08
    # the first component separates: PCA found the structure, not noise
    y = data.targets.numpy()
    assert max(abs(np.corrcoef(column, y)[0, 1]) for column in data.inputs.numpy().T) > 0.5


@pytest.mark.parametrize(
    ("name", "num_samples", "message"),
    [
        ("cosine", 8, r"unknown problem 'cosine'; choose one of sine, surface, diabetes, digits"),
        ("sine", 1, r"sine: num_samples must be at least 2, got 1; set problem.num_samples"),
        ("diabetes", 443, r"diabetes: num_samples must be at most 442, got 443; set problem.num"),
        ("digits", 400, r"digits: num_samples must be at most 348, got 400; set problem.num"),
    ],
)
def test_impossible_choices_are_refused(name: str, num_samples: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        built_in(name, num_samples, 0)


# ---- arrays


@settings(max_examples=20)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(0, 3), st.integers(0, 1000))
def test_a_lift_appends_zeros(num_samples: int, dim: int, lift: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((num_samples, dim))
    data = problem("lifted", x, x[:, 0], lift=lift)
    assert data.dim == dim + lift
    np.testing.assert_array_equal(data.inputs[:, :dim], x)
    assert not data.inputs[:, dim:].any()
    readout = np.eye(dim + lift)[-1] if lift else np.full(dim, dim**-0.5)
    np.testing.assert_allclose(data.readout, readout)


def test_residuals_and_risk_are_their_definitions() -> None:
    data = problem("two", [[1.0, 2.0], [3.0, 4.0]], [0.5, -1.0], readout=[2.0, -1.0])
    features = torch.tensor([[[1.0, 1.0], [0.0, 2.0]]], dtype=torch.float64)
    r = data.residuals(features)
    assert r.tolist() == [[0.5, -1.0]]
    assert Problem.risk(r).tolist() == [0.5 * (0.25 + 1) / 2]


def test_one_dimensional_inputs_are_a_column() -> None:
    assert problem("line", [0.0, 1.0, 2.0], [1.0, 2.0, 3.0]).inputs.tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(inputs=[[1.0], [2.0]], targets=[1.0]), r"inputs must be \(N, p\) .* got \(2, 1\) and"),
        (dict(inputs=[[1.0], [2.0]], targets=[[1.0], [2.0]]), r"targets \(N,\)"),
        (dict(inputs=np.zeros((2, 2, 2)), targets=[1.0, 2.0]), r"got \(2, 2, 2\) .* one row per"),
        (dict(inputs=[[1.0]], targets=[1.0]), "at least 2 samples are needed, got 1; add rows"),
        (dict(inputs=np.zeros((3, 0)), targets=[1.0, 2.0, 3.0]), "at least 1 feature"),
        (dict(inputs=[[1.0], [math.nan]], targets=[1.0, 2.0]), "inputs must be finite, row 1 is not"),
        (dict(inputs=[[1.0], [2.0]], targets=[-math.inf, 2.0]), "targets must be finite, row 0"),
        (dict(inputs=[["a"], ["b"]], targets=[1.0, 2.0]), "inputs and targets must be numbers"),
        (dict(inputs=[[1.0], [2.0]], targets=[1.0, 2.0], lift=-1), "lift must be at least 0, got -1"),
        (
            dict(inputs=[[1.0], [2.0]], targets=[1.0, 2.0], readout=[1.0, 2.0]),
            r"readout must be 1 finite numbers, got shape \(2,\); set readout",
        ),
        (dict(inputs=[[1.0], [2.0]], targets=[1.0, 2.0], readout=[math.nan]), "1 finite numbers"),
    ],
)
def test_arrays_that_are_no_problem_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^mine: .*{message}"):
        problem("mine", **arguments)


# ---- CSV

GOOD = "x,u,y\n1,2,3\n2,1,5\n4,4,1\n0,9,2\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_csv_is_standardised(tmp_path: Path) -> None:
    data = from_csv(written(tmp_path, GOOD), "y")
    x = np.array([[1, 2], [2, 1], [4, 4], [0, 9.0]])
    np.testing.assert_allclose(data.inputs, (x - x.mean(0)) / x.std(0))
    y = np.array([3, 5, 1, 2.0])
    np.testing.assert_allclose(data.targets, (y - y.mean()) / y.std())
    assert data.name == "mine"


def test_a_csv_may_name_features_rows_and_lift(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    whole = from_csv(path, "u", ["y"])
    data = from_csv(path, "u", ["y"], num_samples=3, seed=4, lift=1)
    assert data.inputs.shape == (3, 2) and data.readout.tolist() == [0, 1]
    assert set(data.inputs[:, 0].tolist()) < set(whole.inputs[:, 0].tolist())
    assert torch.equal(data.inputs, from_csv(path, "u", ["y"], 3, 4, 1).inputs)
    chosen = {tuple(from_csv(path, "u", num_samples=2, seed=s).targets.tolist()) for s in range(9)}
    assert len(chosen) > 2


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,  # what spreadsheets put in front of UTF-8
        GOOD.replace(",", ", "),
        GOOD.replace("4,4,1", "4e0,4.0,+1"),
        'x,u,"y"\n1,2,3\n2,1,5\n4,4,1\n0,9,2',
    ],
    ids=["windows", "byte-order-mark", "spaces", "exponents", "quotes"],
)
def test_usual_spellings_of_a_csv_are_read(tmp_path: Path, text: str) -> None:
    data = from_csv(written(tmp_path, text), "y", ["x", "u"])
    folder = tmp_path / "plain"
    folder.mkdir()
    plain = from_csv(written(folder, GOOD), "y")
    assert torch.equal(data.inputs, plain.inputs) and torch.equal(data.targets, plain.targets)


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "missing value": ("x,y\n1,2\n2,\n3,1\n", r"column 'y' has a missing value in line 3; fill it"),
    "missing after a blank line": ("x,y\n1,2\n\n2,\n3,1\n", r"'y' has a missing value in line 4;"),
    "short row": ("x,u,y\n1,2,3\n2,1\n3,3,1\n", r"CSV \(line 3 has 2 cells under a header of 3\)"),
    "no value": ("x,y\n1,2\nNA,3\n3,1\n", r"column 'x' has a missing value in line 3"),
    "long row": ("x,y\n1,2\n2,3,4\n3,1\n", r"CSV \(line 3 has 3 cells under a header of 2\)"),
    "all rows long": ("x,y\n1,2,9\n2,3,9\n3,1,9\n", r"line 2 has 3 cells under a header of 2"),
    "text": ("x,y\n1,2\ntwo,3\n3,1\n", r"not numeric \(first such value 'two', in line 3\); enc"),
    "decimal comma": ('x,y\n"1,5",2\n"2,5",3\n', r"not numeric \(first .* '1,5', in line 2\)"),
    "boolean": ("x,y\nTrue,2\nFalse,3\n", r"not numeric \(first such value 'True', in line 2\)"),
    "underscore": ("x,y\n1_0,2\n2,3\n", r"column 'x' is not numeric \(first such value '1_0'"),
    "overflow": ("x,y\n1,2\n1e999,3\n", r"column 'x' has an infinite value in line 3"),
    "nameless": (",x,y\n0,1,2\n1,2,3\n", r"column 1 has no name; name or remove it"),
    "infinite": ("x,y\n1,2\ninf,3\n3,1\n", r"column 'x' has an infinite value in line 3; clean it"),
    "constant": ("x,y\n0.1,2\n0.1,3\n0.1,1\n", r"column 'x' is constant .* leave it out"),
    "constant target": ("x,y\n1,0.7\n2,0.7\n3,0.7\n", r"column 'y' is constant"),
    "too large": ("x,y\n1e300,2\n-1e300,3\n1e300,1\n", r"column 'x' is constant or too large"),
    "header alone": ("x,y\n", r"at least 2 rows are needed, got 0; add rows"),
    "one row": ("x,y\n1,2\n", r"at least 2 rows are needed, got 1; add rows"),
    "quote": ('x,y\n1,2\n"2,3\n3,1\n', r"not readable as CSV \(unexpected end"),
    "empty": ("", r"not readable as CSV"),
    "target alone": ("y\n1\n2\n", r"no feature besides the target 'y'; add a column"),
    "no target": ("x,z\n1,2\n2,3\n", r"no column 'y'; columns are x, z"),
    "semicolons": ("x;y\n1,5;2\n2;3\n", r"\(its cells are separated by ';'\); save it with commas"),
    "tabs": ("x\ty\n1\t2\n2\t3\n", r"\(its cells are separated by '\\t'\); save it with commas"),
    "latin-1": ("größe,y\n1,2\n2,3\n".encode("latin-1"), r"not readable .* save it as UTF-8"),
    "utf-16": ("x,y\n1,2\n2,3\n".encode("utf-16"), r"not readable as CSV .* save it as UTF-8"),
    "binary": (bytes(range(256)), r"not readable as CSV"),
    "duplicate feature": ("x,x,y\n1,2,3\n2,1,5\n", r"column 'x' occurs twice; rename one"),
    "duplicate target": ("x,y,y\n1,2,3\n2,1,5\n", r"column 'y' occurs twice; rename one"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_csv_is_refused_in_words(tmp_path: Path, case: str) -> None:
    text, message = BROKEN[case]
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        from_csv(path, "y")
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(target="z"), r"no column 'z'; columns are x, u, y"),
        (dict(target="y", features=["x", "v"]), r"no column 'v'; columns are x, u, y"),
        (dict(target="y", features=[]), r"no feature besides the target 'y'"),
        (dict(target="y", features=["x", "y"]), r"the target 'y' is among the features; remove it"),
        (dict(target="y", features=["x", "x"]), r"feature 'x' is named twice; remove one"),
        (dict(target="y", num_samples=5), r"num_samples must lie in 2…4 \(the rows\), got 5; set prob"),
        (dict(target="y", num_samples=1), r"num_samples must lie in 2…4"),
        (dict(target="y", lift=-1), r"lift must be at least 0"),
    ],
)
def test_a_wrong_request_of_a_csv_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_csv(written(tmp_path, GOOD), **options)


def test_a_csv_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file; set problem\.path"):
        from_csv(tmp_path / "nowhere.csv", "y")
