"""Deliberately wrong models or data, one per claim: measured and judged, each must be `refuted`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from zeroloss.limit.density import Density, DepthSolution
from ledger.run.planting import Planted, changed
from zeroloss.studies.zero_loss.density import weak_form
from zeroloss.studies.zero_loss.planted_controls import PLANTED_CONTROLS

__all__ = ["PLANTED"]

RUN = ["activation", "model", "replicate"]


def _half_way(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Training that stops while a ten-thousandth of its time is over."""
    del spec
    last = table.groupby(RUN).flow_time.transform("max")
    return table.loc[table.flow_time <= 1e-2 * last]


def _mean_eigenvalue(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A certificate with the mean of the eigenvalues in the place of the smallest."""
    del spec
    keys = [*RUN, "flow_time", "quantity"]
    mean = table.groupby(keys).value.transform("mean")
    table["value"] = np.where(table.quantity == "eigenvalue", mean, table.value)
    return table


def _next_mode(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The second smallest eigenvalue taken for the slowest mode's."""
    del spec
    eigenvalues = table.quantity == "eigenvalue"
    second = table.loc[eigenvalues & (table["index"] == 1)].set_index(
        [*RUN, "flow_time"]).value
    first = eigenvalues & (table["index"] == 0)
    where = pd.MultiIndex.from_frame(table.loc[first, [*RUN, "flow_time"]])
    table.loc[first, "value"] = second.loc[where].to_numpy()
    return table


def _frozen_adjoint(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A first variation from the adjoint of the start, whatever the residuals became."""
    del spec
    for name in ("variation", "signed"):
        rows = table.quantity == name
        first = table.loc[rows].sort_values("flow_time").groupby(
            RUN).value.transform("first")
        table.loc[first.index, "value"] = first
    return table


def _penalty_that_stays(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A penalty that does not decay: the risk is left where the penalised flow was dropped."""
    late = (table.quantity == "risk") & (table.flow_time > max(spec["flow_times"]))
    return table.loc[~late]


def _second_order_steps(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Steps whose gap falls like h², as a midpoint rule's would."""
    del spec
    rows = table.quantity == "residual"
    exact = table.loc[rows & (table.per_unit == 0)].set_index(["replicate", "sample"]).value
    where = pd.MultiIndex.from_frame(table.loc[rows, ["replicate", "sample"]])
    base = exact.loc[where].to_numpy()
    shrink = 1.0 / table.loc[rows, "per_unit"].clip(lower=1)
    table.loc[rows, "value"] = base + (table.loc[rows, "value"] - base) * shrink
    return table


def _upwind(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A scheme of first order passed off as the second."""
    del spec
    kept = table.loc[(table.solver != "density") | (table.quantity == "deposit")]
    return kept.assign(solver=kept.solver.replace("upwind", "density"))


class _Flipped(Density):
    """One component of the flux has the wrong sign."""

    def velocity(self, depth: DepthSolution) -> tuple[np.ndarray, np.ndarray]:
        along_a, along_b = super().velocity(depth)
        return along_a, -along_b


def _flipped(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A density moved by a flux of the wrong sign along b, and the weak form of the right one."""
    del table
    return weak_form(spec, _Flipped)


PLANTED: dict[str, Planted] = {
    "stopped-half-way": changed("flow", _half_way),
    "mean-eigenvalue": changed("flow", _mean_eigenvalue),
    "next-mode": changed("flow", _next_mode),
    "frozen-adjoint": changed("flow", _frozen_adjoint),
    "penalty-that-stays": changed("regularised", _penalty_that_stays),
    "second-order-steps": changed("steps", _second_order_steps),
    "first-order-upwind": changed("density", _upwind),
    "flipped-flux": changed("weak-form", _flipped),
} | PLANTED_CONTROLS
