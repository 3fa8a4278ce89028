"""A run as one HTML file: verdicts, figures, rules, configuration, and Snakemake's own report.

The file is whole in itself: its policy forbids every connection. Snakemake's own report lies in it
unchanged, in a frame that is filled when it is opened.
"""

from __future__ import annotations

import base64
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ledger.config.paper import paper
from ledger.record import results, verdicts
from ledger.record.claims import Claim, Predicate, by_id
from ledger.record.formatting import format_interval, format_number, half_width
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.run import costs, workflow
from ledger.show import claims_table as report

TEMPLATE = "report.html.jinja"
MANIFEST = ".manifest.json"
WIDTH = 150  # of the drawing of an interval, in pixels
OWN = "this"  # the source of a claim that is made here
FEWEST_TOLD = 3  # sources of a row that are named; of more, their number is given


@dataclass(frozen=True)
class Figure:
    """A figure of the run: its picture as a data URI, what it shows, and what it was drawn from."""

    name: str
    study: str
    picture: str
    caption: str
    function: str
    cases: frozenset[str]


def write(folder: Path, mode: str, stated: Sequence[Claim], snakemake: Path,
          configuration: Sequence[Path], preamble: Path, out: Path) -> None:
    """Write the report of the run of `mode` in `folder` around the one of Snakemake."""
    record = read_verdicts(folder / VERDICTS)
    if record["mode"] != mode:
        raise ResultError(f"{folder / VERDICTS} must be of mode {mode}, got {record['mode']}; "
                          "judge that mode first")
    settings = [(path.as_posix(), results.read_text(path)) for path in configuration]
    html = page(record, stated, figures(folder), statistics_of(folder), settings,
                results.read_bytes(snakemake), macros(results.read_text(preamble)))
    results.write_text(out, html)


def page(record: Mapping[str, Any], stated: Sequence[Claim], drawn: Sequence[Figure],
         rules: Sequence[Mapping[str, Any]], configuration: Sequence[tuple[str, str]],
         snakemake: bytes, defined: Mapping[str, str]) -> str:
    """Return the HTML of a record of verdicts, its claims and figures.

    `rules` as of `statistics_of`, `configuration` (name, YAML), `snakemake` the bytes of its own
    report, `defined` the macros of the statements. Same arguments, same bytes.
    """
    import jinja2

    known = by_id(stated)
    unknown = sorted({entry["id"] for entry in record["claims"]} - set(known))
    if unknown:
        raise ResultError(f"each claim of {VERDICTS} must be stated, got {', '.join(unknown)} "
                          "besides; give the file that states it with --claims")
    lines = {line[0]: line for line in report.lines_of(record)}
    judged = [_claim(entry, known[entry["id"]], lines[entry["id"]], drawn, defined)
              for entry in record["claims"]]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ledger.show"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template(TEMPLATE).render(
        mode=record["mode"], summary=report.summary(record), version=paper().version,
        counts=verdicts.counts(record["claims"]), verdicts=list(reversed(verdicts.WORST_FIRST)),
        claims=judged, studies=_by_study(drawn), rules=rules,
        configuration=[(name, _highlighted(text)) for name, text in configuration],
        colours=_colours(), width=WIDTH, snakemake=base64.b64encode(snakemake).decode())


def _claim(entry: Mapping[str, Any], stated: Claim, line: Sequence[str], drawn: Sequence[Figure],
           defined: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page says of one claim."""
    study, rows = stated.id.partition(".")[0], entry["rows"]
    sources = {case for row in rows for case in row["sources"].split(";")}
    shown = sorted((figure for figure in drawn
                    if figure.study == study and figure.cases & sources),
                   key=lambda figure: (-len(figure.cases & sources), figure.name))
    return {"id": stated.id, "study": study, "title": stated.title, "verdict": entry["verdict"],
            "statement": mathematics(stated.statement, defined),
            "estimator": mathematics(stated.estimator, defined),
            "source": ", ".join([stated.source.label, _paper(stated.source.paper),
                                 stated.source.role]),
            "planted": stated.negative_control, "level": f"{stated.level:g}",
            "predicates": [(p.quantity, p.cells, p.words()) for p in stated.predicate],
            "decided": line[2], "estimate": line[3], "interval": line[4], "replicates": line[5],
            "reasons": entry["reasons"],
            "rows": [_row(row) | {"bar": bar}
                     for row, bar in zip(rows, _bars(rows, stated.predicate), strict=True)],
            "figures": [figure.name for figure in shown]}


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
        held = {i: [results.number(row[name]) for name in ("lower", "estimate", "upper")]
                for i, row in enumerate(rows)
                if predicate.concerns(row["quantity"], row["cell"])}
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


def _paper(key: str) -> str:
    return "this paper" if key == OWN else key


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    estimate, lower, upper = (results.number(row[name]) for name in ("estimate", "lower", "upper"))
    sources = row["sources"].split(";")
    return {"quantity": row["quantity"], "cell": row["cell"],
            "estimate": format_number(estimate, half_width(lower, upper)),
            "interval": format_interval(lower, upper),
            "replicates": "n/a" if row["replicates"] is None else str(row["replicates"]),
            "verdict": row["verdict"],
            "sources": (", ".join(sources) if len(sources) <= FEWEST_TOLD
                        else f"{len(sources)} tables")}


def _by_study(drawn: Iterable[Figure]) -> dict[str, list[Figure]]:
    found: dict[str, list[Figure]] = {}
    for figure in drawn:
        found.setdefault(figure.study, []).append(figure)
    return found


# --- what is read --------------------------------------------------------------------------------


def figures(folder: Path) -> list[Figure]:
    """Return the figures of the run in `folder`, each with the caption beside its module.

    A picture that is not the one its manifest describes raises ResultError.
    """
    found = []
    for path in sorted((Path(folder) / "figures").glob(f"*{MANIFEST}")):
        name, manifest = path.name.removesuffix(MANIFEST), results.read_sealed(path)
        picture = results.read_described(path.with_name(f"{name}.png"),
                                         manifest["files"][f"{name}.png"])
        text = workflow.caption(Path(manifest["module"]), name)
        found.append(Figure(
            name, manifest["study"], f"data:image/png;base64,{base64.b64encode(picture).decode()}",
            caption(text), manifest["function"], frozenset(manifest["inputs"])))
    return found


def statistics_of(folder: Path) -> list[dict[str, Any]]:
    """Return for each rule its jobs, their time in all, at the median and longest, and memory.

    Read off the manifests: seconds of one core, MB at the peak, MB of tables.
    """
    spent: dict[str, list[costs.Cost]] = {}
    for (study, case), cost in costs.of_run(folder).items():
        kind = "measure" if case == costs.MEASURING else "simulate"
        spent.setdefault(f"{kind}_{study}", []).append(cost)
    lines = []
    for rule, known in sorted(spent.items(), reverse=True):
        seconds = [cost.wall_seconds for cost in known]
        lines.append({
            "rule": rule, "jobs": len(known), "total": f"{sum(seconds) / 60:.1f}",
            "median": f"{statistics.median(seconds):.1f}", "longest": f"{max(seconds):.1f}",
            "memory": f"{max(cost.peak_memory_mb for cost in known):.0f}",
            "bytes": f"{sum(cost.bytes for cost in known) / 2**20:.1f}"})
    return lines


def macros(preamble: str) -> dict[str, str]:
    r"""Return the macros without arguments that a preamble defines: {r"\PP": r"\mathbb{P}"}."""
    return dict(re.findall(r"^\\newcommand\{(\\[A-Za-z]+)\}\{(.*)\}$", preamble, re.MULTILINE))


# --- text ----------------------------------------------------------------------------------------


def mathematics(text: str, defined: Mapping[str, str]) -> Any:
    """Return text with LaTeX between dollars as HTML with MathML; all else is escaped."""
    import markupsafe
    from latex2mathml.converter import convert

    parts = text.split("$")
    made = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            made.append(markupsafe.escape(part))
            continue
        for name, meaning in defined.items():
            part = re.sub(rf"{re.escape(name)}(?![A-Za-z])", lambda _, to=meaning: to, part)
        made.append(markupsafe.Markup(convert(part)))
    return markupsafe.Markup("").join(made)


def caption(text: str) -> Any:
    """Return reStructuredText as HTML; it may neither include files nor hold raw HTML."""
    import markupsafe
    from docutils.core import publish_parts

    safe = {"raw_enabled": False, "file_insertion_enabled": False, "halt_level": 3,
            "_disable_config": True, "math_output": "MathML"}
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

    light, dark = (HtmlFormatter(style=name).get_style_defs(".yaml")
                   for name in ("default", "github-dark"))
    return markupsafe.Markup(f"{light}\n@media (prefers-color-scheme: dark) {{{dark}}}")
