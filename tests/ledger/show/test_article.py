"""Links of LaTeXML's page become panels with the evidence of the run; what the run does not have is an error.

What follows a figure is drawn from the run too.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import evidence
import pytest
from toy import walk

from ledger.paper import latex
from ledger.record import results
from ledger.record.claims import load_claims
from ledger.record.results import ResultError
from ledger.show import article, drawn
from ledger.show.drawn import SIDE, WIDTH, Pair
from zeroloss import cli

HOSTILE = "</script><script>alert(1)</script>"
PAGE = """<html><head><link rel="stylesheet" href="a.css" type="text/css"></head><body><article class="ltx_document">
<section id="S1" class="ltx_section">
<h2 class="ltx_title"><span class="ltx_tag" id="S1.1">1 </span>Means</h2>
<a href="evidence.html#zl:{key}" title="" class="ltx_ref zl">1.0</a>
<math><mn mathvariant="normal" href="evidence.html#zl:claim:toy.depth">2</mn></math>
<figure><object type="image/svg+xml" data="toy.svg" id="F1.g1"></object></figure>
</section></article></body></html>"""
PARTS = """
def claims(record, run_of):
    assert list(run_of("toy").cases)
    return {"kind": "claims", "title": "Rates", "note": "Each.", "claims": ["toy.depth"]}
INTERACTIVE = {"toy": claims, "nowhere": lambda *_: {"kind": "pairs", "pairs": {}}}
"""


@pytest.fixture
def run(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a finished run of the toy study."""
    monkeypatch.chdir(tmp_path)
    walk(tmp_path, "quick", evidence.claim_entry(title=f"First order {HOSTILE}"))
    results.write_text(tmp_path / "main.tex", "\\newcommand{\\PP}{\\mathbb{P}}\n")
    results.write_text(tmp_path / "a.css", "body { color: red }")
    results.write_text(tmp_path / "toy.svg", "<svg/>")
    return tmp_path


def written(run: Path, key: str = "", *more: str) -> int:
    record = results.read_sealed(run / "results" / "quick" / "verdicts.json")
    results.write_text(run / "page.html", PAGE.format(key=key or record["claims"][0]["rows"][0]["key"]))
    places = {"page": "page.html", "results": "results", "claims": "claims.yaml", "preamble": "main.tex"}
    words = [word for option, name in places.items() for word in (f"--{option}", str(run / name))]
    return cli.main(["article", "--mode", "quick", *words, *more, "--out", str(run / "article.html")])


def held(text: str) -> dict[str, str]:
    """{anchor: evidence} of an article, as its script reads them."""
    found = re.search(r'<script type="application/json" id="evidence">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_each_link_opens_its_evidence_and_nothing_lies_outside(run: Path) -> None:
    assert written(run) == 0
    text = (run / "article.html").read_text()
    key = results.read_sealed(run / "results" / "quick" / "verdicts.json")["claims"][0]["rows"][0]["key"]
    evidence = held(text)
    assert f'<a href="evidence.html#zl:{key}"' in text
    link = '<a href="evidence.html#zl:claim:toy.depth" class="zl" title="evidence of 2">'
    assert f'{link}<math><mn mathvariant="normal" class="zl">2</mn></math></a>' in text
    assert set(evidence) == {f"zl:{key}", "zl:claim:toy.depth"}
    assert f" trace {key} --mode quick</code>" in evidence[f"zl:{key}"]
    assert (
        "the gap in <math" in evidence["zl:claim:toy.depth"] and html.escape(HOSTILE) in evidence["zl:claim:toy.depth"]
    )
    assert "color: red" in text and "data:image/svg+xml,%3Csvg/%3E" in text
    assert '<a href="#S1"><span class="ltx_tag">1 </span>Means</a>' in text
    assert HOSTILE not in text


def test_a_number_that_the_run_does_not_have_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert written(run, "toy.depth/slope/nowhere") == 2
    assert "toy.depth/slope/nowhere" in capsys.readouterr().err and not (run / "article.html").exists()


def test_a_formula_has_one_number_with_evidence() -> None:
    number = '<mi href="evidence.html#zl:{}">1</mi>'
    assert article.article_of(f"<article><math>{number.format('a')}</math>.</article>").count("<a ") == 1
    with pytest.raises(ResultError, match="a formula of its own"):
        article.article_of(f"<article><math>{number.format('a')}{number.format('b')}</math></article>")


def test_small_text_has_the_size_that_the_page_gives() -> None:
    small = '<mi mathsize="80%">O</mi><mo maxsize="80%" minsize="80%" rspace="0em" stretchy="true">(</mo>'
    made = article.article_of(f"<article><math>{small}</math></article>")
    assert '<mi>O</mi><mo rspace="0em" stretchy="false">(</mo>' in made


def test_a_part_follows_its_figure_and_an_empty_one_is_left_out(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results.write_text(run / "parts_of_toy.py", PARTS)
    monkeypatch.syspath_prepend(str(run))
    assert written(run, "", "--interactive", "parts_of_toy") == 0
    after = (run / "article.html").read_text().partition("</figure>")[2]
    assert after.startswith('<section class="part"') and '<svg class="bar ' in after.partition("</section>")[0]
    results.write_text(run / "parts_elsewhere.py", PARTS.replace('"toy": claims', '"absent": claims'))
    assert written(run, "", "--interactive", "parts_elsewhere") == 2


def test_an_interval_is_drawn_beside_what_is_asked() -> None:
    claim = evidence.claim(
        predicate=[
            {"quantity": "slope_L", "inside": [-1.02, -0.98], "interval": "confidence"},
            {"quantity": "gap", "at_most": 0.5, "interval": "confidence"},
            {"quantity": "slack", "inside": [0.0, float("inf")], "interval": "confidence"},
        ],
        tolerance={"*": {"abs": 0.1}},
    )
    of_slope = (("slope_L", -1.0, 0.01), ("slope_L", -1.1, 0.02))
    others = (("gap", 0.2, 0.1), ("other", 0.0, 0.1), ("gap", float("nan"), 0.1), ("slack", 3.0, 0.1))
    rows = [evidence.row(*each) for each in (*of_slope, *others)]
    inside, outside, below, other, unknown, above = drawn.bars(rows, claim.predicate)
    assert inside and outside and below and other is None and unknown is None
    assert inside.asked_from < inside.lower < inside.estimate < inside.upper < inside.asked_to
    assert outside.upper < outside.asked_from and outside.asked_from == inside.asked_from
    assert below.asked_from == 0.0 and below.upper < below.asked_to < WIDTH
    assert above and 0 < above.asked_from < above.lower
    assert above.asked_to == WIDTH


def test_pairs_lie_on_the_diagonal_where_they_agree() -> None:
    pairs = [Pair("equal", 0.01, 0.005, 0.01, 0.02), Pair("more", 10.0, 10.0, 20.0, 30.0)]
    shown = drawn.plane([*pairs, Pair("none", 1.0, 0.0, float("inf"), float("inf")), Pair("no", -1.0, 1.0, 1.0, 1.0)])
    equal, more = shown.pairs
    assert equal.predicted == equal.estimate and 0 <= equal.lower < equal.estimate < equal.upper
    assert more.predicted == more.lower < more.estimate < more.upper <= SIDE
    assert [mark for _, mark in shown.ticks] == ["0.01", "0.1", "1", "10"]
    assert drawn.plane([]).pairs == []


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    assert written(run) == 0
    first = (run / "article.html").read_bytes()
    assert written(run) == 0 and (run / "article.html").read_bytes() == first


def test_a_run_of_another_mode_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = results.read_sealed(run / "results" / "quick" / "verdicts.json")["claims"][0]["rows"][0]["key"]
    (run / "results" / "quick").rename(run / "results" / "full")
    results.write_text(run / "page.html", PAGE.format(key=key))
    words = [
        "--page",
        str(run / "page.html"),
        "--claims",
        str(run / "claims.yaml"),
        "--preamble",
        str(run / "main.tex"),
    ]
    assert cli.main(["article", *words, "--out", str(run / "article.html")]) == 2
    assert "must be of mode full, got quick" in capsys.readouterr().err


def test_a_verdict_whose_claim_is_not_stated_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence.write_claims(run / "claims.yaml", evidence.claim_entry(id="toy.other"))
    assert written(run) == 2
    assert "toy.depth" in capsys.readouterr().err


def test_statements_of_the_paper_become_mathml() -> None:
    root = Path(__file__).resolve().parents[3]
    defined = latex.macros((root / "paper" / "preamble.tex").read_text())
    assert defined[r"\PP"] == r"\mathbb{P}"
    for claim in load_claims(*(root / "paper" / "claims").glob("*.yaml")):
        for text in (claim.statement, claim.estimator):
            made = f"<p>{latex.mathematics(text, defined)}</p>"
            assert made.count("<math") == text.count("$") // 2
