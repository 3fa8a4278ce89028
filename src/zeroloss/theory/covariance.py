"""The measured covariance of an ensemble's residuals against the predicted one, Σ/n."""

from __future__ import annotations

import math

from scipy import stats

from ledger.record.statistics import Estimate
from zeroloss.model.arrays import Array

__all__ = ["trace_ratio"]


def trace_ratio(residuals: Array, predicted: float, predicted_error: float = 0.0, level: float = 0.95) -> Estimate:
    """trace of the covariance of residuals (R, N) over its prediction, with an interval.

    Var(trace S) = Var(|r − r̄|²)/R is estimated from the sample itself (no normality assumed); the
    relative standard error of the prediction is added in quadrature. Normal quantiles.
    """
    R = len(residuals)
    squares = ((residuals - residuals.mean(0)) ** 2).sum(1)
    trace = float(squares.sum() / (R - 1))
    ratio = trace / predicted
    relative = math.hypot(float(squares.std(ddof=1)) / math.sqrt(R) / trace, predicted_error / predicted)
    half = float(stats.norm.ppf(0.5 + level / 2)) * relative * ratio
    return Estimate(ratio, ratio - half, ratio + half, level)
