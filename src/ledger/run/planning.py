"""What to run for a study or a claim, what it costs, and how to check some claims alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from ledger.config import configuration as config
from ledger.config.case import Case
from ledger.record import estimates, results, verdicts, verify
from ledger.record.claims import Claim, by_id
from ledger.record.results import MissingResultError
from ledger.run import costs, jobs, provenance, regression
from ledger.run.costs import MEASURING, TOGETHER, Bill, Costs, Job
from ledger.run.packing import batches
from ledger.run.regression import Law
from ledger.table import show

HEADINGS = ("jobs", "CPU {0}", "wall {0}", "memory (MB)", "disk (MB)")
UNITS = {"minutes": 1.0, "hours": 60.0}
LONG = 6000.0  # CPU minutes from which on hours are shown
NODES_GB = (24, 256)  # memory of a large workstation, and of a usual node of a cluster
PROFILE = "workflow/profiles/local"


@dataclass(frozen=True)
class Plan:
    """The cases of one mode by study, what they cost, and how many one process runs."""

    mode: str
    cases: Mapping[str, Mapping[str, Case]]
    costs: Costs
    per_job: int

    @property
    def laws(self) -> dict[tuple[str, str], Law]:
        """By study and kind what predicts those costs that are predicted."""
        kinds = {
            (study, case.kind)
            for study, cases in self.cases.items()
            for name, case in cases.items()
            if self.is_predicted(study, name)
        }
        laws = regression.laws(self.cases, self.costs) if kinds else {}
        return {key: law for key, law in laws.items() if key in kinds}

    def is_predicted(self, study: str, name: str) -> bool:
        """Whether nobody has run the case, and what it costs is predicted."""
        return (study, name) in self.costs and bool(self.costs[study, name].errors)

    def needed(self, claim: str) -> dict[str, Case]:
        """The cases that a claim rests on."""
        cases = self.cases.get(estimates.study_of(claim), {})
        return {name: cases[name] for name in costs.cases_for(claim, cases, self.costs)}

    def jobs_of(self, study: str, names: Iterable[str]) -> list[Job]:
        """The processes that run these cases, each with all cases that it runs."""
        wanted = set(names)
        return [
            tuple((study, name) for name in batch)
            for batch in batches(self.cases[study], self.per_job)
            if wanted & set(batch)
        ]

    def bills(self, claims: Sequence[str], cores: int) -> list[Bill]:
        """A bill for each claim, or for each study if none is named, and one for all."""
        parts = [(claim, estimates.study_of(claim), self.needed(claim)) for claim in dict.fromkeys(claims)] or [
            (study, study, cases) for study, cases in self.cases.items()
        ]
        bills, every, measuring = [], {}, {}
        for what, study, cases in parts:
            simulating, after = self.jobs_of(study, cases), ((study, MEASURING),)
            bills.append(costs.bill(what, simulating, [after], self.costs, cores))
            every |= dict.fromkeys(simulating)
            measuring[after] = None
        if len(bills) > 1:
            bills.append(costs.bill(TOGETHER, list(every), list(measuring), self.costs, cores))
        return bills


def plan(mode: str, published: Path) -> Plan:
    """The plan of a mode: its configuration, and what its cases cost as far as that is known."""
    checked = config.load(*config.MODES[mode])
    cases = {study: config.cases_of(checked, study) for study in checked.studies}
    return Plan(mode, cases, regression.priced(mode, cases, costs.read(published)), checked.cases_per_job)


def cores_here() -> int:
    """How many processors this process may use."""
    return int(provenance.machine()["processors"] or 1)


def print_bills(bills: Sequence[Bill], mode: str, cores: int, stream: TextIO | None = None) -> None:
    """Print bills as a table, and below it by name what was never measured."""
    first = "claim" if any("." in bill.what for bill in bills) else "study"
    unit = "hours" if max((bill.cpu_minutes for bill in bills), default=0.0) > LONG else "minutes"
    lines = [(bill.what, *bill.cells(UNITS[unit]).values()) for bill in bills]
    origin = ", or predicted from it" if any(bill.predicted for bill in bills) else ""
    caption = (
        f"mode {mode} on {cores} core{'s' if cores > 1 else ''}, as it was published in "
        f"{costs.COSTS}{origin}; the start of a process is not counted"
    )
    if first == "claim":
        caption += ", measuring is as for the whole study"
    show((first, *(name.format(unit) for name in HEADINGS)), lines, caption, stream)
    for text in (*unmeasured(bills), *predicted(bills)):
        print(text, file=stream)


def unmeasured(bills: Sequence[Bill]) -> list[str]:
    """For each study in one line which of its cases were never measured."""
    by_study: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for bill in bills for name in bill.unmeasured):
        study, _, case = name.partition("/")
        by_study.setdefault(study, []).append("measuring" if case == MEASURING else case)
    return [f"not measured, so not counted: {study}: {', '.join(cases)}" for study, cases in by_study.items()]


def predicted(bills: Sequence[Bill]) -> list[str]:
    """In one line how much of the bills nobody has measured, and how sure it is."""
    whole = bills[-1]  # of all, where there are several
    if not whole.predicted:
        return []
    low, high = (minutes / 60 for minutes in whole.cpu_minutes_between)
    return [
        f"~ predicted, not measured: {len(whole.predicted)} of {whole.jobs} jobs; "
        f"{whole.cpu_minutes / 60:.0f} CPU hours, {low:.0f} to {high:.0f} if every job "
        "is missed as badly as the worst of its kind that was measured"
    ]


def law_lines(laws: Mapping[tuple[str, str], Law]) -> list[str]:
    """For each law in one line what it rests on, and how it predicts its own jobs."""
    return [
        f"law of {study}/{kind}: {law.jobs} measured jobs, each predicted from the others: "
        f"seconds missed by a factor of {law.seconds.typical:.2f}, at worst "
        f"{law.seconds.worst:.2f}, memory by {law.memory.typical:.2f}, at worst "
        f"{law.memory.worst:.2f}"
        for (study, kind), law in laws.items()
    ]


def too_large(plan: Plan) -> list[str]:
    """For each usual size of memory in one line which jobs are predicted to need more."""
    peaks = {key: cost.peak_memory_mb / 1024 for key, cost in plan.costs.items()}
    lines = []
    for limit in NODES_GB if any(cost.errors for cost in plan.costs.values()) else ():
        above = [key for key, peak in peaks.items() if peak > limit]
        if not above:
            lines.append(f"memory: no job needs more than {limit} GB")
            continue
        largest = max(above, key=peaks.__getitem__)
        lines.append(
            f"memory: {len(above)} job{'s need' if len(above) > 1 else ' needs'} more "
            f"than {limit} GB, {'/'.join(largest)} as much as {peaks[largest]:.0f} GB; "
            "run them where nodes have it"
        )
    return lines


def estimate(
    mode: str, claims: Sequence[str], stated: Sequence[Claim], published: Path, cores: int | None, as_json: bool
) -> None:
    """Print what some claims cost, or each study when none is named.

    `stated` are all claims of the paper, `cores` those of this machine by default.
    """
    verify.check_claims(stated, claims)
    cores = cores or cores_here()
    whole = plan(mode, published)
    bills, laws = whole.bills(claims, cores), whole.laws
    if as_json:
        content = {
            "mode": mode,
            "cores": cores,
            "bills": [asdict(bill) for bill in bills],
            "laws": [
                {"study": study, "kind": kind, "jobs": law.jobs}
                | {"seconds": law.seconds._asdict(), "memory": law.memory._asdict()}
                for (study, kind), law in laws.items()
            ],
            "memory": too_large(whole),
        }
        print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))
        return
    print_bills(bills, mode, cores)
    for text in (*too_large(whole), *law_lines(laws)):
        print(text)


# --- some claims alone ---------------------------------------------------------------------------


def verify_alone(
    mode: str, claims: Sequence[str], stated: Sequence[Claim], results_folder: Path, published: Path, cores: int | None
) -> verify.Comparison:
    """Say what some claims cost, run what they rest on, compare them alone.

    The tables lie in the folder of the mode below `results_folder`. Raises MissingResultError for
    no claim, for one that is not stated, and for a mode that was not published.
    """
    if not claims:
        raise MissingResultError("--run must be given claims, got none; name them, or run make verify for all")
    verify.check_claims(stated, claims)
    verify.read_published(published, mode)  # before time is spent
    whole, cores = plan(mode, published), cores or cores_here()
    # beside the answer, which may be JSON
    print_bills(whole.bills(claims, cores), mode, cores, sys.stderr)
    folder = Path(results_folder) / mode
    run(whole, claims, folder, cores)
    return verify.compare(stated, judged(whole, stated, claims, folder), folder, published, mode, claims)


def run(whole: Plan, claims: Sequence[str], folder: Path, cores: int) -> None:
    """Let Snakemake make the tables that some claims rest on, below `folder`, and nothing else."""
    cases = sorted({(estimates.study_of(claim), name) for claim in claims for name in whole.needed(claim)})
    targets = [(Path(folder) / study / f"{name}.parquet").as_posix() for study, name in cases]
    options = f"--profile {PROFILE} --cores {cores} --config mode={whole.mode} --".split()
    command = [sys.executable, "-m", "snakemake", *options, *targets]
    # its own words go where they do not mix with the answer
    status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    if status:
        raise MissingResultError(
            f"snakemake must make {len(targets)} tables, ended with status "
            f"{status}; mend what it says, then run this again"
        )


def judged(whole: Plan, stated: Sequence[Claim], claims: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure and judge some claims, each from the tables it rests on; return their record."""
    import pandas as pd

    frames, settings = [], {}
    for claim in dict.fromkeys(claims):
        study, cases = estimates.study_of(claim), whole.needed(claim)
        run_, _ = jobs.read_run(cases, Path(folder) / study)
        frames.append(estimates.with_keys(jobs.estimates_of(study, run_, [claim]), study))
        settings.setdefault(study, {}).update(jobs.settings_of(cases))
    chosen = [by_id(stated)[claim] for claim in dict.fromkeys(claims)]
    return results.jsonable(verdicts.judge(chosen, pd.concat(frames), whole.mode, settings=settings))
