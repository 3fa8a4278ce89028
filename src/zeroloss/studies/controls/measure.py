"""Estimates of `controls`: what is left against what was predicted, and the table of conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE, Interval, range_of
from ledger.record.rows import Rows, between, exact, over, plain, row, rows_of
from ledger.record.statistics import Estimate, log_slope, slope_of_stds, student
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.studies.controls import near as near
from zeroloss.studies.controls.floored import doubled
from zeroloss.studies.controls.floors import constant_floor
from zeroloss.studies.controls.plan import Conditions, Doubled, Identity, Labels, Line, Origin, Parameters, RootScaling
from zeroloss.studies.ending import at_end, log10_end
from zeroloss.studies.setup import build_problem

Array = np.ndarray
NEGLIGIBLE = 1e-12  # an eigenvalue of K so small beside the largest is zero
BOUNDED = 1e-9  # smallest eigenvalue, beside the largest along the flow, that counts as positive


def _ends(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The last row of risk of each run."""
    risk = table.loc[table.quantity == "risk"].sort_values("flow_time")
    return risk.groupby(keys, sort=True).last().reset_index()


@measures("controls.identity", "controls.labels")
def floors(run: Run) -> Rows:
    """End risk over the floor that the data predict: identity activation, contradictory labels."""
    rows: Rows = []
    for kind in (Identity, Labels):
        for name, _, table in run.of(kind):
            for setting, of_it in table.groupby("setting"):
                rows.append(row("", f"{kind.kind}_floor", str(setting), exact(of_it.predicted.iloc[0]), [name]))
                for model, runs in of_it.groupby("model"):
                    ends = _ends(runs, ["replicate"])
                    one = rows_of([name], replicates=len(ends))
                    rows.append(
                        one(
                            f"controls.{kind.kind}",
                            "ratio",
                            f"{setting}.{model}",
                            between((ends.value / ends.predicted).to_numpy()),
                        )
                    )
    return rows


def crossings(table: pd.DataFrame) -> pd.DataFrame:
    """First times of each network: num_layers, replicate, crossed (risk below the floor), folded
    (a layer without order); infinite where it never happened."""
    networks = table.loc[table.model == "network"]
    found = []
    for (L, i), run in networks.groupby(["num_layers", "replicate"]):
        risk, slope = (run.loc[run.quantity == q] for q in ("risk", "slope"))
        found.append(
            {
                "num_layers": L,
                "replicate": i,
                "crossed": risk.loc[risk.value < risk.predicted, "flow_time"].min(),
                "folded": slope.loc[slope.value <= 0, "flow_time"].min(),
            }
        )
    return pd.DataFrame(found).fillna(math.inf)


@measures("controls.monotone")
def line(run: Run) -> Rows:
    """The limit over the isotonic floor; folds and crossings of networks against depth."""
    rows: Rows = []
    for name, case, table in run.of(Line):
        where, source = case.setting, [name]
        limit = table.loc[table.model == "limit"]
        ratio = limit.assign(value=limit.value / limit.predicted)
        least = ratio.groupby("depth_nodes").value.min()
        last = _ends(ratio, ["depth_nodes"]).value
        first = crossings(table)
        crossed = first.loc[np.isfinite(first.crossed)]
        before = (crossed.folded <= crossed.crossed).to_numpy(float)
        size: dict[str, Any] = {"replicates": case.replicates, "sizes": len(case.num_layers)}
        one = rows_of(source, **size)
        rows += [
            row(
                "controls.monotone",
                "limit_over_floor",
                where,
                between(least.to_numpy()),
                source,
                sizes=len(case.num_layers),
            ),
            row("controls.monotone", "limit_end", where, between(last.to_numpy()), source, sizes=len(case.num_layers)),
            one(
                "controls.monotone",
                "folded_before_crossing",
                where,
                between(before) if len(before) else _not_measured(range_of(1)),
            ),
            one("controls.monotone", "crossing_slope", where, _slope_of_crossings(first, case.num_layers)),
            one("", "crossed_share", where, exact(len(crossed) / len(first))),
            row("", "monotone_floor", where, exact(limit.predicted.iloc[0]), source),
        ]
        for L, part in first.groupby("num_layers"):
            for quantity in ("crossed", "folded"):
                times = part[quantity].to_numpy()
                middle = Estimate(float(np.median(times)), float(times.min()), float(times.max()), range_of(len(times)))
                one = rows_of(source, **size)
                rows.append(
                    one(
                        "", f"{quantity}_at", f"{where}.l{L}", middle if math.isfinite(times.max()) else plain(math.nan)
                    )
                )
    return rows


def _slope_of_crossings(first: pd.DataFrame, layers: Sequence[int]) -> Estimate:
    """Slope of log crossing time in log L, over replicates that crossed at every depth."""
    times, _ = untidy(first, ["replicate", "num_layers"], "crossed")
    whole = times[np.isfinite(times).all(1)]
    return student(log_slope(layers, whole), CONFIDENCE) if len(whole) > 1 else _not_measured(CONFIDENCE)


def _not_measured(interval: Interval) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, interval)


@measures("controls.parameters")
def parameters(run: Run) -> Rows:
    """Smallest eigenvalue and rank of K at any time, and the risk that is left."""
    rows: Rows = []
    for name, case, table in run.of(Parameters):
        for size in case.sizes:
            L, M = size.num_layers, size.num_units
            part = table.loc[(table.num_layers == L) & (table.num_units == M)]
            where = f"{case.setting}.l{L}.m{M}"
            spectra, _ = untidy(
                part.loc[part.quantity == "eigenvalue"].assign(
                    run=lambda rows: rows.replicate.astype(str) + "/" + rows.flow_time.astype(str)
                ),
                ["run", "index"],
                "value",
            )
            share = spectra / spectra[:, -1:]
            risk = part.loc[part.quantity == "risk"].sort_values("flow_time").groupby("replicate")
            ends = np.log10((risk.value.last() / risk.value.first()).to_numpy())
            ranks = (share > NEGLIGIBLE).sum(1) / part.predicted.to_numpy()[0]
            count: dict[str, Any] = {"replicates": case.replicates}
            rows += [
                row("controls.parameters", "eigenvalue_ratio", where, over(share[:, 0]), [name], **count),
                row("controls.parameters", "rank_over_parameters", where, over(ranks), [name], **count),
                row("controls.parameters", "log10_end", where, between(ends), [name], **count),
            ]
    return rows


@measures("controls.origin")
def origin(run: Run) -> Rows:
    """Largest displacement of a parameter, largest change of the risk."""
    rows: Rows = []
    for name, case, table in run.of(Origin):
        for model, part in table.groupby("model"):
            where = f"{case.setting}.{model}"
            gap = {
                quantity: (rows_.value - rows_.predicted).abs().max() for quantity, rows_ in part.groupby("quantity")
            }
            rows += [
                row("controls.origin", "displacement", where, exact(gap["displacement"]), [name]),
                row("controls.origin", "risk_change", where, exact(gap["risk"]), [name]),
            ]
    return rows


@measures("controls.root-scaling")
def root_scaling(run: Run) -> Rows:
    """Slope of the spread of the residuals in the width, at each time of the kernel."""
    rows: Rows = []
    for name, case, table in run.of(RootScaling):
        for tau, part in table.groupby("kernel_time"):
            r, _ = untidy(part, ["num_units", "replicate", "sample"], "value")
            one = rows_of([name], replicates=r.shape[1], sizes=len(r))
            rows.append(
                one(
                    "controls.root-scaling",
                    "slope",
                    f"{case.setting}.k{tau:g}",
                    slope_of_stds(case.num_units, list(r), CONFIDENCE),
                )
            )
    return rows


def bounded_below(flow_time: Array, eigenvalues: Array) -> bool:
    """Whether λ_min(K) stays above BOUNDED of the largest eigenvalue met, over the late half of
    the flow: flow_time (points,), eigenvalues (points, N) in increasing order."""
    late = eigenvalues[flow_time >= 0.5 * flow_time[-1], 0].min()
    return bool(late > BOUNDED * eigenvalues.max())


def _run_of_conditions(run: pd.DataFrame, floor: float) -> dict[str, float]:
    """Outcome of one network of the table."""
    risk, labels = untidy(run.loc[run.quantity == "risk"], ["flow_time"], "value")
    s = labels["flow_time"]
    spectra, _ = untidy(run.loc[run.quantity == "eigenvalue"], ["flow_time", "index"], "value")
    profile = run.loc[run.quantity == "depth-spread"].sort_values("flow_time").value.to_numpy()
    reached = bool(risk[-1] < floor)
    return {  # the logarithm in hundredths: runs that rest at one local minimum agree to round-off
        "log10_risk": round(log10_end(risk, floor), 2),
        "flow_time": at_end(risk, s, floor),
        "rate": 2 * spectra[-1, 0] / spectra.shape[1],
        "least": spectra[:, 0].min(),
        "gained": profile[-1] - profile[0],
        "reached": float(reached),
        "bounded": float(bounded_below(s, spectra)),
    }


@measures("controls.sufficient-not-necessary")
def conditions(run: Run) -> Rows:
    """Outcome of each law and size, and whether the kernel of another run of the same law and size
    foretells it: the runs are drawn independently, and none is judged by its own kernel."""
    rows: Rows = []
    every: list[float] = []
    sources, replicates = [], []
    for name, case, table in run.of(Conditions):
        sources.append(name)
        replicates.append(case.replicates)
        for N, label in product(case.num_samples, [each.row for each in case.rows]):
            part = table.loc[(table.num_samples == N) & (table.row == label)]
            runs = pd.DataFrame([_run_of_conditions(run, case.floor) for _, run in part.groupby("replicate")])
            where = f"{label}.n{N}"
            if label == "point":
                one = rows_of([name], replicates=len(runs))
                rows.append(
                    one("controls.sufficient-not-necessary", "log10_risk", where, over(runs.log10_risk.to_numpy()))
                )
            for quantity in ("log10_risk", "flow_time", "rate", "least", "gained", "reached"):
                worst = over if quantity == "log10_risk" else between
                one = rows_of([name], replicates=len(runs))
                rows.append(one("", f"condition_{quantity}", where, worst(runs[quantity].to_numpy())))
            every += (runs.reached.to_numpy() == np.roll(runs.bounded, 1)).astype(float).tolist()
    if every:
        one = rows_of(sources, replicates=min(replicates), sizes=len(every))
        rows.append(one("controls.sufficient-not-necessary", "agreement", "all", between(every)))
    return rows


# ---- negative controls of the controls: deliberately wrong models or data


@control("controls.identity", Identity)
@control("controls.labels", Labels)
def constant(table: pd.DataFrame, case: Identity | Labels) -> pd.DataFrame:
    """The floor of the best constant: the variance of all targets, whatever their inputs."""
    for part in case.cases:
        problem = build_problem(part)
        if isinstance(part, Doubled):
            problem = doubled(problem, part.sample, part.gap)
        floor = constant_floor(problem.targets.cpu().numpy())
        table.loc[table.setting == part.setting, "predicted"] = floor
    return table


@control("controls.monotone", Line)
def unfolded(table: pd.DataFrame, case: Line) -> pd.DataFrame:
    """Networks that cross the floor although every layer keeps the order of the samples."""
    table.loc[table.quantity == "slope", "value"] = 1.0
    return table


@control("controls.parameters", Parameters)
def wider(table: pd.DataFrame, case: Parameters) -> pd.DataFrame:
    """Risks that end as those of a wider network do: a hundred millionth of the start."""
    risk = table.quantity == "risk"
    runs = table.loc[risk].groupby(["num_layers", "num_units", "replicate"])
    late = table.loc[risk, "flow_time"] == runs.flow_time.transform("max")
    table.loc[late.index[late], "value"] = 1e-8 * runs.value.transform("first")[late]
    return table


@control("controls.origin", Origin)
def elsewhere(table: pd.DataFrame, case: Origin) -> pd.DataFrame:
    """A point mass beside the origin: it moves, and lowers the risk."""
    moved = table.flow_time > 0
    table.loc[moved & (table.quantity == "displacement"), "value"] += 1.0
    table.loc[moved & (table.quantity == "risk"), "value"] *= 0.5
    return table


@control("controls.root-scaling", RootScaling)
def by_width(table: pd.DataFrame, case: RootScaling) -> pd.DataFrame:
    """Branches scaled by 1/M: fluctuations that fall like M^{-1/2}."""
    mean = table.groupby(["num_units", "kernel_time", "sample"]).value.transform("mean")
    table["value"] = mean + (table["value"] - mean) / np.sqrt(table["num_units"])
    return table


@control("controls.sufficient-not-necessary", Conditions)
def half_way(table: pd.DataFrame, case: Conditions) -> pd.DataFrame:
    """The table read at half of each training."""
    end = table.groupby(["num_samples", "row", "replicate"]).flow_time.transform("max")
    return table.loc[(table.flow_time <= 0.5 * end) | (table.quantity == "depth-spread")]
