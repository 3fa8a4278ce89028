"""The study `zero_loss`: flows to the floor, their late rates, and the equation solved twice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from judging import FILES, Run, cases_of, claims_of, controls_of, estimates_of, run_case, tiny

from figures.zero_loss import FIGURES
from ledger import study
from ledger.paper.drawing import Frames
from ledger.record import estimates
from ledger.record.claims import Claim
from ledger.record.tidy import tidy
from ledger.record.verdicts import REFUTED, SUPPORTED, judge_claim
from zeroloss.network.resnet import Network
from zeroloss.studies.ending import RESOLVED, at_end, log10_end
from zeroloss.studies.setup import build_problem, independent_parameters
from zeroloss.studies.zero_loss import agreements
from zeroloss.studies.zero_loss.density import COLUMNS
from zeroloss.studies.zero_loss.law import Course, courses
from zeroloss.studies.zero_loss.measure import certificate_of, fall_of, late_rate, run_of, signed_of
from zeroloss.studies.zero_loss.plan import Density, Flow, Networks, Predicted, Spread

KINDS = ("density", "weak-form")
CLAIMS = {f"zero_loss.{kind}": claims_of("zero_loss")[f"zero_loss.{kind}"] for kind in KINDS}
EACH_CLAIM = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))


@pytest.fixture(scope="module")
def ran() -> Run:
    return tiny("zero_loss")


def test_a_flow_that_begins_below_its_floor_is_measured() -> None:
    """It has one point, which is its first and its last."""
    case = cases_of("zero_loss")["flow-sine"].model_copy(update={"floor": 1e3})
    estimates = estimates_of("zero_loss", study.Run({"flow-sine": case}, {"flow-sine": run_case("zero_loss", case)}))
    times = estimates[estimates.quantity == "flow_time"].set_index("cell").estimate
    assert times["sine.tanh.limit"] == times["sine.tanh.network"] == 0.0


def test_flows_reach_the_floor_and_say_how(ran: Run) -> None:
    _, case, table = ran.run.one(Flow, setting="digits")
    run = run_of(table.loc[table.activation == "tanh"], "limit", 0)
    assert run["risk"][-1] < case.floor < run["risk"][-2] < run["risk"][0]
    assert run["eigenvalue"].shape == (len(run["flow_time"]), case.problem.num_samples)
    assert bool((np.diff(run["eigenvalue"], axis=1) >= 0).all())
    assert run["ball"].shape == (2,) and run["lead"].shape == (2, 2)
    assert run["depth-spread"][0] < 1e-12 < run["depth-spread"][1]  # constant paths at the start


def exponential_run(rates: list[float], start: list[float], times: np.ndarray) -> dict[str, np.ndarray]:
    """What a linear flow of these rates 2 λ/N would show, N = 2."""
    residual = np.sqrt(2 * np.array(start)) * np.exp(-0.5 * np.outer(times, rates))
    return {
        "flow_time": times,
        "risk": 0.5 * (residual**2).sum(1),
        "residual": residual,
        "mode": np.array([[1.0, 0.0]]),
        "eigenvalue": np.broadcast_to(rates, (len(times), 2)).copy(),
    }


def test_certificate_and_late_rate_of_a_linear_flow() -> None:
    run = exponential_run([0.5, 2.0], [1.0, 1.0], np.linspace(0, 100, 2001))
    excess, share = certificate_of(run, 1e-30)
    assert excess < 0 and 0.9 < share < 1
    assert late_rate(run, 1e-30) == pytest.approx(1.0, rel=1e-9)
    run["eigenvalue"][:, 0] *= 1.1
    assert certificate_of(run, 1e-30)[0] > 0
    assert late_rate(run, 1e-30) == pytest.approx(1 / 1.1, rel=1e-6)


def ended(last: float, left: float) -> dict[str, np.ndarray]:
    """A linear flow seen at points of its own; of its last one, round-off leaves a part."""
    run = exponential_run([0.5, 2.0], [1.0, 1.0], np.array([0.0, 10.0, 60.0, 97.0, last, 130.0]))
    run["variation"] = 3.0 * np.abs(run["residual"]).max(1)
    run["signed"] = 6.0 * np.sqrt(2 * run["risk"])
    for name, power in (("risk", 1.0), ("variation", 0.25), ("signed", 0.75)):
        run[name][-1] *= left**power
    return run


def test_chance_below_the_floor_does_not_count() -> None:
    """Two processors leave one flow by steps of their own and at another part of round-off."""
    floor = 1e-25
    one, other = ended(99.0, 1.0), ended(104.0, 1e-4)
    assert one["risk"][-1] != other["risk"][-1] < one["risk"][-1] < floor
    level = math.log(2 / (RESOLVED * floor)) / 0.5  # when E is that many floors
    for run in (one, other):
        risk, s = run["risk"], run["flow_time"]
        assert log10_end(risk, floor) == pytest.approx(-25)
        assert at_end(risk, s, floor) == pytest.approx(level, rel=0.02)
        assert fall_of(run, "variation", floor) == pytest.approx(-10.0, abs=0.2)
        assert signed_of(run, floor) == pytest.approx(6.0)
    assert other["signed"][-1] < 0.11 * 6.0 * math.sqrt(2 * other["risk"][-1])
    assert late_rate(one, floor) == pytest.approx(late_rate(other, floor))


def test_a_flow_that_ends_above_the_floor_ends_at_its_last_point() -> None:
    risk, s = np.array([1.0, 1e-3, 1e-9]), np.array([0.0, 1.0, 2.0])
    assert (at_end(risk, s, 1e-20), log10_end(risk, 1e-20)) == (2.0, -9.0)
    assert (at_end(risk[:1], s[:1], 10.0), log10_end(risk[:1], 10.0)) == (0.0, 1.0)


def test_what_cannot_be_told_is_nan() -> None:
    run = exponential_run([0.5, 2.0], [1.0, 1.0], np.array([0.0, 1.0]))
    assert math.isnan(late_rate(run, 1e-30))
    assert math.isnan(certificate_of(run, 10.0)[0])


# ---- spread of log E among networks


def lognormal(case: Spread, power: float, shift: float) -> study.Run:
    """Risks whose log has std M^power and a mean that rises by ``shift`` while M grows by a factor e."""
    parts = []
    for M in case.widths:
        xi = np.random.default_rng(M).standard_normal((case.replicates, len(case.flow_times)))
        axes = {"replicate": range(case.replicates), "flow_time": case.flow_times}
        parts.append(tidy(np.exp(shift * math.log(M) + M**power * xi), axes, "risk", num_units=M))
    return study.Run({"spread": case}, {"spread": pd.concat(parts)})


@pytest.mark.parametrize(("power", "shift"), [(-0.5, 0.0), (0.0, 0.4)])
def test_exponent_and_drift_of_log_normal_risks(power: float, shift: float) -> None:
    case: Any = cases_of("zero_loss")["spread-sine"].model_copy(update={"widths": (64, 512), "replicates": 4000})
    table = estimates_of("zero_loss", lognormal(case, power, shift))
    for quantity, true, accuracy in (("exponent", power, 0.04), ("drift", shift, 0.04)):
        rows = table[table.quantity == quantity]
        assert len(rows) == len(case.flow_times)
        assert rows.estimate.to_numpy() == pytest.approx(true, abs=accuracy)
        assert (rows.upper - rows.lower < 0.08).all()
    assert table[table.quantity == "spread"].estimate.to_numpy() == pytest.approx(512**power, rel=0.05)


def test_networks_of_a_spread_are_those_trained_one_by_one() -> None:
    case: Any = cases_of("zero_loss")["spread-surface"]
    table = run_case("zero_loss", case)
    problem, M = build_problem(case), case.widths[-1]
    theta = independent_parameters(case, problem, range(3, 4), case.num_layers, M)
    alone = Network(problem, case.num_layers, M).train(theta, case.flow_times, rtol=case.network_rtol)
    found = table.loc[(table.num_units == M) & (table.replicate == 3)].sort_values("flow_time").risk
    assert found.to_numpy() == pytest.approx(alone.risk[:, 0].numpy(), rel=1e-9)


# ---- the law of the risk through training


def course(risk: np.ndarray, r: np.ndarray, covariance: np.ndarray, scrambles: int = 6) -> Course:
    """One setting at as many times as ``risk`` (R, T) has, with the same law at each and on every scramble."""
    T, N = risk.shape[1], len(r)
    case: Any = cases_of("zero_loss")["networks-sine"]
    case = case.model_copy(update={"num_layers": 8, "num_units": 50, "flow_times": tuple(map(float, range(T)))})
    shape = scrambles, T
    residuals = np.broadcast_to(r, (*shape, N))
    return Course(case, ["both"], risk, residuals, residuals, np.broadcast_to(covariance, (*shape, N, N)))


def test_networks_drawn_from_the_predicted_law_are_at_one() -> None:
    """Residuals of law N(r, Σ/n), and then of twice their deviation: where the law stops is where that begins."""
    rng, r = np.random.default_rng(1), np.array([0.5, -0.2, 0.1])
    root = rng.standard_normal((3, 3))
    xi = rng.standard_normal((4000, 3)) @ root.T / math.sqrt(400)
    risk = np.stack([0.5 * np.mean((r + width * xi) ** 2, -1) for width in (1.0, 1.0, 2.0, 1.0)], 1)
    seen = course(risk, r, root @ root.T)
    assert seen.count == 400
    for t, expected in enumerate((1.0, 1.0, 2.0, 1.0)):
        found = seen.deviation(t)
        assert found.lower < expected * 1.05 and found.upper > expected * 0.95 and found.half_width < 0.1
    assert seen.reach() == 1


def test_a_distance_of_laws_has_the_error_of_the_prediction() -> None:
    """Scrambles whose Σ scatters by a factor of ten each way leave little to be said of the law."""
    rng, r, scrambles = np.random.default_rng(3), np.array([0.5, -0.2, 0.1]), 4
    risk = 0.5 * np.mean((r + rng.standard_normal((2000, 1, 3)) / math.sqrt(400)) ** 2, -1)
    same = course(risk, r, np.eye(3), scrambles)
    scattered = replace(same, covariances=same.covariances * 10.0 ** np.linspace(-1, 1, scrambles)[:, None, None, None])
    sure, unsure = same.distance(0), scattered.distance(0)
    assert sure.value < 0.05 and sure.upper < 0.1
    assert unsure.value > 0.1 and unsure.lower == 0.0 and unsure.upper > unsure.value + 0.2


def test_variance_of_log_risk_is_that_of_many_units() -> None:
    rng, r = np.random.default_rng(2), np.array([0.5, -0.2, 0.1])
    root = rng.standard_normal((3, 3))
    V = course(np.ones((8, 1)), r, root @ root.T).variances(0)[0]
    n = 1e6
    logs = np.log(((r + rng.standard_normal((40_000, 3)) @ root.T / math.sqrt(n)) ** 2).mean(1))
    assert n * logs.var() == pytest.approx(V, rel=0.03)


def test_a_course_is_the_tables_of_its_setting(ran: Run) -> None:
    settings = [one.case.setting for one in courses(ran.run)]
    assert sorted(settings) == ["digits", "sine", "surface"]
    one = next(one for one in courses(ran.run) if one.case.setting == "sine")
    name, case, table = ran.run.one(Predicted, setting="sine")
    assert name in one.sources and case.num_layers == one.case.num_layers
    assert isinstance(one.case, Networks) and one.risk.shape == (one.case.replicates, len(case.flow_times))
    N = case.problem.num_samples
    assert one.covariances.shape == (case.rule.scrambles, len(case.flow_times), N, N)
    np.testing.assert_array_equal(one.covariances, one.covariances.swapaxes(-1, -2))
    part = table.loc[(table.scramble == 1) & (table.flow_time == 5.0) & (table.row == 2)]
    row = part.loc[part.rule == "influence"].set_index("column").value
    assert row[-1] == one.residuals[1, 1, 2] and row[0] == one.covariances[1, 1, 2, 0]
    assert one.wide[1, 1, 2] == part.loc[part.rule == "wide"].value.item()
    # the mean of the start: ½ mean r² + tr Σ/(2 n N)
    fluctuations = np.trace(one.covariances[:, 0], axis1=1, axis2=2).mean() / (2 * one.count * N)
    start = 0.5 * (one.residuals[:, 0] ** 2).mean() + fluctuations
    assert one.risk[:, 0].mean() == pytest.approx(start, rel=0.3)


# ---- the equation solved twice: kinds `density` and `weak-form`


@pytest.fixture(scope="module")
def fair() -> study.Run:
    """The smallest sizes on which the orders are seen."""
    changes = {"density": {"cells": (32, 64, 128), "support": 16}}
    cases = {
        name: case.model_copy(update=changes.get(name))
        for name, case in cases_of("zero_loss", *FILES[:2]).items()
        if name in KINDS
    }
    return study.Run(cases, {name: run_case("zero_loss", case) for name, case in cases.items()})


@pytest.fixture(scope="module")
def wrong(fair: study.Run) -> dict[str, study.Run]:
    """The run with the negative control of each claim in its tables."""
    return {claim: controls_of("zero_loss")[claim].within(fair) for claim in CLAIMS}


def measured(run: study.Run) -> pd.DataFrame:
    return pd.DataFrame(agreements.density(run) + agreements.weak_form(run))


def value(frame: pd.DataFrame, quantity: str, cell: str) -> float:
    found = frame.loc[(frame.quantity == quantity) & (frame.cell == cell), "estimate"]
    assert len(found) == 1, (quantity, cell)
    return float(found.iloc[0])


# ---- jobs


def test_each_solver_stands_in_the_table_at_its_sizes(ran: Run) -> None:
    _, case, table = ran.run.one(Density)
    assert list(table.columns) == COLUMNS
    for solver in ("density", "upwind"):
        for quantity in ("residual", "risk", "w1"):
            assert tuple(agreements.select(table, solver, quantity)) == case.cells
    assert list(agreements.select(table, "particles", "w1")) == [case.lattice // 2]
    deposits = [next(iter(agreements.select(table, solver, "deposit").values())) for solver in ("density", "particles")]
    for found in deposits:
        assert found.shape == (len(case.flow_times), (case.support + 2) ** 2)
        np.testing.assert_allclose(found.sum(1), 1, rtol=0, atol=1e-12)
    moved = np.abs(deposits[0][-1] - deposits[0][0]).sum()
    assert moved > 5 * np.abs(deposits[0][-1] - deposits[1][-1]).sum()


def test_all_solvers_start_from_one_law(ran: Run) -> None:
    _, case, table = ran.run.one(Density)
    start = table[(table.flow_time == 0) & (table.quantity == "residual")]
    spread = start.groupby("index").value.agg(lambda x: x.max() - x.min())
    assert len(spread) == case.num_samples and spread.max() < 1e-6
    assert start.value.abs().max() > 0.1


# ---- figure


def test_the_figure_draws_every_grid_and_time(ran: Run) -> None:
    figure = FIGURES["density"](Frames(ran.run, ran.estimates, "quick"))
    _, case, _ = ran.run.one(Density)
    for ax in figure.axes[2:]:
        drawn = [line for line in ax.get_lines() if line.get_marker() != "None"]
        assert len(drawn) == 2 * (len(case.flow_times) - 1)
        for line in drawn:
            assert tuple(np.asarray(line.get_xdata())) == case.cells
            height = np.asarray(line.get_ydata(), dtype=float)
            assert bool((height > ax.get_ylim()[0]).all() and (height < ax.get_ylim()[1]).all())


# ---- estimates


def test_order_of_numbers_that_halve_twice() -> None:
    exact = agreements.order(4.0, 1.0)
    assert exact.value == exact.lower == exact.upper == pytest.approx(2)
    rough = agreements.order(4.0, 1.0, 0.1)
    assert rough.lower == pytest.approx(np.log2(3.9 / 1.1))
    assert rough.upper == pytest.approx(np.log2(4.1 / 0.9))
    assert agreements.order(4.0, 1.0, 2.0).upper > 100, "an unknown error leaves no upper bound"


def test_estimates_are_rows_of_the_table(fair: study.Run) -> None:
    found = measured(fair)
    assert not found.duplicated(["claim", "quantity", "cell"]).any()
    assert bool((found.lower <= found.estimate).all() and (found.estimate <= found.upper).all())
    _, case, table = fair.one(Density)
    cells = case.cells[-1]
    by_hand = [agreements.select(table, "density", "w1")[c][-1] for c in (cells // 2, cells)]
    where = f"monotone.s{case.flow_times[-1]:g}"
    # the nodes see nearly the same distance, so that their weights hardly matter
    assert value(found, "w1_finest", where) == pytest.approx(by_hand[1].mean(), rel=0.02)
    assert value(found, "order_w1", where) == pytest.approx(np.log2(by_hand[0].mean() / by_hand[1].mean()), abs=0.02)
    ran = [agreements.select(table, solver, "residual") for solver in ("density", "particles")]
    gap = np.sqrt(np.mean((ran[0][cells][-1] - ran[1][case.lattice][-1]) ** 2))
    assert value(found, "residual_gap", where) == pytest.approx(gap)
    assert value(found, "edge_mass", "monotone") < 1e-6


@EACH_CLAIM
def test_claims_hold_where_the_grids_are_fine_enough(fair: study.Run, claim: Claim) -> None:
    """All but the distance on the finest grid, which is a quarter of this one at the published."""
    rows = judge_claim(claim, estimates.check(measured(fair), "zero_loss"))["rows"]
    assert rows and all(row["verdict"] == SUPPORTED for row in rows if row["quantity"] != "w1_finest")


@EACH_CLAIM
def test_negative_controls_are_refuted(fair: study.Run, wrong: dict[str, study.Run], claim: Claim) -> None:
    control = wrong[claim.id]
    other = next(name for name in KINDS if not claim.id.endswith(name))
    pd.testing.assert_frame_equal(control.tables[other], fair.tables[other])
    failed = judge_claim(claim, measured(control))
    assert failed["verdict"] == REFUTED
    # not for a row alone that coarse grids refute anyway
    honest = {r["key"]: r["verdict"] for r in judge_claim(claim, measured(fair))["rows"]}
    assert any(r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])


def test_negative_controls_are_what_they_say(fair: study.Run, wrong: dict[str, study.Run]) -> None:
    found = measured(wrong["zero_loss.density"])
    for s in fair.one(Density)[1].flow_times[1:]:
        assert value(found, "order_w1", f"monotone.s{s:g}") == pytest.approx(1, abs=0.1)
    flipped = measured(wrong["zero_loss.weak-form"])
    assert value(flipped, "defect", "monotone.density") > 0.1
    assert value(flipped, "defect", "monotone.particles") < 1e-6
