"""The rates at which networks approach the limit: in depth, and in width for both laws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from ledger.near import stretched
from ledger.record.interval import CONFIDENCE, COVERING, Interval, simultaneous
from ledger.record.rows import Row, Rows, cell, row, rows_of
from ledger.record.statistics import Estimate, bootstrap, log_slope, observed_orders, slope_of_stds, student, welch
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.studies.limits.block import Sampling
from zeroloss.studies.limits.evidence import Ensemble as Networks
from zeroloss.studies.limits.evidence import Evidence, at, evidence_of
from zeroloss.studies.limits.plan import Ensemble, FixedPaths, Ladder

Array = np.ndarray
LARGEST = 4  # sizes that a rate in width or depth is fitted to
FLOOR_SHARE = 0.25  # of the finest gap: the most that the reference's own error may be
SIZE = ["num_layers", "num_units", "flow_time", "sample"]


@measures("limits.depth")
def depth(run: Run) -> Rows:
    """Order of the gap in L on the finest pair, at M = ∞ and at fixed paths.

    The gap is taken to the continuous limit where this is known far better than the finest gap,
    else between nested depths, which needs no reference: no slope is measured on the floor.
    """
    evidence, rows = evidence_of(run), Rows()
    for setting in evidence.settings:
        depths, r = evidence.ladder(setting)
        name, case, _ = run.one(Ladder, setting=setting)
        for t, s in enumerate(case.flow_times):
            gaps = depth_gaps(r[:, :, t].swapaxes(0, 1))
            slope = -0.5 * observed_orders(gaps.squares.T)[:, -1]
            one = rows_of([name], sizes=len(depths) - 2)
            rows.append(
                one(
                    "limits.depth" if s > 0 else "",
                    "slope_wide",
                    cell(setting, s),
                    student(slope, CONFIDENCE),
                    floor=gaps.floor,
                    note=gaps.note,
                )
            )
    for name, case, table in run.of(FixedPaths):
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        for t, s in enumerate(case.flow_times):
            gaps = depth_gaps(r[:, :, t])
            pair = gaps.squares[-2:]
            slope = bootstrap(
                lambda w, pair=pair: 0.5 * np.log2((w @ pair[1]) / (w @ pair[0])), pair.shape[1], CONFIDENCE
            )
            one = rows_of([name], replicates=pair.shape[1], sizes=len(labels["num_layers"]) - 2)
            rows.append(
                one(
                    "limits.depth" if s > 0 else "",
                    "slope_paths",
                    cell(case.setting, s),
                    slope,
                    floor=gaps.floor,
                    note=gaps.note,
                )
            )
    return rows


@dataclass(frozen=True)
class DepthGaps:
    """Squared gaps (depths, or nested pairs, draws), summed over samples, and which they are.

    ``nested``: |r_{2L} − r_L|², one fewer than depths; else |r_L − r|², with r known to ``floor``.
    """

    squares: Array
    floor: float
    nested: bool
    note: str


def depth_gaps(r: Array) -> DepthGaps:
    """The gaps in L that a slope may be measured on, of residuals r (2 + depths, draws, N).

    The first two rows are the continuous limit with fewer and with all nodes: their difference is
    the reference's error. Where it is above a quarter of the finest gap, depths are nested.
    """
    to_reference = ((r[2:] - r[1]) ** 2).sum(-1)
    floor = float(np.sqrt(((r[0] - r[1]) ** 2).sum(-1).max()))
    if floor <= FLOOR_SHARE * float(np.sqrt(to_reference[-1].mean())):
        return DepthGaps(to_reference, floor, False, "gap to the continuous limit")
    if len(to_reference) < 3:
        return DepthGaps(to_reference, floor, False, "too few depths for nested gaps: the reference is not exact")
    nested = (np.diff(r[2:], axis=0) ** 2).sum(-1)
    return DepthGaps(nested, floor, True, "gap between nested depths")


@dataclass(frozen=True)
class Slope:
    """Slope of log std of the residuals in one size, on ensembles of a setting at a flow time."""

    group: list[Networks]
    time: int
    estimate: Estimate

    @property
    def where(self) -> str:
        """Its cell."""
        return cell(self.group[0].setting, self.group[0].flow_times[self.time])

    def row(self, claim: str, quantity: str, estimate: Estimate, *also: str) -> Row:
        """A row that rests on these ensembles, and on other cases besides."""
        return row(
            claim,
            quantity,
            self.where,
            estimate,
            [*(name for e in self.group for name in e.sources), *also],
            replicates=min(len(e.residuals) for e in self.group),
            sizes=len(self.group),
        )


def _slopes(evidence: Evidence, role: Literal["units", "layers"], sampling: Sampling) -> Iterator[Slope]:
    """Slopes on the largest sizes, in M for role units and in L for role layers."""
    axis = {"units": "num_units", "layers": "num_layers"}[role]
    for setting in evidence.settings:
        group = evidence.with_role(role, setting=setting, sampling=sampling)[-LARGEST:]
        if len(group) < 2:
            continue
        sizes = [getattr(e, axis) for e in group]
        paired = sampling == "path" and role == "layers"
        for t in range(len(group[0].flow_times)):
            yield Slope(group, t, slope_of_stds(sizes, [e.residuals[:, t] for e in group], CONFIDENCE, paired))


@measures("limits.width-independent")
def width_independent(run: Run) -> Rows:
    """Slopes of log std of the residuals in M and L on the largest sizes, independent layers.

    In L it is −½ in the limit alone: std² = tr Σ_L/(LM), and Σ_L approaches Σ like 1/L. So the slope
    in L is judged by its difference from −½ + ½ d log tr Σ_L/d log L, which is predicted.
    """
    claim, evidence = "limits.width-independent", evidence_of(run)
    rows = [slope.row(claim, "slope_M", slope.estimate) for slope in _slopes(evidence, "units", "independent")]
    layers = list(_slopes(evidence, "layers", "independent"))
    family = simultaneous(len(layers), COVERING)
    for slope in layers:
        rows.append(slope.row("", "slope_L", slope.estimate))
        depths, traces, names = evidence.traces_in_depth(slope.group[0].setting, "independent")
        if not names:
            continue
        predicted = predicted_slopes(depths, traces[..., slope.time], [e.num_layers for e in slope.group])
        rows.append(row("", "slope_L_predicted", slope.where, student(predicted, CONFIDENCE), names))
        rows.append(slope.row(claim, "slope_L_difference", _difference(slope.estimate, predicted, family), *names))
    return rows


def predicted_slopes(depths: Array, traces: Array, sizes: Sequence[int]) -> Array:
    """Slope of log √(tr Σ_L/L) in log L at some sizes L, for each scramble: (scrambles,).

    traces (scrambles, depths) are tr Σ_L at these depths, 0 for the limit. At other L it is the
    polynomial in 1/L through them: tr Σ_L = tr Σ + c/L + c₂/L² for the limit and two depths.
    """

    def powers(of: Array) -> Array:
        inverse = np.divide(1.0, of, where=of > 0, out=np.zeros(len(of)))
        return inverse[:, None] ** np.arange(len(depths))

    L = np.array(sizes, dtype=np.float64)
    at_sizes = traces @ np.linalg.solve(powers(depths).T, powers(L).T)
    return log_slope(L, np.sqrt(at_sizes / L))


def _difference(measured: Estimate, predicted: Array, interval: Interval) -> Estimate:
    """Measured minus predicted slope: the bootstrap's error, and that over scrambles, in quadrature."""
    error = measured.half_width / float(stats.norm.ppf(0.975))
    scrambles = float(predicted.std(ddof=1)) / math.sqrt(len(predicted))
    difference = measured.value - float(predicted.mean())
    return welch(difference, [(error, math.inf), (scrambles, len(predicted) - 1)], interval)


@measures("limits.width-path")
def width_path(run: Run) -> Rows:
    """The same for constant paths; all depths share their paths, so that L is compared in pairs."""
    claim, evidence = "limits.width-path", evidence_of(run)
    return [
        *(slope.row(claim, "slope_M", slope.estimate) for slope in _slopes(evidence, "units", "path")),
        *(slope.row(claim, "slope_L", slope.estimate) for slope in _slopes(evidence, "layers", "path")),
    ]


@control("limits.depth", Ladder, FixedPaths)
def second_order_layers(table: pd.DataFrame, case: Ladder | FixedPaths) -> pd.DataFrame:
    """Layers that approach their limit like 1/L², as a midpoint rule would."""
    draw = "scramble" if isinstance(case, Ladder) else "replicate"
    limit = at(table, table.num_layers == 0, [draw, "flow_time", "sample"], "residual")
    shrink = np.where(table.num_layers > 0, 1.0 / table.num_layers.clip(lower=1), 1.0)
    return stretched(table, limit, shrink, "residual")


@control("limits.width-independent", Ensemble)
def branches_by_root(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Branches scaled by 1/√M instead of 1/M: fluctuations that do not fall with M."""
    return pull(table, np.sqrt(table["num_units"])) if case.sampling == "independent" else table


@control("limits.width-path", Ensemble)
def redrawn_layers(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Layers drawn anew where one path was promised: fluctuations that fall with L."""
    return pull(table, 1.0 / np.sqrt(table["num_layers"])) if case.sampling == "path" else table


def pull(table: pd.DataFrame, factor: pd.Series | Array) -> pd.DataFrame:
    """Multiply deviations from the mean of each size by a factor per row."""
    return stretched(table, table.groupby(SIZE).residual.transform("mean"), factor, "residual")
