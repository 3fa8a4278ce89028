"""The example of a study from outside, in this process: small, judged, drawn as the paper is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import FULL, ROOT, cases_of, controls_of, estimates_of, run_case

from ledger import study
from ledger.config import studies
from ledger.paper.drawing import Frames, draw
from ledger.record.claims import load_claims
from ledger.record.verdicts import REFUTED, SUPPORTED, judge_claim
from ledger.run import codegraph
from zeroloss.model.block import ACTIVATIONS

NAME = "my_study"
FOLDER = ROOT / "examples" / NAME


@pytest.fixture(autouse=True)
def guest(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The study is known, and forgotten afterwards with its activation."""
    monkeypatch.setenv(studies.ENVIRONMENT, str(FOLDER))
    monkeypatch.setattr(sys, "path", list(sys.path))
    studies.studies.cache_clear()
    yield
    monkeypatch.undo()
    studies.studies.cache_clear()
    ACTIVATIONS.pop("softplus", None)
    for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
        del sys.modules[name]


def test_it_is_small() -> None:
    lines = [line for path in FOLDER.glob("*.py") for line in path.read_text().splitlines()]
    assert len(lines) <= 120


def test_an_edit_of_its_modules_reruns_what_imports_them() -> None:
    def own(target: str) -> set[str]:
        return {path.name for path in codegraph.sources(target) if path.parent == FOLDER}

    assert own("my_study.jobs") == {"__init__.py", "jobs.py", "activation.py", "plan.py"}
    assert own("my_study.measure") == {"__init__.py", "measure.py", "plan.py"}
    figures = str(FOLDER / "figures.py")
    assert own(figures) == {"__init__.py", "figures.py", "plan.py"}
    assert ROOT / "figures" / "style.py" in codegraph.sources(figures)


def test_its_claim_is_supported_its_control_refuted_and_its_figure_drawn(tmp_path: Path) -> None:
    cases = cases_of(NAME, FULL, FOLDER / "config.yaml", FOLDER / "quick.yaml")
    run = study.Run(cases, {name: run_case(NAME, case) for name, case in cases.items()})
    (claim,) = load_claims(FOLDER / "claims.yaml")
    estimates = estimates_of(NAME, run)
    assert judge_claim(claim, estimates)["verdict"] == SUPPORTED
    wrong = controls_of(NAME)[claim.id].within(run)
    assert judge_claim(claim, estimates_of(NAME, wrong))["verdict"] == REFUTED
    written = draw(
        NAME, FOLDER / "figures.py", Frames(run, estimates, "quick"), tmp_path, dict.fromkeys([*cases, "estimates"], "")
    )
    assert [path.name for path in written] == ["my_study-width.pdf", "my_study-width.png"]
