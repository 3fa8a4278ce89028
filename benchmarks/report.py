"""The tables of a run from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.report_limits import influence_costs, limit_costs, limit_gradients
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Number, Table, first, markdown, rough, tex
from benchmarks.targets import target_table

__all__ = ["markdown_report", "tables", "tex_report"]

Records = Mapping[str, Mapping[str, Any]]
QUARTILES = "median with quartiles over the pairs"


def _methods(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def _shape_words(records: Records, work: str) -> str:
    shape = records.get(work, {}).get("settings", {}).get("shape", {})
    if not shape:
        return "sizes not recorded"
    return (f"{shape['networks']} networks, L = {shape['L']}, M = {shape['M']}, "
            f"N = {shape['N']}, d = 2, tanh")


def _networks(rows: list[Row], work: str, key: str, what: str, records: Records) -> Table:
    table = Table(
        work, f"{what}: {_shape_words(records, key)}. One thread; each peer measured alternately "
        f"with zeroloss; {QUARTILES}. Compilation is not in the ratios. Difference: largest from "
        "zeroloss, relative.",
        ("precision", "method", "CPU ms", "CPU peer/ours", "wall peer/ours", "compile s",
         "difference"), (0.09, 0.15, 0.19, 0.20, 0.19, 0.09, 0.09))
    for case in dict.fromkeys(row.case for row in rows if row.work == work):
        own = pick(rows, work=work, case=case)
        for method in _methods(own):
            one = pick(own, method=method)
            ratio = "1" if method == OURS else None
            seconds = first(pick(one, quantity="cpu_seconds"), unit=1e-3)
            if not pick(one, quantity="cpu_seconds"):
                seconds = pick(one, quantity="difference")[0].note
            table.rows.append([
                case, method, seconds,
                ratio or first(pick(one, quantity="cpu_ratio")),
                ratio or first(pick(one, quantity="wall_ratio")),
                first(pick(one, quantity="compile_seconds")),
                rough(pick(one, quantity="difference"))])
    return table


RATES = {"tanh_rate": ("tanh, numbers in cache", 1e9, "1e9/s"),
         "flop_rate": ("matrix product", 1e9, "1e9 flop/s"),
         "bandwidth": ("copy, read and written", 1e9, "1e9 B/s")}


def _machine(rows: list[Row], records: Records) -> Table:
    machine = records.get("w1", {}).get("machine", {})
    caption = (f"What the machine does at most on one thread, best of many, in the run of the "
               f"gradient: {machine.get('processor', 'unknown processor')}, "
               f"{machine.get('processors', '?')} processors.")
    table = Table("machine", caption, ("operation", "where", "by", "rate", "unit"),
                  (0.30, 0.22, 0.18, 0.15, 0.15))
    for row in pick(rows, work="machine"):
        name, unit, words = RATES[row.quantity]
        table.rows.append([name, row.case, row.method, Number(row.value / unit), words])
    return table


BOUNDS = {"tanh": "tanh evaluations / rate", "products": "other operations / rate",
          "memory": "parameters and gradients / bandwidth", "sum": "tanh + products",
          "largest": "largest of the three"}


def _bounds(rows: list[Row], records: Records) -> Table:
    table = Table(
        "bound", f"Lower bounds on one gradient from the machine's rates: "
        f"{_shape_words(records, 'w1')}.",
        ("precision", "bound", "ms", "zeroloss/bound"), (0.15, 0.40, 0.20, 0.25))
    for row in pick(rows, work="bound", quantity="seconds"):
        ratio = pick(rows, work="bound", quantity="ratio", case=row.case, method=row.method)
        table.rows.append([row.case, BOUNDS[row.method], Number(1e3 * row.value), first(ratio)])
    return table


def _scaling(rows: list[Row], records: Records) -> Table:
    start = records.get("scaling", {}).get("settings", {}).get("sweep", {}).get("start", {})
    table = Table(
        "scaling", "Time of one gradient as one size grows, from "
        + (f"{start['networks']} networks, L = {start['L']}, M = {start['M']}, N = {start['N']}"
           if start else "sizes not recorded")
        + ": exponent with the 95 % interval of the fit. Threads: wall time on one over wall time "
        "on two.", ("what grows", "range", "exponent or speed-up"), (0.3, 0.3, 0.4))
    for row in pick(rows, work="scaling", quantity="exponent"):
        sizes = [one.size for one in pick(rows, work="scaling", case=row.case,
                                          quantity="cpu_seconds")]
        table.rows.append([row.case, f"{min(sizes):g} to {max(sizes):g}", first([row])])
    table.rows.extend(["threads", "1 to 2", first([row])] for row in pick(rows, work="threads"))
    return table


def _memory(rows: list[Row], records: Records) -> Table:
    own = pick(rows, work="memory", quantity="ratio")
    steps = sorted({row.size for row in own})
    table = Table(
        "memory", "Peak memory of gradient descent above what was there before, over the bytes "
        f"of parameters, gradients and stored activations: {_shape_words(records, 'memory')}, "
        "float64.",
        ("method", *(f"{count:g} steps" for count in steps)),
        (0.4, *(0.6 / max(len(steps), 1) for _ in steps)))
    for method in _methods(own):
        table.rows.append([method, *(first(pick(own, method=method, size=count))
                                     for count in steps)])
    return table


def _pipeline(rows: list[Row]) -> Table:
    table = Table("pipeline", "make quick in a fresh clone with its environment made.",
                  ("run", "wall s", "CPU s"), (0.5, 0.25, 0.25))
    for row in pick(rows, work="pipeline", quantity="wall_seconds"):
        cpu = pick(rows, work="pipeline", case=row.case, quantity="cpu_seconds")
        table.rows.append([row.case, first([row]), first(cpu)])
    return table


def tables(rows: list[Row], records: Records) -> list[Table]:
    """All tables that the rows have something for."""
    made = [
        target_table(rows),
        _networks(rows, "gradient", "w1", "Risk and all gradients", records),
        _networks(rows, "training", "w2", "Gradient descent with the risk at each step", records),
        _bounds(rows, records), _machine(rows, records), _scaling(rows, records),
        _memory(rows, records),
        limit_costs(rows), limit_gradients(rows), influence_costs(rows),
        _pipeline(rows),
    ]
    return [table for table in made if table.rows]


def _provenance(records: Records) -> list[str]:
    lines = []
    for work, record in records.items():
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        lines.append(f"- {work}: {record['machine']['processor']}, "
                     f"{record['machine']['processors']} processors, commit "
                     f"{record['commit'][:12]}, {record['seconds']:.0f} s; {versions}")
    return lines


def markdown_report(made: Sequence[Table], records: Records) -> str:
    """All tables, and where they were measured."""
    parts = ["# Benchmarks", "", "Written by `make bench`; the numbers are in bench.csv.", ""]
    parts += [markdown(table) for table in made]
    return "\n".join([*parts, "## Measured", "", *_provenance(records)]) + "\n"


def tex_report(made: Sequence[Table]) -> str:
    r"""All tables as LaTeX, to be read by `\input` after `\usepackage{zeroloss}`."""
    return "% written by make bench\n" + "\n".join(tex(table) for table in made)
