"""What pages of the repository say of the published run, made from it: the verdicts in `README.md`, the claims
in `docs/claims.md`, what to run and what to expect in `docs/artifact.md`, predictions in `docs/large.md`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledger.record import results
from ledger.record.claims import Claim
from ledger.record.formatting import format_number
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.run import costs, planning, regression
from ledger.run.costs import MEASURING, PLANNED, PUBLISHED, TOGETHER, Costs
from ledger.run.planning import UNITS, Plan
from ledger.run.replicating import FOUND
from ledger.show import claims_page
from ledger.table import markdown

PAGES = tuple(map(Path, ("README.md", "docs/claims.md", "docs/artifact.md", *(f"docs/{mode}.md" for mode in PLANNED))))
CORES, MANY_CORES = (1, 2, 4, 8), (1, 64, 256)
TWO = 2  # cores that a claim's minutes are for
HOUR, GB = 3600.0, 1024.0
BUILDS = "builds.json"
BLOCK = "<!-- {0}:begin (zeroloss artifact writes this) -->\n{1}\n<!-- {0}:end -->"


def write(pages: Sequence[Path], stated: Sequence[Claim], published: Path, check: bool) -> int:
    """Rewrite what is generated of some pages, of all by default; return 0.

    With `check` nothing is written, what would change is printed, and 1 is returned if anything
    would. `stated` are all claims of the paper.
    """
    return max(write_page(page, stated, published, check) for page in pages or PAGES)


def write_page(page: Path, stated: Sequence[Claim], published: Path, check: bool) -> int:
    """Rewrite, or check, one page: of which it is, its name says."""
    text = results.read_text(page)
    data = rewritten(text, tables(page, stated, published), page.as_posix())
    if check:
        lines = list(difflib.unified_diff(text.splitlines(), data.splitlines(), "page", "data", n=0, lineterm=""))
        print("\n".join(lines) or f"{page.as_posix()} is what the data make")
        return 1 if lines else 0
    results.write_text(page, data)
    print(page.as_posix())
    return 0


def tables(page: Path, stated: Sequence[Claim], published: Path) -> dict[str, str]:
    """Each generated block of a page under its name."""
    if page.name not in (names := [one.name for one in PAGES]):
        raise ResultError(f"a page must be one of {', '.join(names)}, got {page.as_posix()}; name one of them")
    record = read_verdicts(published / VERDICTS, sealed=False)
    if page.name == "README.md":
        return {"found": claims_page.found(stated, record)}
    if page.name == "claims.md":
        return {"verdicts": claims_page.by_study(stated, record)}
    if page.name == "artifact.md":
        plan = planning.plan(PUBLISHED, published)
        return {
            "runs": runs(plan, CORES, "minutes"),
            "replications": replications(published),
            "claims": each_claim(plan, stated, record),
            "builds": builds(published / BUILDS),
        }
    mode = page.stem
    plan, by_mode = planning.plan(mode, published), costs.read(published)
    measured = by_mode.get(mode, {})
    others = regression.priced(mode, plan.cases, {PUBLISHED: by_mode.get(PUBLISHED, {})})
    return {
        "runs": runs(plan, MANY_CORES, "hours"),
        "sizes": sizes(plan, measured),
        "laws": laws(plan),
        "measured": beside_prediction(measured, others),
    }


def rewritten(text: str, tables: Mapping[str, str], origin: str) -> str:
    """The page with its generated tables replaced."""
    for name, table in tables.items():
        pattern = re.compile(rf"<!-- {name}:begin[^\n]*-->\n.*?<!-- {name}:end -->", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ResultError(
                f"{origin} must hold <!-- {name}:begin --> and <!-- {name}:end --> once; restore it from git"
            )
        block = BLOCK.format(name, table)
        text = pattern.sub(lambda _, block=block: block, text)
    return text


# --- any run -------------------------------------------------------------------------------------


def runs(plan: Plan, cores: Sequence[int], unit: str) -> str:
    """What each study and all of them take, on several numbers of cores."""
    by_cores = [plan.bills((), count) for count in cores]
    times = [f"{unit} on {n}" for n in cores]
    heading = ["study", "jobs", f"CPU {unit}", *times, f"memory on {cores[1]} (MB)", "disk (MB)"]
    lines = []
    for bills in zip(*by_cores, strict=True):
        what, cells = bills[1].what, bills[1].cells(UNITS[unit])
        walls = [bill.cells(UNITS[unit])["wall"] for bill in bills]
        name = what if what == TOGETHER else f"`{what}`"
        lines.append([name, cells["jobs"], cells["cpu"], *walls, cells["memory"], cells["disk"]])
    machines = sorted({cost.machine for cost in plan.costs.values() if cost.machine})
    notes = [
        *planning.predicted(by_cores[1]),
        *planning.too_large(plan),
        *([f"measured on {' and '.join(machines)}"] if machines else []),
        *planning.unmeasured(by_cores[1]),
    ]
    return "\n".join([markdown(heading, lines), *(f"\n{text[0].upper()}{text[1:]}." for text in notes)])


# --- a run that is published ---------------------------------------------------------------------


def replications(published: Path) -> str:
    """Each published replication: how far estimates and verdicts went, beside what was foretold."""
    heading = [
        "first seed",
        "seed",
        "estimates",
        "farthest (standard errors)",
        "foretold within",
        "verdicts changed",
        "foretold at most",
    ]
    lines = []
    for path in sorted(Path(published).glob(f"replications/*/{FOUND}")):
        found = results.read_sealed(path)
        farthest = max(map(abs, found["z"].values()), default=0.0)
        counts = [len(found["z"]), f"{farthest:.2f}", f"{found['largest_z']:.2f}"]
        counts += [len(found["changed"]), found["most_changed"], f"{found['brier']:.3f}"]
        lines.append([found["first_seed"], found["seed"], *counts])
    return markdown([*heading, "Brier score"], [[str(cell) for cell in line] for line in lines])


def each_claim(plan: Plan, stated: Sequence[Claim], record: Mapping[str, Any]) -> str:
    """For each claim the command that checks it, what that takes, what to expect."""
    expected = {entry["id"]: entry["verdict"] for entry in record["claims"]}
    lines = []
    for claim in stated:
        cells = plan.bills([claim.id], TWO)[0].cells()
        numbers = [cells[name] for name in ("jobs", "wall", "memory", "disk")]
        verdict = f"**{expected.get(claim.id, claims_page.NOT_PUBLISHED)}**"
        lines.append([claim.title, f"`make verify CLAIMS={claim.id}`", *numbers, verdict])
    heading = ["claim", "command", "jobs", f"minutes on {TWO}", "memory (MB)", "disk (MB)", "expected"]
    return markdown(heading, lines)


def builds(path: Path) -> str:
    """For each claim where the runs of two builds, as `zeroloss compare --json` says them, differ most."""
    if not path.exists():
        return "Not compared yet."
    content = results.read_json(path)
    lines = []
    for name, gap in content["apart"].items():
        words = " and ".join(dict.fromkeys(content["claims"].get(name, ["none"])))
        numbers = [format_number(results.number(gap[field])) for field in ("first", "second", "tolerances")]
        lines.append([f"`{name}`", words, *(numbers if gap["key"] else ["the same", "", "0"]), gap["key"]])
    return markdown(["claim, or numbers of a study", "verdict", *content["runs"], "apart, in tolerances", "at"], lines)


# --- a run that nobody has made ------------------------------------------------------------------


def sizes(plan: Plan, measured: Costs) -> str:
    """What the jobs of this mode alone take, by kind and size of their largest network."""
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for study, cases in plan.cases.items():
        for name, case in cases.items():
            if plan.is_predicted(study, name) or (study, name) in measured:
                largest = max(regression.networks(case.spec()), key=lambda one: one[0] * one[1])
                group = f"{study}/{case.kind}", *(f"{size:.0f}" for size in largest[:3])
                groups.setdefault(group, []).append((study, name))
    lines = []
    for group, keys in groups.items():
        jobs = [plan.costs[key] for key in keys]
        hours, memory = [job.cpu_seconds / HOUR for job in jobs], max(job.peak_memory_mb for job in jobs) / GB
        lines.append([*group, str(len(jobs)), f"{max(hours):.2f}", f"{sum(hours):.1f}", f"{memory:.1f}"])
    heading = ["kind", "layers", "units", "samples", "jobs", "hours of one", "CPU hours", "memory of one (GB)"]
    return markdown(heading, lines)


def laws(plan: Plan) -> str:
    """For each law its sums, how it misses its own jobs, and how far it is stretched."""
    lines = []
    for (study, kind), law in plan.laws.items():
        cases = [
            (regression.terms_of(case.spec())["triples"], plan.is_predicted(study, name))
            for name, case in plan.cases[study].items()
            if case.kind == kind
        ]
        largest = [max((size for size, is_new in cases if is_new == new), default=0.0) for new in (False, True)]
        lines.append([f"{study}/{kind}", str(law.jobs)])
        for fit in (law.seconds, law.memory):
            terms = [f"{b:.2g}{'' if name == '1' else f' {name}'}" for name, b in fit.coefficients.items() if b]
            lines[-1] += [" + ".join(terms), f"{fit.typical:.2f} ({fit.worst:.2f})"]
        lines[-1] += [f"{size:.1e}" for size in largest]
    missed = "missed by a factor of (at worst)"
    heading = ["kind", "measured jobs", "seconds", missed, "MB", missed, "largest L M N measured", "predicted"]
    return markdown(heading, lines)


def beside_prediction(measured: Costs, others: Costs) -> str:
    """For each job of the mode that was run what it took, and what other jobs predict of it."""
    lines = []
    for (study, name), cost in sorted(measured.items()):
        other = others.get((study, name))
        if name == MEASURING or other is None:
            continue
        pairs = ((other.cpu_seconds, cost.cpu_seconds), (other.peak_memory_mb, cost.peak_memory_mb))
        cells = [cell for one, took in pairs for cell in (f"{one:.0f}", f"{took:.0f}", f"{one / took:.2f}")]
        lines.append([f"`{study}/{name}`", *cells])
    return markdown(["job", "predicted seconds", "measured", "ratio", "predicted MB", "measured", "ratio"], lines)
