"""The tables of `docs/large.md`: what a run that nobody has made yet would take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zeroloss import costs, planning, scaling
from zeroloss.costs import MEASURING, Cost, Costs
from zeroloss.planning import Plan
from zeroloss.report import markdown

MODE = "large"
CORES = (1, 64, 256)
TIERS_GB = (2, 8, 24, 64, 256)
HOUR, GB = 3600.0, 1024.0

Key = tuple[str, str]


def tables(published: Path) -> dict[str, str]:
    """Return each generated table of the page under its name."""
    plan = planning.plan(MODE, published)
    measured = costs.read(published).get(MODE, {})
    return {"runs": runs(plan), "sizes": sizes(plan, measured), "memory": memory(plan),
            "laws": laws(plan.laws), "reach": reach(plan, measured),
            "measured": held_against(plan, measured)}


def runs(plan: Plan) -> str:
    """Return what each study and all of them take, on several numbers of cores."""
    by_cores = {cores: plan.bills((), cores) for cores in CORES}
    heading = ["study", "jobs", "predicted", "CPU hours", *(f"hours on {n}" for n in CORES),
               "disk (GB)"]
    lines = []
    for i, bill in enumerate(by_cores[1]):
        hours = [bills[i].wall_minutes / 60 for bills in by_cores.values()]
        lines.append([f"`{bill.what}`" if bill.what in plan.specs else bill.what, str(bill.jobs),
                      str(len(bill.predicted)), *(f"{bill.mark}{value:.1f}" for value in (
                          bill.cpu_minutes / 60, *hours, bill.disk_mb / GB))])
    notes = [*planning.predicted(by_cores[1]), *planning.too_large(plan),
             *planning.unmeasured(by_cores[1])]
    return "\n".join([markdown(heading, lines),
                      *(f"\n{text[0].upper()}{text[1:]}." for text in notes)])


def sizes(plan: Plan, measured: Collection[Key]) -> str:
    """Return what the jobs of this mode alone take, by setting, kind and size of networks."""
    groups: dict[tuple[str, str, str], list[Key]] = {}
    for study, cases in plan.specs.items():
        for case, spec in cases.items():
            if _is_new(plan, (study, case), measured):
                groups.setdefault(_group(spec), []).append((study, case))
    lines = [[*group, str(len(keys)), str(_networks(plan, keys) or ""),
              *_of_jobs([plan.costs[key] for key in keys])] for group, keys in groups.items()]
    return markdown(["setting", "jobs of kind", "layers × units", "jobs", "networks",
                     "hours of one", "CPU hours", "memory of one (GB)"], lines)


def _is_new(plan: Plan, key: Key, measured: Collection[Key]) -> bool:
    """Return whether a job is none of the published run: predicted, or measured in this mode."""
    cost = plan.costs.get(key)
    return cost is not None and (cost.between is not None or key in measured)


def _group(spec: Mapping[str, Any]) -> tuple[str, str, str]:
    shapes = dict.fromkeys((z["num_layers"], z["num_units"]) for z in spec.get("sizes", ()))
    return (f"`{spec.get('setting', '')}`", str(spec.get("sampling", spec["kind"])),
            ", ".join(f"{layers} × {units}" for layers, units in shapes))


def _networks(plan: Plan, keys: Sequence[Key]) -> int:
    return sum(z["replicates"] for study, case in keys
               for z in plan.specs[study][case].get("sizes", ()))


def _of_jobs(jobs: Sequence[Cost]) -> tuple[str, str, str]:
    """Return hours of the longest, hours of all, GB of the largest."""
    return (f"{max(job.wall_seconds for job in jobs) / HOUR:.2f}",
            f"{sum(job.wall_seconds for job in jobs) / HOUR:.1f}",
            f"{max(job.peak_memory_mb for job in jobs) / GB:.1f}")


def memory(plan: Plan) -> str:
    """Return how many jobs a node of each size of memory could run, and how long they take."""
    left, lines = dict(plan.costs), []
    for limit in (*TIERS_GB, float("inf")):
        inside = {key: cost for key, cost in left.items() if cost.peak_memory_mb <= limit * GB}
        left = {key: cost for key, cost in left.items() if key not in inside}
        if inside:
            words = f"up to {limit} GB" if limit in TIERS_GB else f"above {TIERS_GB[-1]} GB"
            longest, all_of_them, largest = _of_jobs(list(inside.values()))
            lines.append([words, str(len(inside)), longest, all_of_them, largest])
    return markdown(["memory of a job", "jobs", "hours of the longest", "CPU hours",
                     "largest (GB)"], lines)


def laws(known: scaling.Laws) -> str:
    """Return what each law rests on, its range, and how it predicts its own jobs."""
    lines = []
    for law in known.values():
        low, high = (f"{1e9 * rate:.2f}" for rate in law.rates)
        errors = [f"{ends[0]:.2f} to {ends[1]:.2f}" if ends else "n/a"
                  for ends in (law.time_errors, law.memory_errors)]
        lines.append([f"{law.study}/{law.kind}", str(law.cases), f"{1e9 * law.rate:.2f}",
                      f"{low} to {high}", f"{law.base_mb:.0f}", *errors])
    return markdown(["kind", "measured jobs", "rate (ns)", "range (ns)", "base (MB)",
                     "predicted / measured seconds", "predicted / measured memory"], lines)


def reach(plan: Plan, measured: Collection[Key]) -> str:
    """Return how far beyond the networks that it rests on the law of ensembles is stretched."""
    new, old = [], []
    for study, cases in plan.specs.items():
        for case, spec in cases.items():
            if spec.get("kind") == "ensemble" and "problem" in spec:
                (new if _is_new(plan, (study, case), measured) else old).append(spec)
    ends = [_largest(specs) for specs in (old, new) if specs]
    words = [f"{particles:,} particles and {activations:,} activations".replace(",", " ")
             for particles, activations in ends]
    return " against ".join(words)


def _largest(specs: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Return L M and L M N of the networks that have most of them."""
    both = [(z["num_layers"] * z["num_units"], spec["problem"]["num_samples"])
            for spec in specs for z in spec["sizes"]]
    return max(one for one, _ in both), max(one * N for one, N in both)


def held_against(plan: Plan, measured: Costs) -> str:
    """Return for each job of this mode that was run what was predicted and what it took."""
    lines = []
    for (study, case), cost in sorted(measured.items()):
        spec = plan.specs.get(study, {}).get(case)
        if case == MEASURING or spec is None or cost.spec != costs.digest_of(spec):
            continue
        counted, law = scaling.count(study, spec), plan.laws.get((study, spec["kind"]))
        if counted is None or law is None:
            continue
        made = law.predict(counted)
        low, high = made.between or (made.wall_seconds, made.wall_seconds)
        lines.append([f"`{case}`", _group(spec)[2], f"{made.wall_seconds:.0f}",
                      f"{low:.0f} to {high:.0f}", f"{cost.wall_seconds:.0f}",
                      f"{made.wall_seconds / cost.wall_seconds:.2f}",
                      f"{made.peak_memory_mb:.0f}", f"{cost.peak_memory_mb:.0f}",
                      f"{made.peak_memory_mb / cost.peak_memory_mb:.2f}"])
    return markdown(["job", "layers × units", "predicted seconds", "range", "measured", "ratio",
                     "predicted MB", "measured", "ratio"], lines)
