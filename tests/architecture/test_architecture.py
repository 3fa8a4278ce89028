"""Two buildings, one way through: who may import whom, who touches files, what stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from ledger.run import codegraph

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
STUDIES = SOURCE / "zeroloss" / "studies"

# A room imports the rows before its own and never its row: `network` and `limit` share the engine
# and do not meet, since their agreement is evidence. docs/index.md draws it.
ROWS: dict[str, tuple[tuple[str, ...], ...]] = {
    "ledger": (("display", "progress"), ("table",), ("config",), ("record",), ("study",), ("near",), ("run",),
               ("paper",), ("show",), ("cli",)),
    "zeroloss": (("model",), ("integrate",), ("network/engine",), ("network", "limit"), ("theory",),
                 ("studies", "notebook"), ("cli",)),
}  # fmt: skip
MAY_TOUCH_FILES = (
    "ledger/cli",
    "ledger/config/configuration",
    "ledger/config/csvtable",
    "ledger/config/paper",
    "ledger/config/yaml",
    "ledger/record/results",
    "ledger/run/codegraph",
    "ledger/run/new_study",
    "zeroloss/network/engine",
)
LIGHT = ("ledger.study", "ledger.config.configuration", "ledger.run.codegraph", "ledger.cli",
         "zeroloss.cli")  # fmt: skip
HEAVY = {"torch", "numpy", "scipy", "pandas", "matplotlib", "sklearn"}
# what a study is run by, and what its arguments are called
PARTS = ("plan", "jobs", "measure")
CASES = {"case", "cases", "spec", "specs"}

MODULES = sorted(path for name in ROWS for path in (SOURCE / name).rglob("*.py"))
FIGURES = sorted((ROOT / "figures").glob("*.py"))
OWN = sorted(path for path in STUDIES.iterdir() if path.is_dir() and path.name != "__pycache__")


def name_of(path: Path) -> str:
    """`zeroloss/model/block` of its file: `zeroloss/model` of a package's `__init__`."""
    name = path.relative_to(SOURCE).with_suffix("").as_posix()
    return name.removesuffix("/__init__")


def place_of(path: Path) -> tuple[str, int, str]:
    """Building, row and room of a module; the room of a building's own `__init__` is empty."""
    building, _, rest = name_of(path).partition("/")
    rooms = {room: row for row, rooms in enumerate(ROWS[building]) for room in rooms}
    for room in sorted(rooms, key=len, reverse=True):
        if f"{rest}/".startswith(f"{room}/"):
            return building, rooms[room], room
    assert not rest, f"{name_of(path)} needs a place in ROWS"
    return building, -1, ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def links() -> Iterator[tuple[Path, Path]]:
    """Each module with each that it imports. A package on the way counts if it imports something
    itself, and is not the module's own."""
    for path in MODULES:
        for imported in codegraph.imports(path):
            own = path.is_relative_to(imported.parent) or not codegraph.imports(imported)
            if not (imported.name == "__init__.py" and own):
                yield path, imported


def test_imports_go_one_way() -> None:
    wrong = []
    for path, imported in links():
        (building, row, room), (other, below, its_room) = place_of(path), place_of(imported)
        at_home = building == other
        if (room != its_room and below >= row) if at_home else building != "zeroloss":
            wrong.append(f"{name_of(path)} imports {name_of(imported)}")
    assert not wrong


def test_no_import_goes_round_in_a_circle() -> None:
    graph: dict[Path, set[Path]] = {}
    for path, imported in links():
        graph.setdefault(path, set()).add(imported)
    TopologicalSorter(graph).prepare()


def test_the_ledger_knows_nothing_of_the_science() -> None:
    """Not even where types are checked, or by a name given at run time."""
    named = []
    for path in (SOURCE / "ledger").rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                names = [ast.unparse(node.args[0]).strip("'f\"")]
            else:
                continue
            named += [f"{name_of(path)}: {name}" for name in names if name.partition(".")[0] in {"zeroloss", "torch"}]
    assert not named


def test_every_module_of_the_science_has_a_room() -> None:
    outside = {path.name for path in (SOURCE / "zeroloss").glob("*.py")}
    assert outside == {"__init__.py", "cli.py"}


def test_studies_know_nothing_of_each_other() -> None:
    study = {path: path.relative_to(STUDIES).parts[0] for path in STUDIES.rglob("*/*.py")}
    assert not [
        f"{name_of(path)} imports {name_of(imported)}"
        for path, imported in links()
        if path in study and imported in study and study[path] != study[imported]
    ]


def test_what_is_read_before_every_run_imports_nothing_heavy() -> None:
    names = [*LIGHT, *(f"zeroloss.studies.{folder.name}.plan" for folder in OWN)]
    code = (
        f"import importlib, sys\nfor name in {names}:\n    importlib.import_module(name)\n"
        f"    assert not {HEAVY} & set(sys.modules), name\n"
        "sys.modules['zeroloss.cli'].main(['--help'])\n"
        f"assert not {HEAVY} & set(sys.modules), 'zeroloss --help'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def mappings(path: Path) -> list[str]:
    """Where a case is a mapping: an argument that is typed as one, or a value under a key."""
    wrong = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.arg) and node.annotation:
            typed = "str, Any]" in ast.unparse(node.annotation)
            wrong += [node.arg] if node.arg in CASES and typed else []
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"case", "spec"}:
            wrong.append(ast.unparse(node))
    return wrong


@pytest.mark.parametrize("folder", OWN, ids=lambda folder: folder.name)
def test_a_study_is_typed_and_has_its_places(folder: Path) -> None:
    plan = (folder / "plan.py").read_text(encoding="utf-8")
    assert "# pyright: strict" in plan.splitlines()
    assert not [wrong for path in folder.glob("*.py") for wrong in mappings(path)]
    elsewhere = ("figures/{}.py", "paper/claims/{}.yaml", "paper/sections/{}.tex", "tests/studies/test_{}.py")
    places = [place.format(folder.name) for place in elsewhere]
    places += [f"src/zeroloss/studies/{folder.name}/{part}.py" for part in PARTS]
    assert not [place for place in places if not (ROOT / place).is_file()]


@pytest.mark.parametrize("folder", OWN, ids=lambda folder: folder.name)
def test_what_a_job_runs_is_imported_where_the_workflow_sees_it(folder: Path) -> None:
    """No dynamic import below a job's entry: its static graph is the list of its inputs."""
    for part in PARTS:
        for path in codegraph.sources(f"zeroloss.studies.{folder.name}.{part}"):
            if path.suffix == ".py":
                text = path.read_text(encoding="utf-8")
                assert "import_module" not in text and "__import__" not in text, path


FILE_CALLS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "rmdir"),
    *("read_csv", "read_json", "read_parquet", "read_excel", "read_pickle"),
    *("to_csv", "to_json", "to_parquet", "to_pickle", "loadtxt", "savetxt", "genfromtxt", "savez"),
    *("fromfile", "tofile", "NamedTemporaryFile", "mkstemp", "mkdtemp"),
}
FILE_CALLS_OF = {
    *(f"{owner}.{name}" for owner in ("np", "numpy", "torch") for name in ("load", "save")),
    *(f"json.{name}" for name in ("load", "dump")),
    *(f"os.{name}" for name in ("rename", "replace", "remove", "makedirs")),
    *(f"shutil.{name}" for name in ("copy", "copyfile", "copytree", "move", "rmtree")),
}


def file_calls(path: Path) -> list[str]:
    """Calls that read or write files. Text in memory does not count: `to_csv()` returns it and
    `read_csv(io.StringIO(text))` reads it; nor do functions of our own modules."""
    tree, found = tree_of(path), []
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROWS
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)):
            continue
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        first = ast.unparse(node.args[0]) if node.args else ""
        in_memory = first.startswith(("io.StringIO(", "io.BytesIO(")) or (name.startswith("to_") and not node.args)
        if owner not in ours and not in_memory and (name in FILE_CALLS or called in FILE_CALLS_OF):
            found.append(f"{path}:{node.lineno} {called}")
    return found


def test_files_are_touched_in_few_places() -> None:
    rest = [path for path in MODULES if not name_of(path).startswith(MAY_TOUCH_FILES)]
    assert not [call for path in (*rest, *FIGURES) for call in file_calls(path)]


def test_the_scan_sees_file_access(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "open('x')\nPath('x').write_text('')\ntorch.load('x')\nframe.to_csv('x')\n"
        "frame.to_csv()\npd.read_csv(io.StringIO(text))\n"
    )
    assert len(file_calls(bad)) == 4


def test_figures_simulate_nothing() -> None:
    for path in FIGURES:
        for imported in codegraph.imports(path, (SOURCE, path.parent, ROOT)):
            if imported.is_relative_to(SOURCE):
                _, _, room = place_of(imported)
                assert room not in {"network", "network/engine", "limit", "run", "cli"}, (
                    f"{path.name} imports {name_of(imported)}"
                )


BAD = """
import os, subprocess
import numpy as np, pandas as pd, torch, yaml
import pickle
from dill import loads
import joblib.externals
eval("1")
exec("1")
yaml.load(text, Loader=yaml.Loader)
yaml.full_load(text)
torch.load("x")
np.load("x", allow_pickle=True)
pd.read_pickle("x")
subprocess.run("ls", shell=True)
os.popen("ls")
subprocess.getoutput("ls")
"""


def test_data_never_becomes_code() -> None:
    """No pickle or relative of it, no `eval`, shell or unsafe loader; ruff sees each danger."""

    def dangers(*arguments: str, source: str = "") -> list[str]:
        options = "--no-cache --output-format concise --select S102,S301,S307,S506,S602,S604,S605,TID251"
        words = [sys.executable, "-m", "ruff", "check", *options.split(), *arguments]
        done = subprocess.run(words, cwd=ROOT, input=source, capture_output=True, text=True)
        return re.findall(r"^\S+\.py:(\d+):", done.stdout, re.MULTILINE)

    folders = ("src", "figures", "benchmarks")
    assert dangers(*folders) == []
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert not [path for path in paths if re.search(r"(?<![\w.])(?:compile|__import__)\(", path.read_text("utf-8"))]
    lines = range(4, BAD.count("\n") + 1)
    assert set(map(int, dangers("--stdin-filename", "src/bad.py", "-", source=BAD))) == {*lines}


def test_modules_and_functions_stay_short() -> None:
    long = []
    for path in MODULES:
        if len(path.read_text(encoding="utf-8").splitlines()) > 330:
            long.append(f"{name_of(path)}: a module past 300 lines wants another look")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines - len((ast.get_docstring(node) or "").splitlines()) > 55:
                    long.append(f"{name_of(path)}: {node.name} has {lines} lines")
    assert not long
