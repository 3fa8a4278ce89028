"""Estimates of `linear`, each measurement beside its closed form; then the claims' controls.

A negative control is a deliberately wrong model or data: measured and judged, it must be `refuted`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Row, Rows, between, exact, plain, row, rows_of
from ledger.record.statistics import Estimate, clopper_pearson, log_slope, student
from ledger.study import Run, control, measures
from zeroloss.studies.linear import near as near
from zeroloss.studies.linear.plan import Bridge, Ends, Follow, Momentum, Stages, Unbalanced
from zeroloss.studies.linear.trajectories import gaps_of

Array = np.ndarray
ARRIVED = 1e-3  # of s_1: a start without structure has come to the best approximation


@measures("linear.balanced")
def balanced(run: Run) -> Rows:
    """Gaps to the closed form along the flow; order of descent in its step."""
    rows: Rows = []
    for name, case, table in run.of(Follow):
        for N, part in table.groupby("num_layers"):
            where, count = f"n{N}", case.replicates
            gaps = part.loc[part.quantity == "flow"]
            one = rows_of([name], replicates=count, sizes=len(case.flow_times))
            rows.append(one("linear.balanced", "gap", where, exact(gaps.value.max())))
            steps = part.loc[part.quantity == "descent"].pivot_table(index="replicate", columns="at", values="value")
            # finest pair of steps; `at` counts steps in one unit of s
            orders = -log_slope(steps.columns[-2:].to_numpy(float), steps.to_numpy()[:, -2:])
            one = rows_of([name], replicates=count, sizes=len(steps.columns))
            rows.append(one("linear.balanced", "order", where, student(orders, CONFIDENCE)))
    return rows


@measures("linear.ends", "linear.invariant")
def ends(run: Run) -> Rows:
    """Share of starts that end where it is predicted; falls of what must not fall."""
    rows: Rows = []
    for name, case, table in run.of(Ends):
        for where, part in table.groupby(table.family + table.num_layers.map(".n{}".format)):
            where, away = str(where), part.boundary >= case.margin
            right = (part.predicted == part.measured).to_numpy()
            judged = right[away.to_numpy()]
            share = clopper_pearson(int(judged.sum()), len(judged), CONFIDENCE)
            one = rows_of([name], replicates=len(judged))
            rows += [
                one("linear.ends", "share", where, exact(share.value), sizes=part.predicted.nunique()),
                one("", "share_bound", where, share),
                row("", "near_boundary", where, plain(len(right) - len(judged)), [name]),
            ]
        for N, part in table.groupby("num_layers"):
            one = rows_of([name], replicates=len(part), sizes=part.predicted.nunique())
            for quantity in ("fall_rayleigh", "fall_overlap", "low_sigma"):
                rows.append(one("linear.invariant", quantity, f"n{N}", exact(part[quantity].to_numpy().max())))
    return rows


def _value(part: pd.DataFrame, quantity: str) -> Array:
    return part.loc[part.quantity == quantity].sort_values("sigma").value.to_numpy()


@measures("linear.final-rate", "linear.escape")
def stages(run: Run) -> Rows:
    """Last rates over the predicted ones; exponents and constants of escapes and approaches."""
    rows: Rows = []
    for name, case, table in run.of(Stages):
        for (N, ratio), part in table.loc[table.ratio > 0].groupby(["num_layers", "ratio"]):
            for kind, quantity in (("final", "ratio"), ("aligned", "ratio_aligned")):
                measured, predicted = (_value(part, f"{kind}-{what}")[0] for what in ("measured", "predicted"))
                where = f"n{N}.g{ratio:g}"
                one = rows_of([name], sizes=len(case.ratios))
                rows.append(one("linear.final-rate", quantity, where, exact(measured / predicted)))
                rows.append(row("", f"rate_{kind}", where, plain(predicted), [name]))
        for N, part in table.loc[table.num_layers > 2].groupby("num_layers"):
            where = f"n{N}"
            sizes = len(case.smallest)
            times, guesses = _value(part, "escape-measured"), _value(part, "escape-predicted")
            small = np.sort(case.smallest)
            exponent = float(log_slope(small[:2], times[:2]))
            way, power = (_value(part, f"approach-{w}")[0] for w in ("measured", "predicted"))
            one = rows_of([name], sizes=sizes)
            rows += [
                one("linear.escape", "exponent_error", where, exact(exponent + 1 - 2 / N)),
                one("linear.escape", "constant", where, exact(times[0] / guesses[0])),
                one("linear.escape", "approach_error", where, exact(way - power)),
                row("", "exponent", where, plain(exponent), [name]),
                row("", "approach", where, plain(way), [name]),
            ]
    return rows


@measures("linear.unbalanced")
def unbalanced(run: Run) -> Rows:
    """Last rates of unbalanced factors; share of Gaussian ones that arrive."""
    rows: Rows = []
    for name, case, table in run.of(Unbalanced):
        for (N, t), part in table.loc[table.imbalance > 0].groupby(["num_layers", "imbalance"]):
            rates = dict(zip(part.quantity, part.value, strict=True))
            where = f"n{N}.t{t:g}"
            rows += [
                row(
                    "linear.unbalanced",
                    "ratio",
                    where,
                    exact(rates["rate-measured"] / rates["rate-predicted"]),
                    [name],
                    sizes=len(case.imbalances),
                ),
                row("", "slowdown", where, plain(rates["rate-measured"] / rates["rate-balanced"]), [name]),
            ]
        for N, part in table.loc[table.quantity == "gaussian-distance"].groupby("num_layers"):
            arrived = int((part.value <= ARRIVED).sum())
            rows += [
                row(
                    "linear.unbalanced",
                    "gaussian_share",
                    f"n{N}",
                    exact(arrived / len(part)),
                    [name],
                    replicates=len(part),
                    sizes=len(case.imbalances),
                ),
                row(
                    "",
                    "gaussian_bound",
                    f"n{N}",
                    clopper_pearson(arrived, len(part), CONFIDENCE),
                    [name],
                    replicates=len(part),
                ),
            ]
    return rows


def wide_form(table: pd.DataFrame) -> pd.DataFrame:
    """One row per run of a momentum job, with a column for each quantity: contraction per iteration
    ``measured`` and ``predicted``, ``distance`` = (1 − measured)/(1 − predicted), ``rate`` and
    ``rate_predicted`` = −log of them, iterations."""
    keys = ["sweep", "method", "condition", "width", "replicate"]
    wide = table.pivot_table(index=keys, columns="quantity", values="value").reset_index()
    return wide.assign(
        distance=(1 - wide.measured) / (1 - wide.predicted),
        rate=-np.log(wide.measured),
        rate_predicted=-np.log(wide.predicted),
    )


@measures("linear.momentum", "linear.contraction")
def momentum(run: Run) -> Rows:
    """Distances of contraction from the predicted one; exponents in the condition number."""
    rows: Rows = []
    for name, case, table in run.of(Momentum):
        wide, architecture = wide_form(table), case.architecture
        network = "relu" if architecture == "relu" else "linear"
        for label, part in wide.groupby(wide.sweep + "/" + wide.method):
            sweep, method = str(label).split("/")
            where = f"{architecture}.{method}"
            cells = part.groupby("condition" if sweep == "conditions" else "width")
            ranges: dict[Any, Estimate] = {key: between(cell.distance.to_numpy()) for key, cell in cells}
            letter = "k" if sweep == "conditions" else "w"
            for key, distances in ranges.items():
                judged = sweep == "conditions" or key >= case.stated_width
                one = rows_of([name], replicates=case.replicates, sizes=len(ranges))
                rows.append(
                    one(
                        "linear.contraction" if judged else "",
                        f"distance_{network}" if judged else "distance_narrow",
                        f"{where}.{letter}{key:g}",
                        distances,
                    )
                )
            if sweep == "widths":
                rows.append(_holds_from(where, name, ranges, 0.05 if network == "relu" else 0.02))
            else:
                rows += _exponents(where, name, method, part)
    return rows


def _holds_from(where: str, name: str, ranges: dict[Any, Estimate], tolerance: float) -> Row:
    """The least width from which on every wider network contracts as predicted, to the tolerance;
    twice the largest if the largest does not."""
    least = 2 * max(ranges)
    for width in sorted(ranges, reverse=True):
        if max(abs(ranges[width].lower - 1), abs(ranges[width].upper - 1)) > tolerance:
            break
        least = width
    return row("", "holds_from", where, plain(least), [name])


def _exponents(where: str, name: str, method: str, part: pd.DataFrame) -> Rows:
    """Slope of the log rate of contraction in log κ over that of the companion blocks, whose roots
    are exact at each κ, over the replicates; both slopes; and the iterations."""
    rates = part.pivot_table(index="replicate", columns="condition", values=["rate", "rate_predicted"])
    conditions = rates["rate"].columns.to_numpy(float)
    measured, predicted = (log_slope(conditions, rates[rate].to_numpy()) for rate in ("rate", "rate_predicted"))
    count: dict[str, Any] = {"replicates": len(measured), "sizes": len(conditions)}
    ratio = f"exponent_ratio_{'descent' if method == 'descent' else 'accelerated'}"
    rows = [
        row("linear.momentum", ratio, where, student(measured / predicted, CONFIDENCE), [name], **count),
        row("", "exponent", where, student(measured, CONFIDENCE), [name], **count),
        row("", "exponent_predicted", where, between(predicted), [name], **count),
    ]
    for condition, cell in part.groupby("condition"):
        one = rows_of([name])
        rows += [
            one("", "iterations", f"{where}.k{condition:g}", between(cell.iterations.to_numpy())),
            one(
                "",
                "iterations_ratio",
                f"{where}.k{condition:g}",
                between((cell.iterations / cell["iterations-predicted"]).to_numpy()),
            ),
        ]
    return rows


@measures("linear.bridge")
def bridge(run: Run) -> Rows:
    """Gaps of the limit to its closed form; orders in the number of layers."""
    rows: Rows = []
    for name, case, table in run.of(Bridge):
        first = case.flow_times[1]
        parts = dict(tuple(table.groupby("quantity")))
        sizes = len(case.num_layers)
        for quantity, part in (("gap", "limit"), ("gap_twin", "network-twin")):
            rows.append(row("linear.bridge", quantity, "matrix", exact(parts[part].value.max()), [name], sizes=sizes))
        for quantity, part in (("order_layers", "network"), ("order_factors", "deep")):
            rows.append(
                row("linear.bridge", quantity, "matrix", exact(-_order(parts[part], first)), [name], sizes=sizes)
            )
        rows.append(row("", "gap_plain", "matrix", plain(parts["limit-plain"].value.max()), [name]))
    return rows


def _order(table: pd.DataFrame, flow_time: float) -> float:
    """Slope on the two finest depths at one flow time."""
    gaps = table.loc[table.flow_time == flow_time].sort_values("num_layers")
    return float(log_slope(gaps.num_layers.to_numpy(float)[-2:], gaps.value.to_numpy()[-2:]))


# ---- negative controls


@control("linear.balanced", Follow)
def unbalanced_start(table: pd.DataFrame, case: Follow) -> pd.DataFrame:
    """Factors of different norms, held against the equations of balanced ones."""
    two = case.model_copy(update={"num_layers": case.num_layers[:2]})
    return gaps_of(two, imbalance=1.2)


@control("linear.ends", Ends)
def mirrored_starts(table: pd.DataFrame, case: Ends) -> pd.DataFrame:
    """Ends of the starts with −v in the place of v."""
    cells = case.cells
    torus = table.family == "torus"
    for _, part in table.loc[torus].groupby("num_layers"):
        grid = part.measured.to_numpy().reshape(cells, cells)
        table.loc[part.index, "measured"] = np.roll(grid, cells // 2, axis=1).ravel()
    return table


@control("linear.invariant", Ends)
def time_backwards(table: pd.DataFrame, case: Ends) -> pd.DataFrame:
    """Trajectories read from their ends to their starts."""
    return table.assign(fall_rayleigh=table.rise_rayleigh)


@control("linear.final-rate", Stages)
def one_layer_more(table: pd.DataFrame, case: Stages) -> pd.DataFrame:
    """Rates of networks with one layer more than is said."""
    moved = table.num_layers.where(table.quantity != "final-measured", table.num_layers - 1)
    kept = moved.isin(table.num_layers)
    table["num_layers"] = moved
    first = table.num_layers.max()  # the largest has nothing to take from
    return table.loc[kept & (table.num_layers < first)]


@control("linear.escape", Stages)
def exponential_escape(table: pd.DataFrame, case: Stages) -> pd.DataFrame:
    """Times of escape that grow like log 1/σ, as those of two layers do."""
    seen = table.quantity == "escape-measured"
    table.loc[seen, "value"] = np.log(1 / table.loc[seen, "sigma"])
    return table


@control("linear.unbalanced", Unbalanced)
def imbalance_ignored(table: pd.DataFrame, case: Unbalanced) -> pd.DataFrame:
    """The rate of balanced starts, predicted for all."""
    balanced = table.loc[table.quantity == "rate-balanced", "value"].to_numpy()
    table.loc[table.quantity == "rate-predicted", "value"] = balanced
    return table


@control("linear.momentum", Momentum)
def descent_as_nesterov(table: pd.DataFrame, case: Momentum) -> pd.DataFrame:
    """What gradient descent has measured, passed off as measured with Nesterov's method."""
    measured = table.quantity == "measured"
    honest = table.loc[~measured | (table.method != "nesterov")]
    plain = table.loc[measured & (table.method == "descent")].assign(method="nesterov")
    return pd.concat([honest, plain], ignore_index=True)


@control("linear.contraction", Momentum)
def half_the_kernel(table: pd.DataFrame, case: Momentum) -> pd.DataFrame:
    """Contraction predicted with half of the step: the root of what it is."""
    table.loc[table.quantity == "predicted", "value"] **= 0.5
    return table


@control("linear.bridge", Bridge)
def plain_block(table: pd.DataFrame, case: Bridge) -> pd.DataFrame:
    """The closed form of f(z, A) = A z for a block that learns both factors of A."""
    plain = table.loc[table.quantity == "limit-plain", "value"].to_numpy()
    table.loc[table.quantity == "limit", "value"] = plain
    return table
