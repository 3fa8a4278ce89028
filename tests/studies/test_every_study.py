"""What holds of every study, on the tiny configuration: jobs, claims, controls, figures."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from judging import FILES, FULL, ROOT, block_of, cases_of, claims_of, controls_of, estimates_of, run_case, tiny
from matplotlib import pyplot
from matplotlib.figure import Figure
from pydantic import ValidationError

from ledger import study
from ledger.config.configuration import load
from ledger.near import near_controls_of
from ledger.paper.drawing import Frames, render
from ledger.record.claims import Claim
from ledger.record.estimates import COLUMNS
from ledger.record.interval import Interval
from ledger.record.power import chances, standard_error
from ledger.record.verdicts import NOT_JUDGED, REFUTED, judge_claim
from ledger.record.verify import read_published
from ledger.run.jobs import part_of
from zeroloss.studies.setup import build_problem

matplotlib.use("Agg")
STUDIES = load(FULL).studies
JOBS = {name: study.jobs_of(part_of(name, "jobs")) for name in STUDIES}
FIGURES = {name: import_module(f"figures.{name}").FIGURES for name in STUDIES}
# claims that the honest run is refuted of too, or may be: their regime begins beyond tiny sizes
ASYMPTOTIC = {
    *(f"limits.{name}" for name in ("depth", "width-independent", "width-path", "constant", "law",
                                    "admissible")),
    "zero_loss.density", "zero_loss.weak-form", "zero_loss.fluctuation", "zero_loss.law",
    "controls.identity", "controls.monotone",
    "linear.momentum", "interpolation.equivalent", "landscape.straight", "landscape.energy", "landscape.floor",
    *(f"regimes.{name}" for name in ("exponents", "affine", "optimiser", "inherited", "bridge", "bridge-relu", "kink",
                                     "law", "trichotomy", "variation")),
    *(f"aspect.{name}" for name in ("half-stable", "optimum", "residual-formula")),
    "normalisation.frozen", "normalisation.divergence", "normalisation.centre",
    "imitation.advantage",
    "sparsity.global", "neighbours.compression",
}  # fmt: skip
# of these no cell tells the control from the honest run: their own tests take finer grids
COARSE = {"zero_loss.density", "zero_loss.weak-form", "aspect.half-stable"}
EACH_STUDY = pytest.mark.parametrize("name", STUDIES)
EACH_CLAIM = pytest.mark.parametrize(
    ("name", "claim"),
    [pytest.param(name, claim, id=claim.id) for name in STUDIES for claim in claims_of(name).values()],
)


# ---- jobs


@EACH_STUDY
def test_all_kinds_of_jobs_are_run_and_few_are_published(name: str) -> None:
    ran, published = tiny(name), cases_of(name, FULL)
    kinds = {kind.kind for kind in JOBS[name]}
    assert kinds == {case.kind for case in ran.cases.values()}
    assert kinds == {case.kind for case in published.values()}
    assert len(published) < 200, "a job is worth its start-up"
    for case, table in ran.tables.items():
        assert len(table) and not table.isna().any(axis=None), case


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in JOBS.items() for kind in kinds])
def test_a_job_is_a_function_of_its_case(name: str, kind: type[study.Case]) -> None:
    ran = tiny(name)
    shortest = min((table for _, _, table in ran.run.of(kind)), key=len)
    (case,) = (case for one, case in ran.cases.items() if ran.tables[one] is shortest)
    torch.manual_seed(1)  # nothing may draw from a shared generator
    pd.testing.assert_frame_equal(run_case(name, case), shortest, check_exact=True)


@pytest.mark.parametrize(
    ("name", "overlay", "message"),
    [
        ("linear", "values: [1.0, 2.0, 0.5]", "values must fall"),
        ("linear", "stages: {ratios: [0.5, 1.5]}", "ratios must lie in"),
        ("linear", "momentum: {stated_width: 7}", "stated_width must be among its widths"),
        ("linear", "momentum: {relu_stated_width: 7}", "relu_stated_width must be among its widths"),
        ("linear", "momentum: {conditions: [100.0, 10.0]}", "conditions must be above 1 and rise"),
        ("size", "phases: {flow_time: 3.0}", "phases.flow_time must be among the flow times"),
        ("size", "phases: {predicted_depths: [2, 8]}", "predicted_depths must hold all of num_layers"),
        ("size", "shown_probability: 0.3", "shown_probability must be among failure_probabilities"),
        ("size", "threshold: {setting: nowhere}", "got 'nowhere'"),
        ("controls", "labels: {sample: 4}", "sample must be below the least of num_samples, 4, got 4"),
        ("controls", "parameters: {sizes: [[3, 1]]}", "parameters than num_samples 8, got 3 layers of"),
        ("controls", "conditions: {base: cauchy}", "base must be one of the laws"),
        ("zero_loss", "density: {box_a: [1.0, -1.0]}", "box_a"),
        ("zero_loss", "density: {cells: [32, 48]}", "each must be twice the one before"),
        ("zero_loss", "density: {cubic: -1.0}", "cubic"),
        ("zero_loss", "density: {flow_times: [1.0, 2.0]}", r"flow_times\n.* must begin at 0, got 1"),
        ("zero_loss", "density: {support: 64}", "support"),
        ("zero_loss", "density: {weak_form: {cells: [2, 4]}}", r"cells\n.* must be at least 4, got 2"),
        ("normalisation", "spectra: {held: {num_samples: 128}}", "widths must be above num_samples"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(tmp_path: Path, name: str, overlay: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"{name}: {{{overlay}}}\n")
    with pytest.raises(ValidationError, match=message):
        block_of(name, *FILES, tmp_path / "mine.yaml")


# ---- estimates, verdicts, negative controls


@EACH_STUDY
def test_each_claim_has_numbers_and_a_negative_control(name: str) -> None:
    table, claims = tiny(name).estimates, set(claims_of(name))
    assert set(controls_of(name)) == claims == set(table.claim) - {""}
    assert table.estimate.notna().all() and all(table.sources)


@EACH_STUDY
def test_one_sided_intervals_are_bounds_on_distances_of_laws(name: str) -> None:
    """As `ledger.record.power` takes them to be: no shorter than those of Dvoretzky, Kiefer and Wolfowitz."""
    table = tiny(name).estimates
    rows = table.loc[table.interval.str.startswith("one-sided")]
    of_rows = zip(rows.interval, rows.replicates, strict=True)
    least = [math.sqrt(math.log(2 / (1 - Interval.parse(one).level)) / (2 * n)) for one, n in of_rows]
    assert (rows.upper - rows.estimate >= np.array(least) - 1e-12).all()


@EACH_STUDY
def test_measuring_is_a_function_of_the_tables(name: str) -> None:
    ran = tiny(name)
    shuffled = {n: t.sample(frac=1.0, random_state=1) for n, t in ran.tables.items()}
    again = estimates_of(name, study.Run(ran.cases, shuffled))
    pd.testing.assert_frame_equal(again, ran.estimates, rtol=1e-9)


@EACH_CLAIM
def test_each_predicate_has_rows_and_the_honest_run_is_not_refuted(name: str, claim: Claim) -> None:
    ran = tiny(name)
    rows = ran.estimates[ran.estimates.claim == claim.id]
    for predicate in claim.predicate:
        assert any(map(predicate.concerns, rows.quantity, rows.cell)), predicate
    settings = {one: case.largest() for one, case in ran.cases.items()}
    record = judge_claim(claim, ran.estimates, settings=settings)
    if name == "limits" or not claim.regime:  # tiny sizes of the others are in some regimes
        assert (record["verdict"] == NOT_JUDGED) == bool(claim.regime)
    honest = judge_claim(claim.at_any_size(), ran.estimates)
    assert claim.id in ASYMPTOTIC or honest["verdict"] != REFUTED, honest["reasons"]


@EACH_CLAIM
def test_the_sources_of_a_claim_are_all_that_it_rests_on(name: str, claim: Claim) -> None:
    """They alone give its rows again."""
    ran = tiny(name)
    own = ran.estimates.loc[ran.estimates.claim == claim.id, list(COLUMNS)]
    names = {name for sources in own.sources for name in sources.split(";")}
    alone = study.Run({one: ran.cases[one] for one in names}, {one: ran.tables[one] for one in names})
    again = estimates_of(name, alone, claim.id)[list(COLUMNS)]
    again = again.loc[again.claim == claim.id].reset_index(drop=True)
    assert len(again)
    pd.testing.assert_frame_equal(again, own.reset_index(drop=True), check_exact=True)


@EACH_CLAIM
def test_a_negative_control_is_refuted(name: str, claim: Claim) -> None:
    """It changes a table and no honest one; in some cell the honest run is not refuted."""
    ran = tiny(name)
    before = {name: table.copy() for name, table in ran.tables.items()}
    control = controls_of(name)[claim.id].within(ran.run)
    assert all(table.equals(before[name]) for name, table in ran.tables.items())
    assert set(control.tables) == set(before)
    assert any(not control.tables[name].equals(table) for name, table in before.items())
    claim = claim.at_any_size()
    failed = judge_claim(claim, estimates_of(name, control, claim.id))
    assert failed["verdict"] == REFUTED
    honest = {r["key"]: r["verdict"] for r in judge_claim(claim, ran.estimates)["rows"]}
    assert claim.id in COARSE or any(r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])


@EACH_CLAIM
def test_a_near_control_is_refuted(name: str, claim: Claim) -> None:
    """On tiny tables, or else in the published run, or by what it changes here beside the intervals of that run."""
    ran, near = tiny(name), near_controls_of(part_of(name, "measure"))
    assert claim.near_control and set(near) == set(claims_of(name))
    planted = estimates_of(name, near[claim.id].within(ran.run), claim.id).set_index("key")
    honest = ran.estimates.set_index("key").loc[planted.index]
    held = {r["key"] for r in judge_claim(claim.at_any_size(), ran.estimates)["rows"] if r["verdict"] != REFUTED}
    rows = judge_claim(claim.at_any_size(), planted.reset_index())["rows"]
    if not any(row["verdict"] == REFUTED and row["key"] in held for row in rows):
        published = {one["id"]: one for one in read_published(ROOT / "published", "full")["claims"]}
        if claim.id not in published:
            pytest.skip(f"{claim.id} is not published yet: the intervals of a full run are those that it is held to")
        record, effects = published[claim.id], (planted.estimate - honest.estimate).dropna()
        if all(row["verdict"] == REFUTED for row in record["rows"] if effects.get(row["key"], 0.0) != 0.0):
            pytest.skip(f"{claim.id} is refuted in the published run, in all that its near control moves")
        assert (
            record["near"]["verdict"] == REFUTED or chance_of_refutation(claim, record, effects, honest.quantity) > 0.8
        )


def chance_of_refutation(claim: Claim, record: dict, effects: pd.Series, quantities: pd.Series) -> float:
    """By any row of the published run, moved by the effect in its cell, or the median of its quantity."""
    medians, left = effects.groupby(quantities).median(), 1.0
    for row in record["rows"]:
        numbers = row | {name: float(row[name]) for name in ("estimate", "lower", "upper")}
        for predicate in claim.predicate:
            if predicate.concerns(row["quantity"], row["cell"]) and row["verdict"] != REFUTED:
                moved = numbers["estimate"] + effects.get(row["key"], medians.get(row["quantity"], 0.0))
                left *= 1.0 - chances(predicate, numbers, float(moved), standard_error(numbers)).refuted
    return 1.0 - left


# ---- figures


def drawn(name: str, figure: str, *left_out: str) -> Figure:
    """A figure of the tiny run, without the cases of some kinds."""
    ran = tiny(name)
    cases = {one: case for one, case in ran.cases.items() if case.kind not in left_out}
    return FIGURES[name][figure](Frames(study.Run(cases, ran.tables), ran.estimates, "quick"))


@pytest.mark.parametrize(
    ("name", "figure"), [(name, figure) for name, figures in FIGURES.items() for figure in figures]
)
def test_a_figure_draws_the_same_bytes_twice(name: str, figure: str) -> None:
    first = drawn(name, figure)
    assert all(ax.has_data() for ax in first.axes)
    assert render(first, "pdf") == render(drawn(name, figure), "pdf")
    pyplot.close("all")


@pytest.mark.parametrize(
    ("name", "figure", "kind", "said"),
    [
        ("limits", "rates", "ensemble", "networks of several sizes: not in this run"),
        ("limits", "rates", "fixed-paths", "networks on fixed paths: not in this run"),
        ("limits", "covariance", "ensemble", "networks with a predicted law: not in this run"),
        ("limits", "risk", "ensemble", "networks with a predicted law: not in this run"),
        ("size", "phases", "ensemble", "networks over depth and width: not in this run"),
    ],
)
def test_a_figure_says_what_the_run_has_not(name: str, figure: str, kind: str, said: str) -> None:
    part = drawn(name, figure, kind)
    assert said in [text.get_text() for ax in part.axes for text in ax.texts]
    pyplot.close("all")


@pytest.mark.parametrize("name", ["sine", "surface", "diabetes", "digits"])
def test_the_seed_of_the_method_leaves_the_data_alone(name: str) -> None:
    """And that of the data changes which they are, where there is a choice."""
    block, common = block_of("zero_loss", FULL)
    seeds: tuple[dict[str, int], ...] = ({}, {"seed": 5}, {"data_seed": 5})
    one, other, moved = (
        build_problem(part_of("zero_loss", "plan").cases(block, common._replace(**each))[f"flow-{name}"])
        for each in seeds
    )
    assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
    assert torch.equal(one.inputs, moved.inputs) == (name == "sine")
