"""What LaTeX is given: every key defined once, linked, escaped; an unknown key stops the paper."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import evidence
import pytest
from programs import HAVE_LATEXMK

from ledger.paper import evidence as behind
from ledger.paper import latex, typeset
from ledger.paper import settings_table as sizes
from ledger.record import estimates, verdicts
from ledger.record.claims import Claim
from ledger.record.results import MissingResultError, ResultError

STYLE = Path(__file__).parents[3] / "paper"
SPECS = {
    "toy": {
        "wide": {"kind": "wide-limit", "rtol": 1e-10, "num_layers": [8, 16], "law": {"name": "gauss"}},
        "narrow": {"kind": "ensemble", "replicates": 2000, "big": list(range(100)), "on": True},
    }
}
MANIFESTS = {
    "toy/wide": {"sha256": "0123456789abcdef", "code_sha256": "fedcba9876543210"},
    "toy/narrow": {"sha256": "ff" * 32},
}
FIGURES = {"toy-rates": {"study": "toy", "function": "figures.toy_lines.rates", "inputs": {"narrow": "ff" * 32}}}


def claims() -> tuple[Claim, ...]:
    return (evidence.claim(), Claim.model_validate(evidence.width_entry()), evidence.claim(id="toy.none"))


def files(mode: str = "full", *more: dict) -> dict[str, str]:
    frame = evidence.frame(*evidence.rows(), *more)
    return typeset.typeset(verdicts.judge(claims(), frame, mode), claims(), frame, SPECS)


def page() -> str:
    frame = evidence.frame(*evidence.rows())
    return behind.page(verdicts.judge(claims(), frame, "full"), claims(), frame, SPECS, MANIFESTS, FIGURES, "")


def test_every_key_is_defined_with_the_digits_of_its_interval() -> None:
    numbers = files()["numbers.tex"]
    assert (
        r"\zldef{toy.depth/slope_L/sine.s4}{\num{-0.9983}}"
        r"{\ensuremath{[\num{-0.9996},\zlbreak\num{-0.9971}]}}"
        r"{\num{1.2e-9}}{\num{100}}{\num{4}}{95\,\%}"
    ) in numbers
    assert r"\zldef{toy/risk/sine.s4}{\num{1.235e-5}}{}{\zlna{}}{\zlna{}}{\zlna{}}{\zlna{}}" in numbers
    assert numbers.count(r"\zldef{") == len(evidence.rows())
    assert r"\zlcountdef{claims}{\num{3}}" in numbers
    assert r"\zlcountdef{inconclusive}{\num{1}}" in numbers
    assert r"\zlconfdef{wide.num_layers.1}{zl:case:wide}{\num{16}}" in numbers
    assert r"\zlconfdef{wide.rtol}{zl:case:wide}{\num{1e-10}}" in numbers
    assert r"\zlconfdef{toy.depth.regime.replicates}{zl:claim:toy.depth}{\num{10}}" in numbers
    assert "big" not in numbers


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 1.0), (1 - 1e-14, 1.0), (0.0, 0.0), (2.191, 2.191)])
def test_an_interval_whose_ends_print_alike_is_left_out(lower: float, upper: float) -> None:
    row = evidence.rows()[0] | {"cell": "exact", "estimate": upper, "lower": lower, "upper": upper}
    written = files("full", row)
    line = next(x for x in written["numbers.tex"].splitlines() if "/exact}" in x)
    assert "zlbreak" not in line and "}}{}{" in line
    assert rf"{{\num{{{upper:g}}}}}{{}}" in line
    assert "\\zlint{" + line.split("{")[1].rstrip("}") not in written["claims.tex"]


def test_plain_text_is_escaped_and_statements_are_not() -> None:
    written = files()
    line = next(x for x in written["numbers.tex"].splitlines() if x.startswith(r"\zlclaimdef{toy.width}"))
    assert r"Independent layers \& 100 \% of\_them" in line
    assert r"$(LM)^{-1/2}$" in line
    assert r"slope\_M covers \num{-0.5}, confidence, half-width at most \num{0.02}" in line
    assert line.endswith("{toy.width/slope_M/sine.s4}") or line.endswith("{toy.width/distance/sine.s4}")


def test_same_evidence_same_bytes() -> None:
    assert files() == files()


def test_quick_mode_is_marked() -> None:
    written = files("quick")
    assert written["mode.tex"] == "\\newcommand{\\zlmode}{quick}\n"
    assert "Quick mode" in written["claims.tex"]
    assert "quick" in written["sizes.tex"]
    assert "Quick mode" not in files()["claims.tex"]


def test_every_estimate_has_a_line_that_leads_to_its_files() -> None:
    text = page()
    for row in evidence.rows():
        key = f"{row['claim'] or 'toy'}/{row['quantity']}/{row['cell']}"
        assert text.count(f'<tr id="zl:{key}">') == 1
    assert '<a href="#zl:file:toy/wide">toy/wide</a>, <a href="#zl:file:toy/narrow">toy/narrow</a>' in text
    assert "<code>0123456789ab</code>" in text
    assert '<h2 id="zl:claim:toy.none">' in text and '<details id="zl:case:wide">' in text
    targets = re.findall(r'href="#([^"]+)"', text)
    assert targets and all(text.count(f'id="{target}"') == 1 for target in targets)


def test_claims_nobody_measured_stand_in_the_table() -> None:
    text = files()["claims.tex"]
    assert re.search(r"toy\.\\allowbreak\{\}none.*inconclusive & \\zlna\{\} & \\zlna\{\}", text)
    assert r"\zlest{toy.depth/slope_L/" in text


def test_sizes_have_columns_only_for_settings_that_exist() -> None:
    text = files()["sizes.tex"]
    assert "kind & setting & layers & replicates" in text
    assert "flow times" not in text
    assert r"\num{8}, \num{16}" in text
    assert [column.heading for column in sizes.sizes({"bare": {}})[0]] == ["case"]
    parts = {f"wide-{i}": {"kind": kind} for i, kind in enumerate(("wide", "wide", "other"))}
    assert [row[0].endswith("0} and 1 more") for row in sizes.sizes(parts)[1]] == [True, False]
    nested = {"setting": {"problem": {"name": "sine"}, "activation": "tanh"}}
    assert sizes.look_up(nested, ("problem",)) == {"name": "sine"}
    assert sizes.show({"mean": 0.5}) == r"\texttt{mean} \num{0.5}"
    assert sizes.show(list(range(9))).count(r"\dots") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(2000, "2000"), (0.5, "0.5"), (64.0, "64"), (1e-9, "1e-9"), (1e22, "1e22"), (-2.5e-7, "-2.5e-7")],
)
def test_settings_keep_all_their_digits(value: float, text: str) -> None:
    assert sizes.tex_exact(value) == rf"\num{{{text}}}"


def test_two_studies_may_not_mean_different_things_by_one_setting() -> None:
    clash = SPECS | {"other": {"wide": {"rtol": 1e-3}}}
    with pytest.raises(ResultError, match=r"wide\.rtol: case wide of toy is also another study's; rename"):
        typeset.settings(claims(), clash)


def test_a_source_without_manifest_is_named(tmp_path: Path) -> None:
    rows = estimates.records(evidence.frame(*evidence.rows()))
    with pytest.raises(MissingResultError, match=r"toy/narrow\.manifest\.json is missing"):
        behind.read_manifests(rows, {}, tmp_path)
    with pytest.raises(MissingResultError, match=r"toy/narrow\.manifest\.json is missing"):
        behind.read_manifests([], FIGURES, tmp_path)


def test_every_figure_names_its_function_and_its_files() -> None:
    lines = page().splitlines()
    line = next(line for line in lines if 'id="zl:figure:toy-rates"' in line)
    assert "<code>figures.toy_lines.rates</code>" in line and line.count("#zl:file:toy/narrow") == 1


def test_special_characters_are_harmless() -> None:
    assert latex.escape(r"a_b&50%{x}\~^#$<|>") == (
        r"a\_b\&50\%\{x\}\textbackslash{}\textasciitilde{}\textasciicircum{}\#\$\textless{}"
        r"\textbar{}\textgreater{}"
    )
    assert latex.numbers_in("inside [-1.02, 3e-9] of s4 and slope_2") == (
        r"inside [\num{-1.02}, \num{3e-9}] of s4 and slope\_2"
    )


DOCUMENT = r"""
\documentclass{article}
\usepackage{amsmath}
\usepackage{zeroloss}
\usepackage[colorlinks]{hyperref}
\input{mode}\input{numbers}
\begin{document}
\section{In \zlmode: \zlest{toy.depth/slope_L/sine.s4}}
\zl{toy.depth/slope_L/sine.s4},
$x^{\zlest{toy.width/distance/sine.s4}} \in \zlint{toy.depth/slope_L/sine.s4}$,
\zlfloor{toy.depth/slope_L/sine.s4}, \zlrep{toy.depth/slope_L/sine.s4},
\zlsizes{toy.depth/slope_L/sine.s4}, \zltype{toy.depth/slope_L/sine.s4},
\zl{toy/risk/sine.s4}, \zlint{toy/risk/sine.s4}, \zl{toy.depth/slope_L/lost},
\zlverdict{toy.depth}, \zltitle{toy.width}, \zlstatement{toy.width}, \zlpredicate{toy.width},
\zldeciding{toy.width}, \zldeciding{toy.none}, \zlcount{supported}, \zlconf{wide.rtol},
\zlifdef{toy/none/x}{yes}{no}.
EXTRA
\begin{figure}\caption{\zl{toy.depth/slope_L/sine.s4}, \zlconf{wide.num_layers}}\end{figure}
\input{claims}\input{sizes}
\end{document}
"""


def build(folder: Path, extra: str) -> tuple[int, str]:
    lost = evidence.row(value=math.nan, half=0, cell="lost")
    typeset.write(folder, files("full", lost))
    (folder / "doc.tex").write_text(DOCUMENT.replace("EXTRA", extra))
    shutil.copy(STYLE / "zeroloss.sty", folder)
    command = ["latexmk", "-pdf", "-halt-on-error", "-interaction=nonstopmode", "doc.tex"]
    code = subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode
    return code, (folder / "doc.log").read_text(errors="replace")


needs_tex = pytest.mark.skipif(not HAVE_LATEXMK, reason="needs latexmk and the paper's packages")


@needs_tex
def test_the_style_sets_every_macro_without_collision(tmp_path: Path) -> None:
    code, log = build(tmp_path, "")
    assert code == 0, log[-2000:]
    tables = log[log.index("claims.tex") :]
    assert "Overfull" not in tables
    assert "undefined" not in tables
    assert "has been referenced but does not exist" not in log


@needs_tex
@pytest.mark.parametrize(
    ("use", "key"),
    [
        (r"\zl{toy.depth/slope_Q/sine.s4}", "toy.depth/slope_Q/sine.s4"),
        (r"\zlrep{toy/x}", "toy/x"),
        (r"\zlverdict{toy.no-claim}", "toy.no-claim"),
        (r"\zldeciding{toy.no-claim}", "toy.no-claim"),
        (r"\zlconf{wide.no_such}", "wide.no_such"),
    ],
)
def test_an_unknown_key_stops_the_paper_and_is_named(tmp_path: Path, use: str, key: str) -> None:
    code, log = build(tmp_path, use)
    assert code != 0
    assert f"Package zeroloss Error: Unknown key `{key}'" in log
