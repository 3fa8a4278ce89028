"""The paper as one web page: what LaTeXML made of its TeX, with pictures and the evidence of each number in it.

In the page of LaTeXML each number is a link into evidence.html. Here its evidence opens in the page itself; without
a script the link still leads there. What a paper wants to be interactive follows the figures that it names
(`ledger.show.drawn`).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import jinja2
from markupsafe import Markup

from ledger.config.paper import paper
from ledger.paper.latex import macros, mathematics
from ledger.paper.settings_table import Specs
from ledger.record import estimates, results
from ledger.record.claims import Claim, by_id
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.run import jobs
from ledger.show import claims_table, drawn
from ledger.study import Run

TEMPLATE = "article.html.jinja"
FOLLOWS = "interactive.html.jinja"
PANEL = "panel.html.jinja"
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
LINK = re.compile(r'href="evidence\.html#(zl:[^"]+)"')
FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)
TOKEN = re.compile(r'<(m\w+)([^>]*?) (href="evidence[^"]+")([^>]*)>(.*?)</\1>')
PICTURE = re.compile(r'<object type="image/svg\+xml" data="([^"]+)"[^>]*></object>')
SMALL = re.compile(r'<mo([^>]*) maxsize="\d\d%" minsize="\d\d%"([^>]*?)(?: stretchy="true")?(?: symmetric="true")?>')
SIZE = re.compile(r' (?:math|max|min)size="\d+%"')
SLASH = re.compile(r"<mo[^>]*>/</mo>")
BEFORE_POINT = re.compile(r"(</math>(?:</a>)?)(?=[.,;:)])")
PATH = re.compile(r'(?<= d=")[^"]+')
DECIMALS = re.compile(r"\d+\.\d{3,}")
ALT = "The drawing that the caption describes"
ID = re.compile(r' id="[^"]*"')
SECTION = re.compile(r'<section id="([^"]+)" class="ltx_(?:section|appendix)">\s*<h2[^>]*>(.*?)</h2>', re.DOTALL)


class Panel(NamedTuple):
    """What opens at a number, a verdict or a setting: `target` is its anchor, `kind` a part of the template."""

    target: str
    kind: str
    name: str
    content: Any


def write(
    page: Path, folder: Path, mode: str, stated: Sequence[Claim], preamble: Path, interactive: str, out: Path
) -> None:
    """Write the article of the run of `mode` in `folder` from the page that LaTeXML made, its pictures beside it.

    `preamble` defines the macros of the statements; `interactive` is the module that says what follows which figure,
    "" for none. Same files, same bytes.
    """
    made = results.read_text(page)
    record, claims = read_verdicts(folder / VERDICTS, mode=mode), by_id(stated)
    unknown = sorted({entry["id"] for entry in record["claims"]} - set(claims))
    if unknown:
        raise ResultError(
            f"each claim of {VERDICTS} must be stated, got {', '.join(unknown)} "
            "besides; give the file that states it with --claims"
        )
    environment = templates(results.read_text(preamble), mode)
    answering = drawn.parts_of(interactive, record, lambda study: run_of(study, folder)) if interactive else {}
    entries = {entry["id"]: entry for entry in record["claims"]}
    shown = partial(environment.get_template(FOLLOWS).render, entries=entries, stated=claims)
    body = with_parts(article_of(made), {figure: shown(figure=figure, part=part) for figure, part in answering.items()})
    specs = {path.parent.name: results.read_sealed(path) for path in sorted(folder.glob("*/specs.json"))}
    panel = environment.get_template(PANEL)
    text = environment.get_template(TEMPLATE).render(
        summary=claims_table.summary(record),
        body=Markup(with_pictures(body, page.parent)),
        style=Markup("\n".join(results.read_text(page.parent / name) for name in STYLE.findall(made))),
        contents=[(target, Markup(ID.sub("", heading))) for target, heading in SECTION.findall(body)],
        panels={one.target: panel.render(panel=one) for one in panels(targets_of(body), record, claims, specs)},
    )
    results.write_text(out, text)


def templates(preamble: str, mode: str) -> jinja2.Environment:
    """Return the environment of the templates; `preamble` defines the macros of the statements."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ledger.show"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "estimate": claims_table.estimate_of,
        "interval": claims_table.interval_of,
        "mathematics": partial(mathematics, defined=macros(preamble)),
        "json": partial(json.dumps, ensure_ascii=False, indent=1),
        "bars": lambda rows, claim: zip(rows, drawn.bars(rows, claim.predicate), strict=True),
        "plane": drawn.plane,
        "script": in_script,
    }
    environment.globals |= {"WIDTH": drawn.WIDTH, "SIDE": drawn.SIDE, "paper": paper(), "mode": mode}
    return environment


def in_script(data: Any) -> Markup:
    """Return data as JSON that can stand in a script, where nothing is escaped and `</script` would end it."""
    text = json.dumps(data, ensure_ascii=False)
    return Markup(text.replace("</", "<\\/").replace("<!--", "\\u003c!--"))


def run_of(study: str, folder: Path) -> Run:
    """Return the cases and tables of a study of the run in `folder`."""
    return jobs.read_run(jobs.read_cases(study, folder / study / jobs.SPECS), folder / study)[0]


def article_of(made: str) -> str:
    """Return the article of a page of LaTeXML, with links and sizes as browsers take them."""
    found = re.search(r"<article.*</article>", made, re.DOTALL)
    if found is None:
        raise ResultError("the page must hold an article as LaTeXML writes it; run make article again")
    body = FORMULA.sub(linked, found[0])
    # Tables and captions have the size that the page gives, so that no parenthesis of theirs need be stretched to it;
    # a slash that could stretch has the room of an operator.
    body = SIZE.sub("", SMALL.sub(r'<mo\1\2 stretchy="false">', body))
    body = SLASH.sub('<mo lspace="0" rspace="0">/</mo>', body)
    return BEFORE_POINT.sub(r"\1&NoBreak;", body)


def linked(formula: re.Match[str]) -> str:
    """Return a formula in a link to the evidence of its number, of which it may hold one.

    MathML in browsers has no links, and what lies in a formula is, for a screen reader, no link either.
    """
    targets = {token[3]: token[5] for token in TOKEN.finditer(formula[0])}
    if len(targets) > 1:
        raise ResultError(
            f"a formula must hold one number that has evidence, got {', '.join(sorted(targets))}; "
            "write each in a formula of its own"
        )
    made = TOKEN.sub(r'<mn\2\4 class="zl">\5</mn>', formula[0])  # which is upright
    if not targets:
        return made
    [(target, number)] = targets.items()
    return f'<a {target} class="zl" title="evidence of {number}">{made}</a>'


def with_parts(body: str, parts: Mapping[str, str]) -> str:
    """Return a body in which each part follows the figure that it is named after."""
    for figure, part in parts.items():
        place = re.search(rf'<object [^>]*data="{re.escape(figure)}\.svg".*?</figure>', body, re.DOTALL)
        if place is None:
            raise ResultError(
                f"the article must show {figure}, which an interactive part follows; run make article again"
            )
        body = body[: place.end()] + part + body[place.end() :]
    return body


def with_pictures(body: str, folder: Path) -> str:
    """Return a body with its pictures, SVG in `folder`, in it; a hundredth of a point is enough."""

    def rounded(path: re.Match[str]) -> str:
        return DECIMALS.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), path[0])

    def picture(image: re.Match[str]) -> str:
        content = quote(PATH.sub(rounded, results.read_text(folder / image[1])), safe=" '=:;/,.!*()_~+@&$?")
        return f'<img src="data:image/svg+xml,{content}" alt="{ALT}">'

    return PICTURE.sub(picture, body)


def targets_of(body: str) -> list[str]:
    """Return the anchors of evidence that a body links to, each once, in order."""
    return list(dict.fromkeys(unquote(html.unescape(target)) for target in LINK.findall(body)))


def panels(
    targets: Iterable[str], record: Mapping[str, Any], claims: Mapping[str, Claim], specs: Mapping[str, Specs]
) -> Iterable[Panel]:
    """Return the panel of each target, and of every claim that one of them belongs to.

    An anchor that the run does not know raises ResultError.
    """
    judged = {entry["id"]: entry for entry in record["claims"]}
    rows = {row["key"]: (entry["id"], row) for entry in record["claims"] for row in entry["rows"]}
    rows |= {row["key"]: ("", row) for row in record["numbers"]}
    of_case = {case: (study, spec) for study, cases in specs.items() for case, spec in cases.items()}
    wanted = dict.fromkeys(targets)
    wanted |= dict.fromkeys(f"zl:claim:{rows[key][0]}" for key in (t[3:] for t in wanted) if rows.get(key, ("",))[0])
    for target in wanted:
        name = target.removeprefix("zl:")
        if name in rows:
            claim, row = rows[name]
            study = estimates.study_of(claim or name.partition("/")[0])
            files = [f"{study}/{case}.parquet" for case in row["sources"].split(";") if case]
            yield Panel(target, "number", name, {"row": row, "claim": claim, "study": study, "files": files})
        elif (claim := name.removeprefix("claim:")) in judged:
            yield Panel(target, "claim", claim, {"entry": judged[claim], "stated": claims[claim]})
        elif (case := name.removeprefix("case:")) in of_case:
            yield Panel(target, "setting", "/".join((of_case[case][0], case)), of_case[case][1])
        else:
            raise ResultError(f"the article links to {name}, which the run does not have; run make article again")
