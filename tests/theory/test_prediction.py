"""The risk of an ensemble, predicted to an accuracy: its own error, and what is of second order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracles
import pytest

from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import Problem, problem
from zeroloss.network import ensembles
from zeroloss.theory.prediction import MOST_UNITS, EnsemblePrediction, predict

LAW = InitialLaw()
MINE = oracles.lifted_cosine()


def predicted(num_layers: int = 4, num_units: int = 8, flow_time: Any = 1.0, **more: Any) -> EnsemblePrediction:
    return predict(MINE, LAW, num_layers, num_units, flow_time, **{"accuracy": 0.1, **more})


def saddle() -> Problem:
    """Twelve samples of a function of four features, lifted: d = 5."""
    x = np.random.default_rng(1).uniform(-1, 1, (12, 4))
    return problem("saddle", x, np.sin(2 * x[:, 0]) * x[:, 1] + 0.5 * x[:, 2] ** 2, lift=1)


def test_the_accuracy_is_reached_and_holds_against_a_far_finer_rule() -> None:
    truth = predicted(accuracy=5e-4)
    for accuracy in (1e-2, 2e-3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rough = predicted(accuracy=accuracy)
        assert rough.error <= accuracy and rough.log2_points < truth.log2_points
        assert np.abs(rough.risk - truth.risk) < rough.risk_error + truth.risk_error
        assert np.abs(rough.std - truth.std) < rough.std_error + truth.std_error
        assert (np.abs(rough.residuals - truth.residuals) < rough.residuals_error + truth.residuals_error).all()


def test_an_accuracy_out_of_reach_is_said_and_what_there_is_returned() -> None:
    with pytest.warns(UserWarning, match=r"at most the accuracy 1e-06, got \S+ with 2\^7 points; pass a larger"):
        found = predicted(accuracy=1e-6, max_log2_points=7)
    assert found.log2_points == 7 and found.error > 1e-6


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_mean_and_standard_deviation_are_those_of_the_law(sampling: str) -> None:
    found = predicted(flow_time=[0.5, 2.0], sampling=sampling)
    for output in (0, 1):
        risks = found.law(output).risks(draws=200_000)
        assert risks.mean() == pytest.approx(found.risk[output], abs=found.risk_error[output] + risks.std() / 100)
        assert risks.std() == pytest.approx(found.std[output], rel=0.02)


@pytest.mark.parametrize(
    ("data", "num_units", "flow_time", "activation", "accuracy"),
    [(saddle(), 12, 8.0, "gelu", 3e-3), (MINE, 8, 4.0, "tanh", 2e-3)],
    ids=["gelu, d = 5", "tanh"],
)
def test_the_second_order_covers_what_networks_differ_by(
    data: Problem, num_units: int, flow_time: float, activation: str, accuracy: float
) -> None:
    of: dict[str, Any] = {"activation": activation}
    found = predict(data, LAW, 4, num_units, flow_time, accuracy=accuracy, **of)
    trained = ensembles.train(data, LAW, 4, num_units, flow_time, replicates=3000, seed=1, **of).risk[0].numpy()
    difference, noise = trained.mean() - found.risk[0], trained.std() / np.sqrt(len(trained))
    assert abs(difference) > found.risk_error[0] + 2 * noise  # else there is nothing to cover
    assert 1 / 3 < found.second_order[0] / abs(difference) < 3
    assert np.sign(found.shift[0]) == np.sign(difference)


def test_a_risk_that_is_linear_in_the_units_has_no_second_order() -> None:
    """One layer before training: what is left of the difference to the halves is round-off."""
    linear, curved = predicted(num_layers=1, flow_time=0.0), predicted(num_layers=4, flow_time=0.0)
    assert linear.second_order < 1e-15 < 1e-5 < curved.second_order


def test_the_second_order_falls_as_one_over_the_units() -> None:
    one, two = (predicted(num_units=units) for units in (MOST_UNITS, 2 * MOST_UNITS))
    assert two.second_order == pytest.approx(one.second_order / 2, rel=1e-12)


def test_interval_and_second_order_stand_in_the_line_of_each_flow_time() -> None:
    found = predicted(flow_time=[0.5, 2.0])
    heading, *lines = repr(found).splitlines()[1:]
    assert heading.split("  ")[-1] == "second order" and "lower" in heading and "upper" in heading
    for i, line in enumerate(lines):
        numbers = [float(cell) for cell in line.split()]
        half = found.risk_error[i]
        expected = [found.risk[i], found.risk[i] - half, found.risk[i] + half, found.std[i], found.second_order[i]]
        assert numbers[1:] == pytest.approx(expected, rel=1e-3)


def test_refusals_name_value_and_remedy() -> None:
    for accuracy in (0.0, -1e-3, float("nan")):
        with pytest.raises(ValueError, match=f"accuracy must be finite and above 0, got {accuracy}; pass an absolute"):
            predicted(accuracy=accuracy)
    with pytest.raises(ValueError, match="num_units must be at least 1, got 0; pass"):
        predicted(num_units=0)
    with pytest.raises(ValueError, match="sampling must be independent or path, got 'both'"):
        predicted(sampling="both")
    with pytest.raises(ValueError, match="max_log2_points must be at least 6, got 5; pass"):
        predicted(max_log2_points=5)
