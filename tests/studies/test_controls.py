"""The study `controls` on the tiny configuration: floors, folds, laws of the table."""

from __future__ import annotations

import math
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from judging import FILES, Run, cases_of, run_case, tiny
from scipy.optimize import minimize

from zeroloss.model.problem import problem
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.conditions import profile_spread, shifted
from zeroloss.studies.controls.floored import doubled
from zeroloss.studies.controls.floors import affine_floor, constant_floor, grouped_floor, monotone_floor
from zeroloss.studies.controls.line import layer_slope, without_lift
from zeroloss.studies.controls.measure import bounded_below, crossings
from zeroloss.studies.controls.plan import Line, ShiftedLaw, Size
from zeroloss.studies.setup import build_problem


@pytest.fixture(scope="module")
def ran() -> Run:
    return tiny("controls")


# ---- floors


def test_the_affine_floor_is_the_least_of_all_affine_predictors() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((9, 3)), rng.standard_normal(9)

    def risk(c: np.ndarray) -> float:
        return float(0.5 * np.mean((x @ c[:3] + c[3] - y) ** 2))

    assert affine_floor(x, y) == pytest.approx(minimize(risk, np.zeros(4)).fun, abs=1e-8)
    assert affine_floor(x, x @ [1.0, -2.0, 0.5] + 3) < 1e-28
    # a lift of zeros, whose design is singular, changes nothing
    assert affine_floor(np.column_stack([x, np.zeros(9)]), y) == pytest.approx(affine_floor(x, y))


def test_the_monotone_floor_is_the_least_over_all_blocks_of_neighbours() -> None:
    """Isotonic regression is piecewise constant: all partitions into blocks of rising means."""
    rng = np.random.default_rng(2)
    for _ in range(5):
        y = rng.standard_normal(7)
        least = math.inf
        for cuts in product([False, True], repeat=6):
            edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), 7]
            fit = np.concatenate([np.full(j - i, y[i:j].mean()) for i, j in pairwise(edges)])
            if (np.diff(fit) >= 0).all():
                least = min(least, float(0.5 * np.mean((fit - y) ** 2)))
        order = rng.permutation(7)
        assert monotone_floor(np.arange(7.0)[order], y[order]) == pytest.approx(least, rel=1e-12)
    with pytest.raises(ValueError, match="inputs must differ, got 1 repeated; drop them"):
        monotone_floor(np.array([0.0, 1.0, 1.0]), np.zeros(3))


def test_the_grouped_floor_is_half_the_variance_within_groups() -> None:
    x = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0], [5.0, 5.0]])
    y = np.array([1.0, 7.0, 3.0, 5.0, -2.0])
    within = np.var([1.0, 3.0, 5.0]) * 3 / 5
    assert grouped_floor(x, y) == pytest.approx(0.5 * within)
    assert grouped_floor(x[1:3], y[1:3]) == 0
    assert grouped_floor(np.zeros((5, 1)), y) == pytest.approx(constant_floor(y))
    pair = doubled(problem("p", [0.0, 1.0, 2.0], [0.0, 0.0, 4.0]), 1, 0.6)
    assert grouped_floor(pair.inputs.numpy(), pair.targets.numpy()) == pytest.approx(0.09 / 4 / 1)


# ---- folds


def test_a_fold_of_a_network_made_by_hand() -> None:
    """One unit of identity per layer, f = a z: a layer's slope is 1 + a/L everywhere."""
    p = problem("p", [-1.0, 0.5, 2.0], [0.0, 0.0, 0.0], readout=[1.0])
    network = Network(p, 2, 1, "identity")

    def slope(*slopes: float) -> float:
        theta = torch.tensor([[[2 * (s - 1)], [1.0], [0.3]] for s in slopes], dtype=torch.float64)
        return float(layer_slope(network.features(theta[None]))[0])

    assert slope(0.5, 2.0) == pytest.approx(0.5)
    assert slope(2.0, -0.25) == pytest.approx(-0.25)
    assert slope(-1.0, -1.0) == pytest.approx(-1.0), "two folds keep order at the end, not between"


def test_first_crossings_and_folds() -> None:
    def rows(i: int, risk: list[float], slope: list[float]) -> list[dict[str, Any]]:
        common = {"model": "network", "num_layers": 4, "replicate": i, "predicted": 1.0}
        return [
            common | {"flow_time": s, "quantity": q, "value": v}
            for q, values in (("risk", risk), ("slope", slope))
            for s, v in enumerate(values)
        ]

    two = rows(0, [3.0, 1.0, 0.9], [1.0, 0.0, 0.5]) + rows(1, [3.0, 1.0, 1.0], [1.0, 0.2, 0.1])
    found = crossings(pd.DataFrame(two))
    assert found.crossed.to_list() == [2.0, math.inf]
    assert found.folded.to_list() == [1.0, math.inf]


def test_on_the_line_the_lift_is_gone_and_inputs_rise(ran: Run) -> None:
    _, case, _ = ran.run.one(Line)
    lifted = build_problem(case)
    on_the_line = without_lift(lifted)
    assert on_the_line.dim == 1 and bool((on_the_line.inputs.diff(dim=0) > 0).all())
    assert torch.equal(on_the_line.targets, lifted.targets)


def test_networks_are_left_where_they_have_crossed(ran: Run) -> None:
    table = ran.tables["line"]
    runs = table[(table.model == "network") & (table.quantity == "risk")]
    for _, run in runs.groupby(["num_layers", "replicate"]):
        crossed = (run.value < 0.98 * run.predicted).to_numpy()
        assert not crossed[:-1].any() and crossed[-1]
    first = crossings(table)
    assert bool((first.folded <= first.crossed).all()), "order is lost before the bound"
    assert bool((first.groupby("num_layers").crossed.median().diff().dropna() > 0).all())


# ---- what is run


def test_every_risk_is_predicted_beforehand(ran: Run) -> None:
    for name, table in ran.tables.items():
        if ran.cases[name].kind != "conditions":
            assert "predicted" in table
    identity = ran.tables["identity"]
    starts = identity[(identity.quantity == "risk") & (identity.flow_time == 0)]
    assert bool((starts.value > starts.predicted).all())
    assert bool((identity[identity.quantity == "risk"].eval("value / predicted") > 1 - 1e-9).all())


def test_networks_of_few_parameters_are_refused_where_they_have_enough(ran: Run) -> None:
    with pytest.raises(ValueError, match="fewer than 8 parameters, got 14 in 2 layers of 1 units"):
        run_case("controls", ran.cases["parameters"].model_copy(update={"sizes": (Size(num_layers=2, num_units=1),)}))


def test_laws_of_the_table() -> None:
    law = ShiftedLaw(centre_a=0.5, centre_w=-1.0, centre_b=2.0, scale_b=3.0)
    theta = shifted(law, np.random.default_rng(0), 50, 40, 2)
    assert theta.shape == (50, 5, 40) and theta.flags.writeable
    assert (theta[:, :2] == 0.5).all() and (theta[:, 2:4] == -1).all()
    assert theta[:, 4].mean() == pytest.approx(2, abs=0.3)
    assert theta[:, 4].std() == pytest.approx(3, rel=0.1)
    flat = shifted(law.model_copy(update={"kind": "uniform"}), np.random.default_rng(0), 50, 40, 2)[:, 4]
    assert abs(flat - 2).max() <= 3 and flat.std() == pytest.approx(3**0.5, rel=0.1)
    shared = law.model_copy(update={"shared": True, "scale_a": 1.0})
    point = shifted(shared, np.random.default_rng(0), 3, 4, 2)
    assert (point == point[:1, :, :1]).all() and len(np.unique(point[0, :, 0])) == 4
    assert profile_spread(torch.from_numpy(point)) < 1e-15
    steps = torch.tensor([[[1.0, 3.0]], [[-1.0, -3.0]]])
    assert profile_spread(steps) == pytest.approx(2.0), "of the means of the layers"


def test_bounded_below_is_judged_over_the_late_half() -> None:
    s, values = np.array([0.0, 4.0, 6.0, 10.0]), np.array([[0.0, 2.0]] * 2 + [[0.1, 1.0]] * 2)
    assert bounded_below(s, values)
    assert not bounded_below(s, values[::-1])
    assert not bounded_below(s, np.zeros((4, 2))), "nothing is positive where K vanishes"


def test_a_setting_must_be_defined(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("controls: {origin: {setting: sinus}}")
    with pytest.raises(ValueError, match="one of settings, sine, surface, diabetes, got 'sinus'"):
        cases_of("controls", *FILES, path)
