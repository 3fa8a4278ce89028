"""Estimates of `landscape`, each measurement over its prediction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Row, between, exact, plain, row, rows_of
from ledger.record.statistics import log_slope, student, welch
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.landscape import controls as controls
from zeroloss.studies.landscape import plan
from zeroloss.studies.replicated import by_size, limit_row, mean_row, mean_rows, part_of, ratio_of, slope_row

REACHED = 1e-6  # of the loss at the start, below which it counts as zero
SUCCESS = 0.95  # share of networks that come to zero loss at a width that suffices


def minus(part: pd.DataFrame) -> Array:
    """The ratio of what a source says to be below zero, turned round."""
    return -ratio_of(part)


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


@measures("landscape.lazy", "landscape.flips")
def lazy(run: Run) -> Iterator[Row]:
    """Movement as m → ∞, farthest unit at the largest width, signs that change at the two largest."""
    for name, case, table in run.of(plan.Lazy):
        sizes = len(case.widths)
        parts = {quantity: part_of(table, quantity)[0][1] for quantity in table.quantity.unique()}
        yield limit_row("landscape.lazy", "movement", "network", parts["movement"], name)
        for claim, quantity in (("landscape.lazy", "farthest"), ("", "farthest-sup")):
            _, last = by_size(parts[quantity])[-1]
            yield mean_row(claim, quantity.replace("-", "_"), "network", ratio_of(last), name, sizes)
        along = dict(part_of(table, "flips-predicted"))["path"].value
        for m, (_, part) in zip(case.widths[-2:], by_size(parts["flips"])[-2:], strict=True):
            share, ratio = part.value, part.value.mean() / along.mean()
            errors = [(ratio * v.std() / v.mean() / np.sqrt(len(v)), len(v) - 1) for v in (share, along)]
            estimate = welch(float(ratio), errors, CONFIDENCE)
            yield row("landscape.flips", "share", f"m{m}", estimate, [name], replicates=len(share), sizes=sizes)


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
        failed = table.loc[table.quantity == "failed", "value"].sum()
        yield one(claim, "failures", "network", exact(failed))
        least = needed(table)
        yield row("", "width_needed", "network", plain(least), [name])
        for quantity, label in (("certified", "certificate"), ("theorem", "theorem")):
            width = table.loc[table.quantity == quantity, "value"].iloc[0]
            yield one(claim, f"decades_{label}", "network", exact(-np.log10(width / least)))
            yield row("", f"width_{quantity}", "network", plain(width), [name])
        condition = dict(part_of(table, "condition"))["network"]
        yield mean_row(claim, "condition", "network", ratio_of(condition), name, len(case.widths))


@measures("landscape.floor", "landscape.odd")
def circle(run: Run) -> Iterator[Row]:
    """Rates and deviations as n → ∞, slope of the rate in n; what is left of the third degree."""
    for name, _, table in run.of(plan.Circle):
        for where, part in part_of(table, "rate"):
            yield slope_row("landscape.floor", "slope", where, part, name, sizes=2)
        for quantity, claim in (("rate", "floor"), ("floor", "floor"), ("memorised", "odd"), ("biased", "odd")):
            for where, part in part_of(table, quantity):
                yield limit_row(f"landscape.{claim}", quantity, where, part, name)
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


@measures("landscape.hessian")
def hessian(run: Run) -> Iterator[Row]:
    """Norm over the closed form, slopes of the norms in the width, networks that come to zero loss."""
    claim = "landscape.hessian"
    for name, case, table in run.of(plan.Hessians):
        one = rows_of([name], replicates=case.replicates, sizes=len(case.widths))
        for kind, part in part_of(table, "norm"):
            if kind == "linear":
                yield one(claim, "norm", kind, between(ratio_of(part)))
            yield slope_row(claim, "slope_linear" if kind == "linear" else "slope_other", kind, part, name)
        for kind, part in part_of(table, "left"):
            yield one(claim, "share", kind, exact((part.value <= REACHED).mean()))


@measures("landscape.straight")
def straight(run: Run) -> Iterator[Row]:
    """Length over displacement: over that of a constant kernel as m → ∞, and itself."""
    for name, _, table in run.of(plan.Straight):
        for method, part in part_of(table, "length"):
            if method == "descent":
                yield limit_row("landscape.straight", "constant_kernel", method, part, name)
            yield limit_row("landscape.straight", f"line_{method}", method, part.assign(predicted=1.0), name)


@measures("landscape.energy")
def energy(run: Run) -> Iterator[Row]:
    """What a rotation changes, random over its mean, excess over the least, and how it falls in n."""
    claim = "landscape.energy"
    for name, case, table in run.of(plan.Energies):
        sizes = len(case.counts)
        one = rows_of([name], replicates=case.replicates, sizes=sizes)
        for where, part in part_of(table, "change"):
            yield one(claim, "change", where, exact(part.value.max()))
        yield from mean_rows(claim, "random", part_of(table, "random"), name, sizes)
        yield from mean_rows(
            claim, "excess", part_of(table, "over-least"), name, sizes, lambda part: ratio_of(part) - 1
        )
        for where, part in part_of(table, "minimised"):
            n = part["size"].to_numpy()
            yield one(claim, "slope", where, exact(float(log_slope(n, 1 - ratio_of(part) + 1 / n))))


@measures("landscape.rotation")
def rotation(run: Run) -> Iterator[Row]:
    """Slope of the gradient over rotations in the width; the gap in energy that training closes; errors on digits."""
    claim = "landscape.rotation"
    for name, case, table in run.of(plan.Rotation):
        sizes = len(case.widths)
        yield slope_row(claim, "slope", "isotropic", dict(part_of(table, "gradient"))["isotropic"], name, sizes=4)
        yield from mean_rows(claim, "energy_closed", part_of(table, "moved"), name, sizes, minus)
        yield from mean_rows(claim, "error_difference", part_of(table, "rotated-minus-free"), name, sizes)
        yield from mean_rows("", "error", part_of(table, "error"), name)


@measures("landscape.least-energy", "landscape.layers")
def paths(run: Run) -> Iterator[Row]:
    """Slopes of excess and of spread, path by path; bottom over top."""
    for name, case, table in run.of(plan.Geodesics):
        one = rows_of([name], replicates=case.replicates, sizes=len(case.layers))
        slopes = [("slope_excess", where, part) for where, part in part_of(table, "excess")]
        slopes += [(f"slope_spread_{kind}", kind, part) for kind, part in part_of(table, "spread")]
        for quantity, where, part in slopes:
            wide = part.pivot_table(index="replicate", columns="size", values="value")
            values = log_slope(wide.columns.to_numpy(float), wide.to_numpy())
            yield one("landscape.least-energy", quantity, where, student(values, CONFIDENCE))
        yield from mean_rows("landscape.layers", "reset_least", part_of(table, "reset"), name)
        parts = dict(part_of(table, "share"))
        yield mean_row("", "share_turning", "turning", ratio_of(parts.pop("turning")), name)
        yield from mean_rows("landscape.layers", "minus_share", parts.items(), name, values=minus)


@measures("landscape.layers")
def block(run: Run) -> Iterator[Row]:
    """Bottom over top of the residual networks of this paper, and whether they were trained to zero loss."""
    for name, _, table in run.of(plan.Reset):
        yield from mean_rows("landscape.layers", "minus_reset_block", part_of(table, "reset"), name, values=minus)
        yield from mean_rows("", "block_moved", part_of(table, "moved"), name)
        for where, part in part_of(table, "left"):
            yield row("", "block_left", where, plain(part.value.max()), [name])


@measures("landscape.short")
def short(run: Run) -> Iterator[Row]:
    """Energies at finite width over the Wishart factor; excess of flow, at the largest width and as M → ∞."""
    for name, case, table in run.of(plan.Short):
        yield from mean_rows("landscape.short", "gaussian", part_of(table, "gaussian"), name, len(case.widths))
        yield from mean_rows("", "tanh", part_of(table, "tanh"), name)
        for where, part in part_of(table, "excess"):
            _, last = by_size(part)[-1]
            yield mean_row("landscape.short", "minus_excess", where, minus(last), name, len(case.path_widths))
            yield limit_row("", "excess_at_infinity", where, part, name, sizes=2)
