"""The tables of `docs/artifact.md`, made from what was published: what to run, what to expect;
and those of `docs/large.md`, predicted from it."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ledger.record import results
from ledger.run import large, planning
from ledger.record.claims import Claim, load_claims
from ledger.run.costs import Bill
from ledger.run.planning import Plan
from ledger.table import markdown
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts

PAGES = {"full": Path("docs/artifact.md"), large.MODE: Path("docs/large.md")}
CORES = (1, 2, 4, 8)
TWO = 2  # cores that a claim's minutes are for
SAME = "bytes compared"


class Fault(NamedTuple):
    """A row of docs/faults.md: what was tried, how, how often, and what came of it."""

    what: str
    how: str
    tried: int
    survived: int
    lost: int


# What a row of docs/faults.md counts as: the first that fits.
KINDS: tuple[tuple[str, str, Callable[[Fault], bool]], ...] = (
    (SAME, "equal", lambda row: row.what == "same bytes"),
    ("good inputs", "taken", lambda row: row.how.startswith(("valid", "read"))
     and row.what in ("configuration", "CSV")),
    ("bad inputs", "refused in words, none by a traceback",
     lambda row: row.what in ("configuration", "CSV", "hostile file")),
    ("source files read", "clean", lambda row: row.what == "source files"),
    ("faults injected", "survived", lambda row: True),
)
BLOCK = "<!-- {0}:begin (zeroloss artifact writes this) -->\n{1}\n<!-- {0}:end -->"


def answer(options: argparse.Namespace) -> int:
    """Rewrite the tables of the page; with --check say whether they are as they would be made."""
    page = options.page or PAGES[options.mode]
    text = results.read_text(page)
    made = rewritten(text, _made(options), page.as_posix())
    if options.check:
        lines = difflib.unified_diff(text.splitlines(), made.splitlines(), "page", "data", n=0,
                                     lineterm="")
        apart = list(lines)
        print("\n".join(apart) or f"{page.as_posix()} is what the data make")
        return 1 if apart else 0
    results.write_text(page, made)
    print(page.as_posix())
    return 0


def _made(options: argparse.Namespace) -> dict[str, str]:
    if options.mode == large.MODE:
        return large.tables(options.published)
    record = read_verdicts(options.published / VERDICTS, sealed=False)
    plan = planning.plan(record["mode"], options.published)
    return tables(plan, load_claims(options.claims), record, results.read_text(options.faults))


def tables(plan: Plan, stated: Sequence[Claim], record: Mapping[str, Any], broken: str
           ) -> dict[str, str]:
    """Return each generated table of the page under its name; `broken` is docs/faults.md."""
    return {"runs": runs(plan), "claims": each_claim(plan, stated, record),
            "faults": summed(faults_of(broken))}


def rewritten(text: str, made: Mapping[str, str], origin: str) -> str:
    """Return the page with its generated tables replaced."""
    for name, table in made.items():
        pattern = re.compile(rf"<!-- {name}:begin[^\n]*-->\n.*?<!-- {name}:end -->", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ResultError(f"{origin} must hold <!-- {name}:begin --> and <!-- {name}:end --> "
                              f"once; restore it from git")
        block = BLOCK.format(name, table)
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def runs(plan: Plan) -> str:
    """Return what each study and all of them take, on several numbers of cores."""
    by_cores = {cores: plan.bills((), cores) for cores in CORES}
    heading = ["study", "jobs", "CPU minutes", *(f"minutes on {cores}" for cores in CORES),
               f"memory on {TWO} (MB)", "disk (MB)"]
    lines = []
    for i, bill in enumerate(by_cores[TWO]):
        minutes = [_number(bills[i], bills[i].wall_minutes, 1) for bills in by_cores.values()]
        lines.append([f"`{bill.what}`" if bill.what in plan.specs else bill.what, str(bill.jobs),
                      _number(bill, bill.cpu_minutes, 1), *minutes,
                      _number(bill, bill.peak_memory_mb, 0), _number(bill, bill.disk_mb, 1)])
    machines = sorted({cost.machine for cost in plan.costs.values()})
    left_out = [f"\nMeasured on {' and '.join(machines)}."] if machines else []
    left_out += [f"\n{text[0].upper()}{text[1:]}." for text in planning.unmeasured(by_cores[TWO])]
    return "\n".join([markdown(heading, lines), *left_out])


def each_claim(plan: Plan, stated: Sequence[Claim], record: Mapping[str, Any]) -> str:
    """Return for each claim the command that checks it, what that takes, what to expect."""
    expected = {entry["id"]: entry["verdict"] for entry in record["claims"]}
    lines = []
    for claim in stated:
        bill = plan.bills([claim.id], TWO)[0]
        lines.append([
            claim.title, f"`make verify CLAIMS={claim.id}`", str(bill.jobs),
            _number(bill, bill.wall_minutes, 1), _number(bill, bill.peak_memory_mb, 0),
            _number(bill, bill.disk_mb, 1), f"**{expected.get(claim.id, 'not published yet')}**"])
    heading = ["claim", "command", "jobs", f"minutes on {TWO}", "memory (MB)", "disk (MB)",
               "expected"]
    return markdown(heading, lines)


def faults_of(text: str) -> list[Fault]:
    """Return the rows of the table in docs/faults.md; ResultError if it holds none."""
    table = text.partition("<!-- faults:begin")[2].partition("<!-- faults:end")[0]
    rows = [Fault(*(cell.strip() for cell in row[:2]), *map(int, row[2:]))
            for row in re.findall(r"^\|(.*)\|(.*)\| *(\d+) *\| *(\d+) *\| *(\d+) *\|$", table,
                                  re.MULTILINE)]
    if not rows:
        raise ResultError("docs/faults.md must hold the table of a whole run, got none; make it "
                          "with make test-faults FAULTS_SUMMARY=docs/faults.md")
    return rows


def summed(rows: Sequence[Fault]) -> str:
    """Return the faults by kind: injected and survived, inputs refused, bytes compared."""
    kinds: dict[tuple[str, str], list[Fault]] = {}
    for row in rows:
        kinds.setdefault(next((title, verb) for title, verb, test in KINDS if test(row)),
                         []).append(row)
    lines = []
    for title, verb, _ in KINDS:
        of_it = kinds.get((title, verb), [])
        tried, survived = sum(row.tried for row in of_it), sum(row.survived for row in of_it)
        names = dict.fromkeys(row.how if title == SAME else row.what for row in of_it)
        lines.append([title, "; ".join(names), str(tried), f"{survived} {verb}",
                      str(sum(row.lost for row in of_it))])
    return markdown(["what", "of which kinds", "tried", "came out", "data lost"], lines)


def _number(bill: Bill, value: float, digits: int) -> str:
    if not bill.known:
        return "unknown"
    return f"{bill.mark}{value:.{digits}f}"
