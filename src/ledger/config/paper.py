"""Which paper this is: name, version and a line about it, from its `pyproject.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import ledger

__all__ = ["Paper", "paper"]


class Paper(NamedTuple):
    """The name of a paper, which is that of its command too, its version, and what it is about."""

    name: str
    version: str
    description: str


def paper(folder: Path = Path()) -> Paper:
    """The paper whose root is the folder; that of no `pyproject.toml` is called `ledger`."""
    return _paper(folder.resolve())


@cache
def _paper(folder: Path) -> Paper:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        name = str(project["name"])
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return Paper("ledger", ledger.__version__, "an executable paper")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = str(project.get("version", "0"))
    return Paper(name, version, str(project.get("description", "")))
