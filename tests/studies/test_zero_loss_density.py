"""The equation solved twice: kinds `density` and `weak-form` of the study `zero_loss`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from figures.zero_loss import FIGURES
from ledger.record import estimates
from ledger.record.claims import Claim, load_claims
from ledger.config.configuration import ConfigError, load
from ledger.paper.drawing import Frames, render
from zeroloss.studies.zero_loss import agreements, simulate
from zeroloss.studies.zero_loss.cases import cases
from zeroloss.studies.zero_loss.density import COLUMNS
from zeroloss.studies.zero_loss.planted import PLANTED
from ledger.record.verdicts import INCONCLUSIVE, REFUTED, SUPPORTED, judge_claim

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "config/full.yaml", ROOT / "config/quick.yaml", ROOT / "tests/workflow/tiny.yaml"]
KINDS = ("density", "weak-form")
CLAIMS = {claim.id: claim for claim in load_claims(ROOT / "paper/claims.yaml")
          if claim.id in ("zero_loss.density", "zero_loss.weak-form")}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
EACH_CLAIM = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))


@dataclass(frozen=True)
class Run:
    """Specifications and tables of the two kinds."""

    specs: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame]


def simulated(files: list[Path], **changes: dict[str, Any]) -> Run:
    specs = {name: spec | changes.get(name, {}) for name, spec in cases(load(*files)).items()
             if spec["kind"] in KINDS}
    return Run(specs, {name: simulate.run(spec) for name, spec in specs.items()})


@pytest.fixture(scope="module")
def tiny() -> Run:
    """Sizes of a tenth of a second, too few to judge an order by."""
    return simulated(FILES)


@pytest.fixture(scope="module")
def fair() -> Run:
    """The smallest sizes on which the orders are seen."""
    return simulated(FILES[:2], density={"cells": [32, 64, 128], "support": 16})


def measured(run: Run, tables: dict[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    tables = run.tables if tables is None else tables
    return pd.DataFrame(agreements.density(tables, run.specs)
                        + agreements.weak_form(tables, run.specs))


def value(frame: pd.DataFrame, quantity: str, cell: str) -> float:
    found = frame.loc[(frame.quantity == quantity) & (frame.cell == cell), "estimate"]
    assert len(found) == 1, (quantity, cell)
    return float(found.iloc[0])


# ---- jobs


@EACH_KIND
def test_a_job_is_a_function_of_its_specification(tiny: Run, kind: str) -> None:
    torch.manual_seed(1)
    table = simulate.run(tiny.specs[kind])
    pd.testing.assert_frame_equal(table, tiny.tables[kind], check_exact=True)
    assert list(table.columns) == COLUMNS and not table.isna().any(axis=None)


def test_each_solver_stands_in_the_table_at_its_sizes(tiny: Run) -> None:
    spec, table = tiny.specs["density"], tiny.tables["density"]
    for solver in ("density", "upwind"):
        for quantity in ("residual", "risk", "w1"):
            assert list(agreements.select(table, solver, quantity)) == spec["cells"]
    assert list(agreements.select(table, "particles", "w1")) == [spec["lattice"] // 2]
    deposits = [next(iter(agreements.select(table, solver, "deposit").values()))
                for solver in ("density", "particles")]
    for found in deposits:
        assert found.shape == (len(spec["flow_times"]), (spec["support"] + 2) ** 2)
        np.testing.assert_allclose(found.sum(1), 1, rtol=0, atol=1e-12)
    moved = np.abs(deposits[0][-1] - deposits[0][0]).sum()
    assert moved > 5 * np.abs(deposits[0][-1] - deposits[1][-1]).sum()


def test_all_solvers_start_from_one_law(tiny: Run) -> None:
    table = tiny.tables["density"]
    start = table[(table.flow_time == 0) & (table.quantity == "residual")]
    spread = start.groupby("index").value.agg(lambda x: x.max() - x.min())
    assert len(spread) == tiny.specs["density"]["num_samples"] and spread.max() < 1e-6
    assert start.value.abs().max() > 0.1


@pytest.mark.parametrize(("overlay", "message"), [
    ("density: {box_a: [1.0, -1.0]}", "box_a"),
    ("density: {cells: [32, 48]}", "each must be twice the one before"),
    ("density: {cubic: -1.0}", "cubic"),
    ("density: {flow_times: [1.0, 2.0]}", "flow_times must begin at 0, got 1"),
    ("density: {support: 64}", "support"),
    ("density: {weak_form: {cells: [2, 4]}}", "weak_form.cells must be at least 4, got 2"),
])
def test_settings_that_cannot_be_run(tmp_path: Path, overlay: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"zero_loss:\n  {overlay}\n")
    with pytest.raises(ConfigError, match=message):
        load(*FILES, path)


# ---- figure


def test_the_figure_draws_every_grid_and_time(tiny: Run) -> None:
    frames = Frames(tiny.tables, measured(tiny), tiny.specs, "quick")
    figure = FIGURES["density"](frames)
    assert render(figure, "pdf") == render(FIGURES["density"](frames), "pdf")
    spec = tiny.specs["density"]
    for ax in figure.axes[2:]:
        drawn = [line for line in ax.get_lines() if line.get_marker() != "None"]
        assert len(drawn) == 2 * (len(spec["flow_times"]) - 1)
        for line in drawn:
            assert list(np.asarray(line.get_xdata())) == spec["cells"]
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
    spec, table = fair.specs["density"], fair.tables["density"]
    cells = spec["cells"][-1]
    by_hand = [agreements.select(table, "density", "w1")[c][-1] for c in (cells // 2, cells)]
    where = f"monotone.s{spec['flow_times'][-1]:g}"
    # the nodes see nearly the same distance, so that their weights hardly matter
    assert value(found, "w1_finest", where) == pytest.approx(by_hand[1].mean(), rel=0.02)
    assert value(found, "order_w1", where) == pytest.approx(
        np.log2(by_hand[0].mean() / by_hand[1].mean()), abs=0.02)
    ran = [agreements.select(table, solver, "residual") for solver in ("density", "particles")]
    gap = np.sqrt(np.mean((ran[0][cells][-1] - ran[1][spec["lattice"]][-1]) ** 2))
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
    assert judged(claim, found) in (INCONCLUSIVE, REFUTED)


@EACH_CLAIM
def test_planted_failures_are_refuted(fair: Run, claim: Claim) -> None:
    made = PLANTED[claim.planted_failure.name](fair.tables, fair.specs)
    other = next(name for name in KINDS if not claim.id.endswith(name))
    pd.testing.assert_frame_equal(made[other], fair.tables[other])
    failed = judge_claim(claim, measured(fair, made))
    assert failed["verdict"] == REFUTED
    # not for a row alone that coarse grids refute anyway
    honest = {r["key"]: r["verdict"] for r in judge_claim(claim, measured(fair))["rows"]}
    assert any(r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])


def test_planted_failures_are_what_they_say(fair: Run) -> None:
    tables = PLANTED["first-order-upwind"](fair.tables, fair.specs)
    found = measured(fair, tables)
    for s in fair.specs["density"]["flow_times"][1:]:
        assert value(found, "order_w1", f"monotone.s{s:g}") == pytest.approx(1, abs=0.1)
    wrong = measured(fair, PLANTED["flipped-flux"](fair.tables, fair.specs))
    assert value(wrong, "defect", "monotone.density") > 0.1
    assert value(wrong, "defect", "monotone.particles") < 1e-6
