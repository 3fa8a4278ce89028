"""A killed run goes on where it stopped, with the same bytes, and no half file is ever there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from ledger.record import results
from tests.faults import summary
from tests.faults.runs import Run, Whole, check_whole, hashes

MOMENTS = 20
KINDS = ("job", "snakemake", "both")


def strike(run: Run, driver: int, kind: str, rng: random.Random) -> bool:
    """Kill a job, Snakemake, or Snakemake and all it started; False if there was none."""
    with suppress(psutil.Error):
        snakemake = psutil.Process(driver)
        family = snakemake.children(recursive=True)
        jobs = [process for process in run.processes() if process in family]
        chosen = {"job": [rng.choice(jobs)] if jobs else [], "snakemake": [snakemake], "both": [snakemake, *family]}[
            kind
        ]
        for process in chosen:
            with suppress(psutil.Error):  # it is gone already
                process.kill()
        return bool(chosen)
    return False


def test_killed_at_random_moments(whole: Whole, new_run: Callable[[], Run], rng: random.Random) -> None:
    _, expected, seconds = whole
    run = new_run()
    struck = {kind: 0 for kind in KINDS}
    moments, runs, before = [], 0, set[str]()
    while sum(struck.values()) < MOMENTS:
        kind = KINDS[sum(struck.values()) % len(KINDS)]
        wait = rng.uniform(0.05, 0.55) * seconds
        driver = run.start()
        with suppress(Exception):
            driver.wait(wait)
        if driver.poll() is None and strike(run, driver.pid, kind, rng):
            struck[kind] += 1
            moments.append(f"{kind} at {wait:.1f} s")
        driver.wait()  # after the death of a job the others go on to their end
        assert not before & run.started(), "a finished job ran again"
        check_whole(run.folder, expected)
        if driver.returncode == 0:
            assert hashes(run.folder) == expected
            run.clear()
            runs, before = runs + 1, set[str]()
            continue
        before = run.finished()
        if any((run.root / ".snakemake" / "locks").glob("*")):
            assert run.go("--unlock") == 0, run.said
    assert run.go() == 0, run.said[-3000:]
    assert not before & run.started(), "a finished job ran again"
    assert hashes(run.folder) == expected
    for process in run.processes():
        process.wait(60)  # what a dead Snakemake left behind writes the same bytes
    assert hashes(run.folder) == expected
    print(f"{runs + 1} runs: {', '.join(moments)}")
    for kind, count in struck.items():
        summary.count("SIGKILL", f"{kind}, at random moments of a run", count)


def test_killed_in_mid_write(whole: Whole, new_run: Callable[[], Run], tmp_path: Path) -> None:
    """Every job is killed once in its first write: half written, written, or renamed."""
    _, expected, _ = whole
    run = new_run()
    inject = str(run.root / "tests" / "faults" / "inject")
    path = os.pathsep.join([inject, str(run.root / "src")])
    environment: dict[str, Any] = {"KILL_MARKS": str(tmp_path), "PYTHONPATH": path}
    for _ in range(9):
        before = run.finished()
        status = run.go(**environment)
        assert not before & run.started(), "a finished job ran again"
        check_whole(run.folder, expected)
        if status == 0:
            break
    killed = [mark.read_text() for mark in tmp_path.iterdir()]
    assert hashes(run.folder) == expected, run.said[-3000:]
    assert set(killed) == {"half", "written", "renamed"} and len(killed) >= 6
    assert not list(run.folder.rglob(".*.tmp")), "a draft stayed"
    for moment in sorted(set(killed)):
        summary.count("SIGKILL", f"job, in mid-write: {moment}", killed.count(moment))


WRITER = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from ledger.record import results
path, moment, seen = Path(sys.argv[1]), int(sys.argv[2]), 0
def counted(real):
    def call(*words):
        global seen
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        return real(*words)
    return call
os.fsync, os.replace = counted(os.fsync), counted(os.replace)
results.write_table(pd.DataFrame({"x": [float(sys.argv[3])] * 1000}), path, {"case": "a"})
"""


@pytest.mark.parametrize("moment", range(6))
def test_a_table_is_the_old_one_the_new_one_or_refused(tmp_path: Path, moment: int) -> None:
    """Killed before each step of a write over an older table: fsync, rename, folder; twice."""
    path = tmp_path / "a.parquet"

    def write(value: int, when: int) -> int:
        words = [sys.executable, "-c", WRITER, str(path), str(when), str(value)]
        return subprocess.run(words).returncode

    assert write(1, 99) == 0
    assert write(2, moment) == -signal.SIGKILL
    try:
        assert set(results.read_table(path)["x"]) <= {1.0, 2.0}
    except results.ResultError as error:
        assert "is not the file its manifest describes" in str(error) and "delete" in str(error)
    assert write(2, 99) == 0
    assert set(results.read_table(path)["x"]) == {2.0}
    assert not list(tmp_path.glob(".*.tmp")), "the draft of the killed process stayed"
    summary.count("SIGKILL", f"a table written over another, step {moment + 1} of 6")
