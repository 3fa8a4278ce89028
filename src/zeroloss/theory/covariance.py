"""The measured covariance of an ensemble's residuals against the predicted one, Σ/n."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ledger.record.interval import Interval
from ledger.record.statistics import Estimate, about, welch
from zeroloss.model.arrays import Array

__all__ = ["Trace", "trace_ratio"]


@dataclass(frozen=True)
class Trace:
    """A predicted trace of Σ, its standard error of so many degrees of freedom, a bound on its bias."""

    value: float
    error: float = 0.0
    degrees: float = math.inf
    bias: float = 0.0

    @classmethod
    def of(cls, traces: Array, bias: float = 0.0) -> Trace:
        """The mean over scrambles of a rule (scrambles,), and the error of it."""
        S = len(traces)
        return cls(float(traces.mean()), float(traces.std(ddof=1)) / math.sqrt(S), S - 1, bias)

    @property
    def relative_error(self) -> float:
        """Standard error and bound on the bias, in units of the trace."""
        return (self.error + self.bias) / self.value


def trace_ratio(residuals: Array, predicted: Trace, count: float, interval: Interval) -> Estimate:
    """trace of the covariance of residuals (R, N) over that predicted, tr Σ/count, with an interval.

    Var(trace S) = Var(|r − r̄|²)/R is estimated from the sample itself (no normality assumed), and
    has R − 1 degrees of freedom; the relative standard error of the prediction, which may come from
    few scrambles, is added in quadrature with its own. A bias is no noise: its bound is added to the
    half-width as it is, whatever the level.
    """
    R = len(residuals)
    squares = ((residuals - residuals.mean(0)) ** 2).sum(1)
    trace = float(squares.sum() / (R - 1))
    ratio = trace * count / predicted.value
    own = float(squares.std(ddof=1)) / math.sqrt(R) / trace
    errors = [(ratio * own, R - 1), (ratio * predicted.error / predicted.value, predicted.degrees)]
    noise = welch(ratio, errors, interval).half_width
    return about(ratio, noise + ratio * predicted.bias / predicted.value, interval)
