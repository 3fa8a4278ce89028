"""Links of LaTeXML's page become panels with the evidence of the run; what the run does not have is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evidence
import pytest
from toy import walk

from ledger.record import results
from zeroloss import cli

HOSTILE = "</script><script>alert(1)</script>"
PAGE = """<html><head><link rel="stylesheet" href="a.css" type="text/css"></head><body><article class="ltx_document">
<section id="S1" class="ltx_section">
<h2 class="ltx_title"><span class="ltx_tag" id="S1.1">1 </span>Means</h2>
<a href="evidence.html#zl:{key}" title="" class="ltx_ref zl">1.0</a>
<math><mn mathvariant="normal" href="evidence.html#zl:claim:toy.depth">2</mn></math>
<img src="toy.svg" id="F1.g1" alt="Refer to caption"></section></article></body></html>"""


@pytest.fixture
def run(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a finished run of the toy study."""
    monkeypatch.chdir(tmp_path)
    walk(tmp_path, "quick", evidence.claim_entry(title=f"First order {HOSTILE}"))
    results.write_text(tmp_path / "main.tex", "\\newcommand{\\PP}{\\mathbb{P}}\n")
    results.write_text(tmp_path / "a.css", "body { color: red }")
    results.write_text(tmp_path / "toy.svg", "<svg/>")
    return tmp_path


def written(run: Path, key: str = "") -> int:
    record = results.read_sealed(run / "results" / "quick" / "verdicts.json")
    results.write_text(run / "page.html", PAGE.format(key=key or record["claims"][0]["rows"][0]["key"]))
    places = {"page": "page.html", "results": "results", "claims": "claims.yaml", "preamble": "main.tex"}
    words = [word for option, name in places.items() for word in (f"--{option}", str(run / name))]
    return cli.main(["article", "--mode", "quick", *words, "--out", str(run / "article.html")])


def test_each_link_opens_its_evidence_and_nothing_lies_outside(run: Path) -> None:
    assert written(run) == 0
    text = (run / "article.html").read_text()
    key = results.read_sealed(run / "results" / "quick" / "verdicts.json")["claims"][0]["rows"][0]["key"]
    assert f'<a href="#zl:{key}" aria-haspopup="dialog"' in text and f'<section popover id="zl:{key}"' in text
    assert '<mn mathvariant="normal"><a href="#zl:claim:toy.depth" aria-haspopup="dialog">2</a></mn>' in text
    assert f" trace {key} --mode quick</code>" in text and "the gap in <math" in text
    assert "color: red" in text and "data:image/svg+xml;base64," in text and 'href="evidence.html#' not in text
    assert '<a href="#S1"><span class="ltx_tag">1 </span>Means</a>' in text
    assert HOSTILE not in text and text.count('<section popover id="zl:claim:toy.depth"') == 1


def test_a_number_that_the_run_does_not_have_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert written(run, "toy.depth/slope/nowhere") == 2
    assert "toy.depth/slope/nowhere" in capsys.readouterr().err and not (run / "article.html").exists()
