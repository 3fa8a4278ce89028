"""The answer of `zeroloss trace`: JSON for machines, else text whose commands can be copied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledger.config.paper import paper
from ledger.show.claims_table import estimate_of, interval_of
from ledger.show.tracing import Step, results_of, trace
from ledger.table import plain

WIDTH = 12
TABLE_HEADINGS = ("table", "rows", "seconds", "sha256")
Facts = list[tuple[str, Any]]


def report(
    name: str, folder: Path, published: Path, mode: str, claim_files: Sequence[Path], every: bool, as_json: bool
) -> None:
    """Print where a claim, a key, a figure or a table of the run in `folder`, or of the published one,
    comes from: facts, the last jobs, and the tables behind, the first (or each) in full."""
    found = trace(results_of(folder, published, mode, claim_files), name)
    if as_json:
        print(json.dumps(found, indent=1, sort_keys=True))
        return
    _print(f"{found['kind']} {found['name']}", list(found["facts"].items()))
    if found["rows"] and not found["steps"]:
        lines = [
            (one["quantity"], one["cell"], estimate_of(one), interval_of(one), one["sources"]) for one in found["rows"]
        ]
        print("\n".join(plain(("quantity", "cell", "estimate", "interval", "tables"), lines)))
    tables = [step for step in found["steps"] if step["configuration"]]
    for step in found["steps"]:
        if step not in tables:  # of a table of estimates the rows that were asked for
            rows = [row for row in found["rows"] if step["what"].startswith(f"{row['study']}/")] if step["rows"] else []
            rows = rows[: len(step["first_rows"])]
            _print_step(step, rows, "the first of its rows")
    if len(tables) > 1:
        lines = [
            (step["what"], str(step["rows"]), f"{step['cpu_seconds'] or 0.0:.1f}", *step["files"].values())
            for step in tables
        ]
        _print(f"from {len(tables)} tables", [])
        print("\n".join(plain(TABLE_HEADINGS, lines)))
    for step in tables if every else tables[:1]:
        _print_step(step, step["first_rows"], "first rows")
    if len(tables) > 1 and not every:
        print(f"{paper().name} trace {tables[1]['what']} says the same of another table, --all of each")


def _print_step(step: Step, rows: Sequence[Mapping[str, Any]], which: str) -> None:
    facts: Facts = [("command", step["command"])]
    for name, digest in step["files"].items():
        facts += [("file", name), ("sha256", digest)]
    if step["rows"] is not None:
        facts.append(("rows", step["rows"]))
    if step["code"]:
        took = f"{step['cpu_seconds']} s on {step['machine'].get('processor', 'unknown')}"
        facts += [
            ("code", step["code"]),
            ("code sha256", step["code_sha256"]),
            ("commit", step["commit"]),
            ("version", f"{paper().name} {step['version']}"),
            ("took", took),
        ]
    facts += [("seed", f"{path} = {seed}") for path, seed in step["seeds"].items()]
    facts += [("setting", f"{path} = {value}") for path, value in step["configuration"].items()]
    _print(f"{step['what']}, made by rule {step['rule']}", facts)
    if rows:
        cells = [[f"{value:.6g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
        print(f"  {which}:", *plain(list(rows[0]), cells), sep="\n    ")


def _print(heading: str, facts: Facts) -> None:
    from rich.console import Console
    from rich.text import Text

    # soft_wrap: rich decides about colour alone, and a line is never broken
    Console(highlight=False).print(Text(heading, style="bold"), soft_wrap=True)
    for name, value in facts:
        print(f"  {name.ljust(WIDTH)} {value}")
