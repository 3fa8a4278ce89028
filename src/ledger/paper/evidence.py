"""The page where each number of a PDF leads to: its line, and the files that it was computed from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.config.paper import paper
from ledger.paper.latex import macros, mathematics
from ledger.paper.settings_table import Specs
from ledger.paper.typeset import Row, templates, width_of_floor
from ledger.record import estimates as tables
from ledger.record import results
from ledger.record.claims import Claim, by_id
from ledger.record.formatting import format_interval, format_number, half_width

if TYPE_CHECKING:
    import pandas as pd

Manifests = Mapping[str, Mapping[str, Any]]


def page(
    record: Mapping[str, Any],
    claims: Sequence[Claim],
    estimates: pd.DataFrame,
    specs: Mapping[str, Specs],
    manifests: Manifests,
    figures: Manifests,
    preamble: str,
) -> str:
    """Return the page as HTML, with an anchor for each number, claim, case, figure and file.

    Arguments as of `typeset`; manifests: {"study/case": manifest} of every source; figures: {figure:
    manifest}; preamble: LaTeX that defines the macros of the statements.
    """
    environment = templates(autoescape=True)
    environment.filters |= {
        "estimate": lambda row: format_number(_ends(row)[0], half_width(*_ends(row)[1:]), _ends(row)[1:]),
        "interval": lambda row: format_interval(*_ends(row)[1:]),
        "floor": lambda row: format_number(results.number(row["floor"]), width_of_floor(row)),
        "sources": sources_of,
        "read": read_by,
        "json": partial(json.dumps, ensure_ascii=False),
        "mathematics": partial(mathematics, defined=macros(preamble)),
    }
    rows = sorted(tables.records(estimates), key=lambda row: row["key"])
    owned = groupby(rows, key=lambda row: row["claim"] or row["study"])
    return environment.get_template("evidence.html.jinja").render(
        paper=paper(),
        record=record,
        mode=record["mode"],
        claims=by_id(claims),
        by_owner={owner: list(own) for owner, own in owned},
        specs=specs,
        manifests=manifests,
        figures=figures,
    )


def _ends(row: Row) -> list[float]:
    return [results.number(row[name]) for name in ("estimate", "lower", "upper")]


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
