"""With or without TeX: what is found, what is installed, what is said."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import FIND_TEX, HAVE_LATEXMK

from tests.workflow.checkout import BIN, ROOT, Checkout, add, only_tools

TOOLS = ("bash", "tr", "dirname", "cat", "grep", "tail", "mkdir", "mv", "rm", "sh", "env", "touch", "which")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the tools of any machine and nothing of TeX."""
    return only_tools(tmp_path / "bin", TOOLS)


def find_tex(tools: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tools / "bash", FIND_TEX, what], env={"PATH": str(tools)}, capture_output=True, text=True)


def test_without_tex_it_says_exactly_what_to_install(tools: Path) -> None:
    add(tools, "id", "echo 1000")
    done = find_tex(tools, "check")
    assert done.returncode == 1
    assert "texlive-latex-extra" in done.stderr and "lmodern" in done.stderr
    assert "latexmk pdflatex" in done.stderr
    assert find_tex(tools, "install").returncode == 0, "all but the PDF can be built"


@pytest.mark.skipif(not os.path.exists("/etc/debian_version"), reason="asks for Debian")
@pytest.mark.parametrize(("user", "installs"), [("0", True), ("1000", False)])
def test_debian_as_root_installs(tools: Path, tmp_path: Path, user: str, installs: bool) -> None:
    calls = tmp_path / "calls"
    add(tools, "id", f"echo {user}")
    add(tools, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {calls}')
    done = find_tex(tools, "install")
    assert done.returncode == 0
    assert calls.exists() == installs
    if installs:
        assert "noninteractive -q install -y --no-install-recommends" in calls.read_text()
    else:
        assert "sudo apt-get install --no-install-recommends texlive-latex" in done.stderr


def test_a_class_that_is_missing_is_named(tools: Path) -> None:
    for name in ("latexmk", "pdflatex", "bibtex"):
        add(tools, name, "exit 0")
    add(tools, "kpsewhich", "[[ $* != *cleveref.sty* ]]")
    done = find_tex(tools, "check")
    assert done.returncode == 1 and "not found: cleveref.sty" in done.stderr
    add(tools, "kpsewhich", "exit 0")
    assert find_tex(tools, "check").returncode == 0


def test_all_that_the_paper_uses_is_looked_for() -> None:
    wanted = set()
    for path in [*(ROOT / "paper").glob("*.tex"), *(ROOT / "paper").glob("*.sty")]:
        for names in re.findall(
            r"^\\(?:usepackage|RequirePackage)(?:\[.*?\])?\{(.*?)\}", path.read_text(), re.MULTILINE
        ):
            wanted |= {f"{name.strip()}.sty" for name in names.split(",")}
    assert wanted - {"zeroloss.sty"} <= set(re.findall(r"\w+\.sty", FIND_TEX.read_text()))


def test_tectonic_will_do(tools: Path, tmp_path: Path) -> None:
    add(
        tools,
        "tectonic",
        'while [[ $1 != --outdir ]]; do shift; done; echo pdf > "$2/main.pdf"; echo log > "$2/main.log"',
    )
    assert find_tex(tools, "check").returncode == 0
    (tmp_path / "paper").mkdir()
    out = tmp_path / "paper.pdf"
    script = ROOT / "workflow" / "scripts" / "build-paper.sh"
    subprocess.run([tools / "bash", script, "results", out], env={"PATH": str(tools)}, cwd=tmp_path, check=True)
    assert out.read_text() == "pdf\n"


def test_without_tex_everything_but_the_pdf_is_planned(new_checkout: Callable[[], Checkout], tools: Path) -> None:
    add(tools, "id", "echo 1000")
    jobs = new_checkout().plan("--config", "mode=quick", PATH=str(tools))
    assert "typeset_numbers" in jobs and "draw" in jobs and "build_paper" not in jobs


@pytest.mark.skipif(not HAVE_LATEXMK, reason="needs TeX")
def test_an_error_in_the_paper_is_shown_and_leaves_no_pdf(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    main = tmp_path / "paper" / "main.tex"
    script = ROOT / "workflow" / "scripts" / "build-paper.sh"

    def build(text: str) -> subprocess.CompletedProcess[str]:
        main.write_text(f"\\documentclass{{article}}\\begin{{document}}{text}\\end{{document}}")
        return subprocess.run(["bash", script, "results", "out.pdf"], cwd=tmp_path, capture_output=True, text=True)

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
    done = subprocess.run(
        [tools / "bash", ROOT / "workflow/scripts/make-venv.sh", "python3", tmp_path / "venv"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "needs Python 3.11 or later, got 'python3'" in done.stderr
    assert BIN.exists() and not (tmp_path / "venv").exists()
