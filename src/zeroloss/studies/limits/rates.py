"""The rates at which networks approach the limit: in depth, and in width for both laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ledger.record.rows import Rows, cell, rows_of
from ledger.record.statistics import bootstrap, observed_orders, slope_of_stds, student
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.studies.limits.evidence import at, evidence_of
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
                    student(slope),
                    floor=gaps.floor,
                    note=gaps.note,
                )
            )
    for name, case, table in run.of(FixedPaths):
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        for t, s in enumerate(case.flow_times):
            gaps = depth_gaps(r[:, :, t])
            pair = gaps.squares[-2:]
            slope = bootstrap(lambda w, pair=pair: 0.5 * np.log2((w @ pair[1]) / (w @ pair[0])), pair.shape[1])
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


def _slopes(run: Run, claim: str, sampling: str) -> Rows:
    evidence, rows = evidence_of(run), Rows()
    for role, axis in (("units", "num_units"), ("layers", "num_layers")):
        for setting in evidence.settings:
            group = evidence.with_role(role, setting=setting, sampling=sampling)
            group = group[-LARGEST:]
            if len(group) < 2:
                continue
            sizes = [getattr(e, axis) for e in group]
            paired = sampling == "path" and role == "layers"
            for t, s in enumerate(group[0].flow_times):
                slope = slope_of_stds(sizes, [e.residuals[:, t] for e in group], paired)
                one = rows_of(
                    [n for e in group for n in e.sources],
                    replicates=min(len(e.residuals) for e in group),
                    sizes=len(group),
                )
                rows.append(one(claim, "slope_M" if role == "units" else "slope_L", cell(setting, s), slope))
    return rows


@measures("limits.width-independent")
def width_independent(run: Run) -> Rows:
    """Slopes of log std of the residuals in M and L on the largest sizes, independent layers."""
    return _slopes(run, "limits.width-independent", "independent")


@measures("limits.width-path")
def width_path(run: Run) -> Rows:
    """The same for constant paths; all depths share their paths, so that L is compared in pairs."""
    return _slopes(run, "limits.width-path", "path")


@control("limits.depth", Ladder, FixedPaths)
def second_order_layers(table: pd.DataFrame, case: Ladder | FixedPaths) -> pd.DataFrame:
    """Layers that approach their limit like 1/L², as a midpoint rule would."""
    draw = "scramble" if isinstance(case, Ladder) else "replicate"
    limit = at(table, table.num_layers == 0, [draw, "flow_time", "sample"], "residual")
    shrink = np.where(table.num_layers > 0, 1.0 / table.num_layers.clip(lower=1), 1.0)
    return table.assign(residual=limit + (table["residual"] - limit) * shrink)


@control("limits.width-independent", Ensemble)
def branches_by_root(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Branches scaled by 1/√M instead of 1/M: fluctuations that do not fall with M."""
    return _pull(table, np.sqrt(table["num_units"])) if case.sampling == "independent" else table


@control("limits.width-path", Ensemble)
def redrawn_layers(table: pd.DataFrame, case: Ensemble) -> pd.DataFrame:
    """Layers drawn anew where one path was promised: fluctuations that fall with L."""
    return _pull(table, 1.0 / np.sqrt(table["num_layers"])) if case.sampling == "path" else table


def _pull(table: pd.DataFrame, factor: pd.Series | Array) -> pd.DataFrame:
    """Multiply deviations from the mean of each size by a factor per row."""
    mean = table.groupby(SIZE)["residual"].transform("mean")
    return table.assign(residual=mean + (table["residual"] - mean) * factor)
