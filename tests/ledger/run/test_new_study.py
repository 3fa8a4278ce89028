"""The skeleton of a study is a working one, in any paper, and takes nobody's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger.cli
from ledger.config import studies
from ledger.record import results

ROOT = Path(__file__).resolve().parents[3]
PROJECT = """[project]
name = "mine"
version = "1"
[project.entry-points."ledger.studies"]
mine = "mine.studies"
"""
COMMON = "mode: {}\nseed: 3\ncases_per_job: 1\n"


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A paper without studies, installed."""
    texts = {
        "pyproject.toml": PROJECT, "src/mine/__init__.py": "", "src/mine/studies/__init__.py": "",
        "src/mine-1.dist-info/entry_points.txt": "[ledger.studies]\nmine = mine.studies\n",
        "src/mine-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1\n",
        "config/full.yaml": COMMON.format("full"), "config/quick.yaml": "mode: quick\n",
        "paper/main.tex": "\\begin{document}\n\\input{extensions.tex}\n\\end{document}\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.setattr("ledger.run.codegraph.digest", lambda *targets: "c0de" * 16)
    studies.studies.cache_clear()
    yield tmp_path
    studies.studies.cache_clear()


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts
    }


def call(*words: object) -> None:
    assert ledger.cli.main(list(map(str, words))) == 0, words


def test_its_claim_is_judged_as_it_stands(paper: Path, figures_path: None, capsys) -> None:
    before = contents(paper)
    call("new-study", "my_means")
    written = capsys.readouterr().out.split()
    assert {paper / name for name in written} == {
        path for path, content in contents(paper).items() if before.get(path) != content
    }
    assert "\\input{sections/my_means}\n\\input{extensions.tex}" in Path("paper/main.tex").read_text()
    marks = r"@(?!job|measures|control|near|pytest)"
    assert not any(re.search(marks, Path(name).read_text()) for name in written)
    studies.studies.cache_clear()

    base = Path("results/quick/my_means")
    specs, table = base / "specs.json", base / "estimates.parquet"
    files = ("--config", "config/full.yaml", "config/quick.yaml")
    call("specs", "my_means", *files, "--out", specs)
    call("run", "my_means", *results.read_sealed(specs), *files, "--out", base)
    call("measure", "my_means", "--specs", specs, "--tables", base, "--out", table)
    record = base.parent / "verdicts.json"
    call("judge", "--claims", "paper/claims/my_means.yaml", "--estimates", table, "--mode", "quick", "--out", record)
    (claim,) = results.read_sealed(record)["claims"]
    assert (claim["id"], claim["verdict"]) == ("my_means.rate", "supported")
    call("plant", "my_means.rate", "--mode", "quick")
    places = ("--specs", specs, "--tables", base, "--estimates", table, "--out", base.parent / "figures")
    call("draw", "my_means", "--module", "figures/my_means.py", "--mode", "quick", *places)
    assert (base.parent / "figures" / "my_means-rate.pdf").is_file()
    call("trace", "my_means.rate/slope/uniform", "--mode", "quick")


def test_its_own_tests_pass(paper: Path) -> None:
    call("new-study", "demo")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        text=True,
        env=os.environ | {"PYTHONPATH": str(paper / "src")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--config", str(ROOT / "pyproject.toml"), "."]
    assert subprocess.run(ruff, check=False).returncode == 0, "as make lint asks it of every study"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Means", "must be 2 to 40 lower-case letters"),
        ("../means", "must be 2 to 40 lower-case"),
        ("import", "be no word of Python"),
        ("seed", "be none of cases_per_job, "),
        ("figures", "got 'figures'; choose another"),
        ("style", "got style, which is in figures/style.py; choose another"),
        ("there", "got there, which is in config/quick.yaml; choose another"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(paper: Path, capsys, name: str, said: str) -> None:
    (paper / "figures").mkdir()
    (paper / "figures" / "style.py").write_text("")
    (paper / "config/quick.yaml").write_text("mode: quick\nthere: {}\n")
    before = contents(paper)
    assert ledger.cli.main(["new-study", name]) == 2
    assert said in capsys.readouterr().err
    assert contents(paper) == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("paper/main.tex", "\\end{document}\n", "must have a line \\input{extensions.tex}, before"),
        ("pyproject.toml", "[project]\nname = 'mine'\n", "must have an entry point of the group"),
        ("pyproject.toml", PROJECT.replace("mine.studies", "other"), "must lie below ., got other"),
        ("config/full.yaml", "seed: 1\nseed: 2\n", "occurs twice"),
    ],
)
def test_a_paper_without_a_place_for_it_is_left_alone(paper: Path, capsys, name: str, text: str, said: str) -> None:
    (paper / name).write_text(text)
    before = contents(paper)
    assert ledger.cli.main(["new-study", "demo"]) == 2
    assert said in capsys.readouterr().err
    assert contents(paper) == before
