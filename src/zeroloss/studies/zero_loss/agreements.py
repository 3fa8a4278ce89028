"""Estimates of `zero_loss` that hold density against particles: orders, distance, weak form."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ledger.record.interval import DETERMINISTIC
from ledger.record.rows import Rows, cell, exact, over, row, rows_of
from ledger.record.statistics import Estimate, about
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.density import Density as Scheme
from zeroloss.limit.density import DepthSolution
from zeroloss.studies.zero_loss.density import weak_form_of
from zeroloss.studies.zero_loss.plan import Density, WeakForm

Array = np.ndarray


def select(table: pd.DataFrame, solver: str, quantity: str) -> dict[int, Array]:
    """(flow times, indices) by cells, from coarse to fine."""
    part = table.loc[(table.solver == solver) & (table.quantity == quantity)]
    return {
        int(cells): untidy(rows, ["flow_time", "index"], "value")[0] for cells, rows in part.groupby("cells", sort=True)
    }


def distances(table: pd.DataFrame, case: Density, solver: str) -> dict[int, Array]:
    """∫ W₁ dt to the finest particles at the flow times, by cells."""
    weights = gauss_legendre(case.depth_nodes).weights.numpy()
    return {cells: w1 @ weights for cells, w1 in select(table, solver, "w1").items()}


def order(coarse: float, fine: float, uncertain: float = 0.0) -> Estimate:
    """log₂ of coarse over fine, with what an uncertainty of both makes of it as the interval."""
    least = max(fine - uncertain, math.ulp(0.0))
    return Estimate(
        math.log2(coarse / fine),
        math.log2(max(coarse - uncertain, math.ulp(0.0)) / (fine + uncertain)),
        math.log2((coarse + uncertain) / least),
        DETERMINISTIC,
    )


@measures("zero_loss.density")
def density(run: Run) -> Rows:
    """Order and size of the distance to the particles; mass, positivity, energy of the density.

    Residuals are compared in root mean square over samples and, for the order that is judged, by
    the largest over flow times: at a single one their errors may cancel. The particles' own error
    is taken as a third of the distance of half their lattice to the whole: that of a rule of
    second order.
    """
    rows: Rows = []
    for name, case, table in run.of(Density):
        one = rows_of([name], sizes=len(case.cells))
        w1 = distances(table, case, "density")
        own = next(iter(distances(table, case, "particles").values())) / 3
        finest = select(table, "particles", "residual")[case.lattice]
        gaps = [
            np.sqrt(np.mean((residuals - finest) ** 2, axis=1))
            for residuals in select(table, "density", "residual").values()
        ]
        coarse, fine = list(w1.values())[-2:]
        for i, s in enumerate(case.flow_times):
            if s > 0:
                where = cell(case.setting, s)
                rows += [
                    one("zero_loss.density", "order_w1", where, order(coarse[i], fine[i], own[i]), floor=own[i]),
                    one("", "order_residuals_then", where, order(gaps[-2][i], gaps[-1][i])),
                    one("zero_loss.density", "w1_finest", where, about(fine[i], own[i], DETERMINISTIC), floor=own[i]),
                    one("", "residual_gap", where, exact(gaps[-1][i])),
                ]
        rows.append(one("zero_loss.density", "order_residuals", case.setting, order(gaps[-2].max(), gaps[-1].max())))
        last = {
            quantity: select(table, "density", quantity)[case.cells[-1]][:, 0]
            for quantity in ("risk", "dissipated", "mass-defect", "minimum", "edge-mass")
        }
        lost = last["risk"][0] - last["risk"]
        moved = lost != 0
        energy = np.abs((last["dissipated"] - last["dissipated"][0])[moved] / lost[moved] - 1)
        rows += [
            one("zero_loss.density", "mass_defect", case.setting, over(last["mass-defect"])),
            one("zero_loss.density", "negativity", case.setting, over(np.maximum(0.0, -last["minimum"]))),
            one("zero_loss.density", "energy_defect", case.setting, over(energy)),
            one("", "edge_mass", case.setting, over(last["edge-mass"])),
        ]
    return rows


@measures("zero_loss.weak-form")
def weak_form(run: Run) -> Rows:
    """Largest defect of the weak form over times, nodes and waves, relative to what moved most."""
    rows: Rows = []
    for name, case, table in run.of(WeakForm):
        for solver in ("particles", "density"):
            moved = select(table, solver, "moved")
            defects = [
                float(defect.max() / moved[cells].max()) for cells, defect in select(table, solver, "defect").items()
            ]
            where = f"{case.setting}.{solver}"
            rows.append(row("zero_loss.weak-form", "defect", where, exact(defects[-1]), [name], sizes=len(case.cells)))
            if len(defects) > 1:
                rows.append(
                    row("zero_loss.weak-form", "order", where, order(*defects[-2:]), [name], sizes=len(defects))
                )
    return rows


@control("zero_loss.density", Density)
def upwind(table: pd.DataFrame, case: Density) -> pd.DataFrame:
    """A scheme of first order passed off as the second."""
    kept = table.loc[(table.solver != "density") | (table.quantity == "deposit")]
    return kept.assign(solver=kept.solver.replace("upwind", "density"))


class _Flipped(Scheme):
    """One component of the flux has the wrong sign."""

    def velocity(self, depth: DepthSolution) -> tuple[Array, Array]:
        along_a, along_b = super().velocity(depth)
        return along_a, -along_b


@control("zero_loss.weak-form", WeakForm)
def flipped(table: pd.DataFrame, case: WeakForm) -> pd.DataFrame:
    """A density moved by a flux of the wrong sign along b, and the weak form of the right one."""
    return pd.concat(weak_form_of(case, _Flipped), ignore_index=True)
