"""Verdicts, estimates and settings as LaTeX: what `paper/main.tex` reads, and nothing it must know.

One template for each file: numbers.tex (all keys), claims.tex (table of claims), provenance.tex
(where each number comes from), sizes.tex (settings of the runs), mode.tex. The macros are defined
in `paper/zeroloss.sty`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.paper import latex, settings_table
from ledger.paper.settings_table import Specs
from ledger.record import estimates as tables
from ledger.record import power, results, verdicts
from ledger.record.claims import Claim, by_id
from ledger.record.formatting import half_width, tex_interval, tex_number
from ledger.record.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Manifests = Mapping[str, Mapping[str, Any]]
FILES = ("numbers", "claims", "provenance", "sizes", "mode")


def typeset(
    record: Mapping[str, Any],
    claims: Sequence[Claim],
    estimates: pd.DataFrame,
    specs: Mapping[str, Specs],
    manifests: Manifests,
    figures: Manifests,
) -> dict[str, str]:
    """Return {file name: LaTeX}.

    record: content of verdicts.json; estimates: with `study` and `key`;
    specs: {study: {case: spec}}; manifests: {"study/case": manifest} of every source;
    figures: {figure: manifest}.
    """
    import jinja2

    rows = sorted(tables.records(estimates), key=lambda row: row["key"])
    environment = jinja2.Environment(
        *("<%", "%>", "<<", ">>", "<#", "#>"),  # around blocks, variables, comments
        loader=jinja2.PackageLoader("ledger.paper"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["bare"] = is_bare
    environment.filters |= {
        "name": latex.name,
        "tex": latex.escape,
        "tex_numbers": latex.numbers_in,
        "estimate": estimate_of,
        "interval": interval_of,
        "floor": floor_of,
        "count": count_of,
        "type": type_of,
        "value": value_of,
        "sources": sources_of,
        "read": read_by,
        "deciding": verdicts.row_of,
        "power": power_of({claim.id: claim for claim in claims}),
        "numbers": file_numbers(manifests),
        "sizes": settings_table.sizes,
    }
    content: dict[str, Any] = {
        "table": table,
        "record": record,
        "mode": record["mode"],
        "rows": rows,
        "specs": specs,
        "claims": by_id(claims),
        "manifests": manifests,
        "figures": figures,
        "by_owner": [(owner, list(own)) for owner, own in groupby(rows, key=lambda row: row["claim"] or row["study"])],
        "counts": verdicts.counts(record["claims"]),
        "settings": settings(claims, specs),
    }
    return {f"{name}.tex": environment.get_template(f"{name}.tex.jinja").render(content) for name in FILES}


def table(columns: Sequence[Any], caption: str, label: str, size: str, caller: Callable[[], str]) -> str:
    """A longtable around what a template says inside of its call."""
    return latex.longtable(
        [latex.Column(*column) for column in columns], [caller().removesuffix("\n")], caption, label, size
    )


def write(out: Path, files: Mapping[str, str]) -> None:
    """Write the files of `typeset` into `out`."""
    for name, text in sorted(files.items()):
        results.write_text(Path(out) / name, text)


# --- files behind a number -----------------------------------------------------------------------


def read_manifests(rows: Iterable[Row], figures: Manifests, folder: Path) -> dict[str, dict[str, Any]]:
    """Return {"study/case": manifest} of every case that an estimate or a figure comes from."""
    sources = {source for row in rows for source in sources_of(row)}
    sources |= {source for figure in figures.values() for source in read_by(figure)}
    return {source: results.read_manifest(Path(folder) / f"{source}.parquet") for source in sorted(sources)}


def sources_of(row: Row) -> list[str]:
    """Return the sources of an estimate as "study/case"."""
    return [f"{row['study']}/{case}" for case in row["sources"].split(";") if case]


def read_by(figure: Mapping[str, Any]) -> list[str]:
    """Return the tables that a figure was drawn from as "study/case"."""
    return [f"{figure['study']}/{case}" for case in figure["inputs"]]


def file_numbers(manifests: Manifests) -> Callable[[Iterable[str]], str]:
    """Return what shows sources as linked numbers, runs of three and more as ranges: 1, 4--7."""
    order = {source: number for number, source in enumerate(sorted(manifests), start=1)}

    def shown(sources: Iterable[str]) -> str:
        files = enumerate(sorted(sources, key=order.__getitem__))
        runs = [[source for _, source in run] for _, run in groupby(files, key=lambda one: order[one[1]] - one[0])]
        links = [[rf"\zlfile{{{source}}}{{{order[source]}}}" for source in run] for run in runs]
        return ", ".join(f"{run[0]}--{run[-1]}" if len(run) > 2 else ", ".join(run) for run in links) or "--"

    return shown


# --- a number ------------------------------------------------------------------------------------


def _value(row: Row, name: str) -> float:
    return results.number(row[name])


def is_bare(row: Row) -> bool:
    """Tell whether a row has no interval to show: a plain number, or nothing measured at all."""
    no_interval = math.isnan(_value(row, "lower") + _value(row, "upper"))
    return no_interval and (not row["claim"] or math.isnan(_value(row, "estimate")))


def estimate_of(row: Row) -> str:
    """Return the estimate of a row as LaTeX, with the digits that its interval allows."""
    width = half_width(_value(row, "lower"), _value(row, "upper"))
    return tex_number(_value(row, "estimate"), width)


def interval_of(row: Row) -> str:
    """Return the interval of a row as LaTeX."""
    return tex_interval(_value(row, "lower"), _value(row, "upper"))


def value_of(row: Row) -> str:
    """Return the estimate of a row, with its interval where it has one."""
    return estimate_of(row) if is_bare(row) else f"{estimate_of(row)} {interval_of(row)}"


def floor_of(row: Row) -> str:
    """Return the floor of a row: as exact as its interval, and never less than two digits."""
    floor, half = _value(row, "floor"), 0.5 * (_value(row, "upper") - _value(row, "lower"))
    return tex_number(floor, min(abs(floor), half) if half > 0 else abs(floor))


def power_of(claims: Mapping[str, Claim]) -> Callable[[Mapping[str, Any]], str]:
    """Return what says, of a claim's record, the power of its run and the least that it refutes."""

    def shown(record: Mapping[str, Any]) -> str:
        claim = claims[record["id"]]
        chance, effect = power.power(claim, record), power.smallest_refuted(claim, record)
        words = [] if math.isnan(chance) else [rf"power \zlpercent{{{100 * chance:.0f}}}"]
        words += [] if effect is None else [f"refutes {tex_number(effect.size)} in {latex.name(effect.quantity)}"]
        return ", ".join(words)

    return shown


def count_of(count: int | None) -> str:
    """Return a count of a row as LaTeX."""
    return r"\zlna{}" if count is None else rf"\num{{{count}}}"


def type_of(row: Row) -> str:
    """Return the type of the interval of a row, as LaTeX: `simultaneous 95 % of 24`."""
    return row["interval"].replace(" %", r"\,\%") or r"\zlna{}"


def settings(claims: Sequence[Claim], specs: Mapping[str, Specs]) -> dict[str, tuple[str, str]]:
    """Return {path: (target of its link, LaTeX)} of all settings.

    Raises ResultError where two studies disagree on one path.
    """
    found: dict[str, tuple[str, str]] = {}
    for study, cases in sorted(specs.items()):
        for case, spec in sorted(cases.items()):
            for path, text in settings_table.leaves(spec, case):
                if found.setdefault(path, (f"zl:case:{case}", text))[1] != text:
                    raise ResultError(f"{path}: case {case} of {study} is also another study's; rename it")
    for claim in claims:
        kept = claim.model_dump(include={"level", "predicate", "tolerance", "regime", "budget_minutes"})
        found |= {path: (f"zl:claim:{claim.id}", text) for path, text in settings_table.leaves(kept, claim.id)}
    return found
