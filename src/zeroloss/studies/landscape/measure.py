"""Estimates of `landscape`, each measurement over its prediction; its controls stand beside it.

A negative control is a deliberately wrong model or data: measured and judged, it must be `refuted`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, between, exact, plain, row, rows_of
from ledger.record.statistics import log_slope, student, welch
from ledger.study import Run, measures
from zeroloss.studies.landscape import controls as controls
from zeroloss.studies.landscape import near as near
from zeroloss.studies.landscape.plan import (
    Certificate,
    Circle,
    Energies,
    Geodesics,
    Hessians,
    Lazy,
    Minimisers,
    Parallel,
    Reset,
    Rotation,
    Short,
    Straight,
)
from zeroloss.studies.replicated import by_size, limit_row, mean_row, part_of, ratio_of, slope_row

REACHED = 1e-6  # of the loss at the start, below which it counts as zero
SUCCESS = 0.95  # share of networks that come to zero loss at a width that suffices


@measures("landscape.antipodal")
def antipodal(run: Run) -> Rows:
    """Largest error of the rank, and decades between the eigenvalues where it is full."""
    rows: Rows = []
    for name, case, table in run.of(Parallel):
        for d in case.dims:
            of_d = table.cell.str.startswith(f"d{d}.")
            ranks, decades = (table.loc[of_d & (table.quantity == q)] for q in ("rank", "decades"))
            error = float((ranks.value - ranks.predicted).abs().max())
            for quantity, value in (("rank_error", error), ("decades", float(decades.value.max()))):
                rows.append(row("landscape.antipodal", quantity, f"d{d}", exact(value), [name], sizes=len(ranks)))
    return rows


@measures("landscape.lazy", "landscape.flips")
def lazy(run: Run) -> Rows:
    """Movement as m → ∞, farthest unit at the largest width, signs that change at the two largest."""
    rows: Rows = []
    for name, case, table in run.of(Lazy):
        parts = {quantity: part_of(table, quantity)[0][1] for quantity in table.quantity.unique()}
        last = parts["farthest"]["size"] == parts["farthest"]["size"].max()
        rows.append(limit_row("landscape.lazy", "movement", "network", parts["movement"], name))
        for claim, quantity in (("landscape.lazy", "farthest"), ("", "farthest-sup")):
            values = ratio_of(parts[quantity].loc[last.to_numpy()])
            rows.append(mean_row(claim, quantity.replace("-", "_"), "network", values, name, len(case.widths)))
        along = dict(part_of(table, "flips-predicted"))["path"].value
        for m in case.widths[-2:]:
            share = parts["flips"].loc[np.isclose(parts["flips"]["size"] ** 2, m)].value
            ratio = share.mean() / along.mean()
            errors = [(ratio * v.std() / v.mean() / np.sqrt(len(v)), len(v) - 1) for v in (share, along)]
            estimate = welch(float(ratio), errors, CONFIDENCE)
            rows.append(
                row(
                    "landscape.flips", "share", f"m{m}", estimate, [name], replicates=len(share), sizes=len(case.widths)
                )
            )
    return rows


def needed(table: pd.DataFrame) -> float:
    """The least width from which on all widths that were tried come to zero loss."""
    shares = table.loc[table.quantity == "success"].groupby("size").value.mean().sort_index()
    enough = (shares >= SUCCESS).to_numpy()[::-1].cumprod()[::-1].astype(bool)
    return float(shares.index[enough].min()) if enough.any() else np.inf


@measures("landscape.certificate")
def certificate(run: Run) -> Rows:
    """Failures at the certified width, decades between widths, and the condition number."""
    rows: Rows = []
    claim = "landscape.certificate"
    for name, case, table in run.of(Certificate):
        found = {str(q): part.value.to_numpy() for q, part in table.groupby("quantity")}
        one = rows_of([name], replicates=case.replicates, sizes=len(case.widths))
        least = needed(table)
        for quantity, value in (
            ("failures", found["failed"].sum()),
            ("decades_certificate", -np.log10(found["certified"][0] / least)),
            ("decades_theorem", -np.log10(found["theorem"][0] / least)),
        ):
            rows.append(one(claim, quantity, "network", exact(float(value))))
        for quantity, value in (
            ("needed", least),
            ("certified", found["certified"][0]),
            ("theorem", found["theorem"][0]),
        ):
            rows.append(row("", f"width_{quantity}", "network", plain(float(value)), [name]))
        condition = table.loc[table.quantity == "condition"].sort_values("replicate")
        rows.append(mean_row(claim, "condition", "network", ratio_of(condition), name, len(case.widths)))
    return rows


@measures("landscape.floor", "landscape.odd")
def circle(run: Run) -> Rows:
    """Rates and deviations as n → ∞, slope of the rate in n; what is left of the third degree."""
    rows: Rows = []
    for name, _, table in run.of(Circle):
        for where, part in part_of(table, "rate"):
            rows.append(limit_row("landscape.floor", "rate", where, part, name))
            rows.append(slope_row("landscape.floor", "slope", where, part, name, sizes=2))
        for quantity, claim in (("floor", "floor"), ("memorised", "odd"), ("biased", "odd")):
            for where, part in part_of(table, quantity):
                rows.append(limit_row(f"landscape.{claim}", quantity, where, part, name))
        for where, part in part_of(table, "network"):
            for n, one in by_size(part):
                rows.append(mean_row("", "network_over_kernel", f"{where}.n{n:g}", ratio_of(one), name))
    return rows


@measures("landscape.nonconvex")
def nonconvex(run: Run) -> Rows:
    """λ_min over its prediction at the least distance from minimisers; that of ReLU networks."""
    rows: Rows = []
    for name, case, table in run.of(Minimisers):
        near = table.loc[table["size"] == min(case.deltas)].sort_values("cell")
        tanh, relu = (near.loc[near.quantity == kind] for kind in ("tanh", "relu"))
        one = rows_of([name], replicates=case.replicates, sizes=len(case.deltas))
        for quantity, values in (("slope", ratio_of(tanh)), ("relu", relu.value.to_numpy())):
            rows.append(one("landscape.nonconvex", quantity, "network", between(values)))
    return rows


@measures("landscape.hessian")
def hessian(run: Run) -> Rows:
    """Norm over the closed form, slopes of the norms in the width, networks that come to zero loss."""
    rows: Rows = []
    claim = "landscape.hessian"
    for name, case, table in run.of(Hessians):
        norms, left = dict(part_of(table, "norm")), dict(part_of(table, "left"))
        for kind in case.architectures:
            one = rows_of([name], replicates=case.replicates, sizes=len(case.widths))
            if kind == "linear":
                rows.append(one(claim, "norm", kind, between(ratio_of(norms[kind]))))
            slope = "slope_linear" if kind == "linear" else "slope_other"
            rows.append(slope_row(claim, slope, kind, norms[kind], name))
            share = float((left[kind].value <= REACHED).mean())
            rows.append(one(claim, "share", kind, exact(share)))
    return rows


@measures("landscape.straight")
def straight(run: Run) -> Rows:
    """Length over displacement: over that of a constant kernel as m → ∞, and itself."""
    rows: Rows = []
    for name, _, table in run.of(Straight):
        constant, line = dict(part_of(table, "constant")), dict(part_of(table, "line"))
        rows.append(limit_row("landscape.straight", "constant_kernel", "descent", constant["descent"], name))
        for method, part in line.items():
            rows.append(limit_row("landscape.straight", f"line_{method}", method, part, name))
    return rows


@measures("landscape.energy")
def energy(run: Run) -> Rows:
    """What a rotation changes, random over its mean, excess over the least, and how it falls in n."""
    rows: Rows = []
    claim = "landscape.energy"
    for name, case, table in run.of(Energies):
        one = rows_of([name], replicates=case.replicates, sizes=len(case.counts))
        for where, part in part_of(table, "change"):
            rows.append(one(claim, "change", where, exact(part.value.max())))
        for where, part in part_of(table, "random"):
            rows.append(mean_row(claim, "random", where, ratio_of(part), name, len(case.counts)))
        for where, part in part_of(table, "over-least"):
            rows.append(mean_row(claim, "excess", where, ratio_of(part) - 1, name, len(case.counts)))
        for where, part in part_of(table, "minimised"):
            n = part["size"].to_numpy()
            slope = float(log_slope(n, 1 - ratio_of(part) + 1 / n))
            rows.append(one(claim, "slope", where, exact(slope)))
    return rows


@measures("landscape.rotation")
def rotation(run: Run) -> Rows:
    """Slope of the gradient over rotations in the width; the gap in energy that training closes; errors on digits."""
    rows: Rows = []
    claim = "landscape.rotation"
    for name, case, table in run.of(Rotation):
        isotropic = dict(part_of(table, "gradient"))["isotropic"]
        rows.append(slope_row(claim, "slope", "isotropic", isotropic, name, sizes=4))
        sizes = len(case.widths)
        for where, part in part_of(table, "moved"):
            rows.append(mean_row(claim, "energy_closed", where, -ratio_of(part), name, sizes))
        for where, part in part_of(table, "rotated-minus-free"):
            rows.append(mean_row(claim, "error_difference", where, part.value.to_numpy(), name, sizes))
        for where, part in part_of(table, "error"):
            rows.append(mean_row("", "error", where, part.value.to_numpy(), name))
    return rows


@measures("landscape.least-energy", "landscape.layers")
def paths(run: Run) -> Rows:
    """Slopes of excess and of spread, path by path; bottom over top."""
    rows: Rows = []
    claim = "landscape.least-energy"
    for name, case, table in run.of(Geodesics):
        one = rows_of([name], replicates=case.replicates, sizes=len(case.layers))
        slopes = [("slope_excess", where, part) for where, part in part_of(table, "excess")]
        slopes += [(f"slope_spread_{kind}", kind, part) for kind, part in part_of(table, "spread")]
        for quantity, where, part in slopes:
            wide = part.pivot_table(index="replicate", columns="size", values="value")
            values = log_slope(wide.columns.to_numpy(float), wide.to_numpy())
            rows.append(one(claim, quantity, where, student(values, CONFIDENCE)))
        reset = dict(part_of(table, "reset"))
        rows.append(mean_row("landscape.layers", "reset_least", "least", reset["least"].value.to_numpy(), name))
        rows.append(mean_row("", "reset_flow", "flow", reset["flow"].value.to_numpy(), name))
        for where, part in part_of(table, "share"):
            claimed, quantity = ("", "share_turning") if where == "turning" else ("landscape.layers", "minus_share")
            values = part.value.to_numpy() * (1 if where == "turning" else -1)
            rows.append(mean_row(claimed, quantity, where, values, name))
    return rows


@measures("landscape.layers")
def block(run: Run) -> Rows:
    """Bottom over top of the residual networks of this paper, and whether they were trained to zero loss."""
    rows: Rows = []
    for name, _, table in run.of(Reset):
        for where, part in part_of(table, "reset"):
            rows.append(mean_row("landscape.layers", "minus_reset_block", where, -part.value.to_numpy(), name))
        for where, part in part_of(table, "moved"):
            rows.append(mean_row("", "block_moved", where, part.value.to_numpy(), name))
        for where, part in part_of(table, "left"):
            rows.append(row("", "block_left", where, plain(part.value.max()), [name]))
    return rows


@measures("landscape.short")
def short(run: Run) -> Rows:
    """Energies at finite width over the Wishart factor; excess of flow, at the largest width and as M → ∞."""
    rows: Rows = []
    claim = "landscape.short"
    for name, case, table in run.of(Short):
        for where, part in part_of(table, "gaussian"):
            rows.append(mean_row(claim, "gaussian", where, ratio_of(part), name, len(case.widths)))
        for where, part in part_of(table, "tanh"):
            rows.append(mean_row("", "tanh", where, part.value.to_numpy(), name))
        for where, part in part_of(table, "excess"):
            last = part.loc[part["size"] == part["size"].max()].value.to_numpy()
            rows.append(mean_row(claim, "minus_excess", where, -last, name, len(case.path_widths)))
            rows.append(limit_row("", "excess_at_infinity", where, part, name, sizes=2))
    return rows
