"""The house stays a house: who may import whom, who may touch files, what stays light to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.run import codegraph
from zeroloss.studies import STUDIES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "zeroloss"

# A room imports its own row and the rows above it, never one below. `network` and `limit` share a
# row and still never meet: their agreement is the evidence.
ROWS: tuple[tuple[str, ...], ...] = (
    ("__init__", "block", "closed", "csvtable", "display", "law", "plain_yaml", "problem",
     "progress", "runge_kutta", "streams", "tidy"),
    ("engine", "kernel"),
    ("exponential",),
    ("network", "limit"),
    ("bounds",),
    ("statistics", "coupling", "risk_law"),
    ("ensembles", "sizing", "plots"),
    ("studies",),
    ("codegraph", "config", "estimates", "formatting", "results"),
    ("claims", "verdicts", "provenance"),
    ("typeset", "appendix", "latex", "sizes", "drawing", "verify", "report", "resources", "costs",
     "printed"),
    ("publishing", "jobs", "sizing_report", "scaling"),
    ("crate",),
    ("planning", "sweeping", "tracing", "tracing_report", "artifact", "html_report", "large"),
    ("cli", "__main__", "arguments"),
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
MAY_TOUCH_FILES = {"cli", "codegraph", "config", "csvtable", "engine", "results"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    assert room in ROW_OF, f"{room} needs a place in ROWS"
    for imported in codegraph.imports(path):
        other = room_of(imported)
        assert ROW_OF[other] <= ROW_OF[room], f"{name_of(path)} must not import {name_of(imported)}"


@pytest.mark.parametrize(("one", "other"), [("network", "limit"), ("limit", "network")])
def test_network_and_limit_never_meet(one: str, other: str) -> None:
    modules = [path for path in MODULES if room_of(path) == one]
    targets = [
        ".".join(["zeroloss", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path in modules
        if path.name != "__init__.py"
    ]
    assert targets
    met = [path for path in codegraph.sources(*targets) if path.is_relative_to(PACKAGE)]
    assert not [name_of(path) for path in met if room_of(path) == other]


def test_studies_know_nothing_of_each_other() -> None:
    for path in MODULES:
        parts = path.relative_to(PACKAGE).parts
        if parts[0] == "studies" and len(parts) > 2:
            for imported in codegraph.imports(path):
                theirs = imported.relative_to(PACKAGE).parts
                if theirs[0] == "studies" and len(theirs) > 2:
                    assert theirs[1] == parts[1], f"{name_of(path)} imports {name_of(imported)}"


FILE_CALLS = {
    "open",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "mkdir",
    "unlink",
    "rmdir",
    "read_csv",
    "read_json",
    "read_parquet",
    "read_excel",
    "read_pickle",
    "to_csv",
    "to_json",
    "to_parquet",
    "to_pickle",
    "loadtxt",
    "savetxt",
    "genfromtxt",
    "savez",
    "fromfile",
    "tofile",
    "NamedTemporaryFile",
    "mkstemp",
    "mkdtemp",
}
FILE_CALLS_OF = {
    ("np", "load"),
    ("np", "save"),
    ("numpy", "load"),
    ("numpy", "save"),
    ("torch", "load"),
    ("torch", "save"),
    ("json", "load"),
    ("json", "dump"),
    ("os", "rename"),
    ("os", "replace"),
    ("os", "remove"),
    ("os", "makedirs"),
    ("shutil", "copy"),
    ("shutil", "copyfile"),
    ("shutil", "move"),
    ("shutil", "rmtree"),
}


def in_memory(name: str, arguments: list[ast.expr]) -> bool:
    """`to_csv()` returns text; `read_csv(io.StringIO(text))` reads it."""
    if not arguments:
        return name.startswith("to_")
    return ast.unparse(arguments[0]).startswith(("io.StringIO(", "io.BytesIO("))


def file_calls(path: Path) -> list[str]:
    """Calls that read or write files; text in memory and our own modules do not count."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zeroloss")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name):
            owner, name = "", function.id
        elif isinstance(function, ast.Attribute):
            owner = function.value.id if isinstance(function.value, ast.Name) else "?"
            name = function.attr
        else:
            continue
        if owner in ours or in_memory(name, node.args):
            continue
        if name in FILE_CALLS or (owner, name) in FILE_CALLS_OF:
            found.append(f"{path.name}:{node.lineno} {owner and owner + '.'}{name}")
    return found


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room_of(p) not in MAY_TOUCH_FILES], ids=name_of
)
def test_files_are_touched_in_few_places(path: Path) -> None:
    assert not file_calls(path)


@pytest.mark.parametrize("path", sorted((ROOT / "figures").glob("*.py")), ids=lambda p: p.name)
def test_figures_touch_no_files_and_simulate_nothing(path: Path) -> None:
    assert not file_calls(path)
    roots = (codegraph.SOURCE_ROOT, path.parent, path.parent.parent)
    for imported in codegraph.imports(path, roots):
        if imported.is_relative_to(PACKAGE):
            assert room_of(imported) not in {"network", "limit", "jobs", "cli"}


def test_the_scan_sees_file_access(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("open('x')\nPath('x').write_text('')\ntorch.load('x')\nframe.to_csv('x')\n")
    assert len(file_calls(bad)) == 4


BANNED = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "figures").glob("*.py"))], ids=lambda p: p.name
)
def test_no_code_from_data(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                assert function.id not in BANNED, f"{path.name}:{node.lineno} {function.id}"
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not shell, f"{path.name}:{node.lineno} shell="
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            called = (node.value.id, node.attr)
            assert called not in {("yaml", "load"), ("yaml", "unsafe_load")}, path
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
            assert not {"pickle", "dill", "joblib", "cloudpickle"} & set(names), path


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_job_runs_is_imported_where_the_workflow_sees_it(study: str) -> None:
    """No dynamic import below a job's entry: its static graph is the list of its inputs."""
    for part in ("simulate", "measure", "planted"):
        for path in codegraph.sources(f"zeroloss.studies.{study}.{part}"):
            text = path.read_text(encoding="utf-8")
            assert "import_module" not in text and "__import__" not in text, path


LIGHT = ["zeroloss", "ledger.config.configuration", "ledger.run.codegraph", "zeroloss.cli"]
LIGHT += [f"zeroloss.studies.{study}.cases" for study in STUDIES]


@pytest.mark.parametrize("module", LIGHT)
def test_the_workflow_starts_light(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'scipy', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imports {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 330, "a module past 300 lines wants another look"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            documented = len((ast.get_docstring(node) or "").splitlines())
            assert length - documented <= 55, f"{node.name} has {length} lines"


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_one_word_in_every_room(study: str) -> None:
    for place in (
        f"src/zeroloss/studies/{study}/simulate.py",
        f"figures/{study}.py",
        f"paper/sections/{study}.tex",
        f"tests/studies/test_{study}.py",
    ):
        here = ROOT / place
        assert here.exists() or (ROOT / place).with_suffix("").is_dir(), f"{place} is missing"
    for figure in codegraph.literal_keys(ROOT / "figures" / f"{study}.py", "FIGURES"):
        assert (ROOT / "workflow" / "report" / f"{study}-{figure}.rst").is_file(), figure
