"""The equation solved twice: kinds `density` and `weak-form` of the study `zero_loss`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from judging import FILES, block_of, cases_of, claims_of, controls_of, run_case
from pydantic import ValidationError

from figures.zero_loss import FIGURES
from ledger.paper.drawing import Frames, render
from ledger.record import estimates
from ledger.record.claims import Claim
from ledger.record.verdicts import REFUTED, SUPPORTED, judge_claim
from ledger.study import Run
from zeroloss.studies.zero_loss import agreements
from zeroloss.studies.zero_loss.density import COLUMNS
from zeroloss.studies.zero_loss.plan import Density

KINDS = ("density", "weak-form")
CLAIMS = {claim.id: claim for claim in claims_of("zero_loss").values()
          if claim.id in ("zero_loss.density", "zero_loss.weak-form")}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
EACH_CLAIM = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))


def simulated(*files: Path, **changes: dict[str, Any]) -> Run:
    """Cases and tables of the two kinds."""
    cases = {name: case.model_copy(update=changes.get(name))
             for name, case in cases_of("zero_loss", *files).items() if name in KINDS}
    return Run(cases, {name: run_case("zero_loss", case) for name, case in cases.items()})


@pytest.fixture(scope="module")
def tiny() -> Run:
    """Sizes of a tenth of a second, too few to judge an order by."""
    return simulated()


@pytest.fixture(scope="module")
def fair() -> Run:
    """The smallest sizes on which the orders are seen."""
    return simulated(*FILES[:2], density={"cells": (32, 64, 128), "support": 16})


@pytest.fixture(scope="module")
def wrong(fair: Run) -> dict[str, Run]:
    """The run with the negative control of each claim in its tables."""
    return {claim: controls_of("zero_loss")[claim].within(fair) for claim in CLAIMS}


def measured(run: Run) -> pd.DataFrame:
    return pd.DataFrame(agreements.density(run) + agreements.weak_form(run))


def value(frame: pd.DataFrame, quantity: str, cell: str) -> float:
    found = frame.loc[(frame.quantity == quantity) & (frame.cell == cell), "estimate"]
    assert len(found) == 1, (quantity, cell)
    return float(found.iloc[0])


# ---- jobs


@EACH_KIND
def test_a_job_is_a_function_of_its_specification(tiny: Run, kind: str) -> None:
    torch.manual_seed(1)
    table = run_case("zero_loss", tiny.cases[kind])
    pd.testing.assert_frame_equal(table, tiny.tables[kind], check_exact=True)
    assert list(table.columns) == COLUMNS and not table.isna().any(axis=None)


def test_each_solver_stands_in_the_table_at_its_sizes(tiny: Run) -> None:
    _, case, table = tiny.one(Density)
    for solver in ("density", "upwind"):
        for quantity in ("residual", "risk", "w1"):
            assert tuple(agreements.select(table, solver, quantity)) == case.cells
    assert list(agreements.select(table, "particles", "w1")) == [case.lattice // 2]
    deposits = [next(iter(agreements.select(table, solver, "deposit").values()))
                for solver in ("density", "particles")]
    for found in deposits:
        assert found.shape == (len(case.flow_times), (case.support + 2) ** 2)
        np.testing.assert_allclose(found.sum(1), 1, rtol=0, atol=1e-12)
    moved = np.abs(deposits[0][-1] - deposits[0][0]).sum()
    assert moved > 5 * np.abs(deposits[0][-1] - deposits[1][-1]).sum()


def test_all_solvers_start_from_one_law(tiny: Run) -> None:
    _, case, table = tiny.one(Density)
    start = table[(table.flow_time == 0) & (table.quantity == "residual")]
    spread = start.groupby("index").value.agg(lambda x: x.max() - x.min())
    assert len(spread) == case.num_samples and spread.max() < 1e-6
    assert start.value.abs().max() > 0.1


@pytest.mark.parametrize(("overlay", "message"), [
    ("density: {box_a: [1.0, -1.0]}", "box_a"),
    ("density: {cells: [32, 48]}", "each must be twice the one before"),
    ("density: {cubic: -1.0}", "cubic"),
    ("density: {flow_times: [1.0, 2.0]}", r"density.flow_times\n.* must begin at 0, got 1"),
    ("density: {support: 64}", "support"),
    ("density: {weak_form: {cells: [2, 4]}}", r"weak_form.cells\n.* must be at least 4, got 2"),
])
def test_settings_that_cannot_be_run(tmp_path: Path, overlay: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"zero_loss:\n  {overlay}\n")
    with pytest.raises(ValidationError, match=message):
        block_of("zero_loss", *FILES, path)


# ---- figure


def test_the_figure_draws_every_grid_and_time(tiny: Run) -> None:
    frames = Frames(tiny, measured(tiny), "quick")
    figure = FIGURES["density"](frames)
    assert render(figure, "pdf") == render(FIGURES["density"](frames), "pdf")
    _, case, _ = tiny.one(Density)
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


def test_estimates_are_rows_of_the_table(fair: Run) -> None:
    found = measured(fair)
    assert not found.duplicated(["claim", "quantity", "cell"]).any()
    assert bool((found.lower <= found.estimate).all() and (found.estimate <= found.upper).all())
    _, case, table = fair.one(Density)
    cells = case.cells[-1]
    by_hand = [agreements.select(table, "density", "w1")[c][-1] for c in (cells // 2, cells)]
    where = f"monotone.s{case.flow_times[-1]:g}"
    # the nodes see nearly the same distance, so that their weights hardly matter
    assert value(found, "w1_finest", where) == pytest.approx(by_hand[1].mean(), rel=0.02)
    assert value(found, "order_w1", where) == pytest.approx(
        np.log2(by_hand[0].mean() / by_hand[1].mean()), abs=0.02)
    ran = [agreements.select(table, solver, "residual") for solver in ("density", "particles")]
    gap = np.sqrt(np.mean((ran[0][cells][-1] - ran[1][case.lattice][-1]) ** 2))
    assert value(found, "residual_gap", where) == pytest.approx(gap)
    assert value(found, "edge_mass", "monotone") < 1e-6


def judged(claim: Claim, frame: pd.DataFrame) -> str:
    return judge_claim(claim, estimates.check(frame, "zero_loss"))["verdict"]


@EACH_CLAIM
def test_claims_hold_where_the_grids_are_fine_enough(fair: Run, claim: Claim) -> None:
    """All but the distance on the finest grid, which is a quarter of this one at the published."""
    rows = judge_claim(claim, estimates.check(measured(fair), "zero_loss"))["rows"]
    assert rows and all(row["verdict"] == SUPPORTED for row in rows
                        if row["quantity"] != "w1_finest")


@EACH_CLAIM
def test_too_few_grids_support_nothing(tiny: Run, claim: Claim) -> None:
    found = measured(tiny)
    assert judged(claim, found) != SUPPORTED


@EACH_CLAIM
def test_negative_controls_are_refuted(fair: Run, wrong: dict[str, Run], claim: Claim) -> None:
    control = wrong[claim.id]
    other = next(name for name in KINDS if not claim.id.endswith(name))
    pd.testing.assert_frame_equal(control.tables[other], fair.tables[other])
    failed = judge_claim(claim, measured(control))
    assert failed["verdict"] == REFUTED
    # not for a row alone that coarse grids refute anyway
    honest = {r["key"]: r["verdict"] for r in judge_claim(claim, measured(fair))["rows"]}
    assert any(r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])


def test_negative_controls_are_what_they_say(fair: Run, wrong: dict[str, Run]) -> None:
    found = measured(wrong["zero_loss.density"])
    for s in fair.one(Density)[1].flow_times[1:]:
        assert value(found, "order_w1", f"monotone.s{s:g}") == pytest.approx(1, abs=0.1)
    flipped = measured(wrong["zero_loss.weak-form"])
    assert value(flipped, "defect", "monotone.density") > 0.1
    assert value(flipped, "defect", "monotone.particles") < 1e-6
