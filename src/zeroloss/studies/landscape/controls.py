"""Negative controls of `landscape`: deliberately wrong models or data, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.study import control
from zeroloss.studies.landscape.circle import deviations, eigenvalues, total
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
from zeroloss.studies.replicated import part_of


@control("landscape.antipodal", Parallel)
def as_if_parallel(table: pd.DataFrame, case: Parallel) -> pd.DataFrame:
    """Antipodes that count as one input, as parallel ones do: rank p."""
    return table.assign(predicted=table["size"])


@control("landscape.lazy", Lazy)
def by_the_least_eigenvalue(table: pd.DataFrame, case: Lazy) -> pd.DataFrame:
    """The bound |y|²/λ₀ for the movement itself."""
    naive = table.loc[table.quantity == "naive", "predicted"].iloc[0]
    return table.assign(predicted=table.predicted.where(table.quantity != "movement", naive))


@control("landscape.flips", Lazy)
def ends_alone(table: pd.DataFrame, case: Lazy) -> pd.DataFrame:
    """Signs counted from the whole movement, as if gates were not crossed on the way."""
    parts = dict(part_of(table, "flips-predicted"))
    table.loc[parts["path"].index, "value"] = parts["ends"].value.to_numpy()
    return table


@control("landscape.certificate", Certificate)
def gaussian_jacobian(table: pd.DataFrame, case: Certificate) -> pd.DataFrame:
    """The condition number of a Jacobian of independent Gaussian entries, for a network's."""
    wrong = table.loc[table.quantity == "condition-gaussian", "value"].to_numpy()
    table.loc[table.quantity == "condition", "value"] = wrong
    return table


@control("landscape.floor", Circle)
def next_eigenvalue(table: pd.DataFrame, case: Circle) -> pd.DataFrame:
    """λ_{k+2} in the place of λ_k, at the same times."""
    lam = eigenvalues(max(case.degrees) + 3)
    for k in case.degrees:
        for lifetimes in case.lifetimes:
            wrong = total(deviations(k + 2, lifetimes / lam[k]), k + 2)
            table.loc[table.cell == f"k{k}.t{lifetimes:g}", "predicted"] = wrong
    return table


@control("landscape.odd", Circle)
def without_bias(table: pd.DataFrame, case: Circle) -> pd.DataFrame:
    """The third degree without an eigenvalue, for inputs that have a bias."""
    return table.assign(predicted=table.predicted.where(table.quantity != "biased", 1.0))


@control("landscape.nonconvex", Minimisers)
def relu_as_smooth(table: pd.DataFrame, case: Minimisers) -> pd.DataFrame:
    """Hessians of ReLU networks, passed off as those of smooth ones."""
    relu, tanh = (table.loc[table.quantity == kind].sort_values(["cell", "size"]) for kind in ("relu", "tanh"))
    table.loc[tanh.index, "value"] = (relu.value / relu["size"]).to_numpy()
    return table


@control("landscape.hessian", Hessians)
def bottleneck_as_linear(table: pd.DataFrame, case: Hessians) -> pd.DataFrame:
    """Norms of networks with a bottleneck, passed off as those of a linear head."""
    norms = {kind: part.index for kind, part in part_of(table, "norm")}
    table.loc[norms["linear"], "value"] = table.loc[norms["bottleneck"], "value"].to_numpy()
    return table


@control("landscape.straight", Straight)
def natural_as_descent(table: pd.DataFrame, case: Straight) -> pd.DataFrame:
    """Paths of gradient descent, passed off as those of natural gradient."""
    lines = {method: part.index for method, part in part_of(table, "line")}
    table.loc[lines["natural"], "value"] = table.loc[lines["descent"], "value"].to_numpy()
    return table


@control("landscape.energy", Energies)
def rotated_one_by_one(table: pd.DataFrame, case: Energies) -> pd.DataFrame:
    """A rotation of its own for each neuron: the energy changes as much as that of other random ones."""
    spreads = table.loc[table.quantity == "random"].groupby("cell").value.std()
    changed = table.quantity == "change"
    table.loc[changed, "value"] = table.loc[changed, "cell"].map(spreads)
    return table


@control("landscape.rotation", Rotation)
def stretched_neurons(table: pd.DataFrame, case: Rotation) -> pd.DataFrame:
    """Neurons that are longer in some directions: their rotation matters at any width."""
    kinds = {kind: part.index for kind, part in part_of(table, "gradient")}
    table.loc[kinds["isotropic"], "value"] = table.loc[kinds["stretched"], "value"].to_numpy()
    return table


@control("landscape.least-energy", Geodesics)
def flow_as_least(table: pd.DataFrame, case: Geodesics) -> pd.DataFrame:
    """Paths of gradient flow, passed off as those of least energy."""
    spreads = {kind: part.index for kind, part in part_of(table, "spread")}
    table.loc[spreads["least"], "value"] = table.loc[spreads["flow"], "value"].to_numpy()
    return table


@control("landscape.short", Short)
def samples_ignored(table: pd.DataFrame, case: Short) -> pd.DataFrame:
    """Energies of width M as those of M = ∞."""
    return table.assign(predicted=table.predicted.where(table.quantity != "gaussian", 1.0))


@control("landscape.layers", Geodesics)
def contracting_as_expanding(table: pd.DataFrame, case: Geodesics) -> pd.DataFrame:
    """Maps that shrink, passed off as maps that stretch."""
    shrinking = (table.quantity == "share") & (table.cell == "contracting")
    return table.assign(value=table.value.where(~shrinking, -table.value))
