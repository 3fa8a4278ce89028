"""What to run for a study or a claim, what it costs, and how to check some claims alone."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from zeroloss import (
    config,
    costs,
    estimates,
    jobs,
    provenance,
    report,
    results,
    studies,
    verdicts,
    verify,
)
from zeroloss.claims import Claim, by_id
from zeroloss.costs import MEASURING, TOGETHER, Bill, Costs, Job
from zeroloss.results import MissingResultError
from zeroloss.studies.packing import batches

HEADINGS = ("jobs", "CPU minutes", "wall minutes", "memory (MB)", "disk (MB)")
PROFILE = "workflow/profiles/local"


@dataclass(frozen=True)
class Plan:
    """The cases of one mode, what they cost, and how many one process runs."""

    mode: str
    specs: Mapping[str, Mapping[str, jobs.Spec]]
    costs: Costs
    per_job: int

    def needed(self, claim: str) -> dict[str, jobs.Spec]:
        """Return the cases that a claim rests on, with their specs."""
        cases = self.specs.get(estimates.study_of(claim), {})
        return {case: cases[case] for case in costs.cases_for(claim, cases, self.costs)}

    def jobs_of(self, study: str, cases: Iterable[str]) -> list[Job]:
        """Return the processes that make these cases, each with all cases that it runs."""
        wanted = set(cases)
        return [tuple((study, case) for case in batch)
                for batch in batches(self.specs[study], self.per_job) if wanted & set(batch)]

    def bills(self, claims: Sequence[str], cores: int) -> list[Bill]:
        """Return a bill for each claim, or for each study if none is named, and one for all."""
        asked = ([(claim, estimates.study_of(claim), self.needed(claim))
                  for claim in dict.fromkeys(claims)]
                 or [(study, study, cases) for study, cases in self.specs.items()])
        made, every, measuring = [], {}, {}
        for what, study, cases in asked:
            of_it, after = self.jobs_of(study, cases), ((study, MEASURING),)
            made.append(costs.bill(what, of_it, [after], self.costs, cores))
            every |= dict.fromkeys(of_it)
            measuring[after] = None
        if len(made) > 1:
            made.append(costs.bill(TOGETHER, list(every), list(measuring), self.costs, cores))
        return made


def plan(mode: str, published: Path) -> Plan:
    """Return the plan of a mode: its configuration, and what was published of its costs.

    A cost that was measured under other settings than those of the configuration does not count.
    """
    checked = config.load(*config.MODES[mode])
    specs = {study: jobs.part_of(study, "cases").cases(checked) for study in studies.STUDIES}
    known = {(study, case): cost
             for (study, case), cost in costs.read(published).get(mode, {}).items()
             if case == MEASURING or cost.spec == costs.digest_of(specs.get(study, {}).get(case))}
    return Plan(mode, specs, known, checked.cases_per_job)


def cores_here() -> int:
    """Return how many processors this process may use."""
    return int(provenance.machine()["processors"] or 1)


def print_bills(made: Sequence[Bill], mode: str, cores: int, stream: TextIO | None = None) -> None:
    """Print what is asked as a table, and below it by name what was never measured."""
    first = "claim" if any("." in bill.what for bill in made) else "study"
    lines = [(bill.what, str(bill.jobs), *_cells(bill)) for bill in made]
    caption = (f"mode {mode} on {cores} core{'s' if cores > 1 else ''}, as it was published in "
               f"{costs.COSTS}; the start of a process is not counted")
    if first == "claim":
        caption += ", measuring is as for the whole study"
    report.show((first, *HEADINGS), lines, caption, stream)
    for text in unmeasured(made):
        print(text, file=stream)


def unmeasured(made: Sequence[Bill]) -> list[str]:
    """Return for each study in one line which of its cases were never measured."""
    names = dict.fromkeys(name for bill in made for name in bill.unmeasured)
    by_study: dict[str, list[str]] = {}
    for name in names:
        study, _, case = name.partition("/")
        by_study.setdefault(study, []).append("measuring" if case == MEASURING else case)
    return [f"not measured, so not counted: {study}: {', '.join(cases)}"
            for study, cases in by_study.items()]


def _cells(bill: Bill) -> tuple[str, ...]:
    values = (bill.cpu_minutes, bill.wall_minutes, bill.peak_memory_mb, bill.disk_mb)
    if not bill.known:
        return ("unknown",) * len(values)
    least = "> " if bill.unmeasured else ""
    digits = (1, 1, 0, 1)
    return tuple(f"{least}{value:.{d}f}" for value, d in zip(values, digits, strict=True))


def answer(options: argparse.Namespace, stated: Sequence[Claim]) -> None:
    """Print what the claims of a command line cost, or each study when it names none."""
    verify.check_claims(stated, options.claim)
    cores = options.cores or cores_here()
    made = plan(options.mode, options.published).bills(options.claim, cores)
    if options.json:
        content = {"mode": options.mode, "cores": cores, "bills": [b.record() for b in made]}
        print(json.dumps(content, indent=1, sort_keys=True))
    else:
        print_bills(made, options.mode, cores)


# --- some claims alone ---------------------------------------------------------------------------


def verify_alone(options: argparse.Namespace, stated: Sequence[Claim]) -> verify.Comparison:
    """Say what the claims of a command line cost, run what they rest on, compare them alone."""
    if not options.claim:
        raise MissingResultError("--run must be given claims, got none; name them, or run "
                                 "make verify for all")
    verify.check_claims(stated, options.claim)
    verify.read_published(options.published, options.mode)  # before time is spent
    made, cores = plan(options.mode, options.published), options.cores or cores_here()
    # beside the answer, which may be JSON
    print_bills(made.bills(options.claim, cores), options.mode, cores, sys.stderr)
    folder = options.results / options.mode
    run(made, options.claim, folder, cores)
    rebuilt = judged(made, stated, options.claim, folder)
    return verify.compare(stated, rebuilt, folder, options.published, options.mode,
                          options.claim)


def run(made: Plan, claims: Sequence[str], folder: Path, cores: int) -> None:
    """Let Snakemake make the tables that some claims rest on, below `folder`, and nothing else."""
    cases = sorted({(estimates.study_of(claim), case)
                    for claim in claims for case in made.needed(claim)})
    targets = [(Path(folder) / study / f"{case}.parquet").as_posix() for study, case in cases]
    status = snakemake(targets, [f"mode={made.mode}"], cores)
    if status:
        raise MissingResultError(f"snakemake must make {len(targets)} tables, ended with status "
                                 f"{status}; mend what it says, then run this again")


def snakemake(targets: Sequence[str], settings: Sequence[str], cores: int,
              options: Sequence[str] = ()) -> int:
    """Let Snakemake make targets under settings, each `KEY=VALUE`; return its exit status."""
    command = [sys.executable, "-m", "snakemake", "--profile", PROFILE, "--cores", str(cores),
               *options, "--config", *settings, "--", *targets]
    # its own words go where they do not mix with the answer
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode


def judged(made: Plan, stated: Sequence[Claim], claims: Sequence[str], folder: Path
           ) -> dict[str, Any]:
    """Measure and judge some claims, each from the tables it rests on; return their record."""
    import pandas as pd

    known, frames = by_id(stated), []
    for claim in dict.fromkeys(claims):
        study = estimates.study_of(claim)
        frame, _ = jobs.measured(study, made.needed(claim), Path(folder) / study, [claim])
        frames.append(estimates.with_keys(frame, study))
    return results.jsonable(
        verdicts.judge([known[claim] for claim in dict.fromkeys(claims)], pd.concat(frames),
                       made.mode))
