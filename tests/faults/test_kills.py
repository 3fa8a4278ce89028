"""A killed run goes on where it stopped, with the same bytes, and no half file is ever there."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults import summary
from tests.faults.runs import Run, check_whole, hashes

MOMENTS = 20
KINDS = ("job", "snakemake", "both")
Whole = tuple[Run, dict[str, str], float]


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it is gone already."""
    with suppress(psutil.Error):
        process.kill()


def strike(run: Run, driver: int, kind: str, rng: random.Random) -> bool:
    """Kill a job, Snakemake, or Snakemake and all it started; False if there was none."""
    with suppress(psutil.Error):
        snakemake = psutil.Process(driver)
        family = snakemake.children(recursive=True)
        jobs = [process for process in run.processes() if process in family]
        if kind == "job":
            if jobs:
                kill(rng.choice(jobs))
            return bool(jobs)
        kill(snakemake)
        for process in family if kind == "both" else []:
            kill(process)
        return True
    return False


def test_killed_at_random_moments(whole: Whole, new_run: Callable[[], Run],
                                  rng: random.Random) -> None:
    _, expected, seconds = whole
    run = new_run()
    struck = {kind: 0 for kind in KINDS}
    moments, runs, before = [], 0, set[str]()
    while sum(struck.values()) < MOMENTS:
        kind = KINDS[sum(struck.values()) % len(KINDS)]
        wait = rng.uniform(0.1, 0.7) * seconds
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
        if (run.root / ".snakemake" / "locks").is_dir() and os.listdir(
                run.root / ".snakemake" / "locks"):
            run.unlock()
    assert run.go() == 0, run.said[-3000:]
    assert not before & run.started(), "a finished job ran again"
    assert hashes(run.folder) == expected
    for process in run.processes():
        process.wait(60)  # what a dead Snakemake left behind writes the same bytes
    assert hashes(run.folder) == expected
    print(f"{runs + 1} runs: {', '.join(moments)}")
    for kind, count in struck.items():
        summary.count("SIGKILL", f"{kind}, at random moments of a run", count, count)


@pytest.mark.parametrize("moment", ["half", "written", "renamed"])
def test_killed_in_mid_write(whole: Whole, new_run: Callable[[], Run], tmp_path: Path,
                             moment: str) -> None:
    """Every job is killed once, in its first write."""
    _, expected, _ = whole
    run = new_run()
    inject = str(run.root / "tests" / "faults" / "inject")
    path = os.pathsep.join([inject, str(run.root / "src")])
    environment = {"KILL_AT": moment, "KILL_MARKS": str(tmp_path), "PYTHONPATH": path}
    for _ in range(9):
        before = run.finished()
        status = run.go(**environment)
        assert not before & run.started(), "a finished job ran again"
        check_whole(run.folder, expected)
        if status == 0:
            break
    killed = len(list(tmp_path.iterdir()))
    assert killed >= 6, run.said[-3000:]
    assert hashes(run.folder) == expected
    assert not list(run.folder.rglob("*.part"))
    summary.count("SIGKILL", f"in mid-write: {moment}", killed, killed)


def test_an_interrupted_run_says_how_to_go_on(whole: Whole, new_run: Callable[[], Run]) -> None:
    """SIGINT, as Ctrl-C sends it, leaves no lock behind."""
    _, expected, seconds = whole
    run = new_run()
    driver = run.start()
    time.sleep(0.5 * seconds)
    driver.send_signal(signal.SIGINT)
    driver.wait()
    check_whole(run.folder, expected)
    assert run.go() == 0, run.said[-3000:]
    assert hashes(run.folder) == expected
