"""The ratio of a measured covariance to its prediction: what it is, and how often it is covered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ledger.record.interval import CONFIDENCE, Interval, Kind
from ledger.record.statistics import Estimate, clopper_pearson
from ledger.record.streams import stream
from zeroloss.theory.covariance import Trace, trace_ratio


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


def test_few_scrambles_of_the_prediction_are_covered() -> None:
    """Three scrambles whose error outweighs that of the sample: normal quantiles would hold 0.82."""

    def ratio(trial: int) -> Estimate:
        traces = 6.0 * (1 + 0.1 * stream("scrambles", trial).standard_normal(3))
        return trace_ratio(laplace(trial), Trace.of(traces), 1, CONFIDENCE)

    held = clopper_pearson(
        sum(e.lower <= 1.0 <= e.upper for e in map(ratio, range(600))), 600, Interval(Kind.CONFIDENCE, 0.999)
    )
    assert held.lower <= 0.95 <= held.upper, held
