"""Runs to interrupt: a reduced copy of the repository, its bytes, and what was left whole."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from ledger.config.configuration import MODES, load
from ledger.record import results
from tests.workflow.checkout import Checkout, copy_to

STUDY = "zero_loss"  # one study is enough to interrupt: the rules of all are the same
OVERLAYS = ("tests/workflow/tiny.yaml", "tests/faults/small.yaml")
WRITTEN = {".parquet", ".json", ".tex", ".yaml"}
TARGETS = ("tables", "verdicts")  # no figure and no PDF: nothing reads those
FLAGS = ("--rerun-incomplete", "--keep-going", "--scheduler", "greedy")


@dataclass(frozen=True)
class Run:
    """A copy of the repository with one study, and its run on sizes of seconds."""

    checkout: Checkout

    @property
    def root(self) -> Path:
        """The copy."""
        return self.checkout.root

    @cached_property
    def folder(self) -> Path:
        """Where its results lie."""
        return self.root / self.checkout.folder(*OVERLAYS)

    def start(
        self,
        *more: str,
        cores: int = 2,
        overlays: tuple[str, ...] = OVERLAYS,
        targets: tuple[str, ...] = TARGETS,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start the run, or resume it; its log goes to run.log, anew."""
        words = self.checkout.command(
            *targets, "--config", "mode=quick", "--configfile", *overlays, "--cores", str(cores), *FLAGS, *more
        )
        with (self.root / "run.log").open("w") as log:
            return subprocess.Popen(
                words, cwd=self.root, text=True, stdout=log, stderr=log, env=self.checkout.environment(**environment)
            )

    def go(self, *more: str, **how: Any) -> int:
        """Run to the end, as `start` does; the exit status."""
        return self.start(*more, **how).wait()

    @property
    def said(self) -> str:
        """All that the last run said."""
        return (self.root / "run.log").read_text(errors="replace")

    def started(self) -> set[str]:
        """Outputs of all jobs that the last run started."""
        lines = re.findall(r"^    output: (.*)$", self.said, flags=re.MULTILINE)
        return {name for line in lines for name in line.split(", ")}

    def finished(self) -> set[str]:
        """Outputs that are there and that Snakemake does not take for incomplete."""
        marks = self.root / ".snakemake" / "incomplete"
        unsure = {base64.b64decode(p.name).decode() for p in marks.rglob("*") if p.is_file()}
        made = [path for path in self.folder.rglob("*") if path.suffix in WRITTEN]
        return {str(path.relative_to(self.root)) for path in made} - unsure

    def processes(self) -> list[psutil.Process]:
        """The jobs that run in this copy, whoever their parent is."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if len(words) > 2 and words[1].endswith("zeroloss") and (process.cwd() == str(self.root)):
                    found.append(process)
        return found

    def clear(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.root / "results", ignore_errors=True)
        shutil.rmtree(self.root / ".snakemake", ignore_errors=True)


Whole = tuple[Run, dict[str, str], float]
"""A finished run, its bytes, and the seconds that it took."""


def reduced(folder: Path) -> Run:
    """A copy of the work tree whose configuration has the block of one study only."""
    checkout = copy_to(folder)
    others = "|".join(name for name in load(*MODES["quick"]).studies if name != STUDY)
    for name in (*MODES["quick"], *OVERLAYS):
        path = folder / name
        path.write_text(re.sub(rf"^({others}):.*\n([ #].*\n|\n)*", "", path.read_text(), flags=re.MULTILINE))
    return Run(checkout)


def reproducible(folder: Path) -> Iterator[Path]:
    """Files that must have the same bytes in every run: all but manifests and logs."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in WRITTEN and not path.name.endswith(".manifest.json") and not path.name.startswith("."):
            yield path


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that must be the same."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in reproducible(folder)
    }


def check_whole(folder: Path, expected: dict[str, str]) -> None:
    """Every file under its final name is whole, whenever one looks.

    The reader either returns the rows or says what is wrong: it never stumbles.
    """
    for path in reproducible(folder):
        name = str(path.relative_to(folder))
        with suppress(FileNotFoundError):  # a run in progress may take it away
            assert hashlib.sha256(path.read_bytes()).hexdigest() == expected[name], name
        if path.suffix == ".parquet":
            with suppress(results.ResultError):
                results.read_table(path)
    for path in folder.rglob("*.manifest.json"):
        with suppress(results.MissingResultError):
            results.read_json(path)
