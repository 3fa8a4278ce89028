"""A temporary copy of the repository to run the workflow in: the work tree stays untouched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout, copy_to, only_tools


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the end-to-end runs: they take longest, and other workers do the rest."""
    items.sort(key=lambda item: item.path.name != "test_rerun.py")


@pytest.fixture(scope="session")
def new_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Checkout]:
    """Copy the work tree into a folder of its own, with the engine compiled."""
    from zeroloss.network.engine.library import why_not

    why_not()
    return lambda: copy_to(tmp_path_factory.mktemp("checkout") / "repo")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the tools of any machine, and neither TeX, Slurm nor a browser."""
    names = "bash tr dirname cat grep tail mkdir mv rm sh env touch which"
    return only_tools(tmp_path / "bin", tuple(names.split()))
