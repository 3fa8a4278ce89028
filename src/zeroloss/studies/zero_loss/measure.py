"""Estimates of `zero_loss`: where each run ends, its certificate, its late rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, between, exact, over, row, rows_of
from ledger.record.statistics import Estimate, log_slope, student
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.model.kernel import log_certificate
from zeroloss.studies.ending import RESOLVED, at_end, log10_end
from zeroloss.studies.zero_loss import near
from zeroloss.studies.zero_loss.agreements import density, flipped, upwind, weak_form
from zeroloss.studies.zero_loss.fluctuation import fluctuation, growing, slower
from zeroloss.studies.zero_loss.law import covariance_of_the_start, law, twice_the_covariance
from zeroloss.studies.zero_loss.plan import Flow, Regularised, Steps

__all__ = [
    "certificate_of",
    "covariance_of_the_start",
    "density",
    "flipped",
    "fluctuation",
    "growing",
    "late_rate",
    "law",
    "near",
    "run_of",
    "slower",
    "twice_the_covariance",
    "upwind",
    "weak_form",
]

Array = np.ndarray
RUN = ["activation", "model", "replicate"]
MODELS = ("limit", "network")
KINKED = ("relu",)
LATE = 1e3  # the risk falls by this factor where the late rate is taken, and once more after it


def run_of(table: pd.DataFrame, model: str, replicate: int) -> dict[str, Array]:
    """One run: arrays over its points by quantity; eigenvalues (points, N)."""
    part = table.loc[(table.model == model) & (table.replicate == replicate)]
    return {
        str(name): untidy(rows, ["flow_time", "index"], "value")[0].squeeze(-1)
        if rows["index"].max() == 0
        else untidy(rows, ["flow_time", "index"], "value")[0]
        for name, rows in part.groupby("quantity")
    } | {"flow_time": np.unique(part.flow_time.to_numpy())}


@measures("zero_loss.limit", "zero_loss.rate-certificate", "zero_loss.late-rate", "zero_loss.first-variation")
def flows(run: Run) -> Rows:
    """Every flow of every setting, limit and networks apart."""
    rows: Rows = []
    for name, case, table in run.of(Flow):
        for training in case.flows:
            of_it = table.loc[table.activation == training.activation]
            for model in MODELS:
                runs = [run_of(of_it, model, i) for i in range(case.replicates)]
                where = f"{case.setting}.{training.activation}.{model}"
                rows += _of_runs(where, runs, case.floor, training.activation in KINKED, [name])
    return rows


def _of_runs(where: str, runs: list[dict[str, Array]], floor: float, kinked: bool, sources: list[str]) -> Rows:
    """End, certificate, late rate, first variation and conditions of the runs of one model.

    A block with kinks is outside the theorems: its end is judged by a measure of its own, its
    certificate and late rate are numbers without a claim.
    """

    def one(claim: str, quantity: str, estimate: Estimate) -> dict[str, Any]:
        return row(claim, quantity, where, estimate, sources, replicates=len(runs))

    def smooth(claim: str, quantity: str, estimate: Estimate) -> dict[str, Any]:
        return one("", f"{quantity}_kinked", estimate) if kinked else one(claim, quantity, estimate)

    certified = [certificate_of(run, floor) for run in runs]
    late = [late_rate(run, floor) for run in runs]
    fallen = [fall_of(run, "variation", floor) for run in runs]
    ends = [log10_end(run["risk"], floor) for run in runs]
    rows = [
        one("zero_loss.limit", "log10_risk_kinked" if kinked else "log10_risk", over(ends)),
        smooth("zero_loss.rate-certificate", "log10_excess", over([e for e, _ in certified])),
        smooth("", "certified_share", between([share for _, share in certified])),
        smooth("zero_loss.late-rate", "ratio", between(late)),
        one("zero_loss.first-variation", "log10_sup", over(fallen)),
        one("zero_loss.first-variation", "signed", between([signed_of(run, floor) for run in runs])),
        one("", "flow_time", between([at_end(run["risk"], run["flow_time"], floor) for run in runs])),
        one("", "smallest_eigenvalue", between([run["eigenvalue"][:, 0].min() for run in runs])),
    ]
    if not kinked:  # at a kink that a unit slides along, the kernel jumps from step to step
        last = [run["eigenvalue"][-1] for run in runs]
        rows.append(one("", "last_eigenvalue", between([values[0] for values in last])))
        rows.append(one("", "condition", between([values[-1] / values[0] for values in last])))
    for quantity in ("ball", "depth-spread"):
        for end, index in (("first", 0), ("last", -1)):
            rows.append(one("", f"{quantity}_{end}", between([run[quantity][index] for run in runs])))
    for i, side in enumerate(("low", "high")):
        for end, index in (("first", 0), ("last", -1)):
            rows.append(one("", f"lead_{side}_{end}", between([run["lead"][index, i] for run in runs])))
    return rows


def certificate_of(run: dict[str, Array], floor: float) -> tuple[float, float]:
    """Largest log₁₀ of risk over its certificate after the start, and the share of the decay of
    log E that is certified; where the risk is above the floor, below which it is round-off."""
    bound = log_certificate(run["flow_time"], run["eigenvalue"][:, 0], run["eigenvalue"].shape[1])
    decay = np.log(run["risk"] / run["risk"][0])
    excess = (decay - bound)[run["risk"] >= floor][1:]
    fallen = at_end(run["risk"], decay, floor)
    if len(excess) == 0 or fallen == 0:  # what starts as low as ends are read has no decay to certify
        return math.nan, math.nan
    share = at_end(run["risk"], bound, floor) / fallen
    return float(excess.max()) / math.log(10), share


def fall_of(run: dict[str, Array], quantity: str, floor: float) -> float:
    """log₁₀ of a quantity where training ends over its start."""
    logs = np.log10(run[quantity])
    return at_end(run["risk"], logs, floor) - float(logs[0])


def signed_of(run: dict[str, Array], floor: float) -> float:
    """Least of max − min of δE/δρ over √(2E), at a risk of RESOLVED floors or more."""
    seen = run["risk"] >= RESOLVED * floor
    seen[0] = True
    return float((run["signed"] / np.sqrt(2 * run["risk"]))[seen].min())


def late_rate(run: dict[str, Array], floor: float) -> float:
    """−d log |e·r|/ds between the last points, over λ_min(K)/N there; e its last eigenvector.

    Where the risk falls by a factor LATE to LATE times the one that training ends at, so that
    round-off does not count; the projection leaves the other modes out. NaN if the risk never
    falls so far.
    """
    logs, s, log = np.log(run["risk"]), run["flow_time"], math.log(LATE)
    ends = np.flatnonzero(logs - math.log(max(run["risk"][-1], floor)) >= log)
    starts = np.flatnonzero(logs - logs[ends[-1]] >= log) if len(ends) else ends
    if len(starts) == 0:
        return math.nan
    i, j = starts[-1], ends[-1]
    eigenvalues = run["eigenvalue"]
    part = np.log(np.abs(run["residual"][[i, j]] @ run["mode"][0]))
    return float((part[0] - part[1]) / (s[j] - s[i]) / (eigenvalues[j, 0] / eigenvalues.shape[1]))


@measures("zero_loss.regularised")
def regularised(run: Run) -> Rows:
    """Objective and risk under the decaying penalty, and how long it delays the floor."""
    rows: Rows = []
    for name, case, table in run.of(Regularised):
        where, times = f"{case.setting}.{case.activation}", case.flow_times
        parts = dict(tuple(table.groupby("quantity")))
        E, lost = (untidy(parts[q], ["flow_time", "replicate"], "value")[0] for q in ("objective", "dissipated"))
        rise = float((np.diff(E, axis=0) / E[0]).max())
        defect = float((np.abs(E - E[0] + lost) / E[0]).max())
        plain, penalised = (_ends(parts[q], case.floor) for q in ("plain", "risk"))
        size: dict[str, Any] = {"replicates": case.replicates, "sizes": len(times)}
        one = rows_of([name], **size)
        rows += [
            one("zero_loss.regularised", "rise", where, exact(rise)),
            one("zero_loss.regularised", "defect", where, exact(defect)),
            one("zero_loss.regularised", "log10_risk", where, over(penalised[:, 1])),
            one("", "delay", where, student(penalised[:, 0] / plain[:, 0], CONFIDENCE)),
        ]
    return rows


def _ends(table: pd.DataFrame, floor: float) -> Array:
    """When the run of each replicate ends, and log₁₀ of its risk there: (replicates, 2)."""
    runs = [run.sort_values("flow_time") for _, run in table.groupby("replicate")]
    pairs = [(run.value.to_numpy(), run.flow_time.to_numpy()) for run in runs]
    return np.array([(at_end(risk, s, floor), log10_end(risk, floor)) for risk, s in pairs])


@measures("zero_loss.step")
def steps(run: Run) -> Rows:
    """Order of the gap between descent and flow, and the longest step that follows."""
    rows: Rows = []
    for name, case, table in run.of(Steps):
        where = f"{case.setting}.{case.activation}"
        r, labels = untidy(table.loc[table.quantity == "residual"], ["per_unit", "replicate", "sample"], "value")
        gap = np.linalg.norm(r[1:] - r[0], axis=2)  # (steps, replicates)
        orders = -np.array([log_slope(labels["per_unit"][-2:], gap[-2:, i]) for i in range(gap.shape[1])])
        ends = {
            q: table.loc[table.quantity == q].sort_values("replicate").value.to_numpy() for q in ("longest", "limit")
        }
        size: dict[str, Any] = {"replicates": case.replicates, "sizes": len(gap)}
        rows += [
            row("zero_loss.step", "order", where, student(orders, CONFIDENCE), [name], **size),
            row("", "longest_step", where, student(ends["longest"], CONFIDENCE), [name], **size),
            row("", "stable_step", where, student(ends["limit"], CONFIDENCE), [name], **size),
        ]
    return rows


# ---- negative controls: deliberately wrong models or data


@control("zero_loss.limit", Flow)
def stopped_early(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """Training that stops at a hundredth of its time."""
    last = table.groupby(RUN).flow_time.transform("max")
    return table.loc[table.flow_time <= 1e-2 * last]


@control("zero_loss.rate-certificate", Flow)
def mean_eigenvalue(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A certificate with the mean of the eigenvalues in the place of the smallest."""
    keys = [*RUN, "flow_time", "quantity"]
    mean = table.groupby(keys).value.transform("mean")
    table["value"] = np.where(table.quantity == "eigenvalue", mean, table.value)
    return table


@control("zero_loss.late-rate", Flow)
def next_mode(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """The second smallest eigenvalue taken for the slowest mode's."""
    eigenvalues = table.quantity == "eigenvalue"
    second = table.loc[eigenvalues & (table["index"] == 1)].set_index([*RUN, "flow_time"]).value
    first = eigenvalues & (table["index"] == 0)
    where = pd.MultiIndex.from_frame(table.loc[first, [*RUN, "flow_time"]])
    table.loc[first, "value"] = second.loc[where].to_numpy()
    return table


@control("zero_loss.first-variation", Flow)
def frozen_adjoint(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A first variation from the adjoint of the start, whatever the residuals became."""
    for name in ("variation", "signed"):
        rows = table.quantity == name
        first = table.loc[rows].sort_values("flow_time").groupby(RUN).value.transform("first")
        table.loc[first.index, "value"] = first
    return table


@control("zero_loss.regularised", Regularised)
def lasting_penalty(table: pd.DataFrame, case: Regularised) -> pd.DataFrame:
    """A penalty that does not decay: the risk is left where the penalised flow was dropped."""
    late = (table.quantity == "risk") & (table.flow_time > max(case.flow_times))
    return table.loc[~late]


@control("zero_loss.step", Steps)
def second_order_steps(table: pd.DataFrame, case: Steps) -> pd.DataFrame:
    """Steps whose gap falls like h², as a midpoint rule's would."""
    rows = table.quantity == "residual"
    exact = table.loc[rows & (table.per_unit == 0)].set_index(["replicate", "sample"]).value
    where = pd.MultiIndex.from_frame(table.loc[rows, ["replicate", "sample"]])
    base = exact.loc[where].to_numpy()
    shrink = 1.0 / table.loc[rows, "per_unit"].clip(lower=1)
    table.loc[rows, "value"] = base + (table.loc[rows, "value"] - base) * shrink
    return table
