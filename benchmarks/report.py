"""The tables of a run from its rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.brute import NAME as BRUTE
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Table, first, number, rough
from benchmarks.targets import judged, over_brute_force
from ledger.record.formatting import NOT_MEASURED

__all__ = ["BOUNDS", "markdown_report", "tables", "tex_report"]

Records = Mapping[str, Mapping[str, Any]]
BOUNDS = {"tanh": "tanh evaluations / rate", "products": "other operations / rate",
          "memory": "parameters and gradients / bandwidth", "sum": "tanh + products",
          "largest": "largest of the three"}
RATES = {"tanh_rate": ("tanh, numbers in cache", "1e9/s"),
         "flop_rate": ("matrix product", "1e9 flop/s"),
         "bandwidth": ("copy, read and written", "1e9 B/s")}
INFLUENCE = {"points": "points in θ", "relative_error": "relative error of Σ",
             "cpu_seconds": "CPU s, {row.method}", "cpu_ratio": "CPU, with Σ over without",
             "memory_ratio": "memory over costates, {row.size:g} steps"}


def _methods(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def _sizes(shape: Mapping[str, int]) -> str:
    """Words for the sizes of a network as they were recorded."""
    if not shape:
        return "sizes not recorded"
    return f"{shape['networks']} networks, L = {shape['L']}, M = {shape['M']}, N = {shape['N']}"


def _shape(records: Records, work: str) -> str:
    return _sizes(records.get(work, {}).get("settings", {}).get("shape", {})) + ", d = 2, tanh"


def targets(rows: list[Row], _: Records) -> Table:
    """All targets with the measured number and whether it meets them."""
    lines = [[one.work, one.target, number(*one.value), "met" if one.met else "missed"]
             for one in judged(rows)]
    return Table("targets", "What was asked, what was measured (with the interval of its own "
                 "table below), and whether the value meets it.",
                 "work | target | measured | ", "Z27 Z40 Y23 Z10", lines)


def _networks(rows: list[Row], work: str, what: str) -> Table:
    """The table of W1 or of W2."""
    lines = []
    for case in dict.fromkeys(row.case for row in pick(rows, work=work)):
        own = pick(rows, work=work, case=case)
        for method in _methods(own):
            one = {row.quantity: [row] for row in pick(own, method=method)}
            cpu, wall = (first(one.get(f"{clock}_ratio", [])) if method != OURS else "1"
                         for clock in ("cpu", "wall"))
            difference = one.get("difference", [])
            seconds = first(one["cpu_seconds"], 1e-3) if "cpu_seconds" in one \
                else difference[0].note
            compilation = first(one.get("compile_seconds", []))
            lines.append([case, method, seconds, cpu, wall, compilation, rough(difference)])
    return Table(
        work, f"{what}. One thread; each peer measured alternately with zeroloss; median with "
        "quartiles over the pairs. Compilation is not in the ratios. Difference: largest from "
        "zeroloss, relative.",
        "precision | method | CPU ms | CPU peer/ours | wall peer/ours | compile s | difference",
        "Z9 Z15 Y19 Y20 Y19 Y9 Z9", lines)


def gradient(rows: list[Row], records: Records) -> Table:
    """W1."""
    return _networks(rows, "gradient", f"Risk and all gradients: {_shape(records, 'w1')}")


def training(rows: list[Row], records: Records) -> Table:
    """W2."""
    return _networks(rows, "training", "Gradient descent with the risk at each step: "
                     + _shape(records, "w2"))


def bounds(rows: list[Row], records: Records) -> Table:
    """Lower bounds on a gradient, and ours over them."""
    own = pick(rows, work="bound")
    ratios = {(row.case, row.method): [row] for row in pick(own, quantity="ratio")}
    lines = [[row.case, BOUNDS[row.method], number(1e3 * row.value),
              first(ratios.get((row.case, row.method), []))]
             for row in pick(own, quantity="seconds")]
    return Table(
        "bound", f"Lower bounds on one gradient from the machine's rates: {_shape(records, 'w1')}.",
        "precision | bound | ms | zeroloss/bound", "Z15 Z40 Y20 Y25", lines)


def rates(rows: list[Row], records: Records) -> Table:
    """What the machine does at most."""
    machine = records.get("w1", {}).get("machine", {})
    lines = [[RATES[row.quantity][0], row.case, row.method, number(row.value / 1e9),
              RATES[row.quantity][1]] for row in pick(rows, work="machine")]
    return Table(
        "machine", "What the machine does at most on one thread, best of many, in the run of the "
        f"gradient: {machine.get('processor', 'unknown processor')}, "
        f"{machine.get('processors', '?')} processors.",
        "operation | where | by | rate | unit", "Z30 Z22 Z18 Y15 Z15", lines)


def scaling(rows: list[Row], records: Records) -> Table:
    """Exponents in each size, and two threads over one."""
    start = records.get("scaling", {}).get("settings", {}).get("sweep", {}).get("start", {})
    lines = []
    for row in pick(rows, work="scaling", quantity="exponent"):
        sizes = [one.size for one in pick(rows, case=row.case, quantity="cpu_seconds")]
        lines.append([row.case, f"{min(sizes):g} to {max(sizes):g}", first([row])])
    lines += [["threads", "1 to 2", first([row])] for row in pick(rows, work="threads")]
    return Table(
        "scaling", f"Time of one gradient as one size grows, from {_sizes(start)}: exponent with "
        "the 95 % interval of the fit. Threads: wall time on one over wall time on two.",
        "what grows | range | exponent or speed-up", "Z30 Z30 Y40", lines)


def memory(rows: list[Row], records: Records) -> Table:
    """Peak memory of each method per number of steps."""
    own = pick(rows, work="memory", quantity="ratio")
    steps = sorted({row.size for row in own})
    lines = [[method, *(first(pick(own, method=method, size=count)) for count in steps)]
             for method in _methods(own)]
    return Table(
        "memory", "Peak memory of gradient descent above what was there before, over the bytes "
        f"of parameters, gradients and stored activations: {_shape(records, 'memory')}, float64.",
        " | ".join(["method", *(f"{count:g} steps" for count in steps)]),
        " ".join(["Z40", *(f"Y{60 / len(steps)}" for _ in steps)]), lines)


def limit_costs(rows: list[Row], _: Records) -> Table:
    """CPU time of the limit to each accuracy, and by which way it is known."""
    costs = pick(rows, work="limit", quantity="cpu_seconds")
    base = {(row.case, row.size): row.value for row in pick(costs, method=OURS)}
    lines = []
    for row in sorted((row for row in costs if row.repeats),
                      key=lambda row: list(base).index((row.case, row.size))):
        own = pick(rows, work="limit", case=row.case, method=row.method, size=row.size)
        stated, found = (pick(own, quantity=name) for name in ("stated_error", "relative_error"))
        error = f"{rough(stated)} ({rough(found)})" if stated else rough(found)
        ratio = number(row.value / base[row.case, row.size])
        if row.method == BRUTE:
            ratio = number(over_brute_force(rows, row.case, row.size) or math.nan)
        accuracy = f"{row.size:g}"
        lines.append([row.case, accuracy, row.method, number(row.value), ratio, error, row.note])
    lines += [[row.case, NOT_MEASURED, row.method, row.note, NOT_MEASURED, NOT_MEASURED, ""]
              for row in pick(costs, repeats=0)]
    return Table(
        "limit", "E(ρ(s)) of the mean-field limit at s = 4 to a relative accuracy: CPU time and "
        "relative error. Error: zeroloss states its own, the one found against a far finer run is "
        "in brackets; general solvers share its rule in θ; brute force is extrapolated from "
        "networks in a budget of seconds. Over ours: at the error that zeroloss states, which is "
        "above the accuracy where its largest rule did not reach it.",
        "problem | accuracy | method | CPU s | over ours | error | how",
        "Z9 Z10 Z12 Y11 Y11 Z19 Z28", lines)


def limit_gradients(rows: list[Row], _: Records) -> Table:
    """One gradient of the limit by general solvers against ours."""
    lines = []
    for row in pick(rows, work="limit", quantity="gradient_ratio"):
        own = pick(rows, work="limit", case=row.case, method=row.method, size=row.size)
        seconds = number(pick(own, quantity="gradient_seconds")[0].value)
        errors = [rough(pick(own, quantity=name))
                  for name in ("depth_error", "gradient_error", "run_difference")]
        lines.append([row.case, f"{row.size:g}", row.method, seconds, first([row]), *errors,
                      row.note])
    return Table(
        "limit-gradient", "One gradient of the limit by a general solver of the equation in depth, "
        "at its loosest tolerance whose whole run on one cloud differs in the risk by at most a "
        "tenth of the accuracy: CPU time against zeroloss (median with quartiles over the pairs), "
        "relative errors of risk and gradient on fixed particles, and that difference.",
        "problem | accuracy | method | CPU s | CPU peer/ours | risk | gradient | whole run | at",
        "Z9 Z10 Z12 Y9 Y18 Z9 Z9 Z9 Z15", lines)


def influence_costs(rows: list[Row], _: Records) -> Table:
    """What Σ costs over the limit, and how its memory grows with the steps."""
    lines = [[row.case, INFLUENCE[row.quantity].format(row=row), first([row]), row.note]
             for row in pick(rows, work="influence")]
    return Table(
        "influence", "Covariance Σ of the residuals at s = 4: rule in θ for the accuracy (relative "
        "error in Frobenius norm, root mean square over scrambles), CPU time with Σ over that of "
        "the limit alone at the same resolution, and peak memory over that of the costates of all "
        "outputs while the steps of the flow grow.",
        "problem | quantity | value | at", "Z15 Z40 Y25 Z20", lines)


def pipeline(rows: list[Row], _: Records) -> Table:
    """Seconds of `make quick`."""
    own = pick(rows, work="pipeline")
    cpu = {row.case: [row] for row in pick(own, quantity="cpu_seconds")}
    lines = [[row.case, first([row]), first(cpu[row.case])]
             for row in pick(own, quantity="wall_seconds")]
    return Table("pipeline", "make quick in a fresh clone with its environment made.",
                 "run | wall s | CPU s", "Z50 Y25 Y25", lines)


def tables(rows: list[Row], records: Records) -> list[Table]:
    """All tables that the rows have something for."""
    made = (make(rows, records) for make in (
        targets, gradient, training, bounds, rates, scaling, memory, limit_costs, limit_gradients,
        influence_costs, pipeline))
    return [table for table in made if table.rows]


def _provenance(work: str, record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = "{processor}, {processors} processors".format(**record["machine"])
    return f"- {work}: {machine}, commit {record['commit'][:12]}, {record['seconds']:.0f} s; " \
        + versions


def markdown_report(made: Sequence[Table], records: Records) -> str:
    """All tables, and where they were measured."""
    parts = ["# Benchmarks\n", "Written by `make bench`; the numbers are in bench.csv.\n"]
    parts += [table.markdown() for table in made]
    parts += ["## Measured\n", *(_provenance(*one) for one in records.items())]
    return "\n".join(parts) + "\n"


def tex_report(made: Sequence[Table]) -> str:
    r"""All tables as LaTeX, to be read by `\input` after `\usepackage{zeroloss}`."""
    return "% written by make bench\n" + "\n".join(table.tex() for table in made)
