"""Near controls of `zero_loss`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled, stretched
from zeroloss.studies.zero_loss.plan import Density, Flow, Regularised, Steps, WeakForm

RUN = ["activation", "model", "replicate"]


def _beside(table: pd.DataFrame, chosen: pd.Series, keys: list[str]) -> np.ndarray:
    """For every row the value of the chosen one with its keys; NaN where there is none."""
    values = table.loc[chosen].set_index(keys)["value"]
    return values.reindex(pd.MultiIndex.from_frame(table.loc[:, keys])).to_numpy()


@near("zero_loss.limit", Flow)
def settles(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A risk that settles at 1e-24."""
    return table.assign(value=table.value + 1e-24 * (table.quantity == "risk"))


@near("zero_loss.rate-certificate", Flow)
def certificate_off(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A certificate with eigenvalues 15 % too large."""
    return scaled(table, table.quantity == "eigenvalue", 1.15)


@near("zero_loss.late-rate", Flow)
def late_rate_off(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A late rate predicted 3 % too large."""
    return scaled(table, table.quantity == "eigenvalue", 1.03)


@near("zero_loss.first-variation", Flow)
def variation_settles(table: pd.DataFrame, case: Flow) -> pd.DataFrame:
    """A first variation that settles at 1e-9 of its start."""
    rows = table.loc[table.quantity == "variation"].sort_values("flow_time")
    first = rows.groupby(RUN).value.transform("first")
    return table.assign(value=table.value.add(1e-9 * first, fill_value=0.0))


@near("zero_loss.regularised", Regularised)
def dissipation_off(table: pd.DataFrame, case: Regularised) -> pd.DataFrame:
    """A dissipation 1e-5 too large."""
    return scaled(table, table.quantity == "dissipated", 1.0 + 1e-5)


@near("zero_loss.step", Steps)
def order_11(table: pd.DataFrame, case: Steps) -> pd.DataFrame:
    """A gap of descent that falls like h^1.1."""
    residuals = table.quantity == "residual"
    flow = _beside(table, residuals & (table.per_unit == 0), ["replicate", "sample"])
    moved = stretched(table, flow, table.per_unit.clip(lower=1) ** -0.1)
    return table.assign(value=moved.value.where(residuals, table.value))


@near("zero_loss.density", Density)
def order_15(table: pd.DataFrame, case: Density) -> pd.DataFrame:
    """Distances to the particles that fall like the cells to the power 1.5 or so: half an order less."""
    density = (table.solver == "density") & (table.quantity == "w1")
    return scaled(table, density, (table.cells / case.cells[-1]) ** 0.5)


@near("zero_loss.weak-form", WeakForm)
def right_side_off(table: pd.DataFrame, case: WeakForm) -> pd.DataFrame:
    """A right-hand side that is off by 1e-5 of what has moved."""
    moved = _beside(table, table.quantity == "moved", ["solver", "cells", "flow_time", "index"])
    return table.assign(value=table.value + 1e-5 * moved * (table.quantity == "defect"))
