"""The ratio of a measured covariance to its prediction: what it is, and how often it is covered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ledger.record.statistics import clopper_pearson
from ledger.record.streams import stream
from zeroloss.theory.covariance import trace_ratio


def laplace(trial: int, replicates: int = 500) -> np.ndarray:
    """Residuals of heavier tails than normal: trace of the covariance 2 + 3 + 1 = 6."""
    draws = stream("laplace", trial).laplace(scale=math.sqrt(0.5), size=(replicates, 3))
    return 10.0 + draws @ np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def test_the_ratio_of_traces_is_covered() -> None:
    ratios = [trace_ratio(laplace(i), 6.0) for i in range(600)]
    held = clopper_pearson(sum(e.lower <= 1.0 <= e.upper for e in ratios), 600, 0.999)
    assert held.lower <= 0.95 <= held.upper, held
    assert trace_ratio(laplace(0, 200_000), 6.0).value == pytest.approx(1.0, abs=0.01)


def test_the_ratio_of_traces_is_the_ratio_of_traces() -> None:
    r = laplace(1)
    made = trace_ratio(r, 3.0)
    assert made.value == pytest.approx(np.trace(np.cov(r.T)) / 3.0)
    doubled = trace_ratio(2 * r - 5, 12.0)
    assert (doubled.lower, doubled.upper) == pytest.approx((made.lower, made.upper))


def test_the_error_of_the_prediction_widens_in_quadrature() -> None:
    r = laplace(2)
    exact, rough = trace_ratio(r, 6.0), trace_ratio(r, 6.0, 0.6)
    z = stats.norm.ppf(0.975)
    assert rough.value == exact.value
    assert rough.half_width == pytest.approx(math.hypot(exact.half_width, z * 0.1 * exact.value))
    assert trace_ratio(r, 6.0, 0.6, 0.999).half_width > rough.half_width
