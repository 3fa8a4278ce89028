"""Verdicts, estimates and settings as LaTeX: what `paper/main.tex` reads, and nothing it must know.

numbers.tex (all keys), claims.tex (table of claims), provenance.tex (where each number comes from),
sizes.tex (settings of the runs), mode.tex. The macros are defined in `paper/zeroloss.sty`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.paper import appendix, latex, settings_table as sizes
from ledger.record import results, verdicts
from ledger.record import estimates as tables
from ledger.record.claims import Claim, by_id
from ledger.record.formatting import half_width, tex_interval, tex_number
from ledger.paper.latex import Column
from ledger.record.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


def typeset(
    record: Mapping[str, Any],
    claims: Sequence[Claim],
    estimates: pd.DataFrame,
    specs: Mapping[str, Mapping[str, sizes.Spec]],
    manifests: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """Return {file name: LaTeX}.

    record: content of verdicts.json; estimates: with `study` and `key`;
    specs: {study: {case: spec}}; manifests: {"study/case": manifest} of every source;
    figures: {figure: manifest}.
    """
    rows = sorted(tables.records(estimates), key=lambda row: row["key"])
    mode = record["mode"]
    shown = sorted(specs.items())
    lines = [appendix.Line(row["key"], row["claim"] or row["study"], row["study"],
                           estimate_of(row) if _is_bare(row)
                           else f"{estimate_of(row)} {interval_of(row)}", sources_of(row))
             for row in rows]
    return {
        "numbers.tex": numbers(record, claims, rows, specs),
        "claims.tex": claims_table(record, claims),
        "provenance.tex": appendix.provenance(lines, figures, manifests, mode),
        "sizes.tex": "\n".join(sizes.sizes_table(study, cases, mode) for study, cases in shown),
        "mode.tex": rf"\newcommand{{\zlmode}}{{{latex.escape(mode)}}}" + "\n",
    }


def write(out: Path, files: Mapping[str, str]) -> None:
    """Write the files of `typeset` into `out`."""
    for name, text in sorted(files.items()):
        results.write_text(Path(out) / name, text)


def read_manifests(
    rows: Iterable[Row], figures: Mapping[str, Mapping[str, Any]], folder: Path
) -> dict[str, dict[str, Any]]:
    """Return {"study/case": manifest} of every case that an estimate or a figure comes from."""
    sources = {source for row in rows for source in sources_of(row)}
    sources |= {source for figure in figures.values() for source in appendix.read_by(figure)}
    return {source: results.read_manifest(Path(folder) / f"{source}.parquet")
            for source in sorted(sources)}


def sources_of(row: Row) -> list[str]:
    """Return the sources of an estimate as "study/case"."""
    return [f"{row['study']}/{case}" for case in row["sources"].split(";") if case]


# --- numbers.tex ---------------------------------------------------------------------------------


def numbers(
    record: Mapping[str, Any],
    claims: Sequence[Claim],
    rows: Sequence[Row],
    specs: Mapping[str, Mapping[str, sizes.Spec]],
) -> str:
    """Return the definitions of all keys, one per line."""
    lines = [_definition(row) for row in rows]
    known = by_id(claims)
    for verdict in record["claims"]:
        lines.append(_claim_definition(verdict, known[verdict["id"]]))
    lines += [rf"\zlcountdef{{{word}}}{{\num{{{count}}}}}" for word, count in _counts(record)]
    lines += _settings(claims, specs)
    return "\n".join(lines) + "\n"


def estimate_of(row: Row) -> str:
    """Return the estimate of a row as LaTeX, with the digits that its interval allows."""
    return tex_number(
        _value(row, "estimate"), half_width(_value(row, "lower"), _value(row, "upper"))
    )


def interval_of(row: Row) -> str:
    """Return the interval of a row as LaTeX."""
    return tex_interval(_value(row, "lower"), _value(row, "upper"))


def count_of(row: Row, name: str) -> str:
    """Return a count of a row as LaTeX."""
    return r"\zlna{}" if row[name] is None else rf"\num{{{row[name]}}}"


def _value(row: Row, name: str) -> float:
    return results.number(row[name])


def _is_bare(row: Row) -> bool:
    """Tell whether a row has no interval to show: a plain number, or nothing measured at all."""
    no_interval = math.isnan(_value(row, "lower") + _value(row, "upper"))
    return no_interval and (not row["claim"] or math.isnan(_value(row, "estimate")))


def _definition(row: Row) -> str:
    floor, level = _value(row, "floor"), _value(row, "level")
    cells = (
        row["key"],
        estimate_of(row),
        "" if _is_bare(row) else interval_of(row),
        tex_number(floor, _floor_precision(row, floor)),
        count_of(row, "replicates"),
        count_of(row, "sizes"),
        r"\zlna{}" if math.isnan(level) else rf"\zlpercent{{{100 * level:g}}}",
    )
    return r"\zldef" + "".join(f"{{{cell}}}" for cell in cells)


def _floor_precision(row: Row, floor: float) -> float:
    """As exact as the interval beside it, and never less than two digits."""
    half = 0.5 * (_value(row, "upper") - _value(row, "lower"))
    return min(abs(floor), half) if half > 0 else abs(floor)


def _claim_definition(verdict: Mapping[str, Any], claim: Claim) -> str:
    predicate = "; ".join(
        rf"{latex.escape(p.quantity)} {latex.numbers_in(p.words())}" for p in claim.predicate
    )
    cells = (
        claim.id,
        latex.escape(verdict["verdict"]),
        latex.escape(claim.title),
        claim.statement,
        predicate,
        verdict["deciding"] or "",
    )
    return r"\zlclaimdef" + "".join(f"{{{cell}}}" for cell in cells)


def _counts(record: Mapping[str, Any]) -> list[tuple[str, int]]:
    return sorted(verdicts.counts(record["claims"]).items())


def _settings(claims: Sequence[Claim], specs: Mapping[str, Mapping[str, sizes.Spec]]) -> list[str]:
    """Return the definitions of all settings; two studies may not disagree on one path."""
    found: dict[str, tuple[str, str]] = {}
    for study, cases in sorted(specs.items()):
        for case, spec in sorted(cases.items()):
            for path, text in sizes.leaves(spec, case):
                if found.setdefault(path, (f"zl:case:{case}", text))[1] != text:
                    raise ResultError(
                        f"{path}: case {case} of {study} is also another study's; rename it"
                    )
    for claim in claims:
        kept = claim.model_dump(
            include={"level", "predicate", "tolerance", "regime", "budget_minutes"}
        )
        for path, text in sizes.leaves(kept, claim.id):
            found[path] = (f"zl:claim:{claim.id}", text)
    return [
        rf"\zlconfdef{{{path}}}{{{target}}}{{{text}}}"
        for path, (target, text) in sorted(found.items())
    ]


# --- claims.tex ----------------------------------------------------------------------------------

CLAIM_COLUMNS = (
    Column("claim", 0.375),
    Column("verdict", 0.155),
    Column("estimate", 0.115),
    Column("interval", 0.225),
    Column("replicates", 0.13, right=True),
)


def claims_table(record: Mapping[str, Any], claims: Sequence[Claim]) -> str:
    """Return the longtable of all claims, each with its deciding estimate."""
    known = by_id(claims)
    rows = [_claim_row(verdict, known[verdict["id"]]) for verdict in record["claims"]]
    caption = (
        "Every claim with its verdict and the estimate that decided it, the one nearest to failing."
    )
    if record["mode"] == "quick":
        caption += r" \textbf{Quick mode}: small sizes, few replicates; not the published run."
    return latex.longtable(CLAIM_COLUMNS, [r" \addlinespace".join(rows)], caption, "tab:claims")


def _claim_row(verdict: Mapping[str, Any], claim: Claim) -> str:
    deciding = verdicts.row_of(dict(verdict))
    head = rf"\zltarget{{claim:{claim.id}}}{latex.name(claim.id)}\newline {claim.statement}"
    if deciding is None:
        return latex.row(head, latex.escape(verdict["verdict"]), *3 * [r"\zlna{}"])
    place = f"{latex.name(deciding['quantity'])} at {latex.name(deciding['cell'])}"
    return latex.row(
        rf"{head}\newline {{\scriptsize decided by {place}}}",
        latex.escape(verdict["verdict"]),
        rf"\zlest{{{deciding['key']}}}",
        rf"\zlint{{{deciding['key']}}}",
        rf"\zlrep{{{deciding['key']}}}",
    )
