"""The answer of `zeroloss trace`: JSON for machines, else text whose commands can be copied."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from ledger.config import configuration as config
from ledger.table import plain, show
from ledger.run.packing import batches
from ledger.show.tracing import Run, Step, Trace, trace

WIDTH = 12
TABLE_HEADINGS = ("table", "rows", "seconds", "sha256")


def answer(options: argparse.Namespace) -> None:
    """Print where NAME comes from."""
    run = run_of(options.results / options.mode, options.claims, options.mode)
    found = trace(run, options.name, options.mode)
    if options.json:
        content = found.record() if isinstance(found, Trace) else {"printed_by": found}
        print(json.dumps(content, indent=1, sort_keys=True))
    elif isinstance(found, Trace):
        print_trace(found, options.all)
    else:
        print_matches(options.name, found)


def run_of(folder: Path, claims_file: Path, mode: str) -> Run:
    """Return a finished run, with the rules that made its tables."""
    made_with = folder / config.CONFIGURATION
    per_job = config.read(made_with).get("cases_per_job") if made_with.exists() else None
    if not isinstance(per_job, int):
        per_job = config.load(*config.MODES[mode]).cases_per_job
    numbers: dict[tuple[str, str], int] = {}

    def rule_of(study: str, case: str) -> str:
        """The rules of several cases are numbered, as in workflow/rules/studies.smk."""
        if per_job == 1:
            return f"simulate_{study}"
        if (study, case) not in numbers:
            for number, batch in enumerate(batches(made.specs[study], per_job)):
                numbers.update({(study, name): number for name in batch})
        return f"simulate_{study}_{numbers[study, case]}"

    made = Run(folder, claims_file, rule_of)
    return made


def print_matches(text: str, found: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Print all keys whose printed value is the one asked for."""
    lines = sorted(found.items())
    caption = f"{len(lines)} print as {text}; zeroloss trace KEY says where one comes from"
    show(("key", "where"), lines, caption, stream)


def print_trace(found: Trace, everything: bool = False, stream: TextIO | None = None) -> None:
    """Print a trace: facts, the last jobs, and the tables behind, the first (or each) in full."""
    out = sys.stdout if stream is None else stream
    _heading(f"{found.kind} {found.name}", out)
    _facts(found.facts.items(), out)
    tables = [step for step in found.steps if step.configuration]
    for step in found.steps:
        if step not in tables:
            _print_step(step, out, _rows_of(found, step), "the first of its rows")
    if len(tables) > 1:
        _heading(f"from {len(tables)} tables", out)
        lines = [(step.what, str(step.rows), f"{step.wall_seconds or 0.0:.1f}",
                  *step.files.values()) for step in tables]
        print("\n".join(plain(TABLE_HEADINGS, lines)), file=out)
    for step in tables if everything else tables[:1]:
        _print_step(step, out, step.first_rows)
    if len(tables) > 1 and not everything:
        print(f"zeroloss trace {tables[1].what} says the same of another table, --all of each",
              file=out)


def _rows_of(found: Trace, step: Step) -> Sequence[Mapping[str, Any]]:
    """Of a table of estimates, show the rows that were asked for."""
    return found.rows[:len(step.first_rows)] if found.rows and step.rows else []


def _print_step(step: Step, out: TextIO, rows: Sequence[Mapping[str, Any]],
                which: str = "first rows") -> None:
    _heading(f"{step.what}, made by rule {step.rule}", out)
    facts = [("command", step.command)]
    for name, digest in step.files.items():
        facts += [("file", name), ("sha256", digest)]
    if step.rows is not None:
        facts.append(("rows", str(step.rows)))
    if step.code:
        took = f"{step.wall_seconds} s on {step.machine.get('processor', 'unknown')}"
        facts += [("code", step.code), ("code sha256", step.code_sha256), ("commit", step.commit),
                  ("version", f"zeroloss {step.version}"), ("took", took)]
    facts += [("seed", f"{path} = {seed}") for path, seed in step.seeds.items()]
    facts += [("setting", f"{path} = {value}") for path, value in step.configuration.items()]
    _facts(facts, out)
    if rows:
        print(f"  {which}:", file=out)
        headings = tuple(rows[0])
        lines = [tuple(_cell(row[name]) for name in headings) for row in rows]
        for line in plain(headings, lines):
            print(f"    {line}", file=out)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _facts(facts: Iterable[tuple[str, str]], out: TextIO) -> None:
    for name, value in facts:
        print(f"  {name.ljust(WIDTH)} {value}", file=out)


def _heading(text: str, out: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    # soft_wrap: rich decides about colour alone, and a line is never broken
    Console(file=out, highlight=False).print(Text(text, style="bold"), soft_wrap=True)
