"""Two runs at once, a case that is not finite, strange names, the same bytes whatever is set."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ledger.config.configuration import MODES
from ledger.record import results
from tests.faults import summary
from tests.faults.runs import OVERLAYS, STUDY, Run, Whole, hashes, reduced

SHELL = "a b;touch owned $(touch owned) `touch owned` 'q' & ü"


def owned(*folders: Path) -> list[Path]:
    """Files that a name made a shell write."""
    return [folder / "owned" for folder in folders if (folder / "owned").exists()]


def test_the_second_run_refuses_and_nothing_else_matters(whole: Whole, tmp_path: Path) -> None:
    """On one core, in a folder and under a configuration whose names a shell would run."""
    run, mine = reduced(tmp_path / SHELL), f"{SHELL}.yaml"
    (run.root / mine).write_text("cases_per_job: 4\n")
    overlays = (*OVERLAYS, mine)
    first = run.start(cores=1, overlays=overlays)
    while first.poll() is None and not any((run.root / ".snakemake" / "locks").glob("*")):
        time.sleep(0.05)
    second = run.checkout.attempt(
        "--profile", "workflow/profiles/local", "--cores", "1", "--config", "mode=quick", "--configfile", *overlays
    )
    assert first.poll() is None, "the first run was over too soon to tell"
    assert second.returncode != 0
    for part in ("cannot be locked", "no other Snakemake process", "with the --unlock argument"):
        assert part in second.stdout, second.stdout
    assert "Traceback" not in second.stdout
    assert first.wait() == 0, run.said[-3000:]
    assert not owned(tmp_path, run.root, run.root.parent, Path.cwd())
    assert hashes(run.folder) == whole[1]
    summary.count("two runs in one folder", "the second refuses, the first goes on")
    summary.count("names with shell characters", "folder, configuration file", 2)
    count = len(whole[1])
    summary.count("same bytes", "one core and two, folders of two names: files", count)


def test_a_csv_of_a_strange_name(whole: Whole, new_run: Callable[[], Run]) -> None:
    """Its path and its columns stand in a specification, on a command line."""
    run, column = new_run(), "y; $(touch owned) {case}"
    table = f"{SHELL} {{case}}.csv"
    rows = "".join(f"{i},{i * i % 7}\n" for i in range(32))
    (run.root / table).write_text(f"x,{column}\n{rows}", encoding="utf-8")
    setting = {"problem": {"kind": "csv", "path": table, "target": column, "num_samples": 3}}
    (run.root / "mine.yaml").write_text(json.dumps({"cases_per_job": 1, "zero_loss": {"settings": {"sine": setting}}}))
    target = str(run.checkout.folder(*OVERLAYS, "mine.yaml") / STUDY / "steps.parquet")
    run.checkout.snakemake(target, "--config", "mode=quick", "--configfile", *OVERLAYS, "mine.yaml", "--cores", "1")
    manifest = results.read_manifest(run.root / target)
    assert manifest["spec"]["problem"]["path"] == table
    assert manifest["spec"]["problem"]["target"] == column
    assert not owned(run.root, Path.cwd())
    summary.count("names with shell characters", "CSV, column", 2)


def test_a_case_that_is_not_finite(whole: Whole, new_run: Callable[[], Run]) -> None:
    """A step of descent that is much too long, in one case of many."""
    run, bad = new_run(), f"{STUDY}/flow-sine.parquet"
    (run.root / "bad.yaml").write_text("zero_loss: {flows: {sine-relu: {step: 50.0}}}\n")
    # what is printed names its figures, and those of a failed case are refused
    assert run.go(overlays=(*OVERLAYS, "bad.yaml"), targets=("verdicts",)) == 0, run.said[-3000:]
    folder = run.root / run.checkout.folder(*OVERLAYS, "bad.yaml")
    reason = results.read_manifest(folder / bad)["failed"]
    for part in ("squared gradient", "replicate 0", "not finite at step", "reduce step (now 50.0)"):
        assert part in reason, reason
    for claim in results.read_sealed(folder / "verdicts.json")["claims"]:
        assert claim["verdict"] == "inconclusive"
        assert claim["reasons"][0] == f"case flow-sine failed: {reason}"
    cases = {
        name: digest
        for name, digest in whole[1].items()
        if name.endswith(".parquet") and name not in (bad, f"{STUDY}/estimates.parquet")
    }
    made = hashes(folder)
    assert {name: made[name] for name in cases} == cases, "the other cases are what they were"
    assert not any("Traceback" in path.read_text() for path in (folder / "logs").rglob("*.log"))
    summary.count("value that is not finite", f"in 1 of {len(cases) + 1} cases")


def command(run: Run, *words: str | Path, **environment: str) -> None:
    """Run a command in the copy; it must succeed."""
    done = subprocess.run(
        ["zeroloss", *words], cwd=run.root, capture_output=True, text=True, env=run.checkout.environment(**environment)
    )
    assert done.returncode == 0, done.stderr


SOME = ("flow-digits", "flow-sine", "regularised", "steps", "weak-form")


@pytest.mark.parametrize(
    ("together", "settings"),
    [
        (SOME, {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2"}),
        (("flow-sine",), {"PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "1"}),
        (("weak-form",), {"PYTHONHASHSEED": "random", "OMP_NUM_THREADS": "2"}),
    ],
    ids=["five in one process", "one alone", "another alone"],
)
def test_a_case_has_the_same_bytes(
    whole: Whole, tmp_path: Path, together: Sequence[str], settings: dict[str, str]
) -> None:
    run, expected, _ = whole
    command(run, "run", STUDY, *together, "--config", *MODES["quick"], *OVERLAYS, "--out", tmp_path, **settings)
    assert hashes(tmp_path) == {f"{case}.parquet": expected[f"{STUDY}/{case}.parquet"] for case in together}
    said = ", ".join(f"{key}={value}" for key, value in settings.items())
    summary.count("same bytes", f"{len(together)} cases in one process, {said}", len(together))


def test_estimates_and_verdicts_have_the_same_bytes(whole: Whole, tmp_path: Path) -> None:
    run, expected, _ = whole
    table, folder = tmp_path / "estimates.parquet", run.folder / STUDY
    settings = {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "3"}
    specs = ("--specs", folder / "specs.json")
    command(run, "measure", STUDY, *specs, "--tables", folder, "--out", table, **settings)
    claims, near = ("--claims", f"paper/claims/{STUDY}.yaml"), tmp_path / "near.json"
    measured = ("--tables", folder, "--estimates", table)
    command(run, "near", STUDY, *claims, *specs, *measured, "--out", near, **settings)
    judge = ("judge", *claims, "--estimates", table, "--near", near, "--mode", "quick")
    command(run, *judge, *specs, "--out", tmp_path / "verdicts.json", **settings)
    made = hashes(tmp_path)
    assert made["estimates.parquet"] == expected[f"{STUDY}/estimates.parquet"]
    assert made["near.json"] == expected[f"{STUDY}/near.json"]
    assert made["verdicts.json"] == expected["verdicts.json"]
    summary.count("same bytes", "estimates, near controls and verdicts, another hash seed, two threads", 3)
