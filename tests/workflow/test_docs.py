"""`make docs` finds its pages, its packages and its markup; CI builds the whole of it."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
IMPORTED_AS = {"ruamel-yaml": "ruamel"}
PACKAGES = ("ledger", "zeroloss")


def requirements(path: Path) -> dict[str, Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(one.name): one for one in found}


NEEDED = requirements(DOCS / "requirements.txt")


@pytest.fixture(scope="module")
def conf() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_conf", DOCS / "conf.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_package_is_pinned_by_the_lock_or_here() -> None:
    lock = requirements(ROOT / "constraints.txt")
    assert "-c ../constraints.txt" in (DOCS / "requirements.txt").read_text().splitlines()
    for name, one in NEEDED.items():
        pinned = [specifier.operator for specifier in one.specifier] == ["=="]
        assert pinned != (name in lock), name


def test_the_packages_can_be_imported_where_the_pages_are_built(conf: ModuleType) -> None:
    """What a module imports at its top is installed there, or replaced."""
    there = set(sys.stdlib_module_names) | set(PACKAGES) | set(conf.autodoc_mock_imports)
    there |= {IMPORTED_AS.get(name, name) for name in NEEDED}
    for path in sorted(path for name in PACKAGES for path in (ROOT / "src" / name).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] in there, f"{path.name} imports {name}"


def test_every_page_is_in_the_table_of_contents() -> None:
    trees = re.findall(r"```{toctree}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    entries = [line for tree in trees for line in tree.splitlines() if re.match(r"\w", line)]
    pages = {path for path in DOCS.rglob("*.md") if "api" not in path.parts} - {DOCS / "index.md"}
    listed = {path for entry in entries for path in DOCS.glob(f"{entry}.md")}
    assert pages == listed
    assert {f"api/{name}/{name}" for name in PACKAGES} <= set(entries)


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "decisions" / "README.md").read_text()))
    assert listed == {path.name for path in DOCS.glob("decisions/*.md")} - {"README.md"}


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("|θ|² and w*z, b_", r"\|θ\|² and w\*z, b\_"),
        ("`solve` and ``num_units`` and a_b", "``solve`` and ``num_units`` and a_b"),
        ("the `Pair`s", r"the ``Pair``\ s"),
    ],
)
def test_mathematics_is_not_taken_for_markup(conf: ModuleType, text: str, markup: str) -> None:
    assert conf.escaped(text) == markup


def test_a_docstring_keeps_examples_and_lists_and_sets_equations_apart(conf: ModuleType) -> None:
    kept = ["", "    E = ½ r²", "", "- one", "  more", "", ">>> 1 * 1", "1"]
    assert conf.markup(["Two", "lines |x|:", *kept]) == [r"Two lines \|x\|:", "", "::", *kept, ""]
