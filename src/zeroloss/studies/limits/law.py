"""The predicted law of trained networks against the measured: covariance, distribution, bias."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ledger.record.interval import CONFIDENCE, COVERING, one_sided, simultaneous
from ledger.record.rows import Row, Rows, cell, exact, row, rows_of
from ledger.record.statistics import Estimate, about, bootstrap_weights, ks_distance, student
from ledger.record.streams import stream
from ledger.study import Run, control, measures
from zeroloss.model.catalogue import REAL_DATA
from zeroloss.studies.limits import plan
from zeroloss.studies.limits.evidence import Ensemble, Evidence, at, evidence_of
from zeroloss.theory.covariance import Trace, trace_ratio

Array = np.ndarray
MOST_DRAWS = 400_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _size_class(evidence: Evidence, ensemble: Ensemble) -> str:
    case = evidence.run.cases[ensemble.sources[0]]
    assert isinstance(case, plan.NetworksCase)
    return "real" if case.problem.kind in (*REAL_DATA, "csv") else "small"


def units(num_units: int) -> str:
    """The part of a cell's name that says how many units a layer has."""
    return f"m{num_units}"


@measures("limits.constant")
def constant(run: Run) -> Rows:
    """Trace of the measured covariance over the predicted one, all cells held together; those of
    networks trained in torch, at one size, hold together among themselves. Besides, the ratio pooled
    over all settings, at the start, in the middle and at the end.

    At several numbers M of units a bias of the rule is one for all of them, while the second-order
    term of the expansion falls like 1/M.
    """
    evidence = evidence_of(run)
    rows: Rows = []
    pools: dict[str, dict[str, list[Pooled]]] = {}
    for ensembles, engine in ((evidence.with_role("constant"), ""), (evidence.in_torch, "torch")):
        family = simultaneous(sum(len(e.flow_times) for e in ensembles), COVERING)
        for e in ensembles:
            name = engine or units(e.num_units)
            for t, s in enumerate(e.flow_times):
                predicted = evidence.prediction(e, t)
                ratio = trace_ratio(e.residuals[:, t], predicted.trace, e.count, family)
                single = trace_ratio(e.residuals[:, t], predicted.trace, e.count, CONFIDENCE)
                sources = e.sources + predicted.sources
                if not engine:
                    stage = "start" if t == 0 else "end" if t == len(e.flow_times) - 1 else "middle"
                    pools.setdefault(stage, {}).setdefault(e.setting, []).append(
                        Pooled(single, len(e.residuals), sources)
                    )
                one = rows_of(sources, replicates=len(e.residuals))
                rows.append(
                    one(
                        "limits.constant",
                        f"ratio_{_size_class(evidence, e)}",
                        cell(e.setting, s, e.sampling, name),
                        ratio,
                        floor=predicted.trace.relative_error,
                    )
                )
    return rows + [
        _pool(stage, [pool[name] for name in sorted(pool)]) for stage, pool in pools.items() if len(pool) > 1
    ]


class Pooled(NamedTuple):
    """One ratio of a pool, with its own 95 % interval."""

    ratio: Estimate
    replicates: int
    sources: list[str]


def _pool(stage: str, settings: list[list[Pooled]]) -> Row:
    """The ratio over settings, each weighted by 1/h² with h its half-width.

    Settings are independent; the cells of one share predictions and paths, and are taken for fully
    dependent: their mean has the mean of their half-widths, which is never too small.
    """
    values, halves = (
        np.array([math.fsum(getattr(one.ratio, name) for one in cells) / len(cells) for cells in settings])
        for name in ("value", "half_width")
    )
    weights = halves**-2 / (halves**-2).sum()
    pooled = about(weights @ values, float(np.sqrt((weights**2) @ halves**2)), CONFIDENCE)
    cells = [one for group in settings for one in group]
    sources = sorted({source for one in cells for source in one.sources})
    replicates = min(one.replicates for one in cells)
    return row("limits.constant", "ratio_pooled", stage, pooled, sources, replicates=replicates, sizes=len(settings))


@measures()
def engines(run: Run) -> Rows:
    """The largest difference between residuals of networks that torch and the compiled engine have
    trained from the same draws."""
    evidence = evidence_of(run)
    rows: Rows = []
    for e in evidence.in_torch:
        for other in evidence.ensembles:
            if (other.setting, other.sampling, other.num_layers, other.num_units) != (
                e.setting,
                e.sampling,
                e.num_layers,
                e.num_units,
            ):
                continue
            count = min(len(e.residuals), len(other.residuals))
            gap = np.abs(e.residuals[:count] - other.residuals[:count]).max((0, 2))
            rows += [
                row(
                    "",
                    "engines",
                    cell(e.setting, s, e.sampling),
                    exact(gap[t]),
                    [*e.sources, *other.sources],
                    replicates=count,
                )
                for t, s in enumerate(e.flow_times)
            ]
    return rows


@measures()
def to_limit(run: Run) -> Rows:
    """The same measured trace over that of the continuous limit, and what the predicted traces are:
    numbers that no claim judges."""
    evidence = evidence_of(run)
    rows: Rows = []
    for e in evidence.largest():
        for t, s in enumerate(e.flow_times):
            where = cell(e.setting, s, e.sampling)
            limit, names = evidence.covariance(e.setting, e.sampling, 0)
            traces = np.trace(limit[:, t], axis1=1, axis2=2)
            one = rows_of([*e.sources, *names], replicates=len(e.residuals))
            rows.append(
                one("", "ratio_to_limit", where, trace_ratio(e.residuals[:, t], Trace.of(traces), e.count, CONFIDENCE))
            )
            rows.append(row("", "trace_limit", where, student(traces, CONFIDENCE), names))
            predicted = evidence.prediction(e, t).trace
            error, change = (exact(x / predicted.value) for x in (predicted.error, predicted.bias))
            of_prediction = rows_of(evidence.predicting(e))
            rows += [of_prediction("", "trace_error", where, error), of_prediction("", "rule_change", where, change)]
    return rows


def predicted_risks(evidence: Evidence, ensemble: Ensemble, time: int) -> Array:
    """Draws from the predicted law of the trained risk of an ensemble."""
    rng = stream("predicted-risk", ensemble.setting, ensemble.sampling, ensemble.num_layers, ensemble.num_units, time)
    draws = min(MOST_DRAWS, 200 * len(ensemble.residuals))  # well below the sample's own error
    return evidence.prediction(ensemble, time).risks(ensemble.count, draws, rng)


@measures("limits.law")
def law(run: Run) -> Rows:
    """Distance of the measured from the predicted law of the risk, its quantiles, its decay."""
    evidence = evidence_of(run)
    rows: Rows = []
    for e in evidence.largest():
        for t, s in enumerate(e.flow_times):
            predicted, where = predicted_risks(evidence, e, t), cell(e.setting, s, e.sampling)
            sources = e.sources + evidence.predicting(e)
            one = rows_of(sources, replicates=len(e.residuals))
            rows.append(
                one(
                    "limits.law",
                    f"ks_{_size_class(evidence, e)}",
                    where,
                    ks_distance(e.risk[:, t], predicted, one_sided()),
                )
            )
            for q in QUANTILES:
                rows.append(
                    one(
                        "",
                        f"quantile_{100 * q:g}",
                        where,
                        _quantile(e.risk[:, t], q),
                        floor=float(np.quantile(predicted, q)),
                        note="floor holds the prediction",
                    )
                )
    rows += _decay(evidence)
    return rows


def _quantile(values: Array, q: float) -> Estimate:
    """A quantile with its distribution-free interval of order statistics."""
    ordered = np.sort(values)
    n = len(ordered)
    low, high = (int(rank) for rank in stats.binom.ppf([0.025, 0.975], n, q))
    value = float(np.quantile(ordered, q))
    ends = float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)])
    return Estimate(value, min(value, ends[0]), max(value, ends[1]), CONFIDENCE)


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
                change = _ks_change(*((e.risk[:, t], predicted_risks(evidence, e, t)) for e in ends))
                sources = [name for e in ends for name in (*e.sources, *evidence.predicting(e))]
                one = rows_of(list(dict.fromkeys(sources)), replicates=min(len(e.residuals) for e in ends))
                rows.append(one("limits.law", "ks_change", cell(setting, s, sampling), change))
    return rows


def _ks_change(small: tuple[Array, Array], large: tuple[Array, Array]) -> Estimate:
    """D at a large size minus D at a small one, D that of Kolmogorov and Smirnov to the predicted law.

    The interval is the basic one of the bootstrap, [2 D − q(1 − α/2), 2 D − q(α/2)]: a sample drawn
    anew lies further from the law than the sample itself, and that bias cancels to first order.
    """
    values, draws = zip(*(_resampled_ks(*one, size) for one, size in ((small, "small"), (large, "large"))), strict=True)
    value = values[1] - values[0]
    low, high = np.quantile(draws[1] - draws[0], [0.025, 0.975])
    return Estimate(value, min(value, 2 * value - float(high)), max(value, 2 * value - float(low)), CONFIDENCE)


def _resampled_ks(sample: Array, reference: Array, name: str) -> tuple[float, Array]:
    """D of a sample from the law of a reference, and of samples drawn from it anew."""
    sample, reference = np.sort(sample), np.sort(reference)
    after, before = (np.searchsorted(reference, sample, side) / len(reference) for side in ("right", "left"))

    def distance(weights: Array) -> Array:
        steps = np.cumsum(weights, axis=1) / len(sample)
        return np.maximum(np.abs(steps - after), np.abs(steps - weights / len(sample) - before)).max(1)

    return float(distance(np.ones((1, len(sample))))[0]), distance(bootstrap_weights(len(sample), "ks", name))


def _growing(evidence: Evidence, setting: str, sampling: str) -> list[Ensemble]:
    """Ensembles of one depth from small to large: that of role decay and the largest of role
    constant at its depth; without the former, the sweep in M at the depth of the largest."""
    match = {"setting": setting, "sampling": sampling}
    small = evidence.with_role("decay", **match)
    if small:
        large = evidence.with_role("constant", **match, num_layers=small[0].num_layers)
        return [small[0], large[-1]]
    known = {e.num_layers for e in evidence.largest() if (e.setting, e.sampling) == (setting, sampling)}
    return [e for e in evidence.with_role("units", **match) if e.num_layers in known]


@measures()
def risk(run: Run) -> Rows:
    """The risk of the limit itself, with its error."""
    evidence = evidence_of(run)
    rows: Rows = []
    for setting in evidence.settings:
        name = run.one(plan.Reference, setting=setting)[0]
        risk, error = evidence.risk(setting)
        for s, value, half in zip(evidence.flow_times(setting), risk, error, strict=True):
            estimate = about(value, half, CONFIDENCE)
            rows.append(row("", "risk", cell(setting, s), estimate, [name], floor=float(half)))
    return rows


@control("limits.constant", plan.Influence)
def untrained_influence(table: pd.DataFrame, case: plan.Influence) -> pd.DataFrame:
    """The influence function of initialisation, taken for that of the trained network."""
    return table.assign(
        covariance=at(
            table,
            table.flow_time == min(case.flow_times),
            ["sampling", "num_layers", "scramble", "log2_points", "row", "column"],
            "covariance",
        )
    )


@control("limits.law", plan.Influence)
def layers_mistaken_for_independent(table: pd.DataFrame, case: plan.Influence) -> pd.DataFrame:
    """Paths whose layers are counted as L independent draws: a covariance too small by 16."""
    table.loc[table["sampling"] == "path", "covariance"] /= 16.0
    return table
