"""Near controls of the study `toy`, judged in the tables of a run by the command of the workflow."""

from __future__ import annotations

from pathlib import Path

import evidence
import pytest
from toy import Toy, Wide

from ledger.near import near
from ledger.record import results
from ledger.show.claims_table import near_controls
from zeroloss import cli

WORDS = {"near_control": "a gap of half an order less"}


def weighed(tmp_path: Path, **changes: object) -> int:
    """Run the toy, and judge its claim with its near control."""
    study, verdicts = tmp_path / "toy", tmp_path / "verdicts.json"
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry(**changes))
    specs, table, found = study / "specs.json", study / "estimates.parquet", study / "near.json"
    run = ["--specs", specs, "--tables", study]
    for words in (
        ["specs", "toy", "--config", tmp_path / "full.yaml", "--out", specs],
        ["run", "toy", "wide", "narrow", "--config", tmp_path / "full.yaml", "--out", study],
        ["measure", "toy", *run, "--out", table],
        ["near", "toy", "--claims", claims, *run, "--estimates", table, "--out", found],
        ["judge", "--claims", claims, "--estimates", table, "--near", found, "--mode", "quick", "--out", verdicts],
    ):
        status = cli.main([str(word) for word in words])
        if status:
            return status
    return 0


@pytest.mark.parametrize(
    ("planted", "regime", "verdict", "by", "said"),
    [
        (-0.5, {}, "refuted", "slope_L/sine.s4", "; near controls: 1 of 1 refuted"),
        (-0.999, {}, "not refuted", "", "; near controls: 0 of 1 refuted, not that of toy.depth"),
        (-0.5, {"replicates": 1000}, "not judged", "", ""),
    ],
)
def test_a_near_control_is_refuted_or_not_and_it_is_said(
    tmp_path: Path, toy: Toy, planted: float, regime: dict[str, int], verdict: str, by: str, said: str
) -> None:
    toy.planted = [evidence.row("slope_L", planted, 0.001)]
    vars(toy.modules[-1]).update(smaller=near(evidence.DEPTH, Wide)(lambda table, case: table.iloc[:1]))
    assert weighed(tmp_path, regime=regime, **WORDS) == 0
    record = results.read_sealed(tmp_path / "verdicts.json")
    expected = f"{evidence.DEPTH}/{by}" if by else ""
    assert record["claims"][0]["near"] == {"verdict": verdict, "by": expected}
    assert near_controls(record) == said


def test_rows_that_the_run_itself_is_refuted_by_do_not_count(tmp_path: Path, toy: Toy) -> None:
    toy.rows, toy.planted = [evidence.row("slope_L", -0.4, 0.001)], [evidence.row("slope_L", -0.5, 0.001)]
    vars(toy.modules[-1]).update(smaller=near(evidence.DEPTH, Wide)(lambda table, case: table.iloc[:1]))
    assert weighed(tmp_path, regime={}, **WORDS) == 0
    (claim,) = results.read_sealed(tmp_path / "verdicts.json")["claims"]
    assert (claim["verdict"], claim["near"]["verdict"]) == ("refuted", "not refuted")


def test_words_without_a_function_are_refused(tmp_path: Path, toy: Toy, capsys) -> None:
    assert weighed(tmp_path) == 0  # a study may have none
    assert weighed(tmp_path, **WORDS) != 0
    assert "got one of the two for toy.depth; add near_control, or @near" in capsys.readouterr().err
