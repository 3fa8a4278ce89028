"""Data never becomes code, whoever sends it; tests/architecture holds that of the source."""

from __future__ import annotations

import os
import pickle
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger.config import configuration as config
from ledger.record import claims, estimates, results, verify
from ledger.run import jobs
from tests.faults import summary

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted([ROOT / "workflow" / "Snakefile", *(ROOT / "workflow").rglob("*.smk")])


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_quote_what_a_user_names(path: Path) -> None:
    """What comes from a configuration is quoted; the rest has names of our own."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(?:eval|exec)\(|\bpickle\b|shell=True|yaml\.load\(", text)
    for placeholder in re.findall(r"\{(?:params\.overrides|input\.config)[^}]*\}", text):
        assert placeholder.endswith(":q}"), placeholder


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder that only hostile code makes."""
    return tmp_path / "owned"


def test_the_trap_works(trap: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(trap)))
    assert trap.exists()


@pytest.mark.parametrize(
    ("name", "read", "said"),
    [
        ("table.parquet", results.read_table, "is not parquet"),
        ("estimates.parquet", lambda path: estimates.read([path]), "is not parquet"),
        ("verdicts.json", verify.read_verdicts, "is not"),
        ("specs.json", lambda path: jobs.read_cases("zero_loss", path), "is not"),
        ("mine.yaml", config.load, "not readable as YAML"),
        ("claims.yaml", claims.load_claims, "is not YAML"),
    ],
)
def test_what_a_file_holds_does_not_run(
    tmp_path: Path, trap: Path, name: str, read: Callable[[Path], object], said: str
) -> None:
    """A pickle, or a tag of YAML; a manifest is right, since somebody made both."""
    path, what = tmp_path / name, "YAML tag" if name.endswith(".yaml") else "pickle"
    path.write_bytes(
        f"!!python/object/apply:os.mkdir ['{trap}']\n".encode() if what == "YAML tag" else pickle.dumps(Hostile(trap))
    )
    manifest = {"sha256": results.sha256_of(path.read_bytes()), "study": "limits"}
    results.write_sealed(results.manifest_path(path), manifest)
    with pytest.raises((results.ResultError, config.ConfigError, claims.ClaimError), match=said):
        read(path)
    assert not trap.exists()
    summary.count("hostile file", f"{what} in {name}")


def test_a_parquet_with_a_pickle_in_its_types_runs_nothing(tmp_path: Path, trap: Path) -> None:
    """Arrow once unpickled extension types that a file names (CVE-2023-47248)."""
    payload = pickle.dumps(Hostile(trap))
    names = (
        {b"ARROW:extension:name": name, b"ARROW:extension:metadata": payload}
        for name in (b"arrow.py_extension_type", b"pandas.period")
    )
    for number, metadata in enumerate(names):
        field = pa.field("x", pa.int64(), metadata=metadata)
        schema = pa.schema([field], metadata={b"pandas": payload.hex().encode()})
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"x": [1, 2]}).cast(schema), path)
        results.write_sealed(results.manifest_path(path), {"sha256": results.sha256_of(path.read_bytes())})
        try:
            assert list(results.read_table(path)["x"]) == [1, 2]
        except results.ResultError as error:
            assert "is not parquet" in str(error)
        assert not trap.exists()
    summary.count("hostile file", "parquet with a pickle in its types", 2)


def test_the_injected_kill_is_not_armed_by_itself() -> None:
    """The fault that the suite injects does nothing unless it is asked for."""
    fsync = os.fsync
    runpy.run_path(str(ROOT / "tests" / "faults" / "inject" / "sitecustomize.py"))
    assert os.fsync is fsync
