"""Estimates of `zero_loss` that hold density against particles: orders, distance, weak form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from zeroloss.limit.collocation import gauss_legendre
from ledger.record.statistics import Estimate
from ledger.record.rows import Rows, Specs, Tables, cell, of_kind, over, row
from ledger.record.tidy import untidy

__all__ = ["density", "distances", "order", "select", "weak_form"]

Array = np.ndarray


def select(table: pd.DataFrame, solver: str, quantity: str) -> dict[int, Array]:
    """(flow times, indices) by cells, from coarse to fine."""
    part = table.loc[(table.solver == solver) & (table.quantity == quantity)]
    return {int(cells): untidy(rows, ["flow_time", "index"], "value")[0]
            for cells, rows in part.groupby("cells", sort=True)}


def distances(table: pd.DataFrame, spec: Mapping[str, Any], solver: str) -> dict[int, Array]:
    """∫ W₁ dt to the finest particles at the flow times, by cells."""
    weights = gauss_legendre(spec["depth_nodes"]).weights.numpy()
    return {cells: found @ weights for cells, found in select(table, solver, "w1").items()}


def order(coarse: float, fine: float, uncertain: float = 0.0) -> Estimate:
    """log₂ of coarse over fine, with what an uncertainty of both makes of it as the interval."""
    least = max(fine - uncertain, math.ulp(0.0))
    return Estimate(math.log2(coarse / fine),
                    math.log2(max(coarse - uncertain, math.ulp(0.0)) / (fine + uncertain)),
                    math.log2((coarse + uncertain) / least))


def density(tables: Tables, specs: Specs) -> Rows:
    """Order and size of the distance to the particles; mass, positivity, energy of the density.

    Residuals are compared in root mean square over samples and, for the order that is judged, by
    the largest over flow times: at a single one their errors may cancel. The particles' own error
    is taken as a third of the distance of half their lattice to the whole: that of a rule of
    second order.
    """
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "density"):
        size: dict[str, Any] = {"sizes": len(spec["cells"])}
        w1 = distances(table, spec, "density")
        own = next(iter(distances(table, spec, "particles").values())) / 3
        exact = select(table, "particles", "residual")[spec["lattice"]]
        gaps = [np.sqrt(np.mean((found - exact) ** 2, axis=1))
                for found in select(table, "density", "residual").values()]
        coarse, fine = list(w1.values())[-2:]
        for i, s in enumerate(spec["flow_times"]):
            if s > 0:
                where = cell(spec["setting"], s)
                rows += [
                    row("zero_loss.density", "order_w1", where, order(coarse[i], fine[i], own[i]),
                        [name], floor=own[i], **size),
                    row("", "order_residuals_then", where,
                        order(gaps[-2][i], gaps[-1][i]), [name], **size),
                    row("zero_loss.density", "w1_finest", where,
                        Estimate(fine[i], fine[i] - own[i], fine[i] + own[i]), [name],
                        floor=own[i], **size),
                    row("", "residual_gap", where, over([gaps[-1][i]]), [name], **size),
                ]
        rows.append(row("zero_loss.density", "order_residuals", spec["setting"],
                        order(gaps[-2].max(), gaps[-1].max()), [name], **size))
        last = {quantity: select(table, "density", quantity)[spec["cells"][-1]][:, 0]
                for quantity in ("risk", "dissipated", "mass-defect", "minimum", "edge-mass")}
        lost = last["risk"][0] - last["risk"]
        moved = lost != 0
        energy = np.abs((last["dissipated"] - last["dissipated"][0])[moved] / lost[moved] - 1)
        rows += [row("zero_loss.density" if quantity != "edge_mass" else "", quantity,
                     spec["setting"], over(values), [name], **size)
                 for quantity, values in (("mass_defect", last["mass-defect"]),
                                          ("negativity", np.maximum(0.0, -last["minimum"])),
                                          ("energy_defect", energy),
                                          ("edge_mass", last["edge-mass"]))]
    return rows


def weak_form(tables: Tables, specs: Specs) -> Rows:
    """Largest defect of the weak form over times, nodes and waves, relative to what moved most."""
    rows: Rows = []
    for name, spec, table in of_kind(tables, specs, "weak-form"):
        for solver in ("particles", "density"):
            moved = select(table, solver, "moved")
            found = [float(defect.max() / moved[cells].max())
                     for cells, defect in select(table, solver, "defect").items()]
            where = f"{spec['setting']}.{solver}"
            rows.append(row("zero_loss.weak-form", "defect", where, over(found[-1:]), [name],
                            sizes=len(spec["cells"])))
            if len(found) > 1:
                rows.append(row("zero_loss.weak-form", "order", where, order(*found[-2:]), [name],
                                sizes=len(found)))
    return rows
