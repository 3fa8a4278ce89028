"""Faults are injected into copies of the repository; what happened is counted."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import summary
from tests.faults.runs import Run, Whole, hashes, reduced

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder: `make test` leaves them out, `make test-faults` runs them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print the table; after a whole run that passed, write it where FAULTS_SUMMARY says."""
    if not summary.ROWS:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(summary.table())
    partial = exitstatus or terminalreporter.stats.get("deselected")
    if os.environ.get("FAULTS_SUMMARY") and not partial:
        summary.write(Path(os.environ["FAULTS_SUMMARY"]))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of a seed that is printed: FAULTS_SEED=n takes it again."""
    seed = int(os.environ.get("FAULTS_SEED", "1"))
    print(f"FAULTS_SEED={seed} {request.node.name}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """How many inputs were refused, and how many were taken."""
    return Counter()


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Run]:
    """Make a reduced copy of the repository."""
    import zeroloss.network.engine  # compiles the engine once, before it is copied

    assert zeroloss.network.engine
    return lambda: reduced(tmp_path_factory.mktemp("run") / "repo")


@pytest.fixture(scope="session")
def whole(new_run: Callable[[], Run]) -> Whole:
    """An uninterrupted run: its copy, its bytes, and the seconds it took."""
    run, began = new_run(), time.monotonic()
    assert run.go() == 0, run.said[-3000:]
    return run, hashes(run.folder), time.monotonic() - began
