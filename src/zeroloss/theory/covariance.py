"""The measured covariance of an ensemble's residuals against the predicted one, Σ/n."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ledger.record.interval import Interval
from ledger.record.statistics import Estimate, about, welch
from zeroloss.model.arrays import Array

__all__ = ["TRIMMED", "Trace", "kept", "trace_ratio"]


TRIMMED = 0.2  # of the scrambles at each end


def kept(traces: Array) -> NDArray[np.intp]:
    """Indices of the scrambles (scrambles,) that are left when a fifth of the traces is trimmed at each end.

    Now and then, however many its points, a rule has particles so close to a separatrix that its ψ is
    far too large, all over (docs/decisions/late-times.md): the mean of Σ over rules is that of its
    largest values, which networks of finite width do not have either.
    """
    cut = int(TRIMMED * len(traces))
    return np.argsort(traces, kind="stable")[cut : len(traces) - cut]


@dataclass(frozen=True)
class Trace:
    """A predicted trace of Σ, its standard error of so many degrees of freedom, a bound on its bias."""

    value: float
    error: float = 0.0
    degrees: float = math.inf
    bias: float = 0.0

    @classmethod
    def of(cls, traces: Array, halves: Array | None = None) -> Trace:
        """The trimmed mean over scrambles of a rule (scrambles,), and the error of it.

        ``halves``: traces of the first scrambles on half of their points, whose median change
        bounds the bias. Error and degrees of freedom are those of Tukey and McLaughlin (1963): the
        winsorised sum of squares over h (h − 1), and h − 1, for the h scrambles that are kept.
        """
        bias = 0.0 if halves is None else abs(float(np.median(traces[: len(halves)] - halves)))
        h = len(kept(traces))
        winsorised = np.asarray(stats.mstats.winsorize(traces, (TRIMMED, TRIMMED)))
        error = math.sqrt(len(traces) * float(winsorised.var()) / (h * (h - 1)))
        return cls(float(traces[kept(traces)].mean()), error, h - 1, bias)

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
