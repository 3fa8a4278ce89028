"""The static import graph sees what Python would import, and nothing that it would not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.run import codegraph
from ledger.run.codegraph import CodeGraphError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package `p` and a script beside it."""
    files = {
        "src/p/__init__.py": "",
        "src/p/a.py": "from p import b\nimport os\n",
        "src/p/b.py": "def f():\n    from .sub.c import thing\n",
        "src/p/sub/__init__.py": "from ..d import x\n",
        "src/p/sub/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.e\n",
        "src/p/d.py": "x = 1\n",
        "src/p/e.py": "",
        "src/p/other.py": "import p.e as e\nfrom . import a\n",
        "figures/limits.py": "import style\nfrom figures import shared\nfrom p.d import x\n",
        "figures/style.py": "",
        "figures/shared.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(codegraph, "SOURCE_ROOT", tmp_path / "src")
    return tmp_path


def names(tree: Path, *targets: str) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in codegraph.sources(*targets)}


def test_transitive_relative_and_function_level_imports_count(tree: Path) -> None:
    expected = {"__init__", "a", "b", "sub/__init__", "sub/c", "d"}
    assert names(tree, "p.a") == {f"src/p/{name}.py" for name in expected}


def test_type_checking_imports_do_not_count(tree: Path) -> None:
    assert "src/p/e.py" not in names(tree, "p.sub.c")
    assert "src/p/e.py" in names(tree, "p.other")


def test_a_script_finds_its_neighbours(tree: Path) -> None:
    found = names(tree, str(tree / "figures" / "limits.py"))
    assert found == {"figures/limits.py", "figures/style.py", "figures/shared.py", "src/p/__init__.py", "src/p/d.py"}


def test_several_targets_are_united(tree: Path) -> None:
    assert names(tree, "p.d", "p.e") == names(tree, "p.d") | names(tree, "p.e")


def test_the_digest_follows_the_content_of_what_is_imported(tree: Path) -> None:
    before = codegraph.digest("p.a")
    (tree / "src/p/e.py").write_text("y = 2\n")
    assert codegraph.digest("p.a") == before
    (tree / "src/p/d.py").write_text("x = 2\n")
    assert codegraph.digest("p.a") != before


def test_a_missing_target_is_named(tree: Path) -> None:
    with pytest.raises(CodeGraphError, match=r"p\.nothing .* found none"):
        codegraph.sources("p.nothing")
    with pytest.raises(CodeGraphError, match="must be a Python file"):
        codegraph.sources("figures/nothing.py")


@pytest.mark.parametrize("text", ["F = {'a': 1, 'b': 2}", "F: dict[str, int] = {'a': 1, 'b': 2}"])
def test_literal_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "figure.py"
    path.write_text(text)
    assert codegraph.literal_keys(path, "F") == ("a", "b")


@pytest.mark.parametrize("text", ["", "F = dict(a=1)", "F = {name: 1}", "F = {**G}", "F = {1: 2}"])
def test_keys_that_are_not_literal_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "figure.py"
    path.write_text(text)
    with pytest.raises(CodeGraphError, match="dictionary literal"):
        codegraph.literal_keys(path, "F")


def test_the_graph_holds_all_that_python_imports() -> None:
    """Against the interpreter: what an import really loads is in the static list."""
    module = "zeroloss.studies.linear.jobs"
    code = (
        f"import sys, {module}\n"
        "for name, module in sys.modules.items():\n"
        "    if name.split('.')[0] in ('ledger', 'zeroloss'):\n"
        "        print(module.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(line).resolve() for line in done.stdout.split("\n") if line}
    assert loaded <= set(codegraph.sources(module))
