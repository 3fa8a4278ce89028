"""What a job asks for: from what a published run took."""

from __future__ import annotations

from pathlib import Path

from ledger.config import configuration as config
from ledger.run import costs, resources
from ledger.run.costs import Cost
from ledger.run.resources import Request

ROOT = Path(__file__).resolve().parents[3]
TABLE = {("limits", "a"): Cost(9.4, 399.0, 1), ("limits", "b"): Cost(100.0, 1210.0, 1)}


def test_a_request_has_a_margin_and_grows_with_every_attempt() -> None:
    # 1.5 times 399 MB, up to full hundreds; 4 times 9.4 s and two minutes to start
    assert resources.request(TABLE, "limits", ["a"]) == Request(mem_mb=600, runtime=3)
    assert resources.request(TABLE, "limits", ["a"], attempt=3) == Request(mem_mb=1800, runtime=9)


def test_a_batch_runs_its_cases_one_after_the_other() -> None:
    both = resources.request(TABLE, "limits", ["a", "b"])
    assert both == Request(mem_mb=1900, runtime=10)


def test_what_was_not_measured_asks_for_a_default() -> None:
    assert resources.request(TABLE, "limits", ["new"]) == Request(mem_mb=8700, runtime=45)
    assert resources.request({}, "size", ["a"]) == resources.request(TABLE, "size", ["a"])


def test_a_prediction_has_the_margin_of_its_error_at_least() -> None:
    table = {
        ("limits", "a"): Cost(9.4, 399.0, 1, errors=(10.0, 3.0)),
        ("limits", "b"): Cost(9.4, 399.0, 1, errors=(2.0, 1.1)),
    }
    assert resources.request(table, "limits", ["a"]) == Request(mem_mb=1200, runtime=4)
    assert resources.request(table, "limits", ["b"]) == Request(mem_mb=600, runtime=3)


def test_the_default_is_twice_the_largest_of_the_published_run() -> None:
    table = costs.read(ROOT / "published")["full"].values()
    assert 0.4 < max(cost.peak_memory_mb for cost in table) / resources.UNMEASURED_MB < 0.6
    assert 0.4 < max(cost.cpu_seconds for cost in table) / resources.UNMEASURED_SECONDS < 0.6


def test_the_table_names_cases_that_exist() -> None:
    checked = config.load(ROOT / "config" / "full.yaml")
    cases = {(study, name) for study in checked.studies for name in config.cases_of(checked, study)}
    measuring = {(study, costs.MEASURING) for study in checked.studies}
    published = set(costs.read(ROOT / "published")["full"])
    assert published <= cases | measuring, "publish the run anew"
