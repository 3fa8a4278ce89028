"""W5 at sizes of seconds: stated replicates are those that intervals take."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import report_verdicts, tables, verdicts
from benchmarks.coupling import coupled_slope
from benchmarks.rows import pick
from benchmarks.verdicts import COUPLED, PLAIN, Part, Plan, Way
from ledger.record.statistics import slope_of_stds
from ledger.record.streams import stream

TINY = Plan(num_samples=4, flow_times=(0.5, 1.0), levels=3,
            sweeps=(("slope_M", "units", 2, 16), ("slope_L", "layers", 16, 2)), top=(2, 16),
            most_levels=3, pilot_trees=12, pilot_ladders=12, pilot_networks=20,
            slope_half_width=0.2, relative_half_width=0.4, least=6)


def part(deviations: tuple[float, ...], replicates: int, seconds: float) -> Part:
    """Values with these exact standard deviations at each flow time."""
    values = stream("verdict", replicates).standard_normal(replicates)
    values = (values - values.mean()) / values.std(ddof=1)
    return Part(np.outer(deviations, values), seconds)


def test_replicates_are_those_of_the_variance() -> None:
    way = Way("x", [part((2.0, 3.0), 50, 0.5)], np.ones(1), 0.1)
    assert way.needed()[0] == pytest.approx([900.0])
    assert way.seconds()[0] == pytest.approx(450.0)
    assert way.limiting((4.0, 50.0)) == 50.0
    draws = way.seconds(resampled=True)
    assert np.quantile(draws, 0.1) < 450.0 < np.quantile(draws, 0.9)


def test_shares_and_least_hold() -> None:
    parts = [part((1.0,), 30, 1.0), part((2.0,), 40, 2.0)]
    way = Way("x", parts, np.array([1.0, 2.0]), 0.1, least=250)
    # (1/1 + 4/2)/0.01 = 300 and twice that
    assert way.replicates() == pytest.approx((300, 600), abs=1)
    rare = Way("x", parts, np.array([1.0, 2.0]), 1.0, least=250)
    assert rare.replicates() == (250, 250)


def test_intervals_of_slopes_are_as_wide_as_stated() -> None:
    """The linearised width against the bootstrap's, of independent networks and of trees."""
    plan, sizes = Plan(num_samples=4, flow_times=(0.5,), pilot_networks=300), (32.0, 16.0, 8.0)
    parts = verdicts._independent(plan, "test", "units", 2, 32, sizes)
    alone = [verdicts.grow(plan, "units", 2, int(M), 1, 300, "test-independent") for M in sizes]
    found = slope_of_stds(sizes, [one.residuals[0][0, :, 0] for one in alone])
    half = 1.96 * math.sqrt(verdicts.variances(parts).sum() / 300)
    assert found.half_width == pytest.approx(half, rel=0.1)
    forest = verdicts.grow(plan, "units", 2, 32, 3, 100, "test")
    values = verdicts._tree_values(sizes, forest.trees(0))
    assert coupled_slope(sizes, forest.trees(0)).half_width == pytest.approx(
        1.96 * values.std(ddof=1) / 10, rel=0.15)
    assert coupled_slope(sizes, forest.trees(0)).half_width < 0.3 * found.half_width * math.sqrt(3)


def test_all_rows_and_their_table() -> None:
    rows = verdicts.verdicts(TINY)
    assert {row.work for row in rows} == {"verdict"}
    for claim in (verdicts.WIDTH, verdicts.CONSTANT):
        assert pick(rows, case=claim, method=PLAIN, quantity="cpu_ratio")[0].value == 1.0
        ratio = pick(rows, case=claim, method=COUPLED, quantity="cpu_ratio")[0]
        assert ratio.lower <= ratio.upper and "the target of 10" in ratio.note
        seconds = {m: pick(rows, case=claim, method=m, quantity="cpu_seconds")[0].value
                   for m in (PLAIN, COUPLED)}
        assert ratio.value == pytest.approx(seconds[PLAIN] / seconds[COUPLED])
    for case in ("slope_M", "slope_L", "constant"):
        assert len(pick(rows, case=case, method=COUPLED, quantity="half_width")) == 2
        assert pick(rows, case=case, method=COUPLED, quantity="cpu_spent")[0].value > 0
    table = report_verdicts.verdict_costs(rows)
    assert [len(row) for row in table.rows] == [len(table.headings)] * 13
    assert "of each of 3 sizes" in tables.markdown(table)
    assert sum(table.shares) == pytest.approx(1.0)


def test_no_rows_no_table() -> None:
    assert not report_verdicts.verdict_costs([]).rows
