"""Each predicate can support, refute, stay undecided; missing evidence only blocks support."""

from __future__ import annotations

import math
from typing import Any

import evidence
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.record import results, verdicts
from ledger.record.claims import Predicate
from ledger.record.results import ResultError

finite = st.floats(-1e6, 1e6)


def entry(quantity: str = "slope_L", **parts: Any) -> dict[str, Any]:
    return {"quantity": quantity, "interval": "confidence", **parts}


def predicate(**parts: Any) -> Predicate:
    return Predicate.model_validate(entry(**parts))


@pytest.mark.parametrize(
    ("parts", "lower", "upper", "verdict"),
    [
        ({"inside": [-1.02, -0.98]}, -1.01, -0.99, "supported"),
        ({"inside": [-1.02, -0.98]}, -1.02, -0.98, "supported"),
        ({"inside": [-1.02, -0.98]}, -1.03, -0.99, "inconclusive"),
        ({"inside": [-1.02, -0.98]}, -2.0, 0.0, "inconclusive"),
        ({"inside": [-1.02, -0.98]}, -1.01, -0.97, "inconclusive"),
        ({"inside": [-1.02, -0.98]}, -0.97, -0.96, "refuted"),
        ({"inside": [-1.02, -0.98]}, -1.5, -1.03, "refuted"),
        ({"inside": [-math.inf, 0.0]}, -9e9, -1.0, "supported"),
        ({"covers": 1.0, "max_half_width": 1.0}, 0.9, 1.0, "supported"),
        ({"covers": 1.0, "max_half_width": 1.0}, 0.9, 0.99, "refuted"),
        ({"covers": 1.0, "max_half_width": 1.0}, 1.01, 1.02, "refuted"),
        ({"covers": 1.0, "max_half_width": 1.0}, math.nan, 1.02, "inconclusive"),
        ({"covers": 1.0, "max_half_width": 0.05}, 0.9, 1.1, "inconclusive"),
        ({"covers": 1.0, "max_half_width": 0.05}, 0.98, 1.01, "supported"),
        ({"covers": 1.0, "max_half_width": 0.05}, 1.1, 1.5, "refuted"),
        ({"covers": 100.0, "max_half_width": 0.05, "relative": True}, 96.0, 104.0, "supported"),
        ({"covers": 100.0, "max_half_width": 0.05, "relative": True}, 94.0, 106.0, "inconclusive"),
        ({"covers": 0.0, "max_half_width": 0.05, "relative": True}, -1.0, 1.0, "inconclusive"),
        ({"at_most": 0.05}, 0.01, 0.05, "supported"),
        ({"at_most": 0.05}, 0.04, 0.06, "inconclusive"),
        ({"at_most": 0.05}, 0.051, 0.06, "refuted"),
        ({"at_most": 0.05}, math.nan, math.nan, "inconclusive"),
        ({"at_most": 0.05}, 0.01, math.inf, "inconclusive"),
    ],
)
def test_each_predicate_gives_each_verdict(parts, lower: float, upper: float, verdict: str) -> None:
    middle = lower / 2 + upper / 2
    assert verdicts.weigh(predicate(**parts), middle, lower, upper).verdict == verdict
    rows = evidence.frame(evidence.row(estimate=middle, lower=lower, upper=upper))
    claim = evidence.claim(predicate=[entry(**parts)])
    assert verdicts.judge_claim(claim, rows)["verdict"] == verdict


@given(st.lists(finite, min_size=2, max_size=2).map(sorted), finite, finite, finite)
def test_support_never_survives_an_interval_that_leaves(ends, estimate, low, high) -> None:
    lower, upper = ends
    low, high = min(low, high), max(low, high)
    outcome = verdicts.weigh(predicate(inside=[low, high]), estimate, lower, upper)
    assert (outcome.verdict == "supported") == (low <= lower and upper <= high)
    assert (outcome.verdict == "refuted") == (upper < low or lower > high)


@pytest.mark.parametrize(
    ("change", "reason"), [({"replicates": 9}, "replicates 9 is below 10"), ({"sizes": 2}, "sizes 2 is below 3")]
)
@pytest.mark.parametrize("value", [-1.0, -0.5])
def test_outside_of_its_regime_a_claim_is_not_judged(change, reason: str, value: float) -> None:
    record = verdicts.judge_claim(evidence.claim(), evidence.frame(evidence.row(value=value, **change)))
    assert record["verdict"] == "not judged"
    assert record["reasons"] == [f"slope_L at sine.s4: {reason}, from where on the claim is meant"]
    assert record["rows"][0]["estimate"] == value


def test_settings_of_the_cases_are_part_of_the_regime() -> None:
    claim = evidence.claim(regime={"num_layers": 64})
    rows = evidence.frame(evidence.row(sources="wide;narrow"))
    small = {"wide": {"num_layers": 32.0}, "narrow": {"num_units": 8.0}}
    assert verdicts.judge_claim(claim, rows, settings=small)["verdict"] == "not judged"
    large = small | {"narrow": {"num_layers": 64.0}}
    assert verdicts.judge_claim(claim, rows, settings=large)["verdict"] == "supported"
    assert verdicts.judge_claim(claim, rows)["verdict"] == "supported"
    with pytest.raises(ResultError, match=r"regime of toy\.depth must name .*, got num_layers"):
        verdicts.judge_claim(claim, rows, settings={"wide": {"num_units": 8.0}})


def test_a_cell_that_refutes_within_the_regime_counts_whatever_the_others_are() -> None:
    rows = evidence.frame(evidence.row(cell="a", value=-0.5), evidence.row(cell="b", replicates=2))
    assert verdicts.judge_claim(evidence.claim(), rows)["verdict"] == "refuted"
    rows = evidence.frame(evidence.row(cell="a"), evidence.row(cell="b", replicates=2))
    assert verdicts.judge_claim(evidence.claim(), rows)["verdict"] == "not judged"


@pytest.mark.parametrize(
    ("interval", "reason"),
    [
        ("90 %", "level must be at least 0.95, got 0.9"),
        ("one-sided 95 %", "interval must be confidence, got one-sided 95 %"),
        ("range of 2", "interval must be confidence, got range of 2"),
    ],
)
@pytest.mark.parametrize("value", [-1.0, -0.5])
def test_an_interval_of_another_type_or_lower_level_decides_nothing(value: float, interval: str, reason: str) -> None:
    record = verdicts.judge_claim(evidence.claim(), evidence.frame(evidence.row(value=value, interval=interval)))
    assert record["verdict"] == "inconclusive"
    assert record["reasons"] == [f"slope_L at sine.s4: {reason}"]


def test_evidence_that_is_not_counted_is_not_asked_for() -> None:
    rows = evidence.frame(evidence.row(replicates=None, sizes=None))
    assert verdicts.judge_claim(evidence.claim(), rows)["verdict"] == "supported"


def test_a_predicate_without_rows_is_inconclusive_unless_another_refutes() -> None:
    two = [entry(covers=-1, max_half_width=1.0), entry("slope_M", covers=0, max_half_width=1.0, cells="x.*")]
    claim = evidence.claim(predicate=two, tolerance={"*": {}})
    one = verdicts.judge_claim(claim, evidence.frame(evidence.row(), evidence.row("slope_M", 0.0)))
    assert one["verdict"] == "inconclusive"
    assert one["reasons"] == ["no estimate of slope_M at cells x.*"]
    other = verdicts.judge_claim(claim, evidence.frame(evidence.row(value=0.0)))
    assert other["verdict"] == "refuted"
    nothing = verdicts.judge_claim(claim, evidence.frame())
    assert (nothing["verdict"], nothing["deciding"], nothing["rows"]) == ("inconclusive", None, [])


def test_one_refuted_cell_refutes_the_claim_and_decides_it() -> None:
    rows = evidence.frame(
        evidence.row(cell="a"),
        evidence.row(cell="b", value=math.nan, half=0),
        evidence.row(cell="c", value=-0.9),
        evidence.row(cell="d", value=-0.8),
    )
    record = verdicts.judge_claim(evidence.claim(), rows)
    assert record["verdict"] == "refuted"
    assert record["deciding"] == "toy.depth/slope_L/d"
    assert [row["verdict"] for row in record["rows"]] == ["supported", "inconclusive", "refuted", "refuted"]
    assert len(record["reasons"]) == 2


def test_the_cell_nearest_to_failing_decides_a_supported_claim() -> None:
    rows = evidence.frame(
        evidence.row(cell="a"), evidence.row(cell="b", value=-0.985), evidence.row(cell="c", value=-1.005)
    )
    record = verdicts.judge_claim(evidence.claim(), rows)
    assert (record["verdict"], record["deciding"]) == ("supported", "toy.depth/slope_L/b")
    deciding = verdicts.row_of(record)
    assert deciding is not None
    assert deciding["estimate"] == -0.985


def test_cells_select_by_glob_and_other_rows_are_only_reported() -> None:
    claim = evidence.claim(predicate=[entry(covers=-1, max_half_width=1.0, cells="sine.*")])
    rows = evidence.frame(evidence.row(), evidence.row(cell="digits.s4", value=7.0))
    record = verdicts.judge_claim(claim, rows)
    assert record["verdict"] == "supported"
    assert {row["cell"]: row["verdict"] for row in record["rows"]} == {"digits.s4": "reported", "sine.s4": "supported"}


def test_a_table_straight_from_measuring_can_be_judged() -> None:
    bare = evidence.frame(evidence.row()).drop(columns=["study", "key"])
    assert verdicts.judge_claim(evidence.claim(), bare)["verdict"] == "supported"


def test_judging_is_deterministic_whatever_the_order_of_rows(tmp_path) -> None:
    claims = (evidence.claim(), type(evidence.claim()).model_validate(evidence.width_entry()))
    frame = evidence.frame(*evidence.rows())
    for name, rows in (("a", frame), ("b", frame.iloc[::-1])):
        results.write_json(tmp_path / name, verdicts.judge(claims, rows, "full"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    record = results.read_json(tmp_path / "a")
    assert [claim["id"] for claim in record["claims"]] == [evidence.DEPTH, evidence.WIDTH]
    assert [row["key"] for row in record["numbers"]] == ["toy/num_samples/sine.s4", "toy/risk/sine.s4"]
    assert verdicts.counts(record["claims"])["claims"] == 2


def test_estimates_of_a_claim_that_nobody_stated_are_refused() -> None:
    with pytest.raises(ResultError, match=r"estimates of toy\.depht belong to no claim; state it"):
        verdicts.judge([evidence.claim()], evidence.frame(evidence.row(claim="toy.depht")), "full")


def test_a_predicate_may_ask_for_a_higher_level_than_its_claim() -> None:
    claim = evidence.claim(predicate=[entry(covers=-1, max_half_width=1.0, interval="simultaneous", level=0.99)])
    for interval, verdict in (("simultaneous 95 % of 3", "inconclusive"), ("simultaneous 99 % of 3", "supported")):
        assert verdicts.judge_claim(claim, evidence.frame(evidence.row(interval=interval)))["verdict"] == verdict


def test_families_that_must_cover_share_an_error() -> None:
    """Two families of one claim and a confidence interval of another: 1 % + 1 % + 5 %."""
    cover = entry(covers=-1, max_half_width=1.0)
    families = [
        evidence.row(cell=cell, interval=f"simultaneous 99 % of {cells}")
        for cell, cells in (("a", 2), ("b", 2), ("c", 1))
    ]
    rows = evidence.frame(*families, evidence.row(cell="d", claim=evidence.WIDTH))
    other = evidence.claim(id=evidence.WIDTH, predicate=[cover])
    claims = [evidence.claim(predicate=[cover | {"interval": "simultaneous"}]), other]
    record = verdicts.judge(claims, rows, "full")
    assert verdicts.familywise_error(record["claims"]) == pytest.approx(0.07)
    assert verdicts.familywise_error(verdicts.judge([evidence.claim()], rows.iloc[:0], "full")["claims"]) == 0.0
