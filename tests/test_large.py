"""The tables of docs/large.md add up to the plan they are made from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zeroloss import costs, large, planning

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "published"


@pytest.fixture(scope="module")
def plan() -> planning.Plan:
    return planning.plan(large.MODE, PUBLISHED)


def column(table: str, heading: str) -> list[float]:
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
    at = lines[0].index(heading)
    return [float(line[at]) for line in lines[2:]]


def test_every_job_fits_one_class_of_memory(plan: planning.Plan) -> None:
    table = large.memory(plan)
    assert sum(column(table, "jobs")) == len(plan.costs)
    spent = sum(cost.wall_seconds for cost in plan.costs.values()) / 3600
    assert sum(column(table, "CPU hours")) == pytest.approx(spent, abs=0.5)
    limits = [float(x) for x in re.findall(r"up to (\d+) GB", table)]
    assert all(a <= b for a, b in zip(column(table, "largest (GB)"), limits, strict=True))


def test_sizes_name_every_job_of_this_mode_alone(plan: planning.Plan) -> None:
    measured = costs.read(PUBLISHED)[large.MODE]
    table = large.sizes(plan, measured)
    new = [key for key, cost in plan.costs.items() if cost.between or key in measured]
    assert sum(column(table, "jobs")) == len(new) - 1, "and the measuring"
    row = next(line for line in table.splitlines() if "| 10000 × 10000 |" in line)
    assert row.startswith("| `surface-large` | independent | 10000 × 10000 | 16 | 16 |")
    assert "100 000 000 particles and 1 000 000 000 000 act" in large.reach(plan, measured)


def test_what_was_run_stands_beside_what_was_predicted(plan: planning.Plan) -> None:
    measured = costs.read(PUBLISHED)[large.MODE]
    table = large.held_against(plan, measured)
    assert len(table.splitlines()) == 2 + len(measured) > 2
    changed = {key: costs.Cost(1.0, 1.0, 1, "", "other") for key in measured}
    assert len(large.held_against(plan, changed).splitlines()) == 2, "of other settings"
