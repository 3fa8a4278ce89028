"""Verdicts, estimates and settings as LaTeX: what `paper/main.tex` reads, and nothing it must know.

One template for each file: numbers.tex (all keys), claims.tex (table of claims), glance.tex (all
verdicts, study by study), sizes.tex (settings of the runs), mode.tex. The macros are defined in
`paper/zeroloss.sty`; the page where each number leads to is `ledger.paper.evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.paper import latex, settings_table
from ledger.paper.settings_table import Specs
from ledger.record import estimates as tables
from ledger.record import power, results, verdicts
from ledger.record.claims import Claim, by_id
from ledger.record.estimates import study_of
from ledger.record.formatting import half_width, prints_as_one, tex_interval, tex_number
from ledger.record.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
FILES = ("numbers", "claims", "glance", "sizes", "mode")


def typeset(
    record: Mapping[str, Any], claims: Sequence[Claim], estimates: pd.DataFrame, specs: Mapping[str, Specs]
) -> dict[str, str]:
    """Return {file name: LaTeX}.

    record: content of verdicts.json; estimates: with `study` and `key`; specs: {study: {case: spec}}.
    """
    rows = sorted(tables.records(estimates), key=lambda row: row["key"])
    environment = templates("<%", "%>", "<<", ">>", "<#", "#>")
    environment.filters |= {
        "name": latex.name,
        "tex": latex.escape,
        "tex_numbers": latex.numbers_in,
        "estimate": estimate_of,
        "interval": interval_of,
        "floor": floor_of,
        "count": count_of,
        "type": type_of,
        "deciding": verdicts.row_of,
        "power": power_of(by_id(claims)),
        "near": near_of(by_id(claims)),
        "familywise_error": verdicts.familywise_error,
        "percent": lambda share: rf"\zlpercent{{{100 * share:.0f}}}",
        "sizes": settings_table.sizes,
    }
    content: dict[str, Any] = {
        "table": table,
        "record": record,
        "mode": record["mode"],
        "rows": rows,
        "specs": specs,
        "claims": by_id(claims),
        "counts": verdicts.counts(record["claims"]),
        "settings": settings(claims, specs),
        "by_study": {study: list(own) for study, own in groupby(record["claims"], key=lambda one: study_of(one["id"]))},
    }
    return {f"{name}.tex": environment.get_template(f"{name}.tex.jinja").render(content) for name in FILES}


def templates(*marks: str, autoescape: bool = False) -> Any:
    """Return the environment of the templates; marks: around blocks, variables and comments."""
    import jinja2

    environment = jinja2.Environment(
        *marks,
        autoescape=autoescape,
        loader=jinja2.PackageLoader("ledger.paper"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests |= {"bare": is_bare, "exact": is_exact}
    return environment


def table(columns: Sequence[Any], caption: str, label: str, size: str, caller: Callable[[], str]) -> str:
    """A longtable around what a template says inside of its call."""
    return latex.longtable(
        [latex.Column(*column) for column in columns], [caller().removesuffix("\n")], caption, label, size
    )


def write(out: Path, files: Mapping[str, str]) -> None:
    """Write the files of `typeset` into `out`."""
    for name, text in sorted(files.items()):
        results.write_text(out / name, text)


# --- a number ------------------------------------------------------------------------------------


def _value(row: Row, name: str) -> float:
    return results.number(row[name])


def is_exact(row: Row) -> bool:
    """Tell whether both ends of the interval of a row print as one number, so that it adds nothing to the estimate."""
    return prints_as_one(_value(row, "lower"), _value(row, "upper"))


def is_bare(row: Row) -> bool:
    """Tell whether a row has no interval to show: a plain number, an exact one, or nothing measured at all."""
    no_interval = math.isnan(_value(row, "lower") + _value(row, "upper"))
    return is_exact(row) or (no_interval and (not row["claim"] or math.isnan(_value(row, "estimate"))))


def estimate_of(row: Row) -> str:
    """Return the estimate of a row as LaTeX, with the digits that its interval allows, and four of an exact one."""
    ends = _value(row, "lower"), _value(row, "upper")
    width = math.nan if is_exact(row) else half_width(*ends)
    return tex_number(_value(row, "estimate"), width, ends)


def interval_of(row: Row) -> str:
    """Return the interval of a row as LaTeX."""
    return tex_interval(_value(row, "lower"), _value(row, "upper"))


def floor_of(row: Row) -> str:
    """Return the floor of a row: as exact as its interval, and never less than two digits."""
    return tex_number(_value(row, "floor"), width_of_floor(row))


def width_of_floor(row: Row) -> float:
    """Return half of the length that the digits of a floor stand for."""
    floor, half = abs(_value(row, "floor")), 0.5 * (_value(row, "upper") - _value(row, "lower"))
    return min(floor, half) if half > 0 else floor


def power_of(claims: Mapping[str, Claim]) -> Callable[[Mapping[str, Any]], str]:
    """Return what says, of a claim's record, the power of its run and the least that it refutes."""

    def shown(record: Mapping[str, Any]) -> str:
        claim = claims[record["id"]]
        chance, effect = power.power(claim, record), power.smallest_refuted(claim, record)
        words = [] if math.isnan(chance) else [rf"power \zlpercent{{{100 * chance:.0f}}}"]
        words += [] if effect is None else [f"refutes {tex_number(effect.size)} in {latex.name(effect.quantity)}"]
        return ", ".join(words)

    return shown


def near_of(claims: Mapping[str, Claim]) -> Callable[[Mapping[str, Any]], str]:
    """Return what says, of a claim's record, its near control and whether that is refuted."""

    def shown(record: Mapping[str, Any]) -> str:
        words, found = claims[record["id"]].near_control, record.get("near")
        if not words or not found:
            return ""
        by = f" by {latex.name(found['by'].partition('/')[2])}" if found["by"] else ""
        return f"near control: {words}: {found['verdict']}{by}"

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
