"""The ratio of a measured covariance to its prediction: what it is, and how often it is covered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ledger.record.interval import CONFIDENCE, Interval, Kind
from ledger.record.statistics import Estimate, clopper_pearson
from ledger.record.streams import stream
from zeroloss.theory.covariance import Trace, kept, trace_ratio


def laplace(trial: int, replicates: int = 500) -> np.ndarray:
    """Residuals of heavier tails than normal: trace of the covariance 2 + 3 + 1 = 6."""
    draws = stream("laplace", trial).laplace(scale=math.sqrt(0.5), size=(replicates, 3))
    return 10.0 + draws @ np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def test_the_ratio_of_traces_is_covered() -> None:
    ratios = [trace_ratio(laplace(i), Trace(6.0), 1, CONFIDENCE) for i in range(600)]
    held = clopper_pearson(sum(e.lower <= 1.0 <= e.upper for e in ratios), 600, Interval(Kind.CONFIDENCE, 0.999))
    assert held.lower <= 0.95 <= held.upper, held
    assert trace_ratio(laplace(0, 200_000), Trace(6.0), 1, CONFIDENCE).value == pytest.approx(1.0, abs=0.01)


def test_the_ratio_of_traces_is_the_ratio_of_traces() -> None:
    r = laplace(1)
    made = trace_ratio(r, Trace(3.0), 1, CONFIDENCE)
    assert made.value == pytest.approx(np.trace(np.cov(r.T)) / 3.0)
    doubled = trace_ratio(2 * r - 5, Trace(120.0), 10, CONFIDENCE)
    assert (doubled.lower, doubled.upper) == pytest.approx((made.lower, made.upper))


def test_the_error_of_the_prediction_widens_in_quadrature() -> None:
    r = laplace(2)
    exact, rough = (trace_ratio(r, Trace(6.0, error), 1, CONFIDENCE) for error in (0.0, 0.6))
    t, z = stats.t.ppf(0.975, 499), stats.norm.ppf(0.975)
    assert rough.value == exact.value
    assert rough.half_width == pytest.approx(math.hypot(exact.half_width * z / t, z * 0.1 * exact.value), rel=1e-3)
    assert trace_ratio(r, Trace(6.0, 0.6), 1, Interval(Kind.CONFIDENCE, 0.999)).half_width > rough.half_width


def test_the_bias_of_the_prediction_is_added_at_every_level() -> None:
    r = laplace(2)
    for interval in (CONFIDENCE, Interval(Kind.CONFIDENCE, 0.999)):
        without, biased = (trace_ratio(r, Trace(6.0, 0.1, 3, bias), 1, interval) for bias in (0.0, 0.3))
        assert biased.half_width == pytest.approx(without.half_width + 0.05 * without.value)


def test_one_scramble_that_is_far_off_on_half_of_its_points_says_nothing_of_the_bias() -> None:
    traces = np.array([8.0, 8.4, 8.2, 8.3])
    trace = Trace.of(traces, np.array([8.3, 8.2, 16.3]))
    assert trace.bias == pytest.approx(0.3)  # changes −0.3, 0.2 and −8.1
    assert Trace.of(traces).bias == 0.0 and trace.value == pytest.approx(traces.mean())


def test_scrambles_near_a_separatrix_are_trimmed() -> None:
    """Ten rules, two of them far off: the mean of the six in the middle, as Tukey and McLaughlin say."""
    traces = np.array([8.1, 16.0, 8.3, 7.9, 8.0, 8.2, 30.0, 8.4, 7.8, 8.6])
    assert sorted(kept(traces)) == [0, 2, 4, 5, 7, 9]
    trace = Trace.of(traces)
    held = np.clip(traces, 8.0, 8.6)  # winsorised
    assert trace.value == pytest.approx(np.mean([8.1, 8.3, 8.0, 8.2, 8.4, 8.6]))
    assert trace.error == pytest.approx(np.sqrt(np.sum((held - held.mean()) ** 2) / 30)) and trace.degrees == 5


def test_few_scrambles_of_the_prediction_are_covered() -> None:
    """Three scrambles whose error outweighs that of the sample: normal quantiles would hold 0.82."""

    def ratio(trial: int) -> Estimate:
        traces = 6.0 * (1 + 0.1 * stream("scrambles", trial).standard_normal(3))
        return trace_ratio(laplace(trial), Trace.of(traces), 1, CONFIDENCE)

    held = clopper_pearson(
        sum(e.lower <= 1.0 <= e.upper for e in map(ratio, range(600))), 600, Interval(Kind.CONFIDENCE, 0.999)
    )
    assert held.lower <= 0.95 <= held.upper, held
