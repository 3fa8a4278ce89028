"""What the functions for one's own problems take, the same in each; what they refuse, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from zeroloss.limit import flow
from zeroloss.limit.prediction import predict as predict_on_rule
from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import DataError, Problem, from_csv, problem
from zeroloss.network.ensembles import train
from zeroloss.theory import prediction, sizing

FRAME = pd.DataFrame({"x": [-1.0, 0.0, 1.0], "count": [2, 3, 5], "y": [0.5, 1.0, 0.0]}, index=[7, 8, 9])
MINE = problem("mine", FRAME[["x"]], FRAME["y"], lift=1)
OWN: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "train": (train, {"num_layers": 2, "num_units": 4, "replicates": 2}),
    "predict": (prediction.predict, {"num_layers": 2, "num_units": 4, "accuracy": 1.0}),
    "predict-on-rule": (predict_on_rule, {"num_layers": 2, "log2_points": 4, "scrambles": 2}),
    "solve": (flow.solve, {"accuracy": 1.0, "depth_nodes": 2, "log2_points": 4, "scrambles": 2}),
}
SIZE = (sizing.required_size, {"accuracy": 0.5, "failure_probability": 0.5, "flow_time": 1.0})


def call(name: str, **changes: Any) -> Any:
    function, given = (OWN | {"size": SIZE})[name]
    return function(**{"problem": MINE, "law": InitialLaw(), "flow_time": 1.0, **given, **changes})


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("flow_time", "meant"), [(1, (1.0,)), (pd.Series([0, 1], index=[5, 6]), (0.0, 1.0)), (np.array([0.5]), (0.5,))]
)
def test_each_takes_one_flow_time_or_several(name: str, flow_time: Any, meant: tuple[float, ...]) -> None:
    assert call(name, flow_time=flow_time).flow_times == meant


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("flow_time", [[], [2.0, 1.0], -1.0, float("nan"), [[0.0, 1.0]]])
def test_flow_times_that_cannot_be_are_refused(name: str, flow_time: Any) -> None:
    with pytest.raises(
        ValueError, match=r"flow_time must be a number, or numbers that increase.*; pass training times"
    ):
        call(name, flow_time=flow_time)


@pytest.mark.parametrize("name", [*OWN, "size"])
@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"activation": "swish"}, ValueError, r"activation must be one of tanh, .*, got 'swish'; choose one"),
        ({"law": "gaussian"}, TypeError, r"law must be an InitialLaw, got 'gaussian'; pass .*InitialLaw\('gaussian'\)"),
        ({"problem": "sine"}, TypeError, "problem must be a Problem, got 'sine'; make one by problem, built_in"),
        ({"problem": FRAME}, TypeError, "problem must be a Problem, got .*; make one by problem"),
    ],
)
def test_unknown_names_and_other_types_are_refused(
    name: str, changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"(?s){message}"):
        call(name, **changes)


def test_a_data_frame_is_taken_row_by_row() -> None:
    found = problem("mine", FRAME[["x", "count"]], FRAME["y"].sample(frac=1.0, random_state=1))
    assert isinstance(found, Problem) and found.inputs.tolist() == FRAME[["x", "count"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (FRAME[["x"]], FRAME[["y"]], "targets as a single column"),
        (FRAME.assign(word=["a", "b", "c"]), FRAME["y"], "encode them as numbers"),
        (FRAME.assign(gap=pd.array([1, None, 2], "Int64")), FRAME["y"], "encode them as numbers|must be finite"),
    ],
)
def test_a_data_frame_that_is_no_problem_is_refused(inputs: Any, targets: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        problem("mine", inputs, targets)


def test_a_data_frame_is_no_path_of_a_csv() -> None:
    with pytest.raises(DataError, match="given by its path, got a DataFrame; pass its columns to problem"):
        from_csv(FRAME, "y")  # type: ignore[arg-type]
