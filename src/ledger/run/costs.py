"""What a run costs: measured once, kept in `published/costs.csv`, added up for what is to be run.

One row of the file is one job's table: what it took, and which claims rest on it. A case that
the configuration has and the file has not is never counted in silence: it is named.
"""

from __future__ import annotations

import csv
import heapq
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger.record import estimates, results
from ledger.record.results import MissingResultError, ResultError

COSTS = "costs.csv"
COLUMNS: tuple[str, ...] = (
    "mode", "study", "case", "cpu_seconds", "peak_memory_mb", "bytes", "machine", "spec", "claims",
)  # fmt: skip
PUBLISHED = "full"  # the mode whose costs others are predicted from
PLANNED = ("large",)  # modes that are planned on predicted costs before they are run
MEASURING = "estimates"  # the job that measures a study, after all of its cases
TOGETHER = "together"
SEEDS = ("seed", "data_seed")
SPEC_DIGITS = 12
REMEDY = "delete it, then publish a run with zeroloss publish --costs"


@dataclass(frozen=True)
class Cost:
    """What one case took: seconds of one core, MB at its peak, bytes of its table.

    `spec` is the digest of the settings it was measured under, `claims` are those that rest on it.
    `errors` are the factors by which seconds and memory may be missed of a cost that was predicted,
    none of one measured.
    """

    cpu_seconds: float
    peak_memory_mb: float
    bytes: int
    machine: str = ""
    spec: str = ""
    claims: tuple[str, ...] = ()
    errors: tuple[float, float] | None = None

    @property
    def seconds_between(self) -> tuple[float, float]:
        """The least and most seconds that its error leaves."""
        factor = self.errors[0] if self.errors else 1.0
        return self.cpu_seconds / factor, self.cpu_seconds * factor


Costs = Mapping[tuple[str, str], Cost]  # by (study, case), of one mode
Job = tuple[tuple[str, str], ...]  # the cases that one process runs


@dataclass(frozen=True)
class Bill:
    """What a study, or a claim, costs on some cores; `unmeasured` names what it leaves out.

    `predicted` names what nobody has run: `cpu_minutes_between` holds the range that this leaves.
    Wall minutes: jobs given to free cores, the longest first, then the measuring. Memory: of the
    largest jobs that can meet. Not counted: the start of a process.
    """

    what: str
    jobs: int
    cpu_minutes: float
    wall_minutes: float
    peak_memory_mb: float
    disk_mb: float
    unmeasured: tuple[str, ...]
    predicted: tuple[str, ...] = ()
    cpu_minutes_between: tuple[float, float] = (0.0, 0.0)

    @property
    def mark(self) -> str:
        """What stands before its numbers: `>` where something is left out, `~` for a prediction."""
        return "> " if self.unmeasured else "~ " if self.predicted else ""

    @property
    def is_priced(self) -> bool:
        """Whether anything of it was measured or predicted."""
        return self.cpu_minutes > 0

    def cells(self, unit: float = 1.0) -> dict[str, str]:
        """Its numbers by name, each with its mark; times in so many minutes."""
        times = {"cpu": self.cpu_minutes / unit, "wall": self.wall_minutes / unit}
        shown = {name: f"{value:.1f}" for name, value in times.items()}
        shown |= {"memory": f"{self.peak_memory_mb:.0f}", "disk": f"{self.disk_mb:.1f}"}
        priced = {name: f"{self.mark}{text}" if self.is_priced else "unknown" for name, text in shown.items()}
        return {"jobs": str(self.jobs), **priced}


# --- the file ------------------------------------------------------------------------------------


def of_run(folder: Path) -> dict[tuple[str, str], Cost]:
    """Return what each job of a finished run took, from its manifest and its table.

    The claims that rest on a case are those whose rows name it as a source.
    """
    found: dict[tuple[str, str], Cost] = {}
    serves = defaultdict[tuple[str, str], set[str]](set)
    for path in sorted(Path(folder).glob("*/*.parquet")):
        study, case = path.parent.name, path.stem
        manifest = results.read_manifest(path)
        seconds, memory = (results.number(manifest.get(key)) for key in ("cpu_seconds", "peak_memory_mb"))
        if not (seconds >= 0 and memory > 0):
            raise ResultError(
                f"{results.manifest_path(path)} must say cpu_seconds and peak_memory_mb; {results.REBUILD.format(path)}"
            )
        size = len(results.read_bytes(path))
        machine = manifest.get("machine") or {}
        where = f"{machine.get('processors', '?')} x {machine.get('processor', 'unknown')}"
        found[study, case] = Cost(seconds, memory, size, where, digest_of(manifest.get("spec")))
        for row in estimates.records(estimates.read([path])) if case == MEASURING else ():
            for source in row["sources"].split(";"):
                serves[study, source] |= {row["claim"]} - {""}
    return {key: replace(cost, claims=tuple(sorted(serves[key]))) for key, cost in found.items()}


def digest_of(spec: Any) -> str:
    """Return the first digits of the SHA-256 of a specification without its seeds, on which no cost
    depends; nothing for none."""
    text = json.dumps(_seedless(results.jsonable(spec)), sort_keys=True)
    return "" if spec is None else results.sha256_of(text.encode())[:SPEC_DIGITS]


def _seedless(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {key: _seedless(value) for key, value in spec.items() if key not in SEEDS}
    return [_seedless(value) for value in spec] if isinstance(spec, list) else spec


def as_text(by_mode: Mapping[str, Costs]) -> str:
    """Return the costs of all modes as text, one line per case."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for mode, costs in sorted(by_mode.items()):
        for (study, case), cost in sorted(costs.items()):
            place = {"mode": mode, "study": study, "case": case, "claims": ";".join(cost.claims)}
            writer.writerow(vars(cost) | place)
    return out.getvalue()


def of_text(text: str, origin: str) -> dict[str, dict[tuple[str, str], Cost]]:
    """Return {mode: costs} as `as_text` wrote them; a damaged line raises ResultError."""
    lines = csv.DictReader(io.StringIO(text))
    if tuple(lines.fieldnames or ()) != COLUMNS:
        raise ResultError(f"{origin} must have the columns {', '.join(COLUMNS)}; {REMEDY}")
    found: dict[str, dict[tuple[str, str], Cost]] = {}
    for number, line in enumerate(lines, start=2):
        try:
            numbers = float(line["cpu_seconds"]), float(line["peak_memory_mb"]), int(line["bytes"])
            cost = Cost(*numbers, line["machine"], line["spec"], tuple(filter(None, line["claims"].split(";"))))
        except (TypeError, ValueError, AttributeError) as error:
            raise ResultError(f"{origin} line {number} is no cost ({error}); {REMEDY}") from error
        found.setdefault(line["mode"], {})[line["study"], line["case"]] = cost
    return found


def read(published: Path) -> dict[str, dict[tuple[str, str], Cost]]:
    """Return {mode: costs} of `published/costs.csv`."""
    path = Path(published) / COSTS
    if not path.exists():
        raise MissingResultError(
            f"{path.as_posix()} is missing; restore it from git, or publish a run with zeroloss publish --costs"
        )
    return of_text(results.read_text(path), path.as_posix())


def publish(folder: Path, published: Path, mode: str) -> Path:
    """Write what the run in `folder` took to `published/costs.csv`; other modes stay.

    Of a mode that is planned on predicted costs single jobs may be published, one after the other.
    """
    path, made = Path(published) / COSTS, of_run(folder)
    known = read(published) if path.exists() else {}
    whole = {study for study, case in made if case == MEASURING or mode in PLANNED}
    missing = sorted({study for study, _ in made} - whole) or ([] if made else ["*"])
    if missing:  # tables that were made for a claim alone are no run
        raise MissingResultError(
            f"{Path(folder).as_posix()}/{missing[0]}/{MEASURING}.parquet is missing; run make reproduce"
        )
    before = known.get(mode, {}) if mode in PLANNED else {}
    results.write_text(path, as_text(known | {mode: {**before, **made}}))
    return path


# --- what is asked -------------------------------------------------------------------------------


def cases_for(claim: str, cases: Iterable[str], costs: Costs) -> list[str]:
    """Return the cases of the claim's study that it rests on.

    A case that was never published may belong to any claim, so it counts as needed.
    """
    study = estimates.study_of(claim)
    found = {case: costs.get((study, case)) for case in sorted(cases)}
    return [case for case, cost in found.items() if cost is None or cost.errors or claim in cost.claims]


def bill(what: str, jobs: Sequence[Job], measuring: Sequence[Job], costs: Costs, cores: int) -> Bill:
    """Add up what some jobs, and the measuring after them, cost on `cores`."""
    stages = [[[costs[key] for key in job if key in costs] for job in stage] for stage in (jobs, measuring)]
    known = [cost for stage in stages for job in stage for cost in job]
    walls = [makespan([sum(cost.cpu_seconds for cost in job) for job in stage], cores) for stage in stages]
    # a study is measured after its own jobs, but maybe beside those of another
    meeting = stages if len(measuring) < 2 else [stages[0] + stages[1]]
    peaks = [[max((cost.peak_memory_mb for cost in job), default=0.0) for job in group] for group in meeting]
    ends = [cost.seconds_between for cost in known]
    keys = [key for job in (*jobs, *measuring) for key in job]
    return Bill(
        what=what,
        jobs=len(jobs) + len(measuring),
        cpu_minutes=sum(cost.cpu_seconds for cost in known) / 60,
        wall_minutes=sum(walls) / 60,
        peak_memory_mb=max(sum(heapq.nlargest(cores, group)) for group in peaks),
        disk_mb=sum(cost.bytes for cost in known) / 2**20,
        unmeasured=tuple("/".join(key) for key in keys if key not in costs),
        predicted=tuple("/".join(key) for key in keys if key in costs and costs[key].errors),
        cpu_minutes_between=(sum(low for low, _ in ends) / 60, sum(high for _, high in ends) / 60),
    )


def makespan(seconds: Iterable[float], cores: int) -> float:
    """Return when the last job ends, if each free core takes the longest that is left."""
    ends = [0.0] * cores
    for length in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)
