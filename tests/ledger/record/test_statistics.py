"""Estimates against closed forms, and their intervals against what they promise: coverage."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ledger.record.interval import CONFIDENCE, DETERMINISTIC, NONE, Interval, Kind, one_sided, range_of, simultaneous
from ledger.record.statistics import (
    BOOTSTRAPS,
    Estimate,
    bootstrap,
    bootstrap_weights,
    clopper_pearson,
    ks_distance,
    log_slope,
    observed_orders,
    slope_of_stds,
    student,
    welch,
)
from ledger.record.streams import stream

SIZES = [8, 16, 32, 64]


def coverage(trials: int, truth: float, estimate: Callable[[int], Estimate]) -> Estimate:
    """How often the interval of trial i holds the truth, with its own interval at 99.9 %."""
    held = sum(e.lower <= truth <= e.upper for e in map(estimate, range(trials)))
    return clopper_pearson(held, trials, Interval(Kind.CONFIDENCE, 0.999))


# ---- slopes and orders


@given(slope=st.floats(-3, 3), constant=st.floats(1e-3, 1e3), unit=st.floats(1e-3, 1e3))
def test_the_slope_of_a_power_whatever_its_constant_and_unit(slope: float, constant: float, unit: float) -> None:
    sizes = np.array([3.0, 5.0, 17.0, 40.0])
    values = constant * sizes**slope
    assert log_slope(sizes, values) == pytest.approx(slope, abs=1e-9)
    assert log_slope(unit * sizes, values) == pytest.approx(slope, abs=1e-9)


def test_slopes_of_many_rows_at_once_are_least_squares() -> None:
    values = np.exp(stream("slopes").standard_normal((5, 4)))
    fitted = [np.polyfit(np.log(SIZES), np.log(row), 1)[0] for row in values]
    np.testing.assert_allclose(log_slope(SIZES, values), fitted, rtol=1e-12)


def test_orders_observed_on_nested_sizes() -> None:
    L = np.array([4.0, 8.0, 16.0, 32.0])
    errors = np.stack([3.0 / L, 0.1 / L**2, 1 / L + 8 / L**2])
    orders = observed_orders(errors)
    assert orders.shape == (3, 3)
    np.testing.assert_allclose(orders[:2], [[1] * 3, [2] * 3], rtol=1e-12)
    assert 1 < orders[2, 2] < orders[2, 1] < orders[2, 0], "it approaches the order from above"


def residuals(trial: int, size: int, replicates: int) -> np.ndarray:
    """Correlated residuals of std ∝ size^{−1/2}, not centred and not normal."""
    rng = stream("statistics", trial, size)
    mix = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 2.0]])
    return 5.0 + rng.uniform(-1, 1, (replicates, 3)) @ mix / math.sqrt(size)


def test_the_slope_of_stds_is_covered() -> None:
    held = coverage(150, -0.5, lambda i: slope_of_stds(SIZES, [residuals(i, n, 60) for n in SIZES], CONFIDENCE))
    assert held.lower <= 0.95 <= held.upper, held


def test_the_slope_of_stds_does_not_see_the_mean_or_the_unit() -> None:
    samples = [residuals(0, n, 60) for n in SIZES]
    one = slope_of_stds(SIZES, samples, CONFIDENCE)
    other = slope_of_stds(SIZES, [7.0 - 1e3 * r for r in samples], CONFIDENCE)
    assert one.value == pytest.approx(-0.5, abs=0.1)
    for name in ("value", "lower", "upper"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-9)


def on_common_paths(trial: int) -> list[np.ndarray]:
    """Residuals that share their fluctuation and differ a little by size."""
    rng = stream("paired", trial)
    common = rng.standard_normal((60, 3))
    return [2.0 + common + 0.02 * rng.standard_normal((60, 3)) for _ in SIZES]


def test_what_pairs_share_cancels() -> None:
    held = coverage(150, 0.0, lambda i: slope_of_stds(SIZES, on_common_paths(i), CONFIDENCE, paired=True))
    assert held.lower <= 0.95 <= held.upper, held
    paired = slope_of_stds(SIZES, on_common_paths(0), CONFIDENCE, paired=True)
    alone = slope_of_stds(SIZES, on_common_paths(0), CONFIDENCE)
    assert paired.value == alone.value
    assert paired.half_width < 0.2 * alone.half_width


# ---- bootstrap


def test_the_bootstrap_is_the_same_for_the_same_data() -> None:
    values = stream("values").exponential(size=50)

    def mean() -> Estimate:
        return bootstrap(lambda w: w @ values / w.sum(1), 50, CONFIDENCE)

    first = mean()
    np.random.default_rng().standard_normal(10)
    assert mean() == first
    assert first.value == pytest.approx(values.mean())
    assert first.lower < first.value < first.upper


def test_bootstrap_weights_are_resamplings() -> None:
    weights = bootstrap_weights(40, "one", 1)
    assert weights.shape == (BOOTSTRAPS, 40)
    assert (weights.sum(1) == 40).all() and (weights >= 0).all() and (weights % 1 == 0).all()
    assert weights.var() == pytest.approx(1 - 1 / 40, rel=0.05)
    assert (weights == bootstrap_weights(40, "one", 1)).all()
    assert (weights != bootstrap_weights(40, "one", 2)).any()


def test_the_bootstrap_of_a_mean_is_students_interval() -> None:
    values = stream("normal values").standard_normal(400)
    boot = bootstrap(lambda w: w @ values / 400, 400, CONFIDENCE)
    normal = student(values, CONFIDENCE)
    assert boot.half_width == pytest.approx(normal.half_width, rel=0.1)
    assert boot.lower == pytest.approx(normal.lower, abs=0.02)


def test_the_interval_holds_its_own_estimate() -> None:
    """Also of a statistic that resampling biases to one side."""
    biased = bootstrap(lambda w: (w.max(1) > 1).astype(float), 20, CONFIDENCE)
    assert biased.lower <= biased.value == 0.0 <= biased.upper


def test_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    made = student(values, Interval(Kind.CONFIDENCE, 0.9))
    low, high = stats.t.interval(0.9, 3, loc=4.0, scale=stats.sem(values))
    assert (made.value, str(made.interval)) == (4.0, "90 %")
    assert (made.lower, made.upper) == pytest.approx((low, high))
    with pytest.raises(ValueError, match="at least 2 values, got 1; add replicates"):
        student(values[:1], CONFIDENCE)


def test_the_interval_of_several_errors_has_the_degrees_of_freedom_of_welch() -> None:
    """That of scipy for the difference of two means, Student's for one error, normal for known ones."""
    one, other = stream("welch").standard_normal(5), 3 * stream("welch", 1).standard_normal(9)
    errors = [(float(x.std(ddof=1)) / math.sqrt(len(x)), len(x) - 1) for x in (one, other)]
    made = welch(one.mean() - other.mean(), errors, CONFIDENCE)
    ends = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (made.lower, made.upper) == pytest.approx((ends.low, ends.high))
    alone, students = welch(one.mean(), errors[:1], CONFIDENCE), student(one, CONFIDENCE)
    assert (alone.lower, alone.upper) == pytest.approx((students.lower, students.upper))
    known = welch(0.0, [(0.3, math.inf), (0.4, math.inf)], CONFIDENCE)
    assert known.half_width == pytest.approx(0.5 * stats.norm.ppf(0.975))


@given(level=st.floats(0.5, 0.999), cells=st.integers(1, 200))
def test_intervals_hold_together(level: float, cells: int) -> None:
    each = simultaneous(cells, level).own_level
    assert level <= each < 1
    assert cells * (1 - each) == pytest.approx(1 - level)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(ValueError, match=r"level of an interval must lie in \(0, 1\), got"):
        Interval(Kind.CONFIDENCE, level)
    with pytest.raises(ValueError, match="of 1 cell or run at least, got 0"):
        range_of(0)


def test_one_end_alone_has_half_of_the_error() -> None:
    both, upper = (clopper_pearson(3, 50, one) for one in (Interval(Kind.CONFIDENCE, 0.9), one_sided()))
    assert (both.lower, both.upper) == pytest.approx((upper.lower, upper.upper))


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (CONFIDENCE, "95 %"),
        (simultaneous(24), "simultaneous 95 % of 24"),
        (one_sided(0.975), "one-sided 97.5 %"),
        (range_of(3), "range of 3"),
        (DETERMINISTIC, "deterministic"),
        (NONE, ""),
    ],
)
def test_an_interval_is_what_its_text_says(interval: Interval, text: str) -> None:
    assert str(interval) == text
    read = Interval.parse(text)
    assert (read.kind, read.count, str(read)) == (interval.kind, interval.count, text)


@pytest.mark.parametrize("text", ["95", "simultaneous 95 %", "95 % of 3", "sure", "range of", "range of 0", "0 %"])
def test_other_texts_are_no_interval(text: str) -> None:
    with pytest.raises(ValueError, match=r"interval must"):
        Interval.parse(text)


# ---- laws


def test_the_distance_of_laws_by_hand() -> None:
    made = ks_distance(np.array([1.0, 2.0, 3.0]), np.array([2.5, 2.6]), CONFIDENCE)
    assert made.value == pytest.approx(2 / 3)
    radius = math.sqrt(math.log(2 / 0.025) / 2)
    half = radius * (1 / math.sqrt(3) + 1 / math.sqrt(2))
    assert (made.lower, made.upper) == pytest.approx((0.0, 2 / 3 + half))


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_the_distance_of_laws_is_covered(shift: float) -> None:
    """Uniform laws a shift apart are at this very distance; the bound may only be wide."""

    def estimate(trial: int) -> Estimate:
        rng = stream("ks", trial)
        return ks_distance(shift + rng.uniform(size=200), rng.uniform(size=2000), CONFIDENCE)

    assert coverage(300, shift, estimate).lower >= 0.93


def test_the_distance_of_laws_closes_in() -> None:
    rng = stream("ks closes in")
    far, near = (ks_distance(0.2 + rng.uniform(size=n), rng.uniform(size=10 * n), CONFIDENCE) for n in (100, 10_000))
    assert near.half_width < 0.15 * far.half_width
    assert near.lower > 0.15 and near.upper < 0.25


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.30849711),
        (1, 10, 0.00252858, 0.44501612),
        (5, 10, 0.18708603, 0.81291397),
        (10, 10, 0.69150289, 1.0),
    ],
)
def test_the_exact_interval_of_a_probability(successes: int, trials: int, low: float, high: float) -> None:
    made = clopper_pearson(successes, trials, CONFIDENCE)
    assert made.value == successes / trials
    assert (made.lower, made.upper) == pytest.approx((low, high), abs=1e-7)


@given(trials=st.integers(1, 200), level=st.floats(0.5, 0.999))
def test_the_exact_interval_without_a_success(trials: int, level: float) -> None:
    interval = Interval(Kind.CONFIDENCE, level)
    made = clopper_pearson(0, trials, interval)
    assert made.lower == 0.0
    assert made.upper == pytest.approx(1 - ((1 - level) / 2) ** (1 / trials))
    mirrored = clopper_pearson(trials, trials, interval)
    assert (mirrored.lower, mirrored.upper) == pytest.approx((1 - made.upper, 1.0))
