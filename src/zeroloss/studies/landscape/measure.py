"""Estimates of `landscape`, each measurement over its prediction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Row, between, exact, plain, row, rows_of
from ledger.record.statistics import Estimate, log_slope, student, welch
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.landscape import controls as controls
from zeroloss.studies.landscape import plan
from zeroloss.studies.measured import at_largest, estimates, limits, means, slopes
from zeroloss.studies.replicated import by_size, mean_row, part_of, ratio_of
from zeroloss.studies.replicated import slopes as slopes_of

REACHED = 1e-6  # of the loss at the start, below which it counts as zero
SUCCESS = 0.95  # share of networks that come to zero loss at a width that suffices


def minus(part: pd.DataFrame) -> Array:
    """The ratio of what a source says to be below zero, turned round."""
    return -ratio_of(part)


def slope_of_excess(part: pd.DataFrame) -> Estimate:
    """Of minimal energies, which lie below the random one by C n^{s/(D−1) − 1} − 1/n of it."""
    n = part["size"].to_numpy()
    return exact(float(log_slope(n, 1 - ratio_of(part) + 1 / n)))


movement = limits("landscape.lazy", plan.Lazy, "movement")
farthest = means("landscape.lazy", plan.Lazy, "farthest", at_largest, "widths")
farthest_of_all = means("", plan.Lazy, "farthest-sup", at_largest, "widths")
early_rates = slopes("landscape.floor", plan.Circle, {"rate": "slope"}, largest=2)
even_degrees = limits("landscape.floor", plan.Circle, ("rate", "floor"))
odd_degrees = limits("landscape.odd", plan.Circle, ("memorised", "biased"))
condition = means("landscape.certificate", plan.Certificate, {"condition/network": "condition"}, sizes="widths")
norm = estimates(
    "landscape.hessian", plan.Hessians, {"norm/linear": "norm"}, lambda part: between(ratio_of(part)), "widths"
)
linear_head = slopes("landscape.hessian", plan.Hessians, {"norm/linear": "slope_linear"})
other_heads = slopes("landscape.hessian", plan.Hessians, {"norm/head": "slope_other", "norm/bottleneck": "slope_other"})
trained_heads = estimates(
    "landscape.hessian", plan.Hessians, {"left": "share"}, lambda part: exact((part.value <= REACHED).mean()), "widths"
)
constant_kernel = limits("landscape.straight", plan.Straight, {"length/descent": "constant_kernel"})
lines = limits("landscape.straight", plan.Straight, {"length": "line_{}"}, predicted=1.0)
rotated = estimates("landscape.energy", plan.Energies, "change", lambda part: exact(part.value.max()), "counts")
random = means("landscape.energy", plan.Energies, "random", sizes="counts")
excess = means("landscape.energy", plan.Energies, {"over-least": "excess"}, lambda part: ratio_of(part) - 1, "counts")
minimised = estimates("landscape.energy", plan.Energies, {"minimised": "slope"}, slope_of_excess, "counts")
gradient = slopes("landscape.rotation", plan.Rotation, {"gradient/isotropic": "slope"}, largest=4)
closed = means("landscape.rotation", plan.Rotation, {"moved": "energy_closed"}, minus, "widths")
differences = means("landscape.rotation", plan.Rotation, {"rotated-minus-free": "error_difference"}, sizes="widths")
errors = means("", plan.Rotation, "error")
along_paths = estimates(
    "landscape.least-energy", plan.Geodesics, {"excess": "slope_excess", "spread": "slope_spread_{}"},
    lambda part: student(slopes_of(part), CONFIDENCE), "layers",
)  # fmt: skip
least = means("landscape.layers", plan.Geodesics, {"reset": "reset_least"})
turning = means("", plan.Geodesics, {"share/turning": "share_turning"})
stretching = means(
    "landscape.layers", plan.Geodesics, {f"share/{kind}": "minus_share" for kind in ("contracting", "expanding")}, minus
)
block = means("landscape.layers", plan.Reset, {"reset": "minus_reset_block"}, minus)
block_moved = means("", plan.Reset, {"moved": "block_moved"})
gaussian = means("landscape.short", plan.Short, "gaussian", sizes="widths")
tanh = means("", plan.Short, "tanh")
excess_of_flow = means(
    "landscape.short", plan.Short, {"excess": "minus_excess"}, lambda part: -at_largest(part), "path_widths"
)
excess_at_infinity = limits("", plan.Short, {"excess": "excess_at_infinity"}, largest=2)


@measures("landscape.antipodal")
def antipodal(run: Run) -> Iterator[Row]:
    """Over draws, the largest error of the rank and, where it is full, errors of the decades between the eigenvalues;
    the mean of these for as many pairs as dimensions."""
    for name, case, table in run.of(plan.Parallel):
        one = rows_of([name], replicates=case.replicates)
        for d in case.dims:
            of_d = table.loc[table.cell.str.startswith(f"d{d}.")]
            for quantity, how in (("rank", lambda error: exact(np.abs(error).max())), ("decades", between)):
                error = of_d.value.sub(of_d.predicted)[of_d.quantity == quantity].to_numpy()
                yield one("landscape.antipodal", f"{quantity}_error", f"d{d}", how(error))
            most = by_size(of_d.loc[of_d.quantity == "decades"])[-1][1].value
            yield mean_row("landscape.antipodal", "decades", f"d{d}", most.to_numpy(), name)


@measures("landscape.flips")
def flips(run: Run) -> Iterator[Row]:
    """Share of signs that change over the predicted one, at the two largest widths."""
    for name, case, table in run.of(plan.Lazy):
        along = dict(part_of(table, "flips-predicted"))["path"].value
        for m, (_, part) in zip(case.widths[-2:], by_size(part_of(table, "flips")[0][1])[-2:], strict=True):
            share, ratio = part.value, part.value.mean() / along.mean()
            errors = [(ratio * v.std() / v.mean() / np.sqrt(len(v)), len(v) - 1) for v in (share, along)]
            one = rows_of([name], replicates=len(share), sizes=len(case.widths))
            yield one("landscape.flips", "share", f"m{m}", welch(float(ratio), errors, CONFIDENCE))


def needed(table: pd.DataFrame) -> float:
    """The least width from which on all widths that were tried come to zero loss."""
    shares = table.loc[table.quantity == "success"].groupby("size").value.mean().sort_index()
    enough = (shares >= SUCCESS).to_numpy()[::-1].cumprod()[::-1].astype(bool)
    return float(shares.index[enough].min()) if enough.any() else np.inf


@measures("landscape.certificate")
def certificate(run: Run) -> Iterator[Row]:
    """Failures at the certified width, decades between widths, and the condition number."""
    claim = "landscape.certificate"
    for name, case, table in run.of(plan.Certificate):
        one = rows_of([name], replicates=case.replicates, sizes=len(case.widths))
        values = table.groupby("quantity").value
        yield one(claim, "failures", "network", exact(values.sum()["failed"]))
        least = needed(table)
        yield row("", "width_needed", "network", plain(least), [name])
        for quantity, label in (("certified", "certificate"), ("theorem", "theorem")):
            width = values.first()[quantity]
            yield one(claim, f"decades_{label}", "network", exact(-np.log10(width / least)))
            yield row("", f"width_{quantity}", "network", plain(width), [name])


@measures()
def networks_on_the_circle(run: Run) -> Iterator[Row]:
    """What is left of networks over what is left of their kernel, number of points by number."""
    for name, _, table in run.of(plan.Circle):
        for where, part in part_of(table, "network"):
            for n, one in by_size(part):
                yield mean_row("", "network_over_kernel", f"{where}.n{n:g}", ratio_of(one), name)


@measures("landscape.nonconvex")
def nonconvex(run: Run) -> Iterator[Row]:
    """λ_min over its prediction at the least distance from minimisers; that of ReLU networks."""
    for name, case, table in run.of(plan.Minimisers):
        near = table.loc[table["size"] == min(case.deltas)].sort_values("cell")
        tanh, relu = (near.loc[near.quantity == kind] for kind in ("tanh", "relu"))
        one = rows_of([name], replicates=case.replicates, sizes=len(case.deltas))
        yield one("landscape.nonconvex", "slope", "network", between(ratio_of(tanh)))
        yield one("landscape.nonconvex", "relu", "network", between(relu.value.to_numpy()))


@measures()
def left_of_the_block(run: Run) -> Iterator[Row]:
    """The largest risk of the residual networks of this paper at their end, over that at the start."""
    for name, _, table in run.of(plan.Reset):
        for where, part in part_of(table, "left"):
            yield row("", "block_left", where, plain(part.value.max()), [name])
