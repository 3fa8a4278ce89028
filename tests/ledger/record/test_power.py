"""Chances of verdicts against how often the verdicts come; effects that are just refuted."""

from __future__ import annotations

import math
from typing import Any

import evidence
import numpy as np
import pytest

from ledger.record import power, verdicts
from ledger.record.interval import one_sided
from ledger.record.rows import row
from ledger.record.statistics import Estimate, ks_distance
from ledger.record.streams import stream

Z = 1.959963984540054


def judged(predicate: dict[str, Any], *rows: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    claim = evidence.claim(predicate=[{"quantity": "slope_L", "interval": "confidence", **predicate}])
    return claim, verdicts.judge_claim(claim, evidence.frame(*rows))


@pytest.mark.parametrize(
    ("interval", "sigma"),
    [("95 %", 1 / Z), ("one-sided 95 %", 0.5 / 1.358101582), ("simultaneous 95 % of 10", 1 / 2.807033768),
     ("range of 3", 0.0), ("deterministic", 0.0)],
)  # fmt: skip
def test_the_standard_error_of_an_interval_of_half_width_one(interval: str, sigma: float) -> None:
    assert power.standard_error(evidence.row(half=1.0, interval=interval)) == pytest.approx(sigma)


def test_a_bound_on_the_distance_of_laws_is_wider_than_its_error_asks_for() -> None:
    """Samples of a shifted law: the spread of their distances, and how often these stay below a limit."""
    rng, n = stream("distances"), 200
    reference = rng.standard_normal(50 * n)
    found = [ks_distance(rng.standard_normal(n) + 0.4, reference, one_sided()) for _ in range(400)]
    values = np.array([one.value for one in found])
    sigma, half = power.standard_error(row("", "ks", "normal", found[0], [])), found[0].upper - found[0].value
    assert values.std() <= sigma <= 1.5 * values.std()
    claim, _ = judged({"at_most": 0.2 + half, "interval": "one-sided"})
    cut = row("", "ks", "cut", Estimate(half / 2, 0.0, 1.5 * half, one_sided()), [])
    chance = power.chances(claim.predicate[0], cut, float(values.mean()), sigma)
    assert chance.supported == pytest.approx(np.mean(values <= 0.2), abs=0.1)


def test_no_failure_at_all_has_an_interval_on_one_side_by_chance() -> None:
    cut = evidence.row(estimate=0.0, lower=0.0, upper=0.02)
    claim, _ = judged({"covers": 0.0, "max_half_width": 0.5}, cut)
    assert power.chances(claim.predicate[0], cut, 0.0, 0.01 / Z).supported == pytest.approx(0.95)


@pytest.mark.parametrize(
    "predicate",
    [
        {"inside": [-1.02, -0.98]},
        {"inside": [-1.02, -0.98], "max_half_width": 0.001},
        {"inside": [-1.01, math.inf]},
        {"covers": -1.0, "max_half_width": 0.5},
        {"at_most": -0.99},
    ],
)
@pytest.mark.parametrize("truth", [-1.0, -0.975])
def test_chances_are_how_often_the_verdicts_come(predicate: dict[str, Any], truth: float) -> None:
    half = 0.015
    claim, _ = judged(predicate, evidence.row())
    found = power.chances(claim.predicate[0], evidence.row(half=half), truth, half / Z)
    drawn = (truth + half / Z * stream("power").standard_normal(4000)).tolist()
    said = [verdicts.weigh(claim.predicate[0], x, x - half, x + half).verdict for x in drawn]
    for verdict in ("supported", "refuted", "inconclusive"):
        assert getattr(found, verdict) == pytest.approx(said.count(verdict) / len(said), abs=0.03)


def test_many_cells_have_less_power_than_one() -> None:
    one = power.power(*judged({"covers": -1.0, "max_half_width": 0.5}, evidence.row(half=0.01)))
    many = power.power(
        *judged({"covers": -1.0, "max_half_width": 0.5}, *(evidence.row(half=0.01, cell=f"c{i}") for i in range(14)))
    )
    assert (one, many) == (pytest.approx(0.95), pytest.approx(0.95**14))


def test_the_true_value_is_what_is_covered_or_the_middle_of_a_range() -> None:
    """Wherever the pilot's estimate lies."""
    for predicate in ({"covers": -1.0, "max_half_width": 0.5}, {"inside": [-1.02, -0.98]}):
        powers = [power.power(*judged(predicate, evidence.row(value=x, half=0.005))) for x in (-1.0, -0.99)]
        assert powers[0] == pytest.approx(powers[1])


def test_what_was_not_judged_has_no_power() -> None:
    assert math.isnan(power.power(*judged({"at_most": 0.0}, evidence.row(replicates=1))))
    assert power.expected(*judged({"at_most": 0.0}, evidence.row(replicates=1))) == {"not judged": 1.0}


def test_what_is_expected_of_another_seed_counts_both_draws() -> None:
    half = 0.01
    expected = power.expected(*judged({"at_most": -1.0 + half}, evidence.row(half=half)))
    assert expected["supported"] == pytest.approx(0.5)
    assert expected["refuted"] == pytest.approx(1 - 0.5 * (1 + math.erf(2 * Z / 2)), abs=1e-3)
    assert sum(expected.values()) == pytest.approx(1.0)


def test_the_smallest_effect_is_refuted_four_times_in_five() -> None:
    claim, record = judged({"inside": [-1.02, -0.98]}, evidence.row(half=0.005), evidence.row(half=0.01, cell="b"))
    effect = power.smallest_refuted(claim, record)
    assert effect and effect.quantity == "slope_L"
    for sign in (1, -1):
        found = power.chances(claim.predicate[0], evidence.row(half=0.005), -1.0 + sign * effect.size, 0.005 / Z)
        assert found.refuted == pytest.approx(power.LEAST_POWER, abs=1e-6)
    assert power.smallest_refuted(*judged({"at_most": 0.0}, evidence.row())) is None
    assert np.isfinite(effect.size)
