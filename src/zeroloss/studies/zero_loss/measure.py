"""Estimates of `zero_loss`: where each run ends, its certificate, its late rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from zeroloss.model.kernel import log_certificate
from ledger.record.statistics import Estimate, log_slope, student
from ledger.record.rows import (
    Part,
    Rows,
    Specs,
    Tables,
    between,
    of_kind,
    over,
    parts_of,
    row,
)
from zeroloss.studies.zero_loss import agreements
from zeroloss.studies.zero_loss.judged_controls import CONTROLS
from ledger.record.tidy import untidy

__all__ = ["MEASURED_BY", "certificate_of", "late_rate", "measure", "run_of"]

Array = np.ndarray
MODELS = ("limit", "network")
KINKED = ("relu",)
LATE = 1e3  # the risk falls by this factor where the late rate is taken, and once more after it


def run_of(table: pd.DataFrame, model: str, replicate: int) -> dict[str, Array]:
    """One run: arrays over its points by quantity; eigenvalues (points, N)."""
    part = table.loc[(table.model == model) & (table.replicate == replicate)]
    return {str(name): untidy(rows, ["flow_time", "index"], "value")[0].squeeze(-1)
            if rows["index"].max() == 0 else untidy(rows, ["flow_time", "index"], "value")[0]
            for name, rows in part.groupby("quantity")} | {
                "flow_time": np.unique(part.flow_time.to_numpy())}


def _flows(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "flow"):
        for part in spec["flows"]:
            of_it = table.loc[table.activation == part["activation"]]
            for model in MODELS:
                runs = [run_of(of_it, model, i) for i in range(spec["replicates"])]
                where = f"{spec['setting']}.{part['activation']}.{model}"
                rows += _of_runs(where, runs, spec | part, [name])
    return rows


def _of_runs(where: str, runs: list[dict[str, Array]], spec: Any, sources: list[str]) -> Rows:
    """End, certificate, late rate, first variation and conditions of the runs of one model.

    A block with kinks is outside the theorems: its end is judged by a measure of its own, its
    certificate and late rate are numbers without a claim.
    """
    kinked = spec["activation"] in KINKED

    def one(claim: str, quantity: str, estimate: Estimate) -> dict[str, Any]:
        return row(claim, quantity, where, estimate, sources, replicates=len(runs))

    def smooth(claim: str, quantity: str, estimate: Estimate) -> dict[str, Any]:
        return one("", f"{quantity}_kinked", estimate) if kinked else one(claim, quantity, estimate)

    certified = [certificate_of(run, spec["floor"]) for run in runs]
    late = [late_rate(run) for run in runs]
    fallen = [math.log10(run["variation"][-1] / run["variation"][0]) for run in runs]
    root = [float((run["signed"] / np.sqrt(2 * run["risk"])).min()) for run in runs]
    ends = [math.log10(run["risk"][-1]) for run in runs]
    rows = [
        one("zero_loss.limit", "log10_risk_kinked" if kinked else "log10_risk", over(ends)),
        smooth("zero_loss.rate-certificate", "log10_excess", over([e for e, _ in certified])),
        smooth("", "certified_share", between([share for _, share in certified])),
        smooth("zero_loss.late-rate", "ratio", between(late)),
        one("zero_loss.first-variation", "log10_sup", over(fallen)),
        one("zero_loss.first-variation", "signed", between(root)),
        one("", "flow_time", between([run["flow_time"][-1] for run in runs])),
        one("", "smallest_eigenvalue", between([run["eigenvalue"][:, 0].min() for run in runs])),
        one("", "last_eigenvalue", between([run["eigenvalue"][-1, 0] for run in runs])),
        one("", "condition", between([run["eigenvalue"][-1, -1] / run["eigenvalue"][-1, 0]
                                      for run in runs])),
    ]
    for quantity in ("ball", "depth-spread"):
        for end, index in (("first", 0), ("last", -1)):
            rows.append(one("", f"{quantity}_{end}",
                            between([run[quantity][index] for run in runs])))
    for i, side in enumerate(("low", "high")):
        for end, index in (("first", 0), ("last", -1)):
            rows.append(one("", f"lead_{side}_{end}",
                            between([run["lead"][index, i] for run in runs])))
    return rows


def certificate_of(run: dict[str, Array], floor: float) -> tuple[float, float]:
    """Largest log₁₀ of risk over its certificate after the start, and the share of the decay of
    log E that is certified; where the risk is above the floor, below which it is round-off."""
    bound = log_certificate(run["flow_time"], run["eigenvalue"][:, 0], run["eigenvalue"].shape[1])
    decay = np.log(run["risk"] / run["risk"][0])
    seen = run["risk"] >= floor
    excess = (decay - bound)[seen][1:]
    if len(excess) == 0:
        return math.nan, math.nan
    last = np.flatnonzero(seen)[-1]
    return float(excess.max()) / math.log(10), float(bound[last] / decay[last])


def late_rate(run: dict[str, Array]) -> float:
    """−d log |e·r|/ds between the last points, over λ_min(K)/N there; e its last eigenvector.

    Where the risk falls by a factor LATE to LATE times its last value, so that round-off does not
    count; the projection leaves the other modes out. NaN if the risk never falls so far.
    """
    logs, s, log = np.log(run["risk"]), run["flow_time"], math.log(LATE)
    ends = np.flatnonzero(logs - logs[-1] >= log)
    starts = np.flatnonzero(logs - logs[ends[-1]] >= log) if len(ends) else ends
    if len(starts) == 0:
        return math.nan
    i, j = starts[-1], ends[-1]
    eigenvalues = run["eigenvalue"]
    part = np.log(np.abs(run["residual"][[i, j]] @ run["mode"][0]))
    return float((part[0] - part[1]) / (s[j] - s[i]) / (eigenvalues[j, 0] / eigenvalues.shape[1]))


def _regularised(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "regularised"):
        where, times = f"{spec['setting']}.{spec['activation']}", spec["flow_times"]
        parts = dict(tuple(table.groupby("quantity")))
        E, lost = (untidy(parts[q], ["flow_time", "replicate"], "value")[0]
                   for q in ("objective", "dissipated"))
        rise = float((np.diff(E, axis=0) / E[0]).max())
        defect = float((np.abs(E - E[0] + lost) / E[0]).max())
        ends = [float(rows_.value.min()) for _, rows_ in parts["risk"].groupby("replicate")]
        until = {q: parts[f"until-{q}"].sort_values("replicate").value.to_numpy()
                 for q in ("risk", "plain")}
        size: dict[str, Any] = {"replicates": spec["replicates"], "sizes": len(times)}
        rows += [
            row("zero_loss.regularised", "rise", where, over([rise]), [name], **size),
            row("zero_loss.regularised", "defect", where, over([defect]), [name], **size),
            row("zero_loss.regularised", "log10_risk", where, over(np.log10(ends)), [name],
                **size),
            row("", "delay", where, student(until["risk"] / until["plain"]), [name], **size),
        ]
    return rows


def _steps(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "steps"):
        where = f"{spec['setting']}.{spec['activation']}"
        r, labels = untidy(table.loc[table.quantity == "residual"],
                           ["per_unit", "replicate", "sample"], "value")
        gap = np.linalg.norm(r[1:] - r[0], axis=2)  # (steps, replicates)
        orders = -np.array([log_slope(labels["per_unit"][-2:], gap[-2:, i])
                            for i in range(gap.shape[1])])
        ends = {q: table.loc[table.quantity == q].sort_values("replicate").value.to_numpy()
                for q in ("longest", "limit")}
        size: dict[str, Any] = {"replicates": spec["replicates"], "sizes": len(gap)}
        rows += [
            row("zero_loss.step", "order", where, student(orders), [name], **size),
            row("", "longest_step", where, student(ends["longest"]), [name], **size),
            row("", "stable_step", where, student(ends["limit"]), [name], **size),
        ]
    return rows


MEASURED_BY: dict[str, Part] = {
    "zero_loss.limit": _flows,
    "zero_loss.rate-certificate": _flows,
    "zero_loss.late-rate": _flows,
    "zero_loss.first-variation": _flows,
    "zero_loss.regularised": _regularised,
    "zero_loss.step": _steps,
    "zero_loss.density": agreements.density,
    "zero_loss.weak-form": agreements.weak_form,
    **CONTROLS,
}


def measure(tables: Tables, specs: Specs, claims: Sequence[str] = ()) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources.

    With ``claims`` only the parts that measure one of them run, on the cases that are there.
    """
    return pd.DataFrame([made for part in parts_of(MEASURED_BY, (), claims)
                         for made in part(tables, specs)])
