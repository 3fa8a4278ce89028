"""With or without TeX: what is found, what is installed, what is said."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import FIND_TEX, HAVE_LATEXMK

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
    assert wanted - {"zeroloss.sty"} <= set(re.findall(r"\w+\.sty", FIND_TEX.read_text()))


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


def test_an_old_python_is_refused(tools: Path, tmp_path: Path) -> None:
    add(tools, "python3", "exit 1")
    done = script(tools, "make-venv.sh", "python3", str(tmp_path / "venv"))
    assert done.returncode == 1 and "needs Python 3.11 or later, got 'python3'" in done.stderr
    assert BIN.exists() and not (tmp_path / "venv").exists()
