"""Estimates of the negative controls and of the table of conditions."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.statistics import Estimate, log_slope, slope_of_stds, student
from ledger.record.rows import Part, Rows, Specs, Tables, between, of_kind, over, row
from ledger.record.tidy import untidy

__all__ = ["CONTROLS", "NEGLIGIBLE", "bounded_below", "crossings"]

Array = np.ndarray
NEGLIGIBLE = 1e-12  # an eigenvalue of K so small beside the largest is zero
BOUNDED = 1e-9  # smallest eigenvalue, beside the largest along the flow, that counts as positive
NOT_MEASURED = Estimate(math.nan, math.nan, math.nan)


def _ends(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The last row of risk of each run."""
    risk = table.loc[table.quantity == "risk"].sort_values("flow_time")
    return risk.groupby(keys, sort=True).last().reset_index()


def _floors(tables: Tables, specs: Specs) -> Rows:
    """End risk over the floor that the data predict: identity activation, contradictory labels."""
    rows: Rows = []
    for kind in ("identity", "labels"):
        for name, _, table in of_kind(tables, specs, kind):
            for setting, of_it in table.groupby("setting"):
                rows.append(row("", f"{kind}_floor", str(setting),
                                between(of_it.predicted.to_numpy()[:1]), [name]))
                for model, runs in of_it.groupby("model"):
                    ends = _ends(runs, ["replicate"])
                    rows.append(row(f"zero_loss.{kind}", "ratio", f"{setting}.{model}",
                                    between((ends.value / ends.predicted).to_numpy()), [name],
                                    replicates=len(ends)))
    return rows


def crossings(table: pd.DataFrame) -> pd.DataFrame:
    """First times of each network: num_layers, replicate, crossed (risk below the floor), folded
    (a layer without order); infinite where it never happened."""
    networks = table.loc[table.model == "network"]
    found = []
    for (L, i), run in networks.groupby(["num_layers", "replicate"]):
        risk, slope = (run.loc[run.quantity == q] for q in ("risk", "slope"))
        found.append({
            "num_layers": L, "replicate": i,
            "crossed": risk.loc[risk.value < risk.predicted, "flow_time"].min(),
            "folded": slope.loc[slope.value <= 0, "flow_time"].min()})
    return pd.DataFrame(found).fillna(math.inf)


def _line(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "line"):
        where, source = spec["setting"], [name]
        limit = table.loc[table.model == "limit"]
        ratio = limit.assign(value=limit.value / limit.predicted)
        least = ratio.groupby("depth_nodes").value.min()
        last = _ends(ratio, ["depth_nodes"]).value
        first = crossings(table)
        crossed = first.loc[np.isfinite(first.crossed)]
        before = (crossed.folded <= crossed.crossed).to_numpy(float)
        size: dict[str, Any] = {"replicates": spec["replicates"], "sizes": len(spec["num_layers"])}
        rows += [
            row("zero_loss.monotone", "limit_over_floor", where,
                between(least.to_numpy()), source, sizes=len(spec["num_layers"])),
            row("zero_loss.monotone", "limit_end", where, between(last.to_numpy()), source,
                sizes=len(spec["num_layers"])),
            row("zero_loss.monotone", "folded_before_crossing", where,
                Estimate(float(before.mean()), float(before.min()), float(before.max()))
                if len(before) else NOT_MEASURED, source, **size),
            row("zero_loss.monotone", "crossing_slope", where,
                _slope_of_crossings(first, spec["num_layers"]), source, **size),
            row("", "crossed_share", where, between([len(crossed) / len(first)]), source, **size),
            row("", "monotone_floor", where, between(limit.predicted.to_numpy()[:1]), source),
        ]
        for L, part in first.groupby("num_layers"):
            for quantity in ("crossed", "folded"):
                times = part[quantity].to_numpy()
                middle = float(np.median(times))
                rows.append(row("", f"{quantity}_at", f"{where}.l{L}",
                                Estimate(middle, float(times.min()), float(times.max()))
                                if math.isfinite(times.max()) else NOT_MEASURED, source, **size))
    return rows


def _slope_of_crossings(first: pd.DataFrame, layers: list[int]) -> Estimate:
    """Slope of log crossing time in log L, over replicates that crossed at every depth."""
    times, _ = untidy(first, ["replicate", "num_layers"], "crossed")
    whole = times[np.isfinite(times).all(1)]
    return student(log_slope(layers, whole)) if len(whole) > 1 else NOT_MEASURED


def _parameters(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "parameters"):
        for size in spec["sizes"]:
            L, M = size["num_layers"], size["num_units"]
            part = table.loc[(table.num_layers == L) & (table.num_units == M)]
            where = f"{spec['setting']}.l{L}.m{M}"
            spectra, _ = untidy(part.loc[part.quantity == "eigenvalue"].assign(
                run=lambda rows: rows.replicate.astype(str) + "/" + rows.flow_time.astype(str)),
                ["run", "index"], "value")
            share = spectra / spectra[:, -1:]
            risk = part.loc[part.quantity == "risk"].sort_values("flow_time").groupby("replicate")
            ends = np.log10((risk.value.last() / risk.value.first()).to_numpy())
            ranks = (share > NEGLIGIBLE).sum(1) / part.predicted.to_numpy()[0]
            count: dict[str, Any] = {"replicates": spec["replicates"]}
            rows += [
                row("zero_loss.parameters", "eigenvalue_ratio", where,
                    over(share[:, 0]), [name], **count),
                row("zero_loss.parameters", "rank_over_parameters", where, over(ranks), [name],
                    **count),
                row("zero_loss.parameters", "log10_end", where,
                    between(ends), [name], **count),
            ]
    return rows


def _origin(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "origin"):
        for model, part in table.groupby("model"):
            where = f"{spec['setting']}.{model}"
            gap = {quantity: (rows_.value - rows_.predicted).abs().max()
                   for quantity, rows_ in part.groupby("quantity")}
            rows += [row("zero_loss.origin", "displacement", where, over([gap["displacement"]]),
                         [name]),
                     row("zero_loss.origin", "risk_change", where, over([gap["risk"]]), [name])]
    return rows


def _root_scaling(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "root-scaling"):
        for tau, part in table.groupby("kernel_time"):
            r, _ = untidy(part, ["num_units", "replicate", "sample"], "value")
            rows.append(row("zero_loss.root-scaling", "slope", f"{spec['setting']}.k{tau:g}",
                            slope_of_stds(spec["num_units"], list(r)), [name],
                            replicates=r.shape[1], sizes=len(r)))
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
        "log10_risk": round(math.log10(risk[-1]), 2), "flow_time": s[-1],
        "rate": 2 * spectra[-1, 0] / spectra.shape[1], "least": spectra[:, 0].min(),
        "gained": profile[-1] - profile[0], "reached": float(reached),
        "agrees": float(reached == bounded_below(s, spectra))}


def _conditions(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    every: list[float] = []
    sources = []
    for name, spec, table in of_kind(tables, specs, "conditions"):
        sources.append(name)
        for N, case in product(spec["num_samples"], spec["rows"]):
            label = case["row"]
            part = table.loc[(table.num_samples == N) & (table.row == label)]
            runs = pd.DataFrame([_run_of_conditions(run, spec["floor"])
                                 for _, run in part.groupby("replicate")])
            where = f"{label}.n{N}"
            if label == "point":
                rows.append(row("zero_loss.sufficient-not-necessary", "log10_risk", where,
                                over(runs.log10_risk.to_numpy()), [name], replicates=len(runs)))
            for quantity in ("log10_risk", "flow_time", "rate", "least", "gained", "reached"):
                worst = over if quantity == "log10_risk" else between
                rows.append(row("", f"condition_{quantity}", where,
                                worst(runs[quantity].to_numpy()), [name], replicates=len(runs)))
            every += runs.agrees.to_list()
    if every:
        rows.append(row("zero_loss.sufficient-not-necessary", "agreement", "all",
                        Estimate(float(np.mean(every)), min(every), max(every)), sources,
                        sizes=len(every)))
    return rows


CONTROLS: dict[str, Part] = {
    "zero_loss.identity": _floors,
    "zero_loss.monotone": _line,
    "zero_loss.labels": _floors,
    "zero_loss.parameters": _parameters,
    "zero_loss.origin": _origin,
    "zero_loss.root-scaling": _root_scaling,
    "zero_loss.sufficient-not-necessary": _conditions,
}
