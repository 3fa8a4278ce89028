"""The paper as one web page: what LaTeXML made of its TeX, with pictures and the evidence of each number in it.

In the page of LaTeXML each number is a link into evidence.html. Here it leads to a panel of the page itself.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from ledger.config.paper import paper
from ledger.paper.latex import macros, mathematics
from ledger.paper.settings_table import Specs
from ledger.record import estimates, results
from ledger.record.claims import Claim, by_id
from ledger.record.results import ResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.show import claims_table

TEMPLATE = "article.html.jinja"
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
LINK = re.compile(r'href="evidence\.html#([^"]+)"')
TOKEN = re.compile(r'<(m\w+)([^>]*?) (href="evidence[^"]+")([^>]*)>(.*?)</\1>')
PICTURE = re.compile(r'<img src="([^"]+)"')
ID = re.compile(r' id="[^"]*"')
SECTION = re.compile(r'<section id="([^"]+)" class="ltx_(?:section|appendix)">\s*<h2[^>]*>(.*?)</h2>', re.DOTALL)


class Panel(NamedTuple):
    """What opens at a number, a verdict or a setting: `target` is its anchor, `kind` names the part of the template."""

    target: str
    kind: str
    name: str
    content: Any


def write(page: Path, folder: Path, mode: str, stated: Sequence[Claim], preamble: Path, out: Path) -> None:
    """Write the article of the run of `mode` in `folder` from the page that LaTeXML made, its pictures beside it.

    `preamble` defines the macros of the statements. Same files, same bytes.
    """
    import jinja2
    import markupsafe

    made = results.read_text(page)
    record = read_verdicts(folder / VERDICTS, mode=mode)
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
        "mathematics": partial(mathematics, defined=macros(results.read_text(preamble))),
        "files": files_of,
        "json": partial(json.dumps, ensure_ascii=False, indent=1),
    }
    body = article_of(made, page.parent)
    specs = {path.parent.name: results.read_sealed(path) for path in sorted(folder.glob("*/specs.json"))}
    text = environment.get_template(TEMPLATE).render(
        paper=paper(),
        mode=mode,
        summary=claims_table.summary(record),
        body=markupsafe.Markup(body),
        style=markupsafe.Markup("\n".join(results.read_text(page.parent / name) for name in STYLE.findall(made))),
        contents=[(target, markupsafe.Markup(ID.sub("", heading))) for target, heading in SECTION.findall(body)],
        panels=list(panels(targets_of(body), record, by_id(stated), specs)),
    )
    results.write_text(out, text)


def article_of(made: str, folder: Path) -> str:
    """Return the article of a page of LaTeXML: links lead to its own panels, pictures (SVG in `folder`) are in it."""
    found = re.search(r"<article.*</article>", made, re.DOTALL)
    if found is None:
        raise ResultError("the page must hold an article as LaTeXML writes it; run make article again")
    # MathML in browsers has no links: the text of a token is one.
    body = TOKEN.sub(r"<\1\2\4><a \3>\5</a></\1>", found[0])
    body = LINK.sub(lambda link: f'href="#{html.escape(unquote(html.unescape(link[1])))}" aria-haspopup="dialog"', body)

    def picture(image: re.Match[str]) -> str:
        content = results.read_bytes(folder / image[1])
        return f'<img src="data:image/svg+xml;base64,{base64.b64encode(content).decode()}"'

    return PICTURE.sub(picture, body)


def targets_of(body: str) -> list[str]:
    """Return the anchors of evidence that a body links to, each once, in order."""
    return list(dict.fromkeys(html.unescape(target) for target in re.findall(r'href="#(zl:[^"]+)"', body)))


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
            yield Panel(target, "number", name, {"row": row, "claim": claim, "study": study})
        elif (claim := name.removeprefix("claim:")) in judged:
            yield Panel(target, "claim", claim, {"entry": judged[claim], "stated": claims[claim]})
        elif (case := name.removeprefix("case:")) in of_case:
            yield Panel(target, "setting", "/".join((of_case[case][0], case)), of_case[case][1])
        else:
            raise ResultError(f"the article links to {name}, which the run does not have; run make article again")


def files_of(row: Mapping[str, Any], study: str) -> list[str]:
    """Return the files that a row was computed from, below the folder of the run."""
    return [f"{study}/{case}.parquet" for case in row["sources"].split(";") if case]
