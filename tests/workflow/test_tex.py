"""With or without TeX: what is found, what is installed, what is said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import FIND_TEX, HAVE_LATEXMK

from ledger.record import floats
from tests.workflow.checkout import BIN, ROOT, Checkout, add, script

BUILD = ROOT / "workflow" / "scripts" / "build-paper.sh"


def test_a_class_that_is_missing_is_named(tools: Path) -> None:
    for name in ("latexmk", "pdflatex", "bibtex"):
        add(tools, name, "exit 0")
    add(tools, "kpsewhich", "[[ $* != *cleveref.sty* ]]")
    done = script(tools, FIND_TEX.name, "check")
    assert done.returncode == 1 and "not found: cleveref.sty" in done.stderr
    add(tools, "kpsewhich", "exit 0")
    assert script(tools, FIND_TEX.name, "check").returncode == 0


def test_all_that_the_paper_uses_is_looked_for() -> None:
    wanted = set()
    for path in [*(ROOT / "paper").glob("*.tex"), *(ROOT / "paper").glob("*.sty")]:
        for names in re.findall(
            r"^\\(?:usepackage|RequirePackage)(?:\[.*?\])?\{(.*?)\}", path.read_text(), re.MULTILINE
        ):
            wanted |= {f"{name.strip()}.sty" for name in names.split(",")}
    assert wanted - {"zeroloss.sty"} <= set(re.findall(r"[\w-]+\.sty", FIND_TEX.read_text()))


@pytest.mark.parametrize("document", ["main", "supplement"])
def test_labels_are_read_of_the_other_document_and_citations_are_not(document: str) -> None:
    source = (ROOT / "paper" / f"{document}.tex").read_text()  # 2021 there may be 2021a here
    assert re.findall(r"\\externaldocument(.*?)\{", source) == ["[][nocite]"]


def test_tectonic_will_do(tools: Path, tmp_path: Path) -> None:
    shift = "while [[ $1 != --outdir ]]; do shift; done"
    add(tools, "tectonic", f'{shift}; echo pdf > "$2/main.pdf"; echo log > "$2/main.log"')
    assert script(tools, FIND_TEX.name, "check").returncode == 0
    (tmp_path / "paper").mkdir()
    out = tmp_path / "paper.pdf"
    subprocess.run([tools / "bash", BUILD, "results", out], env={"PATH": str(tools)}, cwd=tmp_path, check=True)
    assert out.read_text() == "pdf\n"


def test_without_tex_everything_but_the_pdf_is_planned(new_checkout: Callable[[], Checkout], tools: Path) -> None:
    add(tools, "id", "echo 1000")
    jobs = new_checkout().plan("--config", "mode=quick", PATH=str(tools))
    assert "typeset_numbers" in jobs and "draw" in jobs and "build_paper" not in jobs


@pytest.mark.skipif(not HAVE_LATEXMK, reason="needs TeX")
def test_an_error_in_the_paper_is_shown_and_leaves_no_pdf(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    main = tmp_path / "paper" / "main.tex"

    def build(text: str) -> subprocess.CompletedProcess[str]:
        main.write_text(f"\\documentclass{{article}}\\begin{{document}}{text}\\end{{document}}")
        return subprocess.run(["bash", BUILD, "results", "out.pdf"], cwd=tmp_path, capture_output=True, text=True)

    broken = build(r"\errmessage{no such key: limits.depth/slope}")
    assert broken.returncode != 0 and "no such key: limits.depth/slope" in broken.stdout
    assert not (tmp_path / "out.pdf").exists()
    undefined = build(r"see \ref{nothing}")
    assert undefined.returncode != 0 and "undefined" in undefined.stdout
    assert not (tmp_path / "out.pdf").exists()
    assert build("fine").returncode == 0
    first = (tmp_path / "out.pdf").read_bytes()
    assert build("fine").returncode == 0
    assert (tmp_path / "out.pdf").read_bytes() == first


@pytest.mark.skipif(not HAVE_LATEXMK, reason="needs TeX")
def test_the_paper_is_packed_so_that_it_compiles_alone(tmp_path: Path) -> None:
    """With sections, generated files, references of its own, and labels of a supplement."""
    files = {
        "paper/main.tex": r"\documentclass{article}\usepackage{xr}\externaldocument{supplement}\begin{document}"
        r"\input{sections/one}\input{numbers.tex}\cite{key}\bibliographystyle{plain}\bibliography{b}\end{document}",
        "paper/supplement.tex": r"\documentclass{article}\begin{document}\section{S}\label{there}\end{document}",
        "paper/sections/one.tex": r"See \ref{there}.",
        "paper/b.bib": "@misc{key, title={A title}, author={An Author}, year={2000}}",
        "results/tex/numbers.tex": "Forty-two.",
        "results/evidence.html": "<p>",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    built = ["bash", BUILD, "results", "results/paper.pdf", "results/supplement.pdf"]
    subprocess.run(built, cwd=tmp_path, capture_output=True, check=True)
    packed = [tmp_path / f"{i}.tar.gz" for i in range(2)]
    for archive in packed:
        command = ["bash", BUILD.with_name("arxiv.sh"), "results", archive]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert packed[0].read_bytes() == packed[1].read_bytes()
    alone = tmp_path / "alone"
    alone.mkdir()
    subprocess.run(["tar", "-xzf", packed[0], "-C", alone], check=True)
    assert (alone / "anc" / "supplement.pdf").exists() and (alone / "anc" / "evidence.html").exists()
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    said = [subprocess.run(command, cwd=alone, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert "undefined" not in said[1] and (alone / "main.pdf").exists()


@pytest.mark.skipif(not HAVE_LATEXMK, reason="needs TeX")
def test_the_build_says_what_each_figure_and_table_holds(tmp_path: Path) -> None:
    key = "toy.depth/slope_L/sine.s4"
    text = (
        r"\documentclass{article}\usepackage{graphicx,zeroloss,hyperref}\begin{document}"
        rf"\zldef{{{key}}}{{1}}{{}}{{}}{{}}{{}}{{}}\newcommand{{\row}}[1]{{\zl{{toy.depth/slope_L/#1}}\\}}"
        r"\begin{figure}\includegraphics[width=1cm]{a-b.png}\caption{A}\end{figure}"
        r"\renewcommand{\thetable}{S\arabic{table}}"
        r"\begin{table}\caption{B}\begin{tabular}{l}\row{sine.s4}\end{tabular}\end{table}"
        r"\begin{longtable}{l}\caption{C}\\\row{sine.s4}\end{longtable}\end{document}"
    )
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "main.tex").write_text(text)
    (tmp_path / "results" / "figures").mkdir(parents=True)
    shutil.copy(ROOT / "published" / "limits-risk.png", tmp_path / "results" / "figures" / "a-b.png")
    subprocess.run(["bash", BUILD, "results", "out.pdf"], cwd=tmp_path, capture_output=True, check=True)
    held = [f"zl:{key}"]
    found = floats.read(tmp_path / "results" / floats.FLOATS)
    assert found == {"Figure 1": ["a-b.png"], "Table S1": held, "Table S2": held}


def test_what_moved_in_the_published_numbers_is_told(tmp_path: Path) -> None:
    def publish(estimate: float, verdict: str) -> None:
        rows = [f"toy,toy.gap,gap,wide,{estimate},0.9,1.3", "toy,toy.gap,gap,narrow,2,,"]
        head = "study,claim,quantity,cell,estimate,lower,upper"
        (tmp_path / "published" / "estimates.csv").write_text("\n".join([head, *rows, ""]))
        claims = {"claims": [{"id": "toy.gap", "verdict": verdict}]}
        (tmp_path / "published" / "verdicts.json").write_text(json.dumps(claims))

    def run(*command: str) -> str:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    (tmp_path / "published").mkdir()
    publish(1.1, "supported")
    run("git", "init", "--quiet")
    run("git", "add", "published")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=first")
    publish(1.5, "refuted")
    said = run(sys.executable, str(ROOT / "workflow" / "scripts" / "moved.py"), "HEAD").splitlines()
    assert "| toy.gap | supported | refuted |" in said and "| toy.gap/gap/wide | 1.1 | 1.5 | 2.00 |" in said
    assert said[-1].startswith("1 of 2 numbers moved, 1 of them by more than a half-width; 0 are new, 0 gone")


def test_an_old_python_is_refused(tools: Path, tmp_path: Path) -> None:
    add(tools, "python3", "exit 1")
    done = script(tools, "make-venv.sh", "python3", str(tmp_path / "venv"), "report")
    assert done.returncode == 1 and "needs Python 3.11 or later, got 'python3'" in done.stderr
    assert BIN.exists() and not (tmp_path / "venv").exists()
