"""The law of the risk through training: predicted from the limit, measured on networks of one size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from ledger.record.interval import CONFIDENCE, one_sided
from ledger.record.rows import Rows, between, cell, exact, plain, rows_of
from ledger.record.statistics import Estimate, ks_distance, welch
from ledger.record.streams import stream
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.model.arrays import Array
from zeroloss.model.risk import draw_risks
from zeroloss.studies.zero_loss.plan import Networks, Predicted
from zeroloss.theory.covariance import Trace, kept

__all__ = ["Course", "courses"]

DRAWS = 20_000
NEAR = 1 / 3  # of the predicted standard deviation of log E: as far as the law is said to reach


@dataclass(frozen=True)
class Course:
    """One setting: risks of its networks (R, T); residuals r_L (W, T, N) of the limit on scrambles of a
    fine rule; residuals (S, T, N) and covariances Σ_L (S, T, N, N) on those of a coarser one."""

    case: Networks
    sources: list[str]
    risk: Array
    wide: Array
    residuals: Array
    covariances: Array

    @property
    def count(self) -> int:
        """The units of a network, n = L M."""
        return self.case.num_layers * self.case.num_units

    def variances(self, time: int) -> Array:
        """V = 4 rᵀΣr/|r|⁴, the variance of log E to first order times n, on each scramble: (S,)."""
        r = self.residuals[:, time]
        return 4 * np.einsum("si,sij,sj->s", r, self.covariances[:, time], r) / (r**2).sum(-1) ** 2

    def predicted(self, time: int) -> Array:
        """Draws of the risk ½ mean |r + ξ/√n|², with r of the fine rule and ξ ~ N(0, Σ).

        Late in training a rule errs in r and in Σ by one factor, that of its slowest mode: Σ is taken in units of
        |r|² of its own rule. Of the scrambles, those with the largest and least V are left out (`kept`).
        """
        left, r = kept(self.variances(time)), self.wide[:, time].mean(0)
        units = (self.residuals[left, time] ** 2).sum(-1)
        relative = (self.covariances[left, time] / units[:, None, None]).mean(0)
        rng = stream("predicted-risk", self.case.setting, self.case.num_layers, self.case.num_units, time)
        return draw_risks(r, relative * (r @ r) / self.count, DRAWS, rng)

    def deviation(self, time: int) -> Estimate:
        """Standard deviation of log E among networks, over that predicted.

        Var(s²) is estimated from the sample itself; half of the relative error of V is added in quadrature.
        """
        logs = np.log(self.risk[:, time])
        squares = (logs - logs.mean()) ** 2
        ratio = float(logs.std(ddof=1) / np.log(self.predicted(time)).std(ddof=1))
        own = float(squares.std(ddof=1) / squares.mean()) / math.sqrt(len(logs))
        V = Trace.of(self.variances(time))
        errors = [(ratio * own / 2, len(logs) - 1), (ratio * V.error / V.value / 2, V.degrees)]
        return welch(ratio, errors, CONFIDENCE)

    def distance(self, time: int) -> Estimate:
        """Distance of Kolmogorov and Smirnov between the measured and the predicted law of E.

        Its interval has, besides the error of the draws, that of the prediction: Student's of the
        jackknife over the scrambles of either rule.
        """
        found = ks_distance(self.risk[:, time], self.predicted(time), one_sided())
        errors: list[tuple[float, float]] = []
        for parts in (("wide",), ("residuals", "covariances")):
            n = len(getattr(self, parts[0]))
            without = [{name: np.delete(getattr(self, name), i, axis=0) for name in parts} for i in range(n)]
            laws = (replace(self, **rest).predicted(time) for rest in without)
            distances = np.array([ks_distance(self.risk[:, time], law, one_sided()).value for law in laws])
            errors.append((math.sqrt((n - 1) * distances.var()), n - 1))
        more = welch(found.value, errors, one_sided()).half_width
        return Estimate(found.value, max(found.lower - more, 0.0), found.upper + more, one_sided())

    def reach(self) -> int:
        """The last time until which measured and predicted deviation of log E agree within NEAR; -1 if at none."""
        near_one = [abs(self.deviation(t).value - 1) <= NEAR for t in range(len(self.case.flow_times))]
        return next((t for t, one in enumerate(near_one) if not one), len(near_one)) - 1


def courses(run: Run) -> Iterator[Course]:
    """Every setting whose networks are seen through training."""
    for name, case, table in run.of(Networks):
        other, _, predicted = run.one(Predicted, setting=case.setting)
        wide, values = (
            untidy(predicted.loc[predicted.rule == rule], ["scramble", "flow_time", "row", "column"], "value")[0]
            for rule in ("wide", "influence")
        )
        risk = untidy(table, ["replicate", "flow_time"], "risk")[0]
        yield Course(case, [name, other], risk, wide[..., 0], values[..., 0], values[..., 1:])


@measures("zero_loss.law")
def law(run: Run) -> Rows:
    """Ratio of the standard deviations of log E, and distance of the laws, at each flow time.

    Besides: the predicted deviation on single scrambles, the relative error of tr Σ, by how much the
    mean of log E is above that predicted, and how much of the risk is left where the law still holds.
    """
    rows: Rows = []
    for course in courses(run):
        case, scrambles = course.case, len(course.residuals)
        one = rows_of(course.sources, replicates=len(course.risk))
        for t, s in enumerate(case.flow_times):
            where, shift = cell(case.setting, s), np.log(course.risk[:, t]).mean() - np.log(course.predicted(t)).mean()
            trace = Trace.of(np.trace(course.covariances[:, t], axis1=1, axis2=2))
            rows += [
                one("zero_loss.law", "deviation", where, course.deviation(t)),
                one("zero_loss.law", "ks", where, course.distance(t)),
                one("", "predicted_deviation", where, between(np.sqrt(course.variances(t) / course.count))),
                one("", "trace_error", where, exact(trace.relative_error), note=f"{scrambles} scrambles"),
                one("", "mean_shift", where, plain(float(shift))),
            ]
        left = np.log10(np.median(course.risk, axis=0))
        reach = left[max(course.reach(), 0)] - left[0]
        rows.append(one("", "log10_reach", case.setting, plain(float(reach))))
    return rows


@control("zero_loss.law", Predicted)
def covariance_of_the_start(table: pd.DataFrame, case: Predicted) -> pd.DataFrame:
    """The covariance of the start at all times."""
    keys, covariance = ["rule", "scramble", "row", "column"], table.column >= 0
    start = table.loc[table.flow_time == min(case.flow_times)].set_index(keys).value
    first = start.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
    return table.assign(value=table.value.where(~covariance, first))


@near("zero_loss.law", Predicted)
def twice_the_covariance(table: pd.DataFrame, case: Predicted) -> pd.DataFrame:
    """A covariance predicted twice as large."""
    return scaled(table, table.column >= 0, 2.0)
