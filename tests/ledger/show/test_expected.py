"""The smoke test of a small run tells what is as it was, what is not, and what is new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.record import results, verdicts
from ledger.record.claims import by_id, files_of_claims, load_claims
from zeroloss import cli

EXPECTED = {"toy.depth": "supported", "toy.width": "not judged", "other.claim": "inconclusive"}
FILE = Path("config/quick.expected.json")


@pytest.fixture(autouse=True)
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(study: str = "", **changes: str) -> None:
    """A run whose verdicts are those expected, but for the changes, of claims of the study toy."""
    found = EXPECTED | {f"toy.{claim}": verdict for claim, verdict in changes.items()}
    claims = [
        {"id": claim, "verdict": verdict, "rows": []} for claim, verdict in found.items() if claim.startswith(study)
    ]
    record = {"mode": "quick", "claims": claims, "numbers": []}
    results.write_sealed(Path("results/quick") / study / "verdicts.json", record)


def claims(*words: str) -> int:
    return cli.main(["claims", "--mode", "quick", *words])


def test_what_was_written_down_is_found_again(capsys) -> None:
    run()
    assert claims("--expect") == 0
    assert capsys.readouterr().out == f"{FILE}\n"
    assert json.loads(FILE.read_text()) == EXPECTED
    assert claims("--check") == 0
    assert capsys.readouterr().out == (
        "3 of 3 as expected (this shows that everything runs; verdicts that count are in published/)\n"
    )


def test_another_verdict_is_named_and_fails(capsys) -> None:
    run()
    claims("--expect")
    run(width="refuted")
    capsys.readouterr()
    assert claims("--check") == 1
    *others, last = capsys.readouterr().out.splitlines()
    assert others == ["toy.width: expected not judged, got refuted"]
    assert last.startswith("2 of 3 as expected, not toy.width; ")


def test_a_claim_that_is_gone_fails_and_a_new_one_does_not(capsys) -> None:
    run(more="supported")
    claims("--expect")
    run()
    assert claims("--check") == 1
    assert "toy.more: expected supported, got none\n" in capsys.readouterr().out
    claims("--expect")
    run(newer="refuted")
    assert claims("--check") == 0
    *others, last = capsys.readouterr().out.splitlines()
    assert "not expected yet: toy.newer; " in others[-1]
    assert last.startswith("3 of 3 as expected (")


def test_a_study_is_compared_and_renewed_alone(capsys) -> None:
    run()
    claims("--expect")
    run("toy", depth="inconclusive", extra="supported")
    capsys.readouterr()
    assert claims("--study", "toy", "--check") == 1
    assert "1 of 2 as expected, not toy.depth; " in capsys.readouterr().out
    assert claims("--study", "toy", "--expect") == 0
    assert json.loads(FILE.read_text()) == EXPECTED | {"toy.depth": "inconclusive", "toy.extra": "supported"}
    assert claims("--study", "toy", "--check") == 0


def test_no_file_and_one_that_is_none_are_errors_with_a_remedy(capsys) -> None:
    run()
    assert claims("--check") == 2
    assert f"{FILE} is missing; restore it from git, or write it with" in capsys.readouterr().err
    results.write_json(FILE, ["toy.depth"])
    assert claims("--check") == 2
    assert f"{FILE} must hold a verdict for each claim" in capsys.readouterr().err


def test_the_file_that_ships_names_claims_that_are_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    expected = results.read_json(FILE)
    assert set(expected) <= set(by_id(load_claims(*files_of_claims())))
    assert set(expected.values()) <= {*verdicts.WORST_FIRST}
