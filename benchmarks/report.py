"""The tables of a run from its rows: each is a function to lines, and its docstring the caption."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.brute import NAME as BRUTE
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Table, first, number, rough
from benchmarks.targets import judged, over_brute_force
from ledger.record.formatting import NOT_MEASURED

__all__ = ["BOUNDS", "markdown_report", "tables", "tex_report"]

Records = Mapping[str, Mapping[str, Any]]
Lines = list[list[str]]
Make = Callable[[list[Row]], Lines]
TABLES: dict[str, tuple[str, str, Make]] = {}
BOUNDS = {
    "tanh": "tanh evaluations / rate",
    "products": "other operations / rate",
    "memory": "parameters and gradients / bandwidth",
    "sum": "tanh + products",
    "largest": "largest of the three",
}
RATES = {
    "tanh_rate": ("tanh, numbers in cache", "1e9/s"),
    "flop_rate": ("matrix product", "1e9 flop/s"),
    "bandwidth": ("copy, read and written", "1e9 B/s"),
}
INFLUENCE = {
    "points": "points in θ",
    "relative_error": "relative error of Σ",
    "cpu_seconds": "CPU s, {row.method}",
    "cpu_ratio": "CPU, with Σ over without",
    "memory_ratio": "memory over costates, {row.size:g} steps",
}


def table(key: str, headings: str, columns: str) -> Callable[[Make], Make]:
    """A function from rows to lines is the table ``key``; see `_words` for what is in braces."""

    def known(lines: Make) -> Make:
        TABLES[key] = headings, columns, lines
        return lines

    return known


def _methods(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def _steps(rows: Iterable[Row]) -> list[float]:
    return sorted({row.size for row in pick(rows, work="memory", quantity="ratio")})


def _sizes(shape: Mapping[str, int]) -> str:
    """Words for the sizes of networks as they were recorded."""
    if not shape:
        return "sizes not recorded"
    return "{networks} networks, L = {L}, M = {M}, N = {N}".format_map(shape)


def _words(rows: list[Row], records: Records) -> dict[str, Any]:
    """What stands for the braces of captions and headings."""
    settings = {work: record["settings"] for work, record in records.items()}
    sizes = {work: _sizes(settings.get(work, {}).get("shape", {})) + ", d = 2, tanh" for work in ("w1", "w2", "memory")}
    machine = {"processor": "unknown processor", "processors": "?", **records.get("w1", {}).get("machine", {})}
    steps = _steps(rows)
    return {
        **sizes,
        **machine,
        "start": _sizes(settings.get("scaling", {}).get("sweep", {}).get("start", {})),
        "steps": " | ".join(f"{count:g} steps" for count in steps),
        "shares": " ".join(f"Y{60 / len(steps)}" for _ in steps),
        "peers": "One thread; each peer measured alternately with zeroloss; median with "
        "quartiles over the pairs. Compilation is not in the ratios. Difference: largest "
        "from zeroloss, relative.",
    }


def tables(rows: list[Row], records: Records) -> list[Table]:
    """All tables that the rows have something for."""
    words = _words(rows, records)
    made = []
    for key, (headings, columns, make) in TABLES.items():
        caption = " ".join((make.__doc__ or "").format(**words).split())
        if lines := make(rows):
            made.append(Table(key, caption, headings.format(**words), columns.format(**words), lines))
    return made


@table("targets", "work | target | measured | ", "Z27 Z40 Y23 Z10")
def targets(rows: list[Row]) -> Lines:
    """What was asked, what was measured (with the interval of its own table below), and whether
    the value meets it."""
    return [[one.work, one.target, number(*one.value), "met" if one.met else "missed"] for one in judged(rows)]


def _networks(rows: list[Row], work: str) -> Lines:
    lines = []
    for case in dict.fromkeys(row.case for row in pick(rows, work=work)):
        own = pick(rows, work=work, case=case)
        for method in _methods(own):
            one = {row.quantity: [row] for row in pick(own, method=method)}
            cpu, wall = (first(one.get(f"{clock}_ratio", [])) if method != OURS else "1" for clock in ("cpu", "wall"))
            difference = one.get("difference", [])
            seconds = first(one["cpu_seconds"], 1e-3) if "cpu_seconds" in one else difference[0].note
            compilation = first(one.get("compile_seconds", []))
            lines.append([case, method, seconds, cpu, wall, compilation, rough(difference)])
    return lines


NETWORKS = (
    "precision | method | CPU ms | CPU peer/ours | wall peer/ours | compile s | difference",
    "Z9 Z15 Y19 Y20 Y19 Y9 Z9",
)


@table("gradient", *NETWORKS)
def gradient(rows: list[Row]) -> Lines:
    """Risk and all gradients: {w1}. {peers}"""
    return _networks(rows, "gradient")


@table("training", *NETWORKS)
def training(rows: list[Row]) -> Lines:
    """Gradient descent with the risk at each step: {w2}. {peers}"""
    return _networks(rows, "training")


@table("bound", "precision | bound | ms | zeroloss/bound", "Z15 Z40 Y20 Y25")
def bounds(rows: list[Row]) -> Lines:
    """Lower bounds on one gradient from the machine's rates: {w1}."""
    own = pick(rows, work="bound")
    ratios = {(row.case, row.method): [row] for row in pick(own, quantity="ratio")}
    return [
        [row.case, BOUNDS[row.method], number(1e3 * row.value), first(ratios.get((row.case, row.method), []))]
        for row in pick(own, quantity="seconds")
    ]


@table("machine", "operation | where | by | rate | unit", "Z30 Z22 Z18 Y15 Z15")
def rates(rows: list[Row]) -> Lines:
    """What the machine does at most on one thread, best of many, in the run of the gradient:
    {processor}, {processors} processors."""
    return [
        [name, row.case, row.method, number(row.value / 1e9), unit]
        for row in pick(rows, work="machine")
        for name, unit in [RATES[row.quantity]]
    ]


@table("scaling", "what grows | range | exponent or speed-up", "Z30 Z30 Y40")
def scaling(rows: list[Row]) -> Lines:
    """Time of one gradient as one size grows, from {start}: exponent with the 95 % interval of the
    fit. Threads: wall time on one over wall time on two."""
    lines = []
    for row in pick(rows, work="scaling", quantity="exponent"):
        sizes = [one.size for one in pick(rows, case=row.case, quantity="cpu_seconds")]
        lines.append([row.case, f"{min(sizes):g} to {max(sizes):g}", first([row])])
    return [*lines, *(["threads", "1 to 2", first([row])] for row in pick(rows, work="threads"))]


@table("memory", "method | {steps}", "Z40 {shares}")
def memory(rows: list[Row]) -> Lines:
    """Peak memory of gradient descent above what was there before, over the bytes of parameters,
    gradients and stored activations: {memory}, float64."""
    own = pick(rows, work="memory", quantity="ratio")
    return [
        [method, *(first(pick(own, method=method, size=count)) for count in _steps(rows))] for method in _methods(own)
    ]


@table("limit", "problem | accuracy | method | CPU s | over ours | error | how", "Z9 Z10 Z12 Y11 Y11 Z19 Z28")
def limit_costs(rows: list[Row]) -> Lines:
    """E(ρ(s)) of the mean-field limit at s = 4 to a relative accuracy: CPU time and relative error.
    Error: zeroloss states its own, the one found against a far finer run is in brackets; general
    solvers share its rule in θ; brute force is extrapolated from networks in a budget of seconds.
    Over ours: at the error that zeroloss states, which is above the accuracy where its largest
    rule did not reach it."""
    costs = pick(rows, work="limit", quantity="cpu_seconds")
    base = {(row.case, row.size): row.value for row in pick(costs, method=OURS)}
    lines = []
    for row in sorted((row for row in costs if row.repeats), key=lambda row: list(base).index((row.case, row.size))):
        own = pick(rows, work="limit", case=row.case, method=row.method, size=row.size)
        stated, found = (pick(own, quantity=name) for name in ("stated_error", "relative_error"))
        error = f"{rough(stated)} ({rough(found)})" if stated else rough(found)
        ratio = row.value / base[row.case, row.size]
        if row.method == BRUTE:
            ratio = over_brute_force(rows, row.case, row.size) or math.nan
        lines.append([row.case, f"{row.size:g}", row.method, number(row.value), number(ratio), error, row.note])
    return lines + [
        [row.case, NOT_MEASURED, row.method, row.note, NOT_MEASURED, NOT_MEASURED, ""] for row in pick(costs, repeats=0)
    ]


@table(
    "limit-gradient",
    "problem | accuracy | method | CPU s | CPU peer/ours | risk | gradient | whole run | at",
    "Z9 Z10 Z12 Y9 Y18 Z9 Z9 Z9 Z15",
)
def limit_gradients(rows: list[Row]) -> Lines:
    """One gradient of the limit by a general solver of the equation in depth, at its loosest
    tolerance whose whole run on one cloud differs in the risk by at most a tenth of the accuracy:
    CPU time against zeroloss (median with quartiles over the pairs), relative errors of risk and
    gradient on fixed particles, and that difference."""
    lines = []
    for row in pick(rows, work="limit", quantity="gradient_ratio"):
        own = pick(rows, work="limit", case=row.case, method=row.method, size=row.size)
        seconds = number(pick(own, quantity="gradient_seconds")[0].value)
        errors = [rough(pick(own, quantity=name)) for name in ("depth_error", "gradient_error", "run_difference")]
        start = [row.case, f"{row.size:g}", row.method, seconds, first([row])]
        lines.append([*start, *errors, row.note])
    return lines


@table("influence", "problem | quantity | value | at", "Z15 Z40 Y25 Z20")
def influence_costs(rows: list[Row]) -> Lines:
    """Covariance Σ of the residuals at s = 4: rule in θ for the accuracy (relative error in
    Frobenius norm, root mean square over scrambles), CPU time with Σ over that of the limit alone
    at the same resolution, and peak memory over that of the costates of all outputs while the
    steps of the flow grow."""
    return [
        [row.case, INFLUENCE[row.quantity].format(row=row), first([row]), row.note]
        for row in pick(rows, work="influence")
    ]


@table("pipeline", "run | wall s | CPU s", "Z50 Y25 Y25")
def pipeline(rows: list[Row]) -> Lines:
    """make quick in a fresh clone with its environment made."""
    own = pick(rows, work="pipeline")
    cpu = {row.case: [row] for row in pick(own, quantity="cpu_seconds")}
    return [[row.case, first([row]), first(cpu[row.case])] for row in pick(own, quantity="wall_seconds")]


def _provenance(work: str, record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = "{processor}, {processors} processors".format_map(record["machine"])
    where = f"{machine}, commit {record['commit'][:12]}, {record['seconds']:.0f} s"
    return f"- {work}: {where}; {versions}"


def markdown_report(made: Sequence[Table], records: Records) -> str:
    """All tables, and where they were measured."""
    parts = ["# Benchmarks\n", "Written by `make bench`; the numbers are in bench.csv.\n"]
    parts += [table.markdown() for table in made]
    parts += ["## Measured\n", *(_provenance(*one) for one in records.items())]
    return "\n".join(parts) + "\n"


def tex_report(made: Sequence[Table]) -> str:
    r"""All tables as LaTeX, to be read by `\input` after `\usepackage{zeroloss}`."""
    return "% written by make bench\n" + "\n".join(table.tex() for table in made)
