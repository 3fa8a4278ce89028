"""Controls of `landscape`, in its tables: a deliberately wrong model or data for each claim, which must be refuted,
and a near one, the smallest wrong theory that the claim refutes. The words of both stand in the claim."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near
from ledger.study import control
from zeroloss.model.arrays import Array
from zeroloss.studies.declared import off_by, passed_off, predicted_as, shifted, tilted
from zeroloss.studies.landscape import plan
from zeroloss.studies.landscape.circle import deviations, eigenvalues, total


def naive_movement(table: pd.DataFrame) -> float:
    """The bound |y|²/λ₀ for the movement itself."""
    return table.loc[table.quantity == "naive", "value"].iloc[0]


def rank_of_one_direction_less(table: pd.DataFrame) -> Array:
    """p + min(p, d − 1): smaller by one from p = d on."""
    d = table.cell.str.extract(r"d(\d+)\.", expand=False).astype(int)
    return (table["size"] + np.minimum(table["size"], d - 1)).to_numpy()


as_if_parallel = predicted_as("landscape.antipodal", plan.Parallel, "rank", lambda table: table["size"])
by_the_least_eigenvalue = predicted_as("landscape.lazy", plan.Lazy, "movement", naive_movement)
ends_alone = passed_off("landscape.flips", plan.Lazy, {"path": "ends"}, quantity="flips-predicted")
gaussian_jacobian = passed_off("landscape.certificate", plan.Certificate, {"network": "gaussian"}, quantity="condition")
without_bias = predicted_as("landscape.odd", plan.Circle, "biased", 1.0)
bottleneck_as_linear = passed_off("landscape.hessian", plan.Hessians, {"linear": "bottleneck"}, quantity="norm")
descent_as_natural = passed_off("landscape.straight", plan.Straight, {"natural": "descent"}, quantity="length")
stretched_neurons = passed_off("landscape.rotation", plan.Rotation, {"isotropic": "stretched"}, quantity="gradient")
flow_as_least = passed_off("landscape.least-energy", plan.Geodesics, {"least": "flow"}, quantity="spread")
contracting_as_expanding = off_by("landscape.layers", plan.Geodesics, -1, "share", "value", "contracting", control)
samples_ignored = predicted_as("landscape.short", plan.Short, "gaussian", 1.0)

one_direction_less = predicted_as("landscape.antipodal", plan.Parallel, "rank", rank_of_one_direction_less, near)
movement_off = off_by("landscape.lazy", plan.Lazy, 1.05, "movement")
flips_off = off_by("landscape.flips", plan.Lazy, 0.9, "flips-predicted", "value", cell="path")
condition_off = off_by("landscape.certificate", plan.Certificate, 1.08, "condition")
rate_falls_with_points = tilted("landscape.floor", plan.Circle, -0.1, "rate", same_at="max")
biased_off = off_by("landscape.odd", plan.Circle, 1.06, "biased")
least_eigenvalue_off = off_by("landscape.nonconvex", plan.Minimisers, 1.02, "tanh")
norm_falls_faster = tilted("landscape.hessian", plan.Hessians, -0.04, "norm", cell="linear", same_at="min")
constant_kernel_off = off_by("landscape.straight", plan.Straight, 1.02, "length")
mean_energy_off = off_by("landscape.energy", plan.Energies, 1.04, "random")
training_closes_more = shifted("landscape.rotation", plan.Rotation, "moved", -0.15, unit="predicted")
spread_falls_slower = tilted("landscape.least-energy", plan.Geodesics, 0.15, "spread", cell="least")
wishart_factor_off = off_by("landscape.short", plan.Short, 1.03, "gaussian")
bottom_matters_a_little = shifted("landscape.layers", plan.Geodesics, "reset", 0.1)


@control("landscape.floor", plan.Circle)
def next_eigenvalue(table: pd.DataFrame, case: plan.Circle) -> pd.DataFrame:
    """λ_{k+2} in the place of λ_k, at the same times."""
    lam = eigenvalues(max(case.degrees) + 3)
    for k in case.degrees:
        for lifetimes in case.lifetimes:
            wrong = total(deviations(k + 2, lifetimes / lam[k]), k + 2)
            table.loc[table.cell == f"k{k}.t{lifetimes:g}", "predicted"] = wrong
    return table


@control("landscape.nonconvex", plan.Minimisers)
def relu_as_smooth(table: pd.DataFrame, case: plan.Minimisers) -> pd.DataFrame:
    """Hessians of ReLU networks, passed off as those of smooth ones."""
    relu, tanh = (table.loc[table.quantity == kind].sort_values(["cell", "size"]) for kind in ("relu", "tanh"))
    table.loc[tanh.index, "value"] = (relu.value / relu["size"]).to_numpy()
    return table


@control("landscape.energy", plan.Energies)
def rotated_one_by_one(table: pd.DataFrame, case: plan.Energies) -> pd.DataFrame:
    """A rotation of its own for each neuron: the energy changes as much as that of other random ones."""
    spreads = table.loc[table.quantity == "random"].groupby("cell").value.std()
    changed = table.quantity == "change"
    table.loc[changed, "value"] = table.loc[changed, "cell"].map(spreads)
    return table
