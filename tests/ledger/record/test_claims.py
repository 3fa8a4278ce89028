"""claims.yaml is closed: what is unknown, missing or impossible is named, with the remedy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import evidence
import pytest

from ledger.record.claims import DEFAULT_TOLERANCE, ClaimError, Tolerance, load_claims


def of(**parts: Any) -> dict[str, Any]:
    """A change of the predicate."""
    return {"predicate": [{"quantity": "slope_L", "interval": "confidence", **parts}]}


def test_claims_keep_their_order(tmp_path: Path) -> None:
    entries = (evidence.width_entry(), evidence.claim_entry())
    claims = load_claims(evidence.write_claims(tmp_path / "claims.yaml", *entries))
    assert [claim.id for claim in claims] == [evidence.WIDTH, evidence.DEPTH]
    assert claims[1].predicate[0].inside == (-1.02, -0.98)
    assert claims[0].predicate[0].words() == "covers -0.5, confidence, half-width at most 0.02"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "supported"}, r"verdict = 'supported': unknown key; remove it"),
        ({"level": 95}, r"level = 95: .*less than 1; correct it"),
        ({"level": "0.95"}, r"level = '0.95': .*write numbers unquoted"),
        ({"id": "Depth"}, r"id = 'Depth'"),
        ({"predicate": []}, r"predicate = 'list': .*at least 1 item"),
        ({"predicate": [{"quantity": "a", "at_most": 1}]}, r"predicate\.0\.interval must be given; add it"),
        ({"predicate": [{"quantity": "a", "interval": "sure"}]}, r"predicate\.0\.interval = 'sure': .*'confidence'"),
        (of(), "exactly one of inside, covers, at_most .* got none"),
        (of(covers=0, at_most=1), r"predicate\.0 = .*exactly one of .* got covers and at_most"),
        (of(inside=[1, -1]), r"inside must be \[low, high\]"),
        (of(inside=[1]), r"predicate\.0\.inside\.1 must be given"),
        (of(covers=True), r"predicate\.0\.covers = True"),
        (of(covers="1e-9"), r"write numbers unquoted"),
        (of(inside=[0, 1], relative=True), "relative must come with max_half_width"),
        ({"tolerance": {}}, r"tolerance must cover .* slope_L; add tolerance\.slope_L"),
        ({"tolerance": {"slope_L": {"abs": -1}}}, r"tolerance\.slope_L\.abs = -1"),
        ({"regime": {"replicates": 0}}, r"regime\.replicates = 0"),
        ({"kind": "guess"}, r"kind = 'guess'"),
        ({"history": []}, r"history = "),
        ({"history": [{"date": "today", "changed": "seed", "text": "x"}]}, r"history\.0\.date = "),
        (of(covers=1), "covers must come with max_half"),
        (of(inside=[-math.inf, math.inf]), "inside must have a finite end"),
        ({"source": {"paper": "x", "label": "y"}}, r"source\.role must be given; add it"),
        ({"negative_control": None}, r"negative_control = 'NoneType'"),
    ],
)
def test_errors_name_file_claim_key_value_and_remedy(tmp_path: Path, change, message: str) -> None:
    path = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry(**change))
    with pytest.raises(ClaimError, match=message) as caught:
        load_claims(path)
    assert str(caught.value).startswith(f"{path}: claim {change.get('id', evidence.DEPTH)}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "must hold a list of claims, got dict"),
        ("- 3", "claim 1 must be a mapping, got 3"),
        ("- id: [", "is not YAML: .*line 1"),
        ("- title: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("- id: toy.a\n  level: 0.95\n  level: 0.5", 'duplicate key "level", .* in line 3; correct'),
        ("- tolerance: &a {rel: 0.1}\n- tolerance: *a", "anchor or alias a in line 1"),
        ("- title: no id", "claim number 1: id must be given"),
    ],
)
def test_a_file_that_is_no_list_of_claims_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(ClaimError, match=message):
        load_claims(tmp_path / "claims.yaml")


def test_ids_are_unique(tmp_path: Path) -> None:
    path = evidence.write_claims(tmp_path / "claims.yaml", *2 * [evidence.claim_entry()])
    with pytest.raises(ClaimError, match=r"claim toy\.depth: id must be unique"):
        load_claims(path)


def test_tolerance_is_absolute_plus_relative() -> None:
    tolerance = Tolerance(abs=0.5, rel=0.25)
    assert tolerance.allows(11.0, 10.0)
    assert tolerance.allows(13.0, 10.0)
    assert not tolerance.allows(13.1, 10.0)
    assert tolerance.allows(math.nan, math.nan)
    assert not tolerance.allows(math.nan, 1.0)
    assert tolerance.allows(math.inf, math.inf)
    assert not tolerance.allows(math.inf, -math.inf)


def test_tolerance_of_a_quantity_is_its_own_else_the_star_else_the_default() -> None:
    both = {"slope_L": {"abs": 1.0}, "*": {"rel": 0.5}}
    claim = evidence.claim(tolerance=both)
    assert claim.tolerance_of("slope_L") == Tolerance(abs=1.0)
    assert claim.tolerance_of("other") == Tolerance(rel=0.5)
    assert evidence.claim().tolerance_of("other") == DEFAULT_TOLERANCE
