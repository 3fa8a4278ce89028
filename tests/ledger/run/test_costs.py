"""What a run costs is read off its manifests, added up for cores, and never guessed in silence."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import evidence
import pandas as pd
import pytest

from ledger.record import estimates, results
from ledger.record.results import MissingResultError, ResultError
from ledger.record.verify import ESTIMATES
from ledger.run import costs
from ledger.run.costs import Cost

ROOT = Path(__file__).resolve().parents[3]
COSTS = {
    ("toy", "wide"): Cost(120.0, 300.0, 2**20, "2 x cpu", "0abc", ("toy.depth",)),
    ("toy", "narrow"): Cost(60.0, 500.0, 2**21, "2 x cpu", "1abc", ("toy.depth", "toy.width")),
    ("toy", "estimates"): Cost(30.0, 200.0, 2**10, "2 x cpu"),
}


def write(folder: Path, case: str, frame: pd.DataFrame, **fields: Any) -> None:
    machine = {"processor": "abacus", "processors": 3}
    cost = {"study": "toy", "cpu_seconds": 1.5, "peak_memory_mb": 10.0, "machine": machine}
    results.write_table(frame, folder / "toy" / f"{case}.parquet", cost | fields)


def test_text_and_back() -> None:
    text = costs.as_text({"quick": {}, "full": COSTS})
    assert text.splitlines()[0] == ",".join(costs.COLUMNS)
    assert costs.of_text(text, "x") == {"full": COSTS}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cpu_seconds", "seconds", "must have the columns"),
        ("120.0", "long", "line 4 is no cost"),
        ("1048576", "", "line 4 is no cost"),
    ],
)
def test_a_damaged_file_is_named(old: str, new: str, message: str) -> None:
    text = costs.as_text({"full": COSTS})
    assert old in text
    with pytest.raises(ResultError, match=message):
        costs.of_text(text.replace(old, new), "published/costs.csv")


def test_a_manifest_without_a_cost_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "wide", pd.DataFrame({"risk": [1.0]}), cpu_seconds=None)
    with pytest.raises(ResultError, match=r"wide\.manifest\.json must say cpu_seconds"):
        costs.of_run(tmp_path)


def test_publishing_keeps_the_other_mode(tmp_path: Path) -> None:
    write(tmp_path / "run", "wide", pd.DataFrame({"risk": [1.0]}), spec={"kind": "wide"})
    with pytest.raises(MissingResultError, match=r"toy/estimates\.parquet is missing; run make"):
        costs.publish(tmp_path / "run", tmp_path, "quick")
    made = evidence.frame(evidence.row(sources="wide"), evidence.plain("risk", 1.0)).drop(
        columns=["study", "key"])  # fmt: skip
    write(tmp_path / "run", "estimates", made)
    costs.publish(tmp_path / "run", tmp_path, "quick")
    costs.publish(tmp_path / "run", tmp_path, "full")
    size = (tmp_path / "run" / "toy" / "wide.parquet").stat().st_size
    spec = costs.digest_of({"kind": "wide"})
    found = costs.read(tmp_path)
    assert found["quick"] == found["full"]
    wide = Cost(1.5, 10.0, size, "3 x abacus", spec, ("toy.depth",))
    assert found["full"]["toy", "wide"] == wide
    assert costs.of_run(tmp_path / "run") == found["full"]
    assert set(found["full"]) == {("toy", "wide"), ("toy", "estimates")}
    with pytest.raises(MissingResultError, match="is missing; run make reproduce"):
        costs.publish(tmp_path / "nothing", tmp_path, "full")


def test_jobs_of_a_planned_mode_are_published_one_by_one(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="is missing; run make reproduce"):
        costs.publish(tmp_path / "run", tmp_path, "large")
    for case in ("wide", "narrow"):
        write(tmp_path / case, case, pd.DataFrame({"risk": [1.0]}), spec={"kind": case})
        costs.publish(tmp_path / case, tmp_path, "large")
    assert set(costs.read(tmp_path)["large"]) == {("toy", "narrow"), ("toy", "wide")}


def test_what_was_predicted_is_marked_and_has_a_range() -> None:
    told = COSTS | {("toy", "new"): Cost(600.0, 100.0, 0, errors=(2.0, 1.5))}
    bill = costs.bill("toy", jobs("wide", "new"), jobs("estimates"), told, cores=2)
    assert bill.predicted == ("toy/new",) and bill.mark == "~ "
    assert bill.cpu_minutes_between == (7.5, 22.5) and bill.cpu_minutes == 12.5
    measured = costs.bill("toy", jobs("wide"), jobs("estimates"), told, cores=2)
    assert measured.mark == "" and measured.cpu_minutes_between == (2.5, 2.5)
    assert costs.bill("toy", jobs("new", "gone"), [], told, cores=2).mark == "> "
    assert costs.cases_for("toy.width", ["new", "wide"], told) == ["new"], "it may belong to any"


def test_what_a_claim_rests_on() -> None:
    cases = ["narrow", "new", "wide"]
    assert costs.cases_for("toy.width", cases, COSTS) == ["narrow", "new"]
    assert costs.cases_for("toy.depth", cases, COSTS) == cases
    assert costs.cases_for("toy.depth", ["wide"], COSTS) == ["wide"], "narrow is gone"
    assert costs.cases_for("other.claim", ["a"], COSTS) == ["a"]


def jobs(*cases: str) -> list[costs.Job]:
    return [(("toy", case),) for case in cases]


def test_a_bill_adds_up() -> None:
    bill = costs.bill("toy", jobs("wide", "narrow"), jobs("estimates"), COSTS, cores=2)
    assert (bill.jobs, bill.cpu_minutes, bill.wall_minutes) == (3, 3.5, 2.5)
    assert (bill.peak_memory_mb, bill.disk_mb) == (800.0, 3 + 2**-10)
    assert bill.is_priced and bill.unmeasured == ()
    measured = {("toy", "wide"): COSTS["toy", "wide"], ("toy", "estimates"): Cost(1, 900.0, 0)}
    after = costs.bill("toy", jobs("wide"), jobs("estimates"), measured, cores=2)
    assert after.peak_memory_mb == 900.0, "a study is measured when its jobs are done"
    others = [(("other", "estimates"),), *jobs("estimates")]
    assert costs.bill("both", jobs("wide"), others, measured, cores=2).peak_memory_mb == 1200.0
    alone = costs.bill("toy", jobs("wide", "narrow"), jobs("estimates"), COSTS, cores=1)
    assert (alone.wall_minutes, alone.peak_memory_mb) == (3.5, 500.0)
    together = costs.bill("toy", [(("toy", "wide"), ("toy", "narrow"))], [], COSTS, cores=2)
    assert (together.jobs, together.wall_minutes, together.peak_memory_mb) == (1, 3.0, 500.0)


def best(seconds: tuple[int, ...], cores: int) -> float:
    """The shortest of all ways to share jobs."""
    ways = itertools.product(range(cores), repeat=len(seconds))
    return min(
        max(sum(s for s, at in zip(seconds, way, strict=True) if at == core) for core in range(cores)) for way in ways
    )


@pytest.mark.parametrize("seconds", [(7, 5, 4, 3, 1), (2, 2, 2), (9, 1, 1, 1), (6, 6, 4, 4, 4)])
@pytest.mark.parametrize("cores", [1, 2, 3])
def test_the_longest_first_is_near_the_best(seconds: tuple[int, ...], cores: int) -> None:
    """Graham 1969: at most 4/3 − 1/(3 cores) of the best."""
    found = costs.makespan(seconds, cores)
    shortest = best(seconds, cores)
    assert shortest <= found <= (4 / 3 - 1 / (3 * cores)) * shortest + 1e-12


def test_the_published_costs_name_the_sources_of_the_published_estimates() -> None:
    published = ROOT / "published"
    table = estimates.from_csv((published / ESTIMATES).read_text(), "published")
    named: dict[tuple[str, str], set[str]] = {}
    for row in estimates.records(table):
        for case in filter(None, row["sources"].split(";")):
            named.setdefault((row["study"], case), set()).update(filter(None, [row["claim"]]))
    found = {key: set(cost.claims) for key, cost in costs.read(published)["full"].items() if key[1] != costs.MEASURING}
    assert {key: found[key] for key in named} == named
    assert all(not claims for key, claims in found.items() if key not in named)
