"""The study `zero_loss` on the tiny configuration: flows to the floor, descents, verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judging import FULL, Run, cases_of, claims_of, estimates_of, run_case

from ledger import study
from ledger.config.case import kinds_of
from ledger.record.claims import Claim
from zeroloss.studies.zero_loss import plan
from zeroloss.studies.zero_loss.measure import certificate_of, late_rate, run_of
from zeroloss.studies.zero_loss.plan import Flow

CLAIMS = claims_of("zero_loss")
# on tiny grids the honest run is refuted too: their own tests take finer ones
COARSE = ("zero_loss.density", "zero_loss.weak-form")


@pytest.fixture(scope="module")
def ran() -> Run:
    return Run.of("zero_loss")


def test_a_flow_that_begins_below_its_floor_is_measured() -> None:
    """It has one point, which is its first and its last."""
    case = cases_of("zero_loss")["flow-sine"].model_copy(update={"floor": 1e3})
    estimates = estimates_of("zero_loss", study.Run(
        {"flow-sine": case}, {"flow-sine": run_case("zero_loss", case)}))
    times = estimates[estimates.quantity == "flow_time"].set_index("cell").estimate
    assert times["sine.tanh.limit"] == times["sine.tanh.network"] == 0.0


def test_every_claim_has_its_control_and_its_numbers(ran: Run) -> None:
    ran.check_claims()


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_the_sources_of_a_claim_are_all_that_it_rests_on(ran: Run, claim: Claim) -> None:
    ran.check_sources(claim)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_negative_control_is_refuted(ran: Run, claim: Claim) -> None:
    ran.check_control(claim, honest_too=claim.id in COARSE)


def test_the_published_settings_make_few_jobs_of_the_same_kinds(ran: Run) -> None:
    published = cases_of("zero_loss", FULL)
    assert {case.kind for case in published.values()} == set(kinds_of(plan))
    assert {name: case.kind for name, case in published.items()} == {
        name: case.kind for name, case in ran.cases.items()}
    assert len(published) < 20, "a job is worth its start-up"


def test_a_job_gives_the_same_rows_twice(ran: Run) -> None:
    assert run_case("zero_loss", ran.cases["flow-sine"]).equals(ran.tables["flow-sine"])


def test_flows_reach_the_floor_and_say_how(ran: Run) -> None:
    _, case, table = ran.run.one(Flow, setting="digits")
    run = run_of(table.loc[table.activation == "tanh"], "limit", 0)
    assert run["risk"][-1] < case.floor < run["risk"][-2] < run["risk"][0]
    assert run["eigenvalue"].shape == (len(run["flow_time"]), case.problem.num_samples)
    assert bool((np.diff(run["eigenvalue"], axis=1) >= 0).all())
    assert run["ball"].shape == (2,) and run["lead"].shape == (2, 2)
    assert run["depth-spread"][0] < 1e-12 < run["depth-spread"][1]  # constant paths at the start


def exponential_run(rates: list[float], start: list[float], times: np.ndarray
                    ) -> dict[str, np.ndarray]:
    """What a linear flow of these rates 2 λ/N would show, N = 2."""
    residual = np.sqrt(2 * np.array(start)) * np.exp(-0.5 * np.outer(times, rates))
    return {"flow_time": times, "risk": 0.5 * (residual**2).sum(1), "residual": residual,
            "mode": np.array([[1.0, 0.0]]),
            "eigenvalue": np.broadcast_to(rates, (len(times), 2)).copy()}


def test_certificate_and_late_rate_of_a_linear_flow() -> None:
    run = exponential_run([0.5, 2.0], [1.0, 1.0], np.linspace(0, 100, 2001))
    excess, share = certificate_of(run, 1e-30)
    assert excess < 0 and 0.9 < share < 1
    assert late_rate(run) == pytest.approx(1.0, rel=1e-9)
    run["eigenvalue"][:, 0] *= 1.1
    assert certificate_of(run, 1e-30)[0] > 0
    assert late_rate(run) == pytest.approx(1 / 1.1, rel=1e-6)


def test_what_cannot_be_told_is_nan() -> None:
    run = exponential_run([0.5, 2.0], [1.0, 1.0], np.array([0.0, 1.0]))
    assert math.isnan(late_rate(run))
    assert math.isnan(certificate_of(run, 10.0)[0])
