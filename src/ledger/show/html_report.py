"""A run as one HTML file: verdicts, figures, rules, configuration, and Snakemake's own report.

The file is whole in itself: its policy forbids every connection. Snakemake's own report lies in it
unchanged, in a frame that is filled when it is opened.
"""

from __future__ import annotations

import base64
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from ledger.config.paper import paper
from ledger.paper.latex import macros, mathematics
from ledger.record import estimates, results, verdicts
from ledger.record.claims import Claim, Predicate, by_id
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.run import costs, workflow
from ledger.show import claims_table as report

TEMPLATE = "report.html.jinja"
MANIFEST = ".manifest.json"
WIDTH = 150  # of the drawing of an interval, in pixels


@dataclass(frozen=True)
class Figure:
    """A figure of the run: its picture as a data URI, what it shows, and what it was drawn from."""

    name: str
    study: str
    picture: str
    caption: str
    function: str
    cases: frozenset[str]


def write(
    folder: Path,
    mode: str,
    stated: Sequence[Claim],
    snakemake: Path,
    configuration: Sequence[Path],
    preamble: Path,
    out: Path,
) -> None:
    """Write the report of the run of `mode` in `folder` around the one of Snakemake.

    `configuration` are files of YAML, `preamble` defines the macros of the statements. Same files,
    same bytes.
    """
    import jinja2

    record, known = read_verdicts(folder / VERDICTS, mode=mode), by_id(stated)
    unknown = sorted({entry["id"] for entry in record["claims"]} - set(known))
    if unknown:
        raise ResultError(
            f"each claim of {VERDICTS} must be stated, got {', '.join(unknown)} "
            "besides; give the file that states it with --claims"
        )
    drawn, loader = figures(folder), jinja2.PackageLoader("ledger.show")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "estimate": report.estimate_of,
        "interval": report.interval_of,
        "highlighted": _highlighted,
        "mathematics": partial(mathematics, defined=macros(results.read_text(preamble))),
        "median": statistics.median,
    }
    claims = [
        {
            "entry": entry,
            "stated": known[entry["id"]],
            "line": line,
            "rows": zip(entry["rows"], _bars(entry["rows"], known[entry["id"]].predicate), strict=True),
            "figures": _shown(entry, drawn),
        }
        for entry, line in zip(record["claims"], report.lines_of(record), strict=True)
    ]
    html = environment.get_template(TEMPLATE).render(
        mode=mode,
        summary=report.summary(record),
        version=paper().version,
        claims=claims,
        counts=verdicts.counts(record["claims"]),
        verdicts=list(reversed(verdicts.WORST_FIRST)),
        figures=drawn,
        rules=spent_on(folder),
        colours=_colours(),
        width=WIDTH,
        configuration=[(path.as_posix(), results.read_text(path)) for path in configuration],
        snakemake=base64.b64encode(results.read_bytes(snakemake)).decode(),
    )
    results.write_text(out, html)


def _shown(entry: Mapping[str, Any], drawn: Sequence[Figure]) -> list[str]:
    """The figures that read a table which a claim rests on, those that read most first."""
    study = estimates.study_of(entry["id"])
    sources = {case for row in entry["rows"] for case in row["sources"].split(";")}
    read = {figure.name: len(figure.cases & sources) for figure in drawn if figure.study == study}
    return sorted(filter(read.__getitem__, read), key=lambda name: (-read[name], name))


class Bar(NamedTuple):
    """An interval beside what its predicate asks for, in units of a drawing WIDTH wide."""

    lower: float
    estimate: float
    upper: float
    asked_from: float
    asked_to: float


def _bars(rows: Sequence[Mapping[str, Any]], predicates: Sequence[Predicate]) -> list[Bar | None]:
    """Return a bar for each row that a predicate judges; rows of one predicate share their scale.

    What is asked for without an end reaches the edge; an interval that is not finite has no bar.
    """
    bars: list[Bar | None] = [None] * len(rows)
    for predicate in predicates:
        held = {
            i: [results.number(row[name]) for name in ("lower", "estimate", "upper")]
            for i, row in enumerate(rows)
            if predicate.concerns(row["quantity"], row["cell"])
        }
        held = {i: ends for i, ends in held.items() if all(map(math.isfinite, ends))}
        if not held:
            continue
        if predicate.inside is not None:
            asked = list(predicate.inside)
        elif predicate.covers is not None:
            asked = [predicate.covers] * 2
        else:
            asked = [-math.inf, predicate.at_most]
        known = [x for ends in (asked, *held.values()) for x in ends if math.isfinite(x)]
        least, span = min(known), (max(known) - min(known)) or 1.0

        def place(value: float, least: float = least, span: float = span) -> float:
            share = 0.06 + 0.88 * (value - least) / span
            return round(WIDTH * min(max(share, 0.0), 1.0), 1)

        for i, ends in held.items():
            bars[i] = Bar(*map(place, [*ends, *asked]))
    return bars


# --- what is read --------------------------------------------------------------------------------


def figures(folder: Path) -> list[Figure]:
    """Return the figures of the run in `folder`, each with the caption beside its module.

    A picture that is not the one its manifest describes raises ResultError.
    """
    found = []
    for path in sorted((Path(folder) / "figures").glob(f"*{MANIFEST}")):
        name, manifest = path.name.removesuffix(MANIFEST), results.read_sealed(path)
        picture = results.read_described(path.with_name(f"{name}.png"), manifest["files"][f"{name}.png"])
        shown = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        text = caption(workflow.caption(Path(manifest["module"]), name))
        read = frozenset(manifest["inputs"])
        found.append(Figure(name, manifest["study"], shown, text, manifest["function"], read))
    return found


def spent_on(folder: Path) -> list[tuple[str, list[costs.Cost]]]:
    """Return each rule with what its jobs took, read off the manifests."""
    spent = defaultdict[str, list[costs.Cost]](list)
    for (study, case), cost in costs.of_run(folder).items():
        kind = "measure" if case == costs.MEASURING else "simulate"
        spent[f"{kind}_{study}"].append(cost)
    return sorted(spent.items(), reverse=True)


# --- text ----------------------------------------------------------------------------------------


def caption(text: str) -> Any:
    """Return reStructuredText as HTML; it may neither include files nor hold raw HTML."""
    import markupsafe
    from docutils.core import publish_parts

    safe = {
        "raw_enabled": False,
        "file_insertion_enabled": False,
        "halt_level": 3,
        "_disable_config": True,
        "math_output": "MathML",
    }
    parts: dict[str, Any] = {**publish_parts(text, writer="html5", settings_overrides=safe)}
    return markupsafe.Markup(parts["body"])


def _highlighted(text: str) -> Any:
    import markupsafe
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import YamlLexer

    return markupsafe.Markup(highlight(text, YamlLexer(), HtmlFormatter(nowrap=True)))


@cache
def _colours() -> Any:
    """Return the style of highlighted YAML, for light and for dark."""
    import markupsafe
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=name).get_style_defs(".yaml") for name in ("default", "github-dark"))
    return markupsafe.Markup(f"{light}\n@media (prefers-color-scheme: dark) {{{dark}}}")
