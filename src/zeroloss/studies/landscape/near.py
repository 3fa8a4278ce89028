"""Near controls of `landscape`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from zeroloss.studies.landscape.plan import (
    Certificate,
    Circle,
    Energies,
    Geodesics,
    Hessians,
    Lazy,
    Minimisers,
    Parallel,
    Rotation,
    Short,
    Straight,
)


@near("landscape.antipodal", Parallel)
def one_direction_less(table: pd.DataFrame, case: Parallel) -> pd.DataFrame:
    """A rank p + min(p, d − 1): smaller by one from p = d on."""
    d = table.cell.str.extract(r"d(\d+)\.", expand=False).astype(int)
    return table.assign(predicted=table["size"] + np.minimum(table["size"], d - 1))


@near("landscape.lazy", Lazy)
def movement_off(table: pd.DataFrame, case: Lazy) -> pd.DataFrame:
    """A movement predicted 5 % too large."""
    return scaled(table, table.quantity == "movement", 1.05, "predicted")


@near("landscape.flips", Lazy)
def flips_off(table: pd.DataFrame, case: Lazy) -> pd.DataFrame:
    """A share of signs that change predicted 10 % too small."""
    return scaled(table, (table.quantity == "flips-predicted") & (table.cell == "path"), 0.9)


@near("landscape.certificate", Certificate)
def condition_off(table: pd.DataFrame, case: Certificate) -> pd.DataFrame:
    """A condition number predicted 8 % too large."""
    return scaled(table, table.quantity == "condition", 1.08, "predicted")


@near("landscape.floor", Circle)
def rate_falls_with_points(table: pd.DataFrame, case: Circle) -> pd.DataFrame:
    """Rates that fall like n^-0.1, and agree at the largest n."""
    return scaled(table, table.quantity == "rate", (table["size"] / max(case.num_samples)) ** -0.1)


@near("landscape.odd", Circle)
def biased_off(table: pd.DataFrame, case: Circle) -> pd.DataFrame:
    """What is left of the third degree with biases predicted 6 % too large."""
    return scaled(table, table.quantity == "biased", 1.06, "predicted")


@near("landscape.nonconvex", Minimisers)
def least_eigenvalue_off(table: pd.DataFrame, case: Minimisers) -> pd.DataFrame:
    """A slope of the least eigenvalue in δ predicted 2 % too large."""
    return scaled(table, table.quantity == "tanh", 1.02, "predicted")


@near("landscape.hessian", Hessians)
def norm_falls_faster(table: pd.DataFrame, case: Hessians) -> pd.DataFrame:
    """Norms with a linear head that fall like m^-0.54, and agree at the least m."""
    linear = (table.quantity == "norm") & (table.cell == "linear")
    return scaled(table, linear, (table["size"] / min(case.widths)) ** -0.04)


@near("landscape.straight", Straight)
def constant_kernel_off(table: pd.DataFrame, case: Straight) -> pd.DataFrame:
    """Lengths under a constant kernel predicted 2 % too large."""
    return scaled(table, table.quantity == "constant", 1.02, "predicted")


@near("landscape.energy", Energies)
def mean_energy_off(table: pd.DataFrame, case: Energies) -> pd.DataFrame:
    """A mean of the energy of random neurons predicted 4 % too large."""
    return scaled(table, table.quantity == "random", 1.04, "predicted")


@near("landscape.rotation", Rotation)
def training_closes_more(table: pd.DataFrame, case: Rotation) -> pd.DataFrame:
    """Free training that closes 15 % more of the gap between random and least energy."""
    moved = table.quantity == "moved"
    return table.assign(value=table.value.where(~moved, table.value - 0.15 * table.predicted))


@near("landscape.least-energy", Geodesics)
def spread_falls_slower(table: pd.DataFrame, case: Geodesics) -> pd.DataFrame:
    """A spread of |A(t)|² on paths of least energy that falls like L^-0.85."""
    least = (table.quantity == "spread") & (table.cell == "least")
    return scaled(table, least, table["size"].where(least, 1.0) ** 0.15)


@near("landscape.short", Short)
def wishart_factor_off(table: pd.DataFrame, case: Short) -> pd.DataFrame:
    """A factor M/(M − N − 1) predicted 3 % too large."""
    return scaled(table, table.quantity == "gaussian", 1.03, "predicted")


@near("landscape.layers", Geodesics)
def bottom_matters_a_little(table: pd.DataFrame, case: Geodesics) -> pd.DataFrame:
    """Paths of least energy on which bottom layers matter more by a factor of e^0.1."""
    least = (table.quantity == "reset") & (table.cell == "least")
    return table.assign(value=table.value + 0.1 * least)
