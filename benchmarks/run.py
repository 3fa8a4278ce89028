"""The benchmark: each work in a process of its own, then table, figure and record.

- `python -m benchmarks.run`: everything but the pipeline, into benchmarks/results/
- `python -m benchmarks.run --only w1,w2`: these works; the others stay as they were measured
- `python -m benchmarks.run --only pipeline`: `make quick` in a clone, in minutes
- `python -m benchmarks.run --smoke`: tiny sizes, into results/bench-smoke/, in a minute
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import draw, machine, report, works
from benchmarks.rows import Row
from ledger.paper.drawing import render
from ledger.record import results

__all__ = ["main", "read", "write"]

HOME = Path(__file__).resolve().parent / "results"
SMOKE = Path(__file__).resolve().parents[1] / "results" / "bench-smoke"
TEXT = ("work", "case", "method", "quantity", "unit", "note")


def read(folder: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """Rows by work and the records of an earlier run; empty where there was none."""
    try:
        records = results.read_json(folder / "bench.json")
        text = results.read_text(folder / "bench.csv")
    except results.MissingResultError:
        return {}, {}
    frame = pd.read_csv(io.StringIO(text)).fillna(dict.fromkeys(TEXT, ""))
    return {
        str(name): [Row(*row) for row in part.drop(columns="group").itertuples(index=False)]
        for name, part in frame.groupby("group", sort=False)
    }, records


def write(folder: Path, groups: Mapping[str, list[Row]], records: Mapping[str, Any]) -> None:
    """Write bench.csv, .json, .md, .tex and the figures into the folder; print the tables."""
    frame = pd.concat(
        [pd.DataFrame(rows, columns=Row._fields) for rows in groups.values()], keys=groups, names=["group", None]
    ).droplevel(1)
    results.write_text(folder / "bench.csv", frame.to_csv(float_format="%.6g"))
    results.write_json(folder / "bench.json", records)
    rows = [row for part in groups.values() for row in part]
    tables = report.tables(rows, records)
    page = report.markdown_report(tables, records)
    results.write_text(folder / "bench.md", page)
    results.write_text(folder / "bench.tex", report.tex_report(tables))
    for name, function in draw.FIGURES.items():
        results.write_bytes(folder / f"{name}.pdf", render(function(rows), "pdf"))
    Console(width=None if sys.stdout.isatty() else 160).print(Markdown(page))


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="zeroloss beside its peers")
    parser.add_argument("--only", default="", help=f"some of {','.join(works.WORKS)}")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, in a minute")
    parser.add_argument("--out", type=Path, help="folder to write into")
    options = parser.parse_args(given)
    options.works = [name for name in options.only.split(",") if name] or [
        name for name in works.WORKS if name != "pipeline"
    ]
    for name in options.works:
        if name not in works.WORKS:
            parser.error(f"unknown work {name!r}; choose of {', '.join(works.WORKS)}")
    options.out = options.out or (SMOKE if options.smoke else HOME)
    return options


def main(given: Sequence[str] | None = None) -> int:
    """Measure, write, print; 1 if a work failed (the others are written all the same)."""
    options = _arguments(given)
    groups, records = ({}, {}) if options.smoke else read(options.out)
    settings = works.SMOKE if options.smoke else works.Settings()
    failed = 0
    for name in options.works:
        print(f"{name} ...", flush=True)
        begun = time.perf_counter()
        try:
            groups[name] = machine.in_process(works.measure, name, settings)
        except Exception as error:  # whatever stopped it, the other works go on
            print(f"{name} failed: {error}", file=sys.stderr)
            failed = 1
            continue
        seconds = time.perf_counter() - begun
        records[name] = {**machine.describe(), "settings": asdict(settings), "seconds": seconds}
        print(f"{name}: {seconds:.0f} s", flush=True)
    if groups:
        names = [name for name in works.WORKS if name in groups]
        write(options.out, {name: groups[name] for name in names}, {name: records[name] for name in names})
        print(f"written to {options.out}")
    return failed


if __name__ == "__main__":
    os.environ.update(machine.ONE_THREAD)
    sys.exit(main())
