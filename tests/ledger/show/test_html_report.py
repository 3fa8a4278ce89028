"""The page holds every claim with its evidence, escapes what it prints, and refuses what is off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import evidence
import pytest
from toy import walk

from ledger.paper import latex
from ledger.record import results
from ledger.record.claims import load_claims
from ledger.run.workflow import GENERAL
from ledger.show import html_report
from zeroloss import cli

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def run(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a finished run of the toy study, and captions."""
    monkeypatch.chdir(tmp_path)
    walk(tmp_path, "quick", evidence.claim_entry(title=f"First order {HOSTILE}"))
    results.write_text(tmp_path / "figures" / "toy-rates.rst", "Rates on *sine*.")
    results.write_text(tmp_path / "main.tex", "\\newcommand{\\PP}{\\mathbb{P}}\n")
    results.write_text(tmp_path / "full.yaml", "seed: 0")
    results.write_bytes(tmp_path / "snakemake.html", b"<html><body>Snakemake</body></html>")
    return tmp_path


def written(run: Path, *more: str, mode: str = "quick") -> int:
    places = {"results": "results", "claims": "claims.yaml", "preamble": "main.tex", "configuration": "full.yaml"}
    places |= {"snakemake": "snakemake.html", "out": "report.html"}
    words = [word for option, name in places.items() for word in (f"--{option}", str(run / name))]
    return cli.main(["report", "--mode", mode, *words, *more])


def page(run: Path) -> str:
    assert written(run) == 0
    return (run / "report.html").read_text()


def test_a_claim_stands_with_verdict_statement_evidence_and_figure(run: Path) -> None:
    text = page(run)
    record = results.read_sealed(run / "results" / "quick" / "verdicts.json")
    (entry,) = record["claims"]
    part = text.partition(f'<details id="claim-{entry["id"]}"')[2].partition("</details>")[0]
    assert f'data-verdict="{entry["verdict"]}"' in part
    assert "the gap in <math" in part and "at every flow time" in part
    assert len(re.findall("<tr><td>", part)) == len(entry["rows"]) > 0
    assert 'data-figure="toy-rates"' in part
    assert "half-order" not in part and "the gap of a scheme of order 1/2" in part
    assert "Rates on <em>sine</em>." in text and "Any figure." not in text
    assert "simulate_toy" in text and "measure_toy" in text


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
    inside, outside, below, other, unknown, above = html_report._bars(rows, claim.predicate)
    assert inside and outside and below and other is None and unknown is None
    assert inside.asked_from < inside.lower < inside.estimate < inside.upper < inside.asked_to
    assert outside.upper < outside.asked_from and outside.asked_from == inside.asked_from
    assert below.asked_from == 0.0 and below.upper < below.asked_to < html_report.WIDTH
    assert above and 0 < above.asked_from < above.lower
    assert above.asked_to == html_report.WIDTH


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    assert page(run) == page(run)


def test_what_it_prints_is_text(run: Path) -> None:
    text = page(run)
    assert HOSTILE not in text and "First order &lt;/script&gt;" in text


def test_nothing_in_it_comes_from_elsewhere(run: Path) -> None:
    text = page(run)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", text)
    assert addresses and all(a.startswith(("#", "data:")) for a in addresses)


def test_a_figure_without_words_of_its_own_gets_the_general_ones(run: Path) -> None:
    (run / "figures" / "toy-rates.rst").unlink()
    assert GENERAL in page(run)


def test_a_picture_of_another_run_is_refused(run: Path, capsys: Any) -> None:
    results.write_bytes(run / "results" / "quick" / "figures" / "toy-rates.png", b"another")
    assert written(run) == 2
    assert "toy-rates.png is not the file its manifest describes" in capsys.readouterr().err
    assert not (run / "report.html").exists()


def test_a_run_of_another_mode_is_refused(run: Path, capsys: Any) -> None:
    (run / "results" / "quick").rename(run / "results" / "full")
    assert written(run, mode="full") == 2
    assert "must be of mode full, got quick" in capsys.readouterr().err


def test_a_verdict_whose_claim_is_not_stated_is_refused(run: Path, capsys: Any) -> None:
    evidence.write_claims(run / "claims.yaml", evidence.claim_entry(id="toy.other"))
    assert written(run) == 2
    assert "toy.depth" in capsys.readouterr().err


def test_captions_can_neither_read_files_nor_bring_in_html(run: Path) -> None:
    for text in (".. include:: /etc/hostname", ".. raw:: html\n\n   <script>alert(1)</script>"):
        try:
            made = str(html_report.caption(text))
        except Exception as error:  # docutils stops at it
            assert "disabled" in str(error)
        else:
            assert "<script>" not in made


def test_statements_of_the_paper_become_mathml() -> None:
    root = Path(__file__).resolve().parents[3]
    defined = latex.macros((root / "paper" / "preamble.tex").read_text())
    assert defined[r"\PP"] == r"\mathbb{P}"
    for claim in load_claims(*(root / "paper" / "claims").glob("*.yaml")):
        for text in (claim.statement, claim.estimator):
            made = f"<p>{latex.mathematics(text, defined)}</p>"
            assert made.count("<math") == text.count("$") // 2
            words = "".join(ElementTree.fromstring(made).itertext())
            assert "\\" not in words, claim.id
