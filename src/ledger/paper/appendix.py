"""The appendix on provenance as LaTeX: each number, each figure, and the files behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ledger.paper import latex
from ledger.paper.latex import Column

Manifests = Mapping[str, Mapping[str, Any]]
PREFIX_DIGITS = 12

KEY_COLUMNS = (Column("key", 0.45), Column("estimate and interval", 0.37), Column("files", 0.18))
FIGURE_COLUMNS = (Column("figure", 0.24), Column("drawn by", 0.50), Column("files", 0.26))
FILE_COLUMNS = (
    Column("no.", 0.07, right=True),
    Column("file", 0.47),
    Column("sha256 of the table", 0.23),
    Column("sha256 of its code", 0.23),
)


class Line(NamedTuple):
    """A number of the paper: its key, the claim or study it is shown under, its value as LaTeX."""

    key: str
    owner: str
    study: str
    value: str
    sources: list[str]


def read_by(figure: Mapping[str, Any]) -> list[str]:
    """Return the tables that a figure was drawn from as "study/case"."""
    return [f"{figure['study']}/{case}" for case in figure["inputs"]]


def provenance(lines: Sequence[Line], figures: Manifests, manifests: Manifests, mode: str) -> str:
    """Return three longtables: each key with its value, each figure, and the files of both."""
    order = {source: position for position, source in enumerate(sorted(manifests), start=1)}
    parts = (_keys(lines, order), _figures(figures, order), _files(manifests, order, mode))
    return "\n".join(parts)


def _keys(lines: Sequence[Line], order: Mapping[str, int]) -> str:
    rows: list[str] = []
    for owner, own in groupby(lines, key=lambda line: line.owner):
        rows.append(latex.heading_row(latex.name(f"{owner}/"), len(KEY_COLUMNS), first=not rows))
        for line in own:
            rows.append(
                latex.row(
                    rf"\zltarget{{{line.key}}}\quad{latex.name(line.key.partition('/')[2])}",
                    line.value,
                    _file_numbers((order[source], source) for source in line.sources),
                )
            )
    studies = ", ".join(latex.name(study) for study in sorted({line.study for line in lines}))
    caption = (
        "Every number of this paper under its key, the heading and the line joined: made by "
        rf"{latex.name('zeroloss measure')} ({studies}) from the files of Table~\ref{{tab:files}}."
    )
    return latex.longtable(KEY_COLUMNS, rows, caption, "tab:provenance", r"\scriptsize")


def _figures(figures: Manifests, order: Mapping[str, int]) -> str:
    rows = [
        latex.row(
            rf"\zltarget{{figure:{name}}}{latex.name(name)}",
            _drawn_by(figure),
            _file_numbers((order[source], source) for source in read_by(figure)),
        )
        for name, figure in sorted(figures.items())
    ]
    caption = (
        rf"Every figure: the function that {latex.name('zeroloss draw')} called, and the files of "
        r"Table~\ref{tab:files} that it read, besides the estimates of its study."
    )
    return latex.longtable(FIGURE_COLUMNS, rows, caption, "tab:figures", r"\scriptsize")


def _drawn_by(figure: Mapping[str, Any]) -> str:
    """Return the function of a figure with its file: `rates` of `figures/limits_rates.py`."""
    module, _, function = str(figure["function"]).rpartition(".")
    return f"{latex.name(function)} of {latex.name(module.replace('.', '/') + '.py')}"


def _files(manifests: Manifests, order: Mapping[str, int], mode: str) -> str:
    rows = [
        latex.row(
            rf"\zltarget{{file:{source}}}\num{{{number}}}",
            latex.name(f"{source}.parquet"),
            _prefix(manifests[source].get("sha256")),
            _prefix(manifests[source].get("code_sha256")),
        )
        for source, number in order.items()
    ]
    where = (
        f"Files below {latex.name(f'results/{mode}/')}, with the first digits of their checksums."
    )
    return latex.longtable(FILE_COLUMNS, rows, where, "tab:files", r"\scriptsize")


def _prefix(digest: Any) -> str:
    return rf"\texttt{{{str(digest)[:PREFIX_DIGITS]}}}" if digest else r"\zlna{}"


def _file_numbers(files: Iterable[tuple[int, str]]) -> str:
    """Return linked numbers, runs of three and more as ranges: 1, 4--7."""
    runs: list[list[tuple[int, str]]] = []
    for number, source in sorted(files):
        if runs and runs[-1][-1][0] == number - 1:
            runs[-1].append((number, source))
        else:
            runs.append([(number, source)])
    shown = []
    for run in runs:
        ends = [rf"\zlfile{{{source}}}{{{number}}}" for number, source in run]
        shown += [f"{ends[0]}--{ends[-1]}"] if len(ends) > 2 else ends
    return ", ".join(shown) or "--"
