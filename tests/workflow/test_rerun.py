"""Quick end to end on a tiny configuration: what runs, what runs again, and the same bytes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from programs import HAVE_PDFTOTEXT, HAVE_TEX

from ledger.config.configuration import CONFIGURATION, MODES, load
from ledger.config.studies import ENVIRONMENT
from ledger.record.claims import by_id, load_claims
from ledger.run import workflow
from tests.workflow.checkout import OVERLAY, RESULTS, TINY, Checkout, hashes, jobs_in
from tests.workflow.walk import blocks, files, pasted, verdicts

# They share the checkout and what was run in it: `make test` gives a file to one worker.
pytestmark = pytest.mark.slow

# what a run says of all of its studies
OF_ALL = (CONFIGURATION, "verdicts*", "tex", "paper.pdf", "supplement.pdf", "evidence.html", "floats.txt", "logs")
AFTER_TABLES = {"measure", "draw", "judge_claims", "typeset_numbers"}
# studies that train no residual network of the model
WITHOUT_BLOCK = ("interpolation", "aspect", "sampling", "normalisation", "sparsity")
PAPER = {"build_paper"} if HAVE_TEX else set[str]()


@pytest.fixture(scope="module")
def ran(new_checkout: Callable[[], Checkout]) -> Checkout:
    """A checkout after its first run, on two cores."""
    checkout = new_checkout()
    checkout.tiny("--profile", "workflow/profiles/local")
    return checkout


def again(checkout: Checkout) -> set[str]:
    """Rules that would rerun, without the target itself."""
    return set(jobs_in(checkout.tiny("-n"))) - {"all"}


def test_the_first_run_makes_everything(ran: Checkout) -> None:
    made = hashes(ran)
    assert {"verdicts.json", "limits/estimates.parquet", "limits/specs.json"} <= set(made)
    assert CONFIGURATION in made
    assert {"tex/numbers.tex", "tex/claims.tex", "tex/mode.tex"} <= set(made)
    assert (ran.root / RESULTS / "evidence.html").is_file()
    assert any(name.startswith("figures/") for name in made)
    assert ("paper.pdf" in made) == HAVE_TEX
    assert [path.name for path in (ran.root / "results").iterdir()] == [RESULTS.parent.name]


@pytest.mark.skipif(not (HAVE_TEX and HAVE_PDFTOTEXT), reason="needs TeX and poppler")
def test_the_quick_paper_says_that_it_is_quick(ran: Checkout) -> None:
    pdf = ran.root / RESULTS / "paper.pdf"
    done = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True)
    assert "quick" in done.stdout.lower()


def test_quick_judges_nothing_below_the_regime_of_a_claim(ran: Checkout) -> None:
    claims = by_id(load_claims(*(ran.root / "paper" / "claims").glob("*.yaml")))
    verdicts = json.loads((ran.root / RESULTS / "verdicts.json").read_text())
    assert verdicts["mode"] == "quick"
    assert [verdict["id"] for verdict in verdicts["claims"]] == [
        claim for study in load(*MODES["quick"]).studies for claim in claims if claim.startswith(f"{study}.")
    ]
    for verdict in verdicts["claims"]:
        assert verdict["verdict"] not in ("refuted", "inconclusive"), verdict["reasons"]
        regime = claims[verdict["id"]].regime
        for row in verdict["rows"] if verdict["verdict"] == "supported" else []:
            for name in ("replicates", "sizes"):
                assert row[name] is None or row[name] >= regime.get(name, 0), row["key"]


def test_a_study_from_outside_adds_a_verdict_and_changes_nothing_else(ran: Checkout, tmp_path: Path) -> None:
    """The walk-through of CONTRIBUTING. What the run without the study has made of the others is
    laid where the run with it looks, which must use all of it; it knows these files by their times
    alone, so this comes before anything is touched."""
    tracked, before = files(ran), verdicts(ran.root / RESULTS)
    *prepare, plan, run, verdict, refute = blocks()
    pasted(ran, prepare, tmp_path / "first")
    theirs = str(ran.root.parent / "their_study")
    folder = ran.root / ran.folder(f"{theirs}/run.yaml", OVERLAY, **{ENVIRONMENT: theirs})
    shutil.copytree(ran.root / RESULTS, folder, ignore=shutil.ignore_patterns(*OF_ALL))
    made = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    planned, _, verdict, refuted = pasted(ran, [plan, run, verdict, refute], tmp_path / "second")
    assert re.search(r"their_study", planned) and folder != ran.root / RESULTS
    assert {path: path.read_bytes() for path in made} == made, "nothing is made again"
    assert verdicts(ran.root / RESULTS) == before, "the run without it is left as it is"
    after = verdicts(folder)
    assert set(after) - set(before) == {"their_study.width"}
    assert after["their_study.width"]["verdict"] == "supported"
    assert {name: after[name] for name in before} == before
    assert re.search(r"^their_study\.width +supported", verdict, re.MULTILINE)
    assert refuted.startswith("their_study.width with residuals") and ": refuted\n" in refuted
    assert ("paper.pdf" in verdict.split()) == HAVE_TEX
    assert (folder / "figures" / "their_study-width.pdf").read_bytes().startswith(b"%PDF")
    assert "swish" in (folder / "tex" / "extensions.tex").read_text()
    assert "their_study.width" in (folder / "tex" / "claims.tex").read_text()
    assert files(ran) == tracked


def test_a_second_run_after_touches_and_a_comment_in_the_configuration_does_nothing(ran: Checkout) -> None:
    for name in ("src/zeroloss/model/block.py", "figures/limits.py", "paper/main.tex"):
        (ran.root / name).touch()
    ran.edit("config/full.yaml")
    assert "Nothing to be done" in ran.tiny()


def test_the_same_settings_in_other_words_rerun_nothing(ran: Checkout) -> None:
    written = str(RESULTS / CONFIGURATION)
    assert "Nothing to be done" in ran.snakemake("--cores", "1", "--configfile", written)


def test_editing_a_figure_module_redraws_and_rebuilds_the_paper(ran: Checkout) -> None:
    before = hashes(ran)
    ran.edit("figures/size.py")
    assert again(ran) == {"draw", "typeset_numbers"} | PAPER
    ran.tiny()
    assert hashes(ran) == before, "a comment changes no byte"


def test_editing_a_section_rebuilds_the_paper_alone(ran: Checkout) -> None:
    """And what was edited before is made: nothing else is left to do."""
    ran.edit("paper/sections/limits.tex", "\n% an edit\n")
    assert again(ran) == PAPER


def test_editing_the_block_reruns_all_that_computes_with_it(ran: Checkout) -> None:
    with chdir(ran.root):
        batches = workflow.load("quick", [OVERLAY], {}).batches
    ran.edit("src/zeroloss/model/block.py")
    jobs = set(jobs_in(ran.tiny("-n")))
    assert {f"simulate_{batch.study}_{batch.number}" for batch in batches if batch.study not in WITHOUT_BLOCK} <= jobs
    assert jobs >= {"simulate"} | AFTER_TABLES | PAPER, "the one case of `neighbours` is no batch"


def test_a_report_of_the_run(ran: Checkout, tmp_path: Path) -> None:
    ran.tiny("--report", str(tmp_path / "report.html"))
    assert "limits-" in (tmp_path / "report.html").read_text()


INTERRUPTED = "limits"
DRAWN = f"{INTERRUPTED}-smooth.pdf"
TARGETS = ("--", "verdicts", str(RESULTS / "figures" / DRAWN))


def test_one_core_and_an_interruption_give_the_same_bytes(ran: Checkout, new_checkout: Callable[[], Checkout]) -> None:
    """One study, from its first job to the verdicts: the others are laid beside it as they were made.

    That a job and the estimates of any study are functions of what they read, `test_every_study` asks.
    """
    other = new_checkout()
    left_out = shutil.ignore_patterns(*OF_ALL, INTERRUPTED, f"{INTERRUPTED}-*")
    shutil.copytree(ran.root / RESULTS, other.root / RESULTS, ignore=left_out)
    command = other.command(*TINY, "--cores", "1", *TARGETS)
    process = subprocess.Popen(
        command,
        cwd=other.root,
        env=other.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a job started in the background inherits an ignored SIGINT: undo it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    tables = other.root / RESULTS / INTERRUPTED
    while process.poll() is None and len(list(tables.glob("*.parquet"))) < 2:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not (other.root / RESULTS / "verdicts.json").exists(), "interrupted too late to tell"
    jobs = jobs_in(other.tiny("--rerun-incomplete", *TARGETS, cores=1))
    assert jobs["measure"] == jobs["draw"] == jobs["judge_claims"] == 1, "nothing of the other studies"
    once, again = hashes(ran), hashes(other)
    computed = {name for name in once if name.endswith((".parquet", ".json"))}
    assert computed | {f"figures/{DRAWN}"} <= set(again)
    assert again == {name: once[name] for name in again}
