"""One thread per test process, and laws that try the same examples on every run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from toy import Toy

# before torch is first imported: workers share the cores, and sums keep their order
os.environ.setdefault("OMP_NUM_THREADS", "1")

ENGINE = Path(__file__).resolve().parents[1] / "src" / "zeroloss" / "network" / "engine"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the engine once, before workers and copies of the repository each do it."""
    if not hasattr(session.config, "workerinput") and not list(ENGINE.glob("engine-*.so")):
        from zeroloss.network.engine.library import why_not

        why_not()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With each file, its part of the tests of every study: one worker runs the study, and once."""
    from xdist.scheduler import LoadFileScheduling

    class ByStudy(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return re.sub(r"every_study\.py::\w+\[([a-z_]+).*", r"\1.py", nodeid).partition("::")[0]

    return ByStudy(config, log)


settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, figures_path: None) -> Iterator[Toy]:
    """The study `toy`, known to the command line."""
    import toy as toys

    study = toys.Toy()
    for module in study.modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("ledger.config.studies.studies", lambda: {"toy": study.study})
    config = SimpleNamespace(
        cases_per_job=study.per_job, studies=("toy",), toy=toys.Settings(), seed=0, data_seed=0, device="cpu"
    )
    monkeypatch.setattr("ledger.config.configuration.load", lambda *paths, overrides=None: config)
    monkeypatch.setattr("ledger.run.codegraph.digest", lambda *targets: "c0de" * 16)
    yield study


@pytest.fixture
def figures_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what drawing put on the path and among the modules."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("style", "figures", "figures.style", "figures.toy_drawings"):
        monkeypatch.delitem(sys.modules, name, raising=False)
