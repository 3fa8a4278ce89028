"""Estimates of `linear`: each measurement beside its closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.statistics import Estimate, clopper_pearson, log_slope, student
from ledger.record.rows import (
    Part,
    Rows,
    Specs,
    Tables,
    between,
    exact,
    of_kind,
    parts_of,
    plain,
    row,
)

__all__ = ["MEASURED_BY", "measure", "wide_form"]

Array = np.ndarray
ARRIVED = 1e-3  # of s_1: a start without structure has come to the best approximation


def _balanced(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "follow"):
        for N, part in table.groupby("num_layers"):
            where, count = f"n{N}", spec["replicates"]
            gaps = part.loc[part.quantity == "flow"]
            rows.append(row("linear.balanced", "gap", where, exact(gaps.value.max()), [name],
                            replicates=count, sizes=len(spec["flow_times"])))
            steps = part.loc[part.quantity == "descent"].pivot_table(
                index="replicate", columns="at", values="value")
            # finest pair of steps; `at` counts steps in one unit of s
            orders = -np.array([log_slope(steps.columns[-2:].to_numpy(float), pair)
                                for pair in steps.to_numpy()[:, -2:]])
            rows.append(row("linear.balanced", "order", where, student(orders), [name],
                            replicates=count, sizes=len(steps.columns)))
    return rows


def _ends(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "ends"):
        for where, part in table.groupby(table.family + table.num_layers.map(".n{}".format)):
            where, away = str(where), part.boundary >= spec["margin"]
            right = (part.predicted == part.measured).to_numpy()
            judged = right[away.to_numpy()]
            share = clopper_pearson(int(judged.sum()), len(judged))
            rows += [row("linear.ends", "share", where, exact(share.value), [name],
                         replicates=len(judged), sizes=part.predicted.nunique()),
                     row("", "share_bound", where, share, [name], replicates=len(judged)),
                     row("", "near_boundary", where, plain(len(right) - len(judged)),
                         [name])]
        for N, part in table.groupby("num_layers"):
            size: dict[str, Any] = {"replicates": len(part), "sizes": part.predicted.nunique()}
            rows += [row("linear.invariant", quantity, f"n{N}",
                         exact(part[quantity].to_numpy().max()), [name], **size)
                     for quantity in ("fall_rayleigh", "fall_overlap", "low_sigma")]
            rows.append(row("", "rise_rayleigh", f"n{N}", plain(part.rise_rayleigh.max()),
                            [name]))
    return rows


def _value(part: pd.DataFrame, quantity: str) -> Array:
    return part.loc[part.quantity == quantity].sort_values("sigma").value.to_numpy()


def _stages(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "stages"):
        for (N, ratio), part in table.loc[table.ratio > 0].groupby(["num_layers", "ratio"]):
            for kind, quantity in (("final", "ratio"), ("aligned", "ratio_aligned")):
                measured, predicted = (_value(part, f"{kind}-{what}")[0]
                                       for what in ("measured", "predicted"))
                where = f"n{N}.g{ratio:g}"
                rows.append(row("linear.final-rate", quantity, where, exact(measured / predicted),
                                [name], sizes=len(spec["ratios"])))
                rows.append(row("", f"rate_{kind}", where, plain(predicted), [name]))
        for N, part in table.loc[table.num_layers > 2].groupby("num_layers"):
            where = f"n{N}"
            size: dict[str, Any] = {"sizes": len(spec["smallest"])}
            times, guesses = _value(part, "escape-measured"), _value(part, "escape-predicted")
            small = np.sort(spec["smallest"])
            exponent = float(log_slope(small[:2], times[:2]))
            way, power = (_value(part, f"approach-{w}")[0] for w in ("measured", "predicted"))
            rows += [
                row("linear.escape", "exponent_error", where, exact(exponent + 1 - 2 / N), [name],
                    **size),
                row("linear.escape", "constant", where, exact(times[0] / guesses[0]), [name],
                    **size),
                row("linear.escape", "approach_error", where, exact(way - power), [name], **size),
                row("", "exponent", where, plain(exponent), [name]),
                row("", "approach", where, plain(way), [name]),
            ]
    return rows


def _unbalanced(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "unbalanced"):
        for (N, t), part in table.loc[table.imbalance > 0].groupby(["num_layers", "imbalance"]):
            found = dict(zip(part.quantity, part.value, strict=True))
            where = f"n{N}.t{t:g}"
            rows += [row("linear.unbalanced", "ratio", where,
                         exact(found["rate-measured"] / found["rate-predicted"]), [name],
                         sizes=len(spec["imbalances"])),
                     row("", "slowdown", where,
                         plain(found["rate-measured"] / found["rate-balanced"]), [name])]
        for N, part in table.loc[table.quantity == "gaussian-distance"].groupby("num_layers"):
            arrived = int((part.value <= ARRIVED).sum())
            rows += [row("linear.unbalanced", "gaussian_share", f"n{N}",
                         exact(arrived / len(part)), [name], replicates=len(part),
                         sizes=len(spec["imbalances"])),
                     row("", "gaussian_bound", f"n{N}", clopper_pearson(arrived, len(part)), [name],
                         replicates=len(part))]
    return rows


def wide_form(table: pd.DataFrame) -> pd.DataFrame:
    """One row per run of a momentum job, with a column for each quantity: contraction per iteration
    ``measured`` and ``predicted``, ``distance`` = (1 − measured)/(1 − predicted), ``rate`` and
    ``rate_predicted`` = −log of them, iterations."""
    keys = ["sweep", "method", "condition", "width", "replicate"]
    wide = table.pivot_table(index=keys, columns="quantity", values="value").reset_index()
    return wide.assign(distance=(1 - wide.measured) / (1 - wide.predicted),
                       rate=-np.log(wide.measured), rate_predicted=-np.log(wide.predicted))


def _momentum(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "momentum"):
        wide, architecture = wide_form(table), spec["architecture"]
        network = "relu" if architecture == "relu" else "linear"
        for label, part in wide.groupby(wide.sweep + "/" + wide.method):
            sweep, method = str(label).split("/")
            where = f"{architecture}.{method}"
            cells = part.groupby("condition" if sweep == "conditions" else "width")
            ranges = {key: between(cell.distance.to_numpy()) for key, cell in cells}
            stated = spec["stated_width"]
            size: dict[str, Any] = {"replicates": spec["replicates"], "sizes": len(ranges)}
            letter = "k" if sweep == "conditions" else "w"
            for key, found in ranges.items():
                judged = sweep == "conditions" or key >= stated
                rows.append(row("linear.contraction" if judged else "",
                                f"distance_{network}" if judged else "distance_narrow",
                                f"{where}.{letter}{key:g}", found, [name], **size))
            if sweep == "widths":
                rows.append(_holds_from(where, name, ranges, 0.05 if network == "relu" else 0.02))
            else:
                rows += _exponents(where, name, method, part, size)
    return rows


def _holds_from(where: str, name: str, ranges: dict[Any, Estimate], tolerance: float
                ) -> dict[str, Any]:
    """The least width from which on every wider network contracts as predicted, to the tolerance;
    twice the largest if the largest does not."""
    least = 2 * max(ranges)
    for width in sorted(ranges, reverse=True):
        if max(abs(ranges[width].lower - 1), abs(ranges[width].upper - 1)) > tolerance:
            break
        least = width
    return row("", "holds_from", where, plain(least), [name])


def _exponents(where: str, name: str, method: str, part: pd.DataFrame, size: dict[str, Any]
               ) -> Rows:
    """Slope of the log rate of contraction in log κ, over the replicates; and the iterations."""
    rates = part.pivot_table(index="replicate", columns="condition", values="rate")
    slopes = log_slope(rates.columns.to_numpy(float), rates.to_numpy())
    kind = "descent" if method == "descent" else "accelerated"
    rows = [row("linear.momentum", f"exponent_{kind}", where, student(slopes), [name], **size)]
    for condition, cell in part.groupby("condition"):
        rows += [row("", "iterations", f"{where}.k{condition:g}",
                     between(cell.iterations.to_numpy()), [name]),
                 row("", "iterations_ratio", f"{where}.k{condition:g}",
                     between((cell.iterations / cell["iterations-predicted"]).to_numpy()), [name])]
    return rows


def _bridge(tables: Tables, specs: Specs) -> Rows:
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "bridge"):
        first = spec["flow_times"][1]
        parts = dict(tuple(table.groupby("quantity")))
        size: dict[str, Any] = {"sizes": len(spec["num_layers"])}
        for quantity, part in (("gap", "limit"), ("gap_twin", "network-twin")):
            rows.append(row("linear.bridge", quantity, "matrix", exact(parts[part].value.max()),
                            [name], **size))
        for quantity, part in (("order_layers", "network"), ("order_factors", "deep")):
            rows.append(row("linear.bridge", quantity, "matrix", exact(
                -_order(parts[part], first)), [name], **size))
        rows.append(row("", "gap_plain", "matrix", plain(parts["limit-plain"].value.max()),
                        [name]))
    return rows


def _order(table: pd.DataFrame, flow_time: float) -> float:
    """Slope on the two finest depths at one flow time."""
    gaps = table.loc[table.flow_time == flow_time].sort_values("num_layers")
    return float(log_slope(gaps.num_layers.to_numpy(float)[-2:], gaps.value.to_numpy()[-2:]))


MEASURED_BY: dict[str, Part] = {
    "linear.balanced": _balanced,
    "linear.ends": _ends,
    "linear.invariant": _ends,
    "linear.final-rate": _stages,
    "linear.escape": _stages,
    "linear.unbalanced": _unbalanced,
    "linear.momentum": _momentum,
    "linear.contraction": _momentum,
    "linear.bridge": _bridge,
}


def measure(tables: Tables, specs: Specs, claims: Sequence[str] = ()) -> pd.DataFrame:
    """One row per (claim, quantity, cell): estimate, interval, floor, replicates, sources.

    With ``claims`` only the parts that measure one of them run, on the cases that are there.
    """
    return pd.DataFrame([made for part in parts_of(MEASURED_BY, (), claims)
                         for made in part(tables, specs)])
