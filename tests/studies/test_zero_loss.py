"""The study `zero_loss` on the tiny configuration: flows to the floor, descents, verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judging import FILES, FULL, Run, claims_of, keyed

from ledger.record.claims import Claim
from ledger.config.configuration import load
from zeroloss.studies.zero_loss import simulate
from zeroloss.studies.zero_loss.cases import cases
from zeroloss.studies.zero_loss.measure import certificate_of, late_rate, measure, run_of
from zeroloss.studies.zero_loss.planted import PLANTED

CLAIMS = claims_of("zero_loss")
# on tiny grids the honest run is refuted too: their own tests take finer ones
COARSE = ("zero_loss.density", "zero_loss.weak-form")


@pytest.fixture(scope="module")
def ran() -> Run:
    return Run.of("zero_loss")


def test_a_flow_that_begins_below_its_floor_is_measured() -> None:
    """It has one point, which is its first and its last."""
    spec = cases(load(*FILES))["flow-sine"] | {"floor": 1e3}
    estimates = keyed("zero_loss", measure({"flow-sine": simulate.run(spec)},
                                           {"flow-sine": spec}))
    times = estimates[estimates.quantity == "flow_time"].set_index("cell").estimate
    assert times["sine.tanh.limit"] == times["sine.tanh.network"] == 0.0


def test_every_claim_has_its_planted_failure_and_its_numbers(ran: Run) -> None:
    ran.check_claims(CLAIMS, PLANTED)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_the_sources_of_a_claim_are_all_that_it_rests_on(ran: Run, claim: Claim) -> None:
    ran.check_sources(claim)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_planted_failure_is_refuted(ran: Run, claim: Claim) -> None:
    ran.check_refuted(claim, PLANTED, honest_too=claim.id in COARSE)


@pytest.mark.parametrize("name", PLANTED)
def test_planting_leaves_the_honest_tables_alone(ran: Run, name: str) -> None:
    ran.check_left_alone(PLANTED[name])


def test_the_published_settings_make_few_jobs_of_the_same_kinds(ran: Run) -> None:
    made = cases(load(FULL))
    assert {spec["kind"] for spec in made.values()} == set(simulate.KINDS)
    assert {name: spec["kind"] for name, spec in made.items()} == {
        name: spec["kind"] for name, spec in ran.specs.items()}
    assert len(made) < 30, "a job is worth its start-up"


def test_a_job_gives_the_same_rows_twice(ran: Run) -> None:
    spec = ran.specs["flow-sine"]
    assert simulate.run(spec).equals(ran.tables["flow-sine"])


def test_flows_reach_the_floor_and_say_how(ran: Run) -> None:
    spec, table = ran.specs["flow-digits"], ran.tables["flow-digits"]
    run = run_of(table.loc[table.activation == "tanh"], "limit", 0)
    assert run["risk"][-1] < spec["floor"] < run["risk"][-2] < run["risk"][0]
    assert run["eigenvalue"].shape == (len(run["flow_time"]), spec["problem"]["num_samples"])
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
