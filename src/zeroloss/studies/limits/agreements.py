"""Estimates of `limits` that hold prediction against measurement: covariance, law, bias, energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from ledger.record.statistics import (
    Estimate,
    ks_distance,
    simultaneous_level,
    student,
    trace_ratio,
)
from ledger.record.streams import stream
from zeroloss.studies.limits.evidence import Ensemble, Evidence
from ledger.record.rows import cell, row
from ledger.record.tidy import untidy

__all__ = ["commute", "constant", "energy", "law", "loss_bias", "numbers", "predicted_risks",
           "to_limit"]

Array = np.ndarray
Rows = list[dict[str, Any]]
REAL_DATA = ("diabetes", "digits")
MOST_DRAWS = 400_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _size_class(evidence: Evidence, ensemble: Ensemble) -> str:
    kind = evidence.specs[ensemble.sources[0]]["problem"]["kind"]
    return "real" if kind in (*REAL_DATA, "csv") else "small"


def constant(evidence: Evidence) -> Rows:
    """Trace of the measured covariance over the predicted one, all cells held together."""
    rows: Rows = []
    ensembles = evidence.largest()
    level = simultaneous_level(0.95, sum(len(e.flow_times) for e in ensembles))
    for e in ensembles:
        for t, s in enumerate(e.flow_times):
            made = evidence.prediction(e, t)
            trace = float(np.trace(made.covariance)) / e.count
            ratio = trace_ratio(e.residuals[:, t], trace, made.trace_error * trace, level)
            where = cell(e.setting, s, e.sampling)
            rows.append(row("limits.constant", f"ratio_{_size_class(evidence, e)}", where,
                            Estimate(ratio.value, ratio.lower, ratio.upper), e.sources
                            + made.sources, replicates=len(e.residuals),
                            floor=made.trace_error))
    return rows


def to_limit(evidence: Evidence) -> Rows:
    """The same measured trace over that of the continuous limit: numbers that no claim judges."""
    rows: Rows = []
    for e in evidence.largest():
        for t, s in enumerate(e.flow_times):
            where = cell(e.setting, s, e.sampling)
            limit, names = evidence.covariance(e.setting, e.sampling, 0)
            traces = np.trace(limit[:, t], axis1=1, axis2=2)
            mean = float(traces.mean())
            deviation = float(traces.std(ddof=1)) / np.sqrt(len(traces))
            rows.append(row("", "ratio_to_limit", where, trace_ratio(
                e.residuals[:, t], mean / e.count, deviation / e.count), [*e.sources, *names],
                replicates=len(e.residuals)))
            rows.append(row("", "trace_limit", where, student(traces), names))
    return rows


def predicted_risks(evidence: Evidence, ensemble: Ensemble, time: int) -> Array:
    """Draws from the predicted law of the trained risk of an ensemble."""
    rng = stream("predicted-risk", ensemble.setting, ensemble.sampling, ensemble.num_layers,
                 ensemble.num_units, time)
    draws = min(MOST_DRAWS, 200 * len(ensemble.residuals))  # well below the sample's own error
    return evidence.prediction(ensemble, time).risks(ensemble.count, draws, rng)


def law(evidence: Evidence) -> Rows:
    """Distance of the measured from the predicted law of the risk, its quantiles, its decay."""
    rows: Rows = []
    for e in evidence.largest():
        for t, s in enumerate(e.flow_times):
            predicted, where = predicted_risks(evidence, e, t), cell(e.setting, s, e.sampling)
            sources = e.sources + evidence.predicting(e)
            rows.append(row("limits.law", f"ks_{_size_class(evidence, e)}", where,
                            ks_distance(e.risk[:, t], predicted), sources,
                            replicates=len(e.residuals)))
            for q in QUANTILES:
                rows.append(row("", f"quantile_{100 * q:g}", where,
                                _quantile(e.risk[:, t], q), sources,
                                floor=float(np.quantile(predicted, q)),
                                replicates=len(e.residuals), note="floor holds the prediction"))
    rows += _decay(evidence)
    return rows


def _quantile(values: Array, q: float, level: float = 0.95) -> Estimate:
    """A quantile with its distribution-free interval of order statistics."""
    ordered = np.sort(values)
    n = len(ordered)
    low = int(stats.binom.ppf(0.5 - level / 2, n, q))
    high = int(stats.binom.ppf(0.5 + level / 2, n, q))
    value = float(np.quantile(ordered, q))
    return Estimate(value, min(value, float(ordered[max(low - 1, 0)])),
                    max(value, float(ordered[min(high, n - 1)])), level)


def _decay(evidence: Evidence) -> Rows:
    """How much closer the laws are at a large size than at a small one of the same depth."""
    rows: Rows = []
    for setting in evidence.settings:
        for sampling in ("independent", "path"):
            group = _growing(evidence, setting, sampling)
            if len(group) < 2:
                continue
            for t, s in enumerate(group[0].flow_times):
                ends = (group[0], group[-1])
                first, last = (ks_distance(e.risk[:, t], predicted_risks(evidence, e, t), 0.975)
                               for e in ends)
                sources = [name for e in ends for name in (*e.sources, *evidence.predicting(e))]
                change = Estimate(last.value - first.value, last.lower - first.upper,
                                  last.upper - first.lower)
                rows.append(row("limits.law", "ks_change", cell(setting, s, sampling), change,
                                list(dict.fromkeys(sources)),
                                replicates=min(len(e.residuals) for e in ends)))
    return rows


def _growing(evidence: Evidence, setting: str, sampling: str) -> list[Ensemble]:
    """Ensembles of one depth from small to large: that of role decay and the largest of role
    constant at its depth; without the former, the sweep in M at the depth of the largest."""
    match = {"setting": setting, "sampling": sampling}
    small = evidence.with_role("decay", **match)
    if small:
        large = evidence.with_role("constant", **match, num_layers=small[0].num_layers)
        return [small[0], large[-1]]
    known = {e.num_layers for e in evidence.largest()
             if (e.setting, e.sampling) == (setting, sampling)}
    return [e for e in evidence.with_role("units", **match) if e.num_layers in known]


def commute(evidence: Evidence) -> Rows:
    """Three orders of the limits against the mean-field limit, sample by sample, held together."""
    name, spec, table = evidence.one("commute")
    setting, s = spec["setting"], spec["flow_times"][0]
    t = evidence.flow_times(setting).index(s)
    r, error, _ = evidence.reference(setting)
    level = simultaneous_level(0.95, 3 * r.shape[1])
    z = float(stats.norm.ppf(0.5 + level / 2))
    routes = {"depth_first": _extrapolate(table, "depth-first", "num_units", (-1.0, 2.0)),
              "jointly": _extrapolate(table, "jointly", "num_units", (1 / 3, -2.0, 8 / 3))}
    rows: Rows = []
    for quantity, (mean, deviation) in routes.items():
        for i, value in enumerate(mean - r[t]):
            half = z * deviation[i] + error[t, i]
            rows.append(row("limits.commute", quantity, f"{cell(setting, s)}.x{i}",
                            Estimate(float(value), float(value - half), float(value + half)),
                            [name, evidence.one("reference", setting=setting)[0]],
                            floor=float(error[t, i]),
                            replicates=min(spec["replicates"], spec["joint_replicates"])))
    return rows + _width_first(evidence, setting, t, s)


def _extrapolate(table: Any, route: str, size: str, weights: tuple[float, ...]
                 ) -> tuple[Array, Array]:
    """Mean residuals extrapolated in 1/size on sizes that double, and their standard deviation."""
    chosen = table.loc[table.route == route]
    mean, variance = 0.0, 0.0
    sizes = sorted(chosen[size].unique())[-len(weights):]
    for weight, value in zip(weights, sizes, strict=True):
        r, _ = untidy(chosen[chosen[size] == value], ["replicate", "sample"], "residual")
        mean = mean + weight * r.mean(0)
        variance = variance + weight**2 * r.var(0, ddof=1) / len(r)
    return np.asarray(mean), np.sqrt(variance)


def _width_first(evidence: Evidence, setting: str, t: int, s: float) -> Rows:
    """M → ∞ first: the depth ladder extrapolated, on the same rules as its continuous limit.

    The interval holds the change by the last extrapolation, an estimate of what is left out.
    """
    depths, r = evidence.ladder(setting)
    name = evidence.one("ladder", setting=setting)[0]
    exact = r[:, depths.index(0), t]
    a, b, c = (r[:, i, t] - exact for i in (-3, -2, -1))
    second, third = 2 * c - b, (8 * c - 6 * b + a) / 3
    rows: Rows = []
    for i in range(r.shape[-1]):
        value = student(third[:, i])
        left_out = float(np.abs(third - second)[:, i].max())
        rows.append(row("limits.commute", "width_first", f"{cell(setting, s)}.x{i}",
                        Estimate(value.value, value.lower - left_out, value.upper + left_out),
                        [name], floor=left_out))
    return rows


def energy(evidence: Evidence) -> Rows:
    """|E(s) − E(0) + ∫ dissipation| / E(0), along the limit and the worst of the networks."""
    rows: Rows = []
    name, spec, table = evidence.one("energy")
    for one in spec["cases"]:
        for model in ("limit", "network"):
            part = table.loc[(table.model == model) & (table.setting == one["setting"])]
            risk, _ = untidy(part.loc[part.quantity == "risk"], ["flow_time", "replicate"], "value")
            lost, _ = untidy(part.loc[part.quantity == "dissipated"], ["flow_time", "replicate"],
                             "value")
            defect = (np.abs(risk - risk[0] + lost) / risk[0]).max(1)
            for t, s in enumerate(one["flow_times"]):
                if s > 0:
                    value = float(defect[t])
                    rows.append(row("limits.energy", f"defect_{model}", cell(one["setting"], s),
                                    Estimate(value, value, value), [name],
                                    replicates=risk.shape[1]))
    return rows


def loss_bias(evidence: Evidence) -> Rows:
    """E[risk] − E = A'/L + C/L² + B/(LM) + D/(LM)²: fitted, and A' predicted as mean r·A.

    Networks for the decay of the law alone are too small for a fit of second order.
    """
    rows: Rows = []
    for setting in evidence.settings:
        group = [e for e in evidence.ensembles
                 if e.setting == setting and e.sampling == "independent"
                 and e.roles != ("decay",)]
        if len(group) < 6:
            continue
        risk, error = evidence.risk(setting)
        r, _, _ = evidence.reference(setting)
        A = evidence.first_order_bias(setting)
        L = np.array([e.num_layers for e in group], dtype=float)
        n = np.array([e.count for e in group], dtype=float)
        design = np.stack([1 / L, 1 / n, 1 / L**2, 1 / n**2], axis=1)
        ladder, reference = (evidence.one(kind, setting=setting)[0]
                             for kind in ("ladder", "reference"))
        sources = [reference, *(name for e in group for name in e.sources)]
        for t, s in enumerate(group[0].flow_times):
            y = np.array([e.risk[:, t].mean() for e in group]) - risk[t]
            sd = np.array([e.risk[:, t].std(ddof=1) / np.sqrt(len(e.risk)) for e in group])
            fitted, deviation = _weighted_fit(design, y, np.hypot(sd, error[t] / 2))
            where = cell(setting, s)
            size: dict[str, Any] = {"replicates": min(len(e.risk) for e in group),
                                    "sizes": len(group)}
            scrambles = A[:, t] @ r[t] / r.shape[1]
            predicted = student(scrambles)
            spread = float(scrambles.std(ddof=1)) / np.sqrt(len(scrambles))
            rows += [
                row("limits.loss-bias", "Aprime", where, _normal(fitted[0], deviation[0]),
                    sources, **size),
                row("limits.loss-bias", "B", where, _normal(fitted[1], deviation[1]), sources,
                    **size),
                row("limits.loss-bias", "Aprime_difference", where, _normal(
                    fitted[0] - predicted.value, float(np.hypot(deviation[0], spread))),
                    [*sources, ladder], **size),
                row("", "Aprime_predicted", where, predicted, [ladder, reference]),
            ]
    return rows


def _weighted_fit(design: Array, y: Array, sd: Array) -> tuple[Array, Array]:
    """Weighted least squares: coefficients and their standard deviations."""
    scaled = design / sd[:, None]
    covariance = np.linalg.inv(scaled.T @ scaled)
    return covariance @ scaled.T @ (y / sd), np.sqrt(np.diag(covariance))


def _normal(value: float, deviation: float, level: float = 0.95) -> Estimate:
    half = float(stats.norm.ppf(0.5 + level / 2)) * deviation
    return Estimate(float(value), float(value - half), float(value + half), level)


def numbers(evidence: Evidence) -> Rows:
    """The risk of the limit itself, with its error."""
    rows: Rows = []
    for setting in evidence.settings:
        name = evidence.one("reference", setting=setting)[0]
        risk, error = evidence.risk(setting)
        for s, value, half in zip(evidence.flow_times(setting), risk, error, strict=True):
            rows.append(row("", "risk", cell(setting, s),
                            Estimate(float(value), float(value - half), float(value + half)),
                            [name], floor=float(half)))
    return rows
