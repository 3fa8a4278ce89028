"""The studies of a paper: packages that an entry point or the configuration names.

A study is a package with a module `plan`. Three places bring them in:

- an entry point of the group `ledger.studies`, which names a study or a package of studies, so that
  installing a distribution is enough;
- `extensions:` of a configuration, a list of folders, each the package of one study. The
  environment variable names them too, so that every job of a run knows them; the workflow sets it.

What belongs to a study (claims, figures, sections, its block) lies in the rooms
of the paper, or all together in the folder of its package where the study comes from elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

ENVIRONMENT = "LEDGER_EXTENSIONS"
GROUP = "ledger.studies"
PLAN = "plan.py"
BLOCK = "config.yaml"  # in a study's own folder: it brings its rooms with it


class StudyError(ValueError):
    """A study that is not there, or no study; the message says rule, value and remedy."""


@dataclass(frozen=True)
class Study:
    """A study by its name: the dotted name of its package, and the folder of that."""

    name: str
    package: str
    folder: Path

    @property
    def is_guest(self) -> bool:
        """Whether it comes from elsewhere, with its claims, figures and section in its folder."""
        return (self.folder / BLOCK).is_file()

    def module(self, part: str) -> str:
        """The dotted name of one of its modules: `plan`, `jobs`, `measure`."""
        return f"{self.package}.{part}"


@cache
def studies() -> dict[str, Study]:
    """Every study by name, those of entry points first. StudyError for a name that is taken."""
    found: dict[str, Study] = {}
    for study in (*_of_entry_points(), *_of_folders()):
        known = found.setdefault(study.name, study)
        if known.folder.resolve() != study.folder.resolve():
            raise StudyError(
                f"the name of a study must be its own, got {study.name} in "
                f"{known.folder} and in {study.folder}; rename one"
            )
    return found


def study(name: str) -> Study:
    """The study of this name; StudyError if there is none."""
    known = studies()
    if name not in known:
        raise StudyError(
            f"study must be one of {', '.join(known)}, got {name}; install it, or name its folder in extensions"
        )
    return known[name]


def extensions() -> dict[str, Study]:
    """The studies that the environment variable names, as `extensions` of a configuration did."""
    return {study.name: study for study in _of_folders()}


def guests() -> dict[str, Study]:
    """The studies that bring their rooms with them."""
    return {name: study for name, study in studies().items() if study.is_guest}


def _of_entry_points() -> Iterator[Study]:
    for entry in entry_points(group=GROUP):
        spec = find_spec(entry.value)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(place)
            if (folder / PLAN).is_file():
                yield Study(folder.name, entry.value, folder)
                continue
            for inner in sorted(folder.glob(f"*/{PLAN}")):
                yield Study(inner.parent.name, f"{entry.value}.{inner.parent.name}", inner.parent)


def _of_folders() -> Iterator[Study]:
    for text in filter(None, os.environ.get(ENVIRONMENT, "").split(os.pathsep)):
        folder = Path(text)
        if not (folder / PLAN).is_file():
            raise StudyError(f"extensions must be folders with a {PLAN}, got {folder}; see examples/my_study")
        parent = str(folder.resolve().parent)
        if parent not in sys.path:
            sys.path.append(parent)
        yield Study(folder.name, folder.name, folder)
