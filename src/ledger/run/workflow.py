"""What the rules of the workflow ask of a run: its files, cases, code, figures and resources.

Plain Python that `workflow/rules/common.smk` hands over to Snakemake. Nothing heavy is imported: it
is read before every run, and again by each job of a cluster.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ledger.config import configuration, studies
from ledger.config.case import Case
from ledger.config.configuration import MODES, Config, ConfigError
from ledger.record import results
from ledger.record.results import MissingResultError
from ledger.run import costs, regression, resources
from ledger.run.codegraph import literal_keys, sources
from ledger.run.packing import batches

__all__ = ["Batch", "Workflow", "caption", "load"]

Spec = Mapping[str, Any]
GENERAL = "A figure of the study, drawn from the tables and estimates of this run."
NAMED = 8  # keys, in one line


class Batch(NamedTuple):
    """Cases of a study that one process runs, one after the other."""

    study: str
    number: int
    cases: list[str]


@dataclass(frozen=True)
class Workflow:
    """A checked configuration, the spec of each case by study, and what cases took before."""

    config: Config
    specs: Mapping[str, Mapping[str, Spec]]
    costs: costs.Costs

    # --- files -----------------------------------------------------------------------------------

    @cached_property
    def folder(self) -> Path:
        """The folder of the results. Raises ConfigError, before any job, if it is read-only."""
        folder = configuration.results_folder(self.config)
        there = next(path for path in [folder, *folder.parents] if path.exists())
        if not os.access(there, os.W_OK):
            raise ConfigError(
                f"{there} must be writable, but it is read-only; make it writable, or run in a copy of this folder"
            )
        return folder

    def result(self, *parts: str) -> str:
        """A file of the results; wildcards stay as they are."""
        return os.path.join(self.folder, *parts)

    def tables(self, study: str) -> list[str]:
        """The table of each case of a study."""
        return [self.result(study, f"{case}.parquet") for case in self.specs[study]]

    def manifests(self, study: str) -> list[str]:
        """The manifest of each case: one that is missing or changed counts as its table."""
        return [self.result(study, f"{case}.manifest.json") for case in self.specs[study]]

    def figures(self, study: str, *suffixes: str) -> list[str]:
        """The figures of a study in these formats."""
        names = literal_keys(Path(self.figure_module(study)), "FIGURES")
        return [self.result("figures", f"{study}-{name}.{suffix}") for name in names for suffix in suffixes]

    # --- the rooms of a study --------------------------------------------------------------------

    def room(self, study: str, own: str, guest: str) -> str:
        """A file of a study: where those of the paper lie, or in the folder of a guest."""
        known = studies.study(study)
        return os.path.relpath(known.folder / guest) if known.is_guest else own

    def figure_module(self, study: str) -> str:
        """The module that draws a study."""
        return self.room(study, f"figures/{study}.py", "figures.py")

    def claims(self, study: str) -> str:
        """The claims of a study."""
        return self.room(study, f"paper/claims/{study}.yaml", "claims.yaml")

    @property
    def sections(self) -> list[str]:
        """The sections that guests bring to the paper."""
        return [
            os.path.relpath(guest.folder / "section.tex")
            for name, guest in studies.guests().items()
            if name in self.config.studies
        ]

    def caption(self, study: str, figure: str) -> str:
        """What a figure shows."""
        return caption(Path(self.figure_module(study)), f"{study}-{figure}")

    # --- jobs ------------------------------------------------------------------------------------

    @property
    def batches(self) -> list[Batch]:
        """Runs of several cases that are one job; a case in none of them is a job by itself."""
        most = self.config.cases_per_job
        return [
            Batch(study, number, cases)
            for study, specs in self.specs.items()
            for number, cases in enumerate(batches(specs, most))
            if len(cases) > 1
        ]

    def spec(self, study: str, *cases: str) -> str:
        """The specs of these cases, or of all: a job whose spec has changed runs again."""
        return json.dumps({case: self.specs[study][case] for case in cases or self.specs[study]}, sort_keys=True)

    @cached_property
    def _beyond(self) -> dict[str, Any]:
        return configuration.beyond_shipped(self.config)

    @property
    def overrides(self) -> str:
        """What differs from the files of the mode, not how it was given: the same settings in other
        words rerun nothing."""
        return json.dumps(self._beyond, sort_keys=True)

    @property
    def differences(self) -> str:
        """The settings that are not those of the mode as it ships, in words; nothing for none."""
        names = configuration.names_of(self._beyond)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more

    def code(self, *targets: str) -> list[str]:
        """The source files that a job's code lives in: an edit reruns what imports them, no more.

        `results`, which reads and writes for every job, always counts. The command line does not:
        it only hands arguments over, and would rerun everything for a word in a help text.
        """
        return [os.path.relpath(path) for path in sources("ledger.record.results", *targets)]

    def code_of(self, study: str, part: str, *more: str) -> list[str]:
        """The same for a module of a study: `plan`, `jobs`, `measure`."""
        return self.code(studies.study(study).module(part), *more)

    def request(self, study: str, cases: Iterable[str], attempt: int) -> resources.Request:
        """What a job of these cases asks for: MB and minutes, more on each attempt."""
        return resources.request(self.costs, study, cases, attempt)


def load(mode: str, files: Iterable[str], overrides: Mapping[str, Any]) -> Workflow:
    """Read the files of a mode, the files over them, and on top what a command line gave.

    Makes studies from elsewhere known to this process and to its jobs. Raises ConfigError,
    StudyError or ResultError, in words.
    """
    if mode not in MODES:
        raise ConfigError(f"mode must be {', '.join(MODES)}, got {mode}; set --config mode=quick")
    paths = list(dict.fromkeys([*MODES[mode], *map(os.path.relpath, files)]))
    above = configuration.typed(overrides)
    _make_known([configuration.read(Path(path)) for path in paths] + [above])
    config = configuration.load(*paths, overrides=above)
    cases = {study: configuration.cases_of(config, study) for study in config.studies}
    specs = {study: {name: case.spec() for name, case in cases[study].items()} for study in cases}
    return Workflow(config, specs, _costs(mode, cases))


def caption(module: Path, name: str) -> str:
    """What a figure shows: NAME.rst beside the module that draws it, or else a general text."""
    try:
        return results.read_text(module.with_name(f"{name}.rst"))
    except MissingResultError:
        return GENERAL


def _make_known(contents: Iterable[Mapping[str, Any]]) -> None:
    """Name the folders of studies from elsewhere where every job of the run looks for them."""
    folders: Any = []
    for content in contents:
        folders = content.get("extensions", folders)
    if not isinstance(folders, list):
        raise ConfigError(f"extensions must be a list of folders, got {folders}; put it in [ ]")
    os.environ[studies.ENVIRONMENT] = os.pathsep.join(os.path.abspath(str(f)) for f in folders)
    studies.studies.cache_clear()


def _costs(mode: str, cases: Mapping[str, Mapping[str, Case]]) -> costs.Costs:
    """What each case took in the published run; one that is not there asks for a default, and in a
    mode that is planned before it is run for what is predicted."""
    try:
        published = costs.read(Path("published"))
    except MissingResultError:
        return {}
    return {**published.get("full", {}), **regression.priced(mode, cases, published)}
