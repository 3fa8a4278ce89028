"""The toy paper, from its configuration to its PDF by the commands of the README of `ledger`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import HAVE_TEX

from tests.workflow.checkout import ROOT, Checkout, jobs_in

README = ROOT / "src" / "ledger" / "README.md"
STUDY = "study=means"


@pytest.fixture(scope="module")
def paper(new_checkout: Callable[[], Checkout]) -> Checkout:
    """The folder of the toy paper in a copy of the repository, without torch."""
    checkout = new_checkout()
    (checkout.root / "src" / "torch.py").write_text("raise ImportError('torch in a toy')\n")
    return Checkout(checkout.root / "examples" / "toy_paper", checkout.root / "src")


def rules(paper: Checkout, *arguments: str) -> set[str]:
    return set(jobs_in(paper.snakemake("-n", "--config", "mode=quick", *arguments))) - {"all"}


@pytest.mark.slow
def test_from_configuration_to_pdf(paper: Checkout, tmp_path: Path) -> None:
    commands = re.findall(r"```sh\ncd .*?\n(.*?)```", README.read_text(), re.DOTALL)
    script = "set -euo pipefail\n" + commands[0]
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=paper.root,
        env=paper.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"means\.rate +supported", done.stdout)
    assert "made by rule simulate" in done.stdout
    assert ": refuted\n" in done.stdout
    results = paper.root / "results" / "quick"
    assert (results / "paper.pdf").exists() == HAVE_TEX
    assert (results / "figures" / "means-rate.pdf").read_bytes().startswith(b"%PDF")
    assert not rules(paper), "a second run does nothing"
    assert rules(paper, STUDY) == {"judge_study"}, "only the verdicts of one study are its own"


@pytest.mark.slow
def test_one_study_alone_is_judged_and_drawn(paper: Checkout) -> None:
    paper.snakemake("-c2", "--config", "mode=quick", STUDY)
    record = json.loads((paper.root / "results/quick/means/verdicts.json").read_text())
    assert [claim["id"] for claim in record["claims"]] == ["means.rate"]
    assert "Nothing to be done" in paper.snakemake("-c2", "--config", "mode=quick", STUDY)


COMMENT = ("", "\n# an edit\n")
AFTER = {"measure", "weigh_near_controls", "draw", "judge_claims", "typeset_numbers"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "old", "new", "expected"),
    [
        ("means/jobs.py", *COMMENT, AFTER | {"simulate_means_0"}),
        ("means/plan.py", *COMMENT, AFTER | {"simulate_means_0", "write_specs"}),
        ("means/measure.py", *COMMENT, AFTER),
        ("figures/means.py", *COMMENT, {"draw", "typeset_numbers"}),
        ("paper/claims/means.yaml", *COMMENT, {"weigh_near_controls", "judge_claims", "typeset_numbers"}),
        ("config/quick.yaml", *COMMENT, set()),
        ("config/quick.yaml", "400", "500", AFTER | {"simulate_means_0", "write_specs", "write_configuration"}),
    ],
)
def test_an_edit_reruns_what_rests_on_it(paper: Checkout, edited: str, old: str, new: str, expected: set[str]) -> None:
    if not (paper.root / "results/quick/verdicts.json").exists():
        paper.snakemake("-c2", "--config", "mode=quick")
    before = (paper.root / edited).read_text()
    (paper.root / edited).write_text(before.replace(old, new) if old else before + new)
    found = rules(paper)
    (paper.root / edited).write_text(before)
    assert found == expected | ({"build_paper"} if HAVE_TEX and expected else set())


@pytest.mark.slow
def test_one_case_is_made_again_for_itself(paper: Checkout) -> None:
    """Where each case is a job: a table that is gone, a case that is new."""
    targets = [f"results/full/means/{name}.parquet" for name in ("n8", "n16", "estimates")]
    paper.snakemake("-c2", *targets)
    (paper.root / "results/full/means/n8.parquet").unlink()
    assert paper.plan(*targets) == {"simulate": 1, "measure": 1}
    settings = paper.root / "config" / "full.yaml"
    settings.write_text(settings.read_text().replace("[4, 8,", "[3, 8,"))
    assert paper.plan(*targets) == {"simulate": 2, "measure": 1, "write_specs": 1}
