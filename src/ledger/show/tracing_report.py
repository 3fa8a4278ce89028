"""The answer of `zeroloss trace`: JSON for machines, else text whose commands can be copied."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from ledger.config.paper import paper
from ledger.show.tracing import Results, Step, Trace, trace
from ledger.table import plain

WIDTH = 12
TABLE_HEADINGS = ("table", "rows", "seconds", "sha256")


def report(name: str, folder: Path, mode: str, claim_files: Sequence[Path], every: bool,
           as_json: bool) -> None:
    """Print where a claim, a key, a figure or a table of the run in `folder` comes from."""
    found = trace(Results(folder, mode, claim_files), name)
    if as_json:
        print(json.dumps(found.record(), indent=1, sort_keys=True))
    else:
        print_trace(found, every)


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
        print(f"{paper().name} trace {tables[1].what} says the same of another table, --all of "
              "each", file=out)


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
                  ("version", f"{paper().name} {step.version}"), ("took", took)]
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
