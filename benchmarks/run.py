"""The benchmark: each work in a process of its own, then table, figure and record.

- `python -m benchmarks.run`: everything, into benchmarks/results/
- `python -m benchmarks.run --only w1,w2`: these works; the others stay as they were measured
- `python -m benchmarks.run --smoke`: tiny sizes, into results/bench-smoke/, in a minute
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.rows import COLUMNS, Row
from ledger.record import results

__all__ = ["main", "read", "write"]

HOME = Path(__file__).resolve().parent / "results"
SMOKE = Path(__file__).resolve().parents[1] / "results" / "bench-smoke"
NAMES = ("w1", "w2", "scaling", "memory", "w3", "w4")
ON_DEMAND = ("pipeline",)  # minutes: by --only
TEXT = ("work", "case", "method", "quantity", "unit", "note")


def _row(fields: Mapping[str, Any]) -> Row:
    """A row from JSON or CSV, where null and empty are NaN or no text."""
    plain = {name: ("" if fields[name] is None or fields[name] != fields[name] else fields[name])
             if name in TEXT else results.number(fields[name]) for name in COLUMNS}
    return Row(**{**plain, "repeats": int(plain["repeats"])})


def measure(name: str, smoke: bool, environment: Mapping[str, str]) -> dict[str, Any]:
    """The rows of a work and the record of how they were measured.

    Raises RuntimeError with the last line of what the work said when it fails.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks.works", name, str(out)]
        done = subprocess.run([*command, *(["--smoke"] if smoke else [])], env=dict(environment),
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(f"{name} failed: {said[-1]}")
        content = results.read_json(out)
    record = {**machine.describe(), "settings": content["settings"],
              "seconds": time.perf_counter() - begun}
    return {"rows": [_row(fields) for fields in content["rows"]], "record": record}


def read(folder: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """Rows by work and the records of an earlier run; empty where there was none."""
    import pandas as pd

    try:
        records = results.read_json(folder / "bench.json")
        text = results.read_text(folder / "bench.csv")
    except results.MissingResultError:
        return {}, {}
    found: dict[str, list[Row]] = {name: [] for name in records}
    for fields in pd.read_csv(io.StringIO(text)).to_dict("records"):
        found[str(fields.pop("group"))].append(_row({str(k): v for k, v in fields.items()}))
    return found, records


def write(folder: Path, groups: Mapping[str, list[Row]], records: Mapping[str, Any]) -> None:
    """Write bench.csv, .json, .md, .tex and the figures into the folder; print the tables."""
    import pandas as pd
    from rich.console import Console

    from benchmarks import draw, report, tables
    from ledger.paper.drawing import render

    frame = pd.DataFrame([{"group": name, **row.plain()} for name in groups
                          for row in groups[name]])
    results.write_text(folder / "bench.csv", frame.to_csv(index=False, float_format="%.6g"))
    results.write_json(folder / "bench.json", records)
    rows = [row for part in groups.values() for row in part]
    made = report.tables(rows, records)
    results.write_text(folder / "bench.md", report.markdown_report(made, records))
    results.write_text(folder / "bench.tex", report.tex_report(made))
    for name, function in draw.FIGURES.items():
        results.write_bytes(folder / f"{name}.pdf", render(function(rows), "pdf"))
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in made:
        console.print(tables.rich_table(table))


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="zeroloss beside its peers")
    parser.add_argument("--only", default="", help=f"some of {','.join(NAMES)}")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, in a minute")
    parser.add_argument("--out", type=Path, help="folder to write into")
    asked = parser.parse_args(given)
    asked.works = [name for name in asked.only.split(",") if name] or list(NAMES)
    for name in asked.works:
        if name not in (*NAMES, *ON_DEMAND):
            parser.error(f"unknown work {name!r}; choose of {', '.join((*NAMES, *ON_DEMAND))}")
    asked.out = asked.out or (SMOKE if asked.smoke else HOME)
    return asked


def main(given: Sequence[str] | None = None) -> int:
    """Measure, write, print; 1 if a work failed (the others are written all the same)."""
    asked = _arguments(given)
    groups, records = ({}, {}) if asked.smoke else read(asked.out)
    environment, failed = machine.one_thread(), 0
    for name in asked.works:
        print(f"{name} ...", flush=True)
        try:
            measured = measure(name, asked.smoke, environment)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            failed = 1
            continue
        groups[name], records[name] = measured["rows"], measured["record"]
        print(f"{name}: {measured['record']['seconds']:.0f} s", flush=True)
    if groups:
        ordered = {name: groups[name] for name in (*NAMES, *ON_DEMAND) if name in groups}
        write(asked.out, ordered, {name: records[name] for name in ordered})
        print(f"written to {asked.out}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
