"""What to run for a study or a claim, what it costs, and how to check some claims alone."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ledger.config import configuration as config
from ledger.record import estimates, results, verdicts, verify
from ledger.run import provenance
from ledger.run import costs, jobs, scaling
from ledger.table import show
from zeroloss import studies
from ledger.record.claims import Claim, by_id
from ledger.run.costs import MEASURING, TOGETHER, Bill, Costs, Job
from ledger.record.results import MissingResultError
from ledger.run.packing import batches

HEADINGS = ("jobs", "CPU {0}", "wall {0}", "memory (MB)", "disk (MB)")
UNITS = {"minutes": 1.0, "hours": 60.0}
LONG = 6000.0  # CPU minutes from which on hours are shown
NODES_GB = (24, 256)  # memory of a large workstation, and of a usual node of a cluster
PROFILE = "workflow/profiles/local"


@dataclass(frozen=True)
class Plan:
    """The cases of one mode, what they cost, how many one process runs, and what predicts costs."""

    mode: str
    specs: Mapping[str, Mapping[str, jobs.Spec]]
    costs: Costs
    per_job: int
    laws: scaling.Laws = field(default_factory=dict)

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
    """Return the plan of a mode: its configuration, and what is known of its costs."""
    checked = config.load(*config.MODES[mode])
    specs = {study: jobs.part_of(study, "cases").cases(checked) for study in studies.STUDIES}
    found = scaling.costs_of(mode, specs, costs.read(published))
    return Plan(mode, specs, found.costs, checked.cases_per_job, found.laws)


def cores_here() -> int:
    """Return how many processors this process may use."""
    return int(provenance.machine()["processors"] or 1)


def print_bills(made: Sequence[Bill], mode: str, cores: int, stream: TextIO | None = None) -> None:
    """Print what is asked as a table, and below it by name what was never measured."""
    first = "claim" if any("." in bill.what for bill in made) else "study"
    unit = unit_of(made)
    lines = [(bill.what, str(bill.jobs), *_cells(bill, UNITS[unit])) for bill in made]
    caption = (f"mode {mode} on {cores} core{'s' if cores > 1 else ''}, as it was published in "
               f"{costs.COSTS}{', or predicted from it' if any(b.predicted for b in made) else ''};"
               " the start of a process is not counted")
    if first == "claim":
        caption += ", measuring is as for the whole study"
    show((first, *(name.format(unit) for name in HEADINGS)), lines, caption, stream)
    for text in (*unmeasured(made), *predicted(made)):
        print(text, file=stream)


def unit_of(made: Sequence[Bill]) -> str:
    """Return the unit of time that suits the longest of some bills."""
    return "hours" if max((bill.cpu_minutes for bill in made), default=0.0) > LONG else "minutes"


def unmeasured(made: Sequence[Bill]) -> list[str]:
    """Return for each study in one line which of its cases were never measured."""
    names = dict.fromkeys(name for bill in made for name in bill.unmeasured)
    by_study: dict[str, list[str]] = {}
    for name in names:
        study, _, case = name.partition("/")
        by_study.setdefault(study, []).append("measuring" if case == MEASURING else case)
    return [f"not measured, so not counted: {study}: {', '.join(cases)}"
            for study, cases in by_study.items()]


def predicted(made: Sequence[Bill]) -> list[str]:
    """Return in one line how much of the bills nobody has measured, and how sure it is."""
    whole = made[-1]  # of all, where there are several
    if not whole.predicted:
        return []
    low, high = (minutes / 60 for minutes in whole.cpu_minutes_between)
    return [f"~ predicted, not measured: {len(whole.predicted)} of {whole.jobs} jobs; "
            f"{whole.cpu_minutes / 60:.0f} CPU hours, {low:.0f} to {high:.0f} by the range of the "
            "measured rates"]


def law_lines(laws: scaling.Laws) -> list[str]:
    """Return for each law in one line what it rests on, and how it predicts its own jobs."""
    lines = []
    for law in laws.values():
        errors = "its own error unknown"
        if law.time_errors and law.memory_errors:
            errors = ("each predicted from the others: seconds {:.2f} to {:.2f} times the "
                      "measured, memory {:.2f} to {:.2f}".format(
                          *law.time_errors, *law.memory_errors))
        lines.append(f"law of {law.study}/{law.kind}: {law.cases} measured "
                     f"job{'s' if law.cases > 1 else ''}, {errors}")
    return lines


def too_large(made: Plan) -> list[str]:
    """Return for each usual size of memory in one line which jobs need more."""
    peaks = {key: cost.peak_memory_mb / 1024 for key, cost in made.costs.items()}
    lines = []
    for limit in NODES_GB if made.laws else ():
        above = [key for key, peak in peaks.items() if peak > limit]
        if not above:
            lines.append(f"memory: no job needs more than {limit} GB")
            continue
        largest = max(above, key=peaks.__getitem__)
        lines.append(f"memory: {len(above)} job{'s need' if len(above) > 1 else ' needs'} more "
                     f"than {limit} GB, {'/'.join(largest)} as much as {peaks[largest]:.0f} GB; "
                     "run them where nodes have it")
    return lines


def _cells(bill: Bill, unit: float) -> tuple[str, ...]:
    values = (bill.cpu_minutes / unit, bill.wall_minutes / unit, bill.peak_memory_mb, bill.disk_mb)
    if not bill.known:
        return ("unknown",) * len(values)
    digits = (1, 1, 0, 1)
    return tuple(f"{bill.mark}{value:.{d}f}" for value, d in zip(values, digits, strict=True))


def answer(options: argparse.Namespace, stated: Sequence[Claim]) -> None:
    """Print what the claims of a command line cost, or each study when it names none."""
    verify.check_claims(stated, options.claim)
    cores = options.cores or cores_here()
    whole = plan(options.mode, options.published)
    made = whole.bills(options.claim, cores)
    if options.json:
        content = {"mode": options.mode, "cores": cores, "bills": [b.record() for b in made],
                   "laws": [law.record() for law in whole.laws.values()],
                   "memory": too_large(whole)}
        print(json.dumps(content, indent=1, sort_keys=True))
        return
    print_bills(made, options.mode, cores)
    for text in (*too_large(whole), *law_lines(whole.laws)):
        print(text)


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
