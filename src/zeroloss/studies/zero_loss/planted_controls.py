"""Wrong models or data for the negative controls and the table of conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ledger.run.planting import Planted, changed
from zeroloss.studies.setup import build_problem
from zeroloss.studies.zero_loss.controls import doubled
from zeroloss.studies.zero_loss.floors import constant_floor

__all__ = ["PLANTED_CONTROLS"]

FAINT = 1e-6  # of the largest eigenvalue: what a kernel of full rank has left at its end


def _constant(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The floor of the best constant: the variance of all targets, whatever their inputs."""
    for case in spec["cases"]:
        problem = build_problem(case)
        if "gap" in case:
            problem = doubled(problem, case["sample"], case["gap"])
        floor = constant_floor(problem.targets.cpu().numpy())
        table.loc[table.setting == case["setting"], "predicted"] = floor
    return table


def _unfolded(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Networks that cross the floor although every layer keeps the order of the samples."""
    del spec
    table.loc[table.quantity == "slope", "value"] = 1.0
    return table


def _wider(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The kernel of a wider network: no eigenvalue vanishes."""
    del spec
    eigenvalues = table.quantity == "eigenvalue"
    largest = table.loc[eigenvalues].groupby(
        ["num_layers", "num_units", "replicate", "flow_time"]).value.transform("max")
    table.loc[eigenvalues, "value"] = np.maximum(table.loc[eigenvalues, "value"], FAINT * largest)
    return table


def _elsewhere(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """A point mass beside the origin: it moves, and lowers the risk."""
    del spec
    moved = table.flow_time > 0
    table.loc[moved & (table.quantity == "displacement"), "value"] += 1.0
    table.loc[moved & (table.quantity == "risk"), "value"] *= 0.5
    return table


def _by_width(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """Branches scaled by 1/M: fluctuations that fall like M^{-1/2}."""
    del spec
    mean = table.groupby(["num_units", "kernel_time", "sample"]).value.transform("mean")
    table["value"] = mean + (table["value"] - mean) / np.sqrt(table["num_units"])
    return table


def _half_way(table: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """The table read at half of each training."""
    del spec
    end = table.groupby(["num_samples", "row", "replicate"]).flow_time.transform("max")
    return table.loc[(table.flow_time <= 0.5 * end) | (table.quantity == "depth-spread")]


PLANTED_CONTROLS: dict[str, Planted] = {
    "slope-forgotten": changed("identity", _constant),
    "crossing-without-fold": changed("line", _unfolded),
    "variance-of-all": changed("labels", _constant),
    "kernel-of-a-wider-network": changed("parameters", _wider),
    "point-mass-elsewhere": changed("origin", _elsewhere),
    "branches-by-width": changed("root-scaling", _by_width),
    "read-half-way": changed("conditions", _half_way),
}
