"""What a job asks for: read from a table that a full run made."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroloss import cli, config, jobs, resources, results
from zeroloss.resources import Cost, Request
from zeroloss.results import MissingResultError, ResultError
from zeroloss.studies import STUDIES

ROOT = Path(__file__).resolve().parents[1]
TABLE = {("limits", "a"): Cost(399.0, 9.4), ("limits", "b"): Cost(1210.0, 100.0)}


def manifest(folder: Path, study: str, case: str, **fields: object) -> None:
    results.write_json(
        folder / study / f"{case}.manifest.json", {"study": study, "case": case, **fields}
    )


def test_the_table_is_made_from_the_manifests(tmp_path: Path) -> None:
    run, out = tmp_path / "full", tmp_path / "resources.csv"
    manifest(run, "limits", "b", peak_memory_mb=1210.4, wall_seconds=100.04)
    manifest(run, "limits", "a", peak_memory_mb=399.0, wall_seconds=9.41)
    assert cli.main(["resources", "--results", str(run), "--out", str(out)]) == 0
    assert out.read_text() == (
        "study,case,peak_memory_mb,wall_seconds\nlimits,a,399,9.4\nlimits,b,1210,100.0\n"
    )
    assert resources.read(out) == TABLE


def test_a_request_has_a_margin_and_grows_with_every_attempt() -> None:
    # 1.5 times 399 MB, up to full hundreds; 4 times 9.4 s and two minutes to start
    assert resources.request(TABLE, "limits", ["a"]) == Request(mem_mb=600, runtime=3)
    assert resources.request(TABLE, "limits", ["a"], attempt=3) == Request(mem_mb=1800, runtime=9)


def test_a_batch_runs_its_cases_one_after_the_other() -> None:
    both = resources.request(TABLE, "limits", ["a", "b"])
    assert both == Request(mem_mb=1900, runtime=10)


def test_what_was_not_measured_asks_for_a_default() -> None:
    assert resources.request(TABLE, "limits", ["new"]) == Request(mem_mb=4500, runtime=22)
    assert resources.request({}, "size", ["a"]) == resources.request(TABLE, "size", ["a"])


def test_the_default_is_twice_the_largest_of_the_table() -> None:
    table = resources.read(ROOT / "workflow" / "resources.csv")
    default = resources.UNMEASURED
    assert 0.4 < max(cost.peak_memory_mb for cost in table.values()) / default.peak_memory_mb < 0.6
    assert 0.4 < max(cost.wall_seconds for cost in table.values()) / default.wall_seconds < 0.6


def test_the_table_names_cases_that_exist() -> None:
    checked = config.load(ROOT / "config" / "full.yaml")
    known = {(study, "estimates") for study in STUDIES}
    for study in STUDIES:
        known |= {(study, case) for case in jobs.part_of(study, "cases").cases(checked)}
    stale = set(resources.read(ROOT / "workflow" / "resources.csv")) - known
    assert not stale, f"write it again with {resources.MEASURE}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study,case\nlimits,a\n", "must have the columns"),
        ("", "got none"),
        ("study,case,peak_memory_mb,wall_seconds\nlimits,a,much,9\n", "line 2: memory and time"),
        ("study,case,peak_memory_mb,wall_seconds\nlimits,a,3,-1\n", "line 2: memory and time"),
        ("study,case,peak_memory_mb,wall_seconds\nlimits,a,3\n", "line 2: memory and time"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ResultError, match=message) as raised:
        resources.read(tmp_path / "t.csv")
    assert "write it with zeroloss resources" in str(raised.value)


def test_a_run_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="holds no manifest"):
        resources.measured(tmp_path)
    manifest(tmp_path, "limits", "a", peak_memory_mb="much")
    with pytest.raises(ResultError, match="must name study, case"):
        resources.measured(tmp_path)
