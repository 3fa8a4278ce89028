"""A replication agrees as often as it promises, and a shift of four standard errors is found."""

from __future__ import annotations

import math
from typing import Any

import evidence
import pytest

from ledger.record import replication, results, verdicts
from ledger.record.results import ResultError
from ledger.record.streams import stream

HALF = 0.004
SIGMA = HALF / 1.959963984540054
CELLS = 12


def run(seed: int, **changes: Any) -> dict[str, Any]:
    """The verdicts of a run: one claim with cells about −1, another with cells about −1/2."""
    draws = stream("replication", seed).standard_normal((2, CELLS)) * SIGMA
    rows = [evidence.row(value=-1.0 + x, half=HALF, cell=f"c{i}") for i, x in enumerate(draws[0])]
    rows += [
        evidence.row("slope_M", -0.5 + x, HALF, claim=evidence.WIDTH, cell=f"sine.c{i}") for i, x in enumerate(draws[1])
    ]
    rows += [evidence.row("distance", 0.01, 0.001, claim=evidence.WIDTH)]
    rows[0] |= changes
    record = verdicts.judge(claims(), evidence.frame(*rows), "quick")
    return results.jsonable(record)


def claims() -> list[Any]:
    return [evidence.claim(), evidence.claim(**evidence.width_entry())]


FORETOLD = replication.foretell(claims(), run(0))


def test_runs_with_other_seeds_agree_as_often_as_is_promised() -> None:
    agreed = [replication.compare(FORETOLD, run(seed)).agrees for seed in range(1, 201)]
    assert sum(agreed) >= 190  # two tests at 99 %


def test_a_shift_of_four_standard_errors_is_named() -> None:
    first = FORETOLD["estimates"]["toy.depth/slope_L/c0"]
    moved = first["estimate"] + 4 * 2**0.5 * first["standard_error"]
    found = replication.compare(FORETOLD, run(3, estimate=moved, lower=moved - HALF, upper=moved + HALF))
    assert list(found.beyond) == ["toy.depth/slope_L/c0"] and not found.agrees
    assert found.z["toy.depth/slope_L/c0"] == pytest.approx(4.0, rel=1e-6)


def test_an_extreme_found_in_another_cell_is_not_compared() -> None:
    """The largest of many cells moves by more than the error of each: -1.0 at η = 0.02 says nothing of -0.5 at 0.01."""
    key = "toy.depth/slope_L/c0"
    far = {"estimate": -0.5, "lower": -0.5 - HALF, "upper": -0.5 + HALF}
    assert list(replication.compare(FORETOLD, run(1, **far)).beyond) == [key]
    found = replication.compare(FORETOLD, run(1, note="worst at η=0.02", **far))
    assert found.elsewhere == (key,) and key not in found.z


def test_the_score_is_that_of_brier() -> None:
    chances = {"toy.depth": {"supported": 0.9, "refuted": 0.1}, "toy.width": {"not judged": 1.0}}
    foretold = FORETOLD | {"chances": chances}
    found = replication.compare(foretold, run(1))
    assert found.brier == pytest.approx((0.1**2 + 0.1**2 + 2.0) / 2)


def test_more_changed_verdicts_than_foretold_are_a_disagreement() -> None:
    assert FORETOLD["most_changed"] <= 1
    found = replication.compare(FORETOLD | {"most_changed": 0, "verdicts": {"toy.depth": "refuted"}}, run(1))
    assert found.changed == {"toy.depth": ("refuted", "supported")} and not found.agrees


def test_a_run_of_another_kind_is_refused() -> None:
    with pytest.raises(ResultError, match="of mode quick must be of that mode, got full"):
        replication.compare(FORETOLD, run(1) | {"mode": "full"})
    fewer = run(1)
    fewer["claims"][0]["rows"] = fewer["claims"][0]["rows"][1:]
    found = replication.compare(FORETOLD, fewer)
    assert found.missing == ("toy.depth/slope_L/c0",) and not found.agrees


def test_round_off_is_no_difference() -> None:
    """A quantity without spread, as an identity is, differs by its last bits; by more it disagrees."""
    foretold = {"estimate": -1.0, "standard_error": 0.0, "judged": True, "note": ""}
    one = FORETOLD | {"estimates": {"toy.depth/slope_L/c0": foretold}}
    for value, agrees in ((-1.0 - 2e-16, True), (-1.0 - 1e-9, False)):
        found = replication.compare(one, run(0, estimate=value, lower=value, upper=value))
        assert (list(found.beyond) == []) == agrees


def test_an_estimate_without_an_end_to_its_interval_is_compared_with_none() -> None:
    """What was foretold is read from JSON, where an infinite error is a word; it says nothing of another estimate."""
    endless = {"lower": -math.inf, "upper": math.inf}
    foretold = results.jsonable(replication.foretell(claims(), run(0, **endless)))
    assert foretold["estimates"]["toy.depth/slope_L/c0"]["standard_error"] == "inf"
    found = replication.compare(foretold, run(3, estimate=5.0, **endless))
    assert found.z["toy.depth/slope_L/c0"] == 0.0 and not found.beyond


def test_an_estimate_below_the_regime_of_its_claim_counts() -> None:
    """Its interval says how far a number lies from the next: too short an interval is wrong at any size."""
    key = "toy.depth/slope_L/c0"
    one = FORETOLD | {"estimates": {key: FORETOLD["estimates"][key] | {"judged": False}}}
    far = one["estimates"][key]["estimate"] + 20 * SIGMA
    assert list(replication.compare(one, run(0, estimate=far, lower=far - HALF, upper=far + HALF)).beyond) == [key]
