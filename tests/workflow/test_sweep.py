"""A sweep on sizes of seconds: a folder for each point, and the run as shipped stays as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.faults.runs import OVERLAYS, reduced
from tests.workflow.checkout import BIN, ROOT, Checkout, hashes, jobs_in
from zeroloss import results
from zeroloss.config import CONFIGURATION, overlay

pytestmark = pytest.mark.slow

QUICK = "config/quick.yaml"
SHIPPED = Path("results") / "quick"
KEY = "size.threshold.replicates"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy with one study, whose mode quick ships with sizes of seconds, and has been run."""
    checkout = reduced(tmp_path_factory.mktemp("sweep") / "repo", "size").checkout
    sizes: dict[str, object] = {}
    for name in (QUICK, *OVERLAYS):
        sizes = overlay(sizes, yaml.safe_load((ROOT / name).read_text()))
    (checkout.root / QUICK).write_text(yaml.safe_dump(sizes))
    checkout.snakemake("--cores", "2", "--config", "mode=quick", "--", "verdicts")
    return checkout


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def zeroloss(checkout: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "zeroloss", *words], cwd=checkout.root,
                          env=checkout.environment(), capture_output=True, text=True)


def test_two_points(ran: Checkout) -> None:
    shipped, before = hashes(ran, SHIPPED), stamps(ran.root / SHIPPED)
    assert {"verdicts.json", CONFIGURATION} <= set(shipped)
    # the second point is one that the first run has made
    known = yaml.safe_load((ran.root / QUICK).read_text())["size"]["threshold"]["replicates"]
    words = ("--mode", "quick", "--set", f"{KEY}={known + 2},{known}", "--target", "verdicts",
             "--cores", "2")
    done = zeroloss(ran, "sweep", *words)
    assert done.returncode == 0, done.stderr[-4000:]
    heading, first, second, caption = done.stdout.splitlines()
    folder = Path(first.split()[1])
    assert heading.split()[:3] == ["point", "folder", "supported"]
    assert first.split()[0] == f"{KEY}={known + 2}" and second.split()[1] == str(SHIPPED)
    assert (ran.root / caption.split()[-1]).read_text().startswith(f"{KEY},folder,supported,")
    assert done.stderr.count("Nothing to be done") == 1
    assert hashes(ran, SHIPPED) == shipped and stamps(ran.root / SHIPPED) == before

    made = hashes(ran, folder)
    assert set(made) == set(shipped) and made[CONFIGURATION] != shipped[CONFIGURATION]
    tables = {name for name in made if name.endswith(".parquet")}
    assert {name for name in tables if made[name] != shipped[name]} == {
        "size/threshold.parquet", "size/estimates.parquet"}, "no other case is concerned"
    manifest = results.read_manifest(ran.root / folder / "size" / "threshold.parquet")
    assert manifest["spec"]["replicates"] == known + 2
    claims = zeroloss(ran, "claims", "--mode", "quick", "--results", str(folder.parent))
    assert claims.returncode == 0 and "size.law" in claims.stdout
    trace = zeroloss(ran, "trace", "size/threshold", "--mode", "quick", "--results",
                     str(folder.parent))
    assert trace.returncode == 0 and f"{folder}/size/threshold.parquet" in trace.stdout


def test_a_case_of_another_spec_reruns_alone(ran: Checkout, edited: Callable[..., None]) -> None:
    edited("size", "threshold", "replicates", 9)
    said = ran.snakemake("-n", "--config", "mode=quick", "--", "verdicts")
    assert str(SHIPPED) in said and "results/with-" not in said
    jobs = jobs_in(said)
    assert jobs.pop("simulate_size_0", 0) + jobs.pop("simulate_size_1", 0) == 1
    assert jobs == dict.fromkeys(["write_configuration", "write_specs_size", "measure_size",
                                  "judge_claims", "verdicts"], 1)


def test_a_setting_of_another_study_reruns_only_what_is_written_down(
    ran: Checkout, edited: Callable[..., None]
) -> None:
    edited("limits", "commute", "replicates", 99)
    jobs = jobs_in(ran.snakemake("-n", "--config", "mode=quick", "--", "verdicts"))
    assert jobs == {"write_configuration": 1, "verdicts": 1}


@pytest.fixture
def edited(ran: Checkout) -> Iterator[Callable[..., None]]:
    """Edit what the mode ships with."""

    def edit(study: str, block: str, key: str, value: object) -> None:
        content = yaml.safe_load((ran.root / QUICK).read_text())
        content[study][block][key] = value
        (ran.root / QUICK).write_text(yaml.safe_dump(content))

    before = (ran.root / QUICK).read_text()
    yield edit
    (ran.root / QUICK).write_text(before)
