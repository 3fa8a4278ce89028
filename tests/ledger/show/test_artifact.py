"""The page for evaluators says what the data say."""

from __future__ import annotations

from pathlib import Path

import evidence
import pytest

from ledger.config.case import Case
from ledger.record.claims import Claim
from ledger.run import planning
from ledger.run.costs import Cost
from ledger.show import artifact
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


@pytest.mark.parametrize("mode", artifact.PAGES)
def test_the_page_is_what_the_data_make(capsys, monkeypatch, mode: str) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["artifact", "--mode", mode, "--check"]) == 0, (
        f"run zeroloss artifact --mode {mode}\n" + capsys.readouterr().out
    )


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
    made = tmp_path / "artifact.md"
    made.write_text((ROOT / "docs" / "artifact.md").read_text())
    return made


def call(page: Path, *more: str) -> int:
    return cli.main(["artifact", "--page", str(page), *more])


def test_a_number_that_was_changed_by_hand_is_found_and_mended(page: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    right = page.read_text()
    claim = next(line for line in right.splitlines() if "CLAIMS=limits.depth`" in line)
    page.write_text(right.replace(claim, claim.replace("limits.depth`", "limits.deep`")))
    assert call(page, "--check") == 1
    assert "-| Depth gap of first order | `make verify CLAIMS=limits.deep`" in (
        capsys.readouterr().out)  # fmt: skip
    assert call(page) == 0
    assert page.read_text() == right, "prose is left alone"


def test_a_page_without_its_marks_is_refused(page: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    page.write_text("# nothing\n")
    assert call(page) == 2
    assert "must hold <!-- runs:begin --> and <!-- runs:end --> once" in capsys.readouterr().err
