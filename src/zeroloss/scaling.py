"""What cases would cost that nobody has run: counted work times what a unit of it took.

    seconds = rate × work,   MB = base + bytes held,   bytes of a table = rate × rows

Work, bytes and rows are counted from the specification by `zeroloss.studies.<study>.work`. Rates
and base are medians over the measured jobs of the same kind in the published full run; the range
of these rates is the uncertainty that a prediction states. Each law predicts each of its own jobs
from the others: the worst ratios of predicted to measured are the errors that it states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from statistics import median
from typing import Any

from zeroloss import results
from zeroloss.costs import MEASURING, PLANNED, Cost, Costs, digest_of
from zeroloss.studies.packing import Counted

MEASURED_MODE = "full"  # whose costs the laws are made from
MB = 2**20

Spec = Mapping[str, Any]
Specs = Mapping[str, Mapping[str, Spec]]  # by study and case
Job = tuple[Counted, Cost]  # what was counted, and what was measured
Range = tuple[float, float]


@dataclass(frozen=True)
class Law:
    """What one kind of job costs: seconds and bytes for a unit of work and a row, MB at rest.

    ``rates``: least and largest seconds for a unit of work over the ``cases`` that it rests on;
    ``time_errors``, ``memory_errors``: worst ratios of predicted to measured, each case predicted
    from the others; none of a single case.
    """

    study: str
    kind: str
    cases: int
    rate: float
    rates: Range
    base_mb: float
    row_bytes: float
    time_errors: Range | None
    memory_errors: Range | None

    def predict(self, counted: Counted) -> Cost:
        """Return the cost of a case, with the least and most seconds that the rates allow."""
        low, high = (rate * counted.work for rate in self.rates)
        return Cost(self.rate * counted.work, self.base_mb + counted.held / MB,
                    round(self.row_bytes * counted.rows), between=(low, high))

    def record(self) -> dict[str, Any]:
        """Return the law as JSON's types."""
        return results.jsonable(asdict(self))


Laws = Mapping[tuple[str, str], Law]  # by study and kind


@dataclass(frozen=True)
class Scaled:
    """The costs of a mode, measured or predicted, and the laws that predict."""

    costs: dict[tuple[str, str], Cost]
    laws: Laws


def costs_of(mode: str, specs: Specs, by_mode: Mapping[str, Costs]) -> Scaled:
    """Return what each case of a mode costs, as far as that is known.

    A cost that was measured under other settings than those of the case does not count. In a mode
    that is planned before it is run, a case takes the cost of the published one of the same
    specification, and where there is none what the law of its kind predicts.
    """
    own = {(study, case): cost for (study, case), cost in by_mode.get(mode, {}).items()
           if case == MEASURING or cost.spec == digest_of(specs.get(study, {}).get(case))}
    if mode not in PLANNED:
        return Scaled(own, {})
    published = by_mode.get(MEASURED_MODE, {})
    known = _of_equal_specs(specs, published)
    asked = {(study, spec.get("kind")) for study, cases in specs.items()
             for case, spec in cases.items() if (study, case) not in known}
    found = {key: law for key, law in laws(specs, known).items() if key in asked}
    predicted = {(study, case): found[study, spec["kind"]].predict(counted)
                 for study, cases in specs.items() for case, spec in cases.items()
                 if (study, case) not in known and (study, spec.get("kind")) in found
                 and (counted := count(study, spec)) is not None}
    made = predicted | known | own
    for study in specs:
        if (study, MEASURING) not in own and (study, MEASURING) in published:
            made[study, MEASURING] = _measuring(study, specs[study], known, published)
    return Scaled(made, found)


def _of_equal_specs(specs: Specs, published: Costs) -> dict[tuple[str, str], Cost]:
    """Return the published costs of the cases whose specification is the same, whatever name."""
    by_digest = {(study, cost.spec): cost for (study, _), cost in published.items() if cost.spec}
    keys = {(study, case): (study, digest_of(spec))
            for study, cases in specs.items() for case, spec in cases.items()}
    return {key: by_digest[digest] for key, digest in keys.items() if digest in by_digest}


def count(study: str, spec: Spec) -> Counted | None:
    """Return what the study counts of a case; None where nothing is counted."""
    try:
        work = import_module(f"zeroloss.studies.{study}.work")
    except ModuleNotFoundError:
        return None
    return work.count(spec)


# --- laws ----------------------------------------------------------------------------------------


def laws(specs: Specs, measured: Costs) -> dict[tuple[str, str], Law]:
    """Return the law of each kind of job that was measured and can be counted."""
    jobs: dict[tuple[str, str], list[Job]] = {}
    for (study, case), cost in sorted(measured.items()):
        spec = specs.get(study, {}).get(case)
        counted = None if spec is None else count(study, spec)
        if spec is not None and counted is not None:
            jobs.setdefault((study, spec["kind"]), []).append((counted, cost))
    return {key: _law(*key, of_kind) for key, of_kind in jobs.items()}


def _law(study: str, kind: str, jobs: Sequence[Job]) -> Law:
    rates = [_rate(job) for job in jobs]
    return Law(
        study, kind, len(jobs), median(rates), (min(rates), max(rates)),
        median(_base(job) for job in jobs),
        median(cost.bytes / counted.rows for counted, cost in jobs),
        _errors(jobs, lambda others, counted: median(map(_rate, others)) * counted.work,
                lambda cost: cost.wall_seconds),
        _errors(jobs, lambda others, counted: median(map(_base, others)) + counted.held / MB,
                lambda cost: cost.peak_memory_mb))


def _rate(job: Job) -> float:
    counted, cost = job
    return cost.wall_seconds / counted.work


def _base(job: Job) -> float:
    """Return what the process holds besides the arrays that are counted."""
    counted, cost = job
    return max(cost.peak_memory_mb - counted.held / MB, 0.0)


def _errors(jobs: Sequence[Job], predict: Callable[[Sequence[Job], Counted], float],
            measured: Callable[[Cost], float]) -> Range | None:
    """Return the least and largest predicted over measured, each job predicted from the others."""
    if len(jobs) < 2:
        return None
    ratios = [predict([*jobs[:i], *jobs[i + 1:]], counted) / measured(cost)
              for i, (counted, cost) in enumerate(jobs)]
    return min(ratios), max(ratios)


# --- measuring -----------------------------------------------------------------------------------


def _measuring(study: str, cases: Mapping[str, Spec], known: Costs, published: Costs) -> Cost:
    """Return what it takes to measure a study: as published, if its tables are the same.

    Else in proportion to the rows that are read. That is one measured job, and no range.
    """
    cost = published[study, MEASURING]
    same = {case for of, case in known if of == study} == set(cases)
    if same:
        return cost
    read = _rows(study, (cases[case] for of, case in known if of == study))
    more = _rows(study, cases.values()) / read if read else 1.0
    seconds = cost.wall_seconds * more
    return Cost(seconds, cost.peak_memory_mb * more, cost.bytes, between=(seconds, seconds))


def _rows(study: str, specs: Iterable[Spec]) -> int:
    counted = (count(study, spec) for spec in specs)
    return sum(one.rows for one in counted if one is not None)
