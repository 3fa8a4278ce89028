"""The pages say what the data say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import evidence
import pytest

from ledger.config.case import Case
from ledger.record import results, verdicts
from ledger.record.claims import Claim
from ledger.run import planning
from ledger.run.costs import Cost
from ledger.show import artifact, claims_page
from zeroloss import cli

ROOT = Path(__file__).resolve().parents[3]


class Wide(Case):
    """A case with nothing to say."""


def plan(**costs: Cost) -> planning.Plan:
    cases = {"toy": {"wide": Wide(), "narrow": Wide()}}
    return planning.Plan("full", cases, {("toy", case): cost for case, cost in costs.items()}, 1)


def stated() -> tuple[Claim, ...]:
    return evidence.claim(), Claim.model_validate(evidence.width_entry())


MEASURED = plan(
    wide=Cost(120.0, 300.0, 2**20, "2 x cpu", "", (evidence.DEPTH,)),
    narrow=Cost(60.0, 500.0, 2**21, "2 x cpu", "", (evidence.WIDTH,)),
    estimates=Cost(30.0, 200.0, 0, "2 x cpu"),
)
RECORD = {"mode": "full", "claims": [{"id": evidence.DEPTH, "verdict": "refuted"}]}


@pytest.mark.parametrize("page", artifact.PAGES, ids=str)
def test_the_page_is_what_the_data_make(capsys, monkeypatch, page: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["artifact", str(page), "--check"]) == 0, "run zeroloss artifact\n" + capsys.readouterr().out


def test_a_claim_has_its_command_its_cost_and_its_verdict() -> None:
    lines = artifact.each_claim(MEASURED, stated(), RECORD).splitlines()
    assert lines[2] == ("| First order in depth | `make verify CLAIMS=toy.depth` | 2 | 2.5 | 300 | 1.0 | **refuted** |")
    assert lines[3].endswith("| `make verify CLAIMS=toy.width` | 2 | 1.5 | 500 | 2.0 | **not published yet** |")


def test_what_was_not_measured_is_said() -> None:
    lines = artifact.runs(MEASURED, artifact.CORES, "minutes").splitlines()
    assert lines[2] == "| `toy` | 3 | 3.5 | 3.5 | 2.5 | 2.5 | 2.5 | 800 | 3.0 |"
    assert lines[-1] == "Measured on 2 x cpu."
    lines = artifact.runs(plan(wide=Cost(120.0, 300.0, 2**20, "2 x cpu")), artifact.CORES, "minutes").splitlines()
    assert lines[2].startswith("| `toy` | 3 | > 2.0 |")
    assert lines[-1] == "Not measured, so not counted: toy: narrow, measuring."
    assert "| unknown |" in artifact.runs(plan(), artifact.CORES, "minutes")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    made = tmp_path / "claims.md"
    made.write_text((ROOT / "docs" / "claims.md").read_text())
    return made


def call(page: Path, *more: str) -> int:
    return cli.main(["artifact", str(page), *more])


def test_a_number_that_was_changed_by_hand_is_found_and_mended(page: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    right = page.read_text()
    claim = next(line for line in right.splitlines() if line.startswith("| `limits.depth`"))
    page.write_text(right.replace(claim, re.sub(r"\*\*\w+\*\*", "**proved**", claim)))
    assert call(page, "--check") == 1
    assert "-| `limits.depth` | Depth gap of first order | **proved** |" in (
        capsys.readouterr().out)  # fmt: skip
    assert call(page) == 0
    assert page.read_text() == right, "prose is left alone"


def test_a_page_without_its_marks_is_refused(page: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    page.write_text("# nothing\n")
    assert call(page) == 2
    assert "must hold <!-- verdicts:begin --> and <!-- verdicts:end --> once" in capsys.readouterr().err


def test_another_page_is_refused(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    other = tmp_path / "other.md"
    other.write_text("# Other\n")
    assert call(other) == 2
    assert "a page must be one of README.md, claims.md, artifact.md, large.md, got " in capsys.readouterr().err


def judged(*rows: dict[str, Any]) -> dict[str, Any]:
    return results.jsonable(verdicts.judge(stated()[:1], evidence.frame(*rows), "full"))


def test_claims_stand_by_study_with_their_numbers_and_reasons() -> None:
    wrong = [evidence.row(value=-0.9, cell=f"sine.s{i}") for i in range(4)]
    text = claims_page.by_study(stated(), judged(*wrong))
    assert text.startswith("## toy\n\n2 claims: 1 refuted, 1 not published yet.\n\n| claim | what it says | verdict |")
    lines = text.splitlines()
    depth, width = (line.split(" | ") for line in lines[6:8])
    assert depth[:5] == ["| `toy.depth`", "First order in depth", "**refuted**", "slope_L at sine.s0", "-0.9000"]
    assert depth[5:8] == ["[-0.9010, -0.8990]", "95 %", "100"]
    assert depth[8] == "100 %" and depth[9].endswith(" in slope_L |")
    assert width[0] == "| `toy.width`" and width[2] == "**not published yet**" and len(width) == len(depth)
    assert lines[-1].startswith("- `toy.depth`, refuted: slope_L at sine.s0: [-0.9010, -0.8990] is outside [-1.02, ")
    assert lines[-1].endswith("; and 2 more.")


def test_a_supported_claim_needs_no_reason_and_is_not_named() -> None:
    right = judged(evidence.row())
    assert claims_page.by_study(stated()[:1], right).splitlines()[-1].startswith("| `toy.depth`")
    assert claims_page.found(stated()[:1], right) == "1 claims: 1 supported.\n"
    wrong = judged(evidence.row(value=-0.9))
    assert claims_page.found(stated()[:1], wrong).endswith("1 refuted.\n\n- refuted: `toy.depth`")
