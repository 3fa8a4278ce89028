"""Controls of `landscape`, in its tables: a deliberately wrong model or data for each claim, which must be refuted,
and a near one, the smallest wrong theory that the claim refutes. The words of both stand in the claim."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from ledger.study import control
from zeroloss.studies.landscape import plan
from zeroloss.studies.landscape.circle import deviations, eigenvalues, total
from zeroloss.studies.planted import off_by, passed_off, predicted_as

ends_alone = control("landscape.flips", plan.Lazy)(passed_off("flips-predicted", "path", by="ends"))
gaussian_jacobian = control("landscape.certificate", plan.Certificate)(
    passed_off("condition", "network", by="gaussian")
)
bottleneck_as_linear = control("landscape.hessian", plan.Hessians)(passed_off("norm", "linear", by="bottleneck"))
descent_as_natural = control("landscape.straight", plan.Straight)(passed_off("length", "natural", by="descent"))
stretched_neurons = control("landscape.rotation", plan.Rotation)(passed_off("gradient", "isotropic", by="stretched"))
flow_as_least = control("landscape.least-energy", plan.Geodesics)(passed_off("spread", "least", by="flow"))
without_bias = control("landscape.odd", plan.Circle)(predicted_as(1.0, "biased"))
samples_ignored = control("landscape.short", plan.Short)(predicted_as(1.0, "gaussian"))
contracting_as_expanding = control("landscape.layers", plan.Geodesics)(off_by(-1.0, "share", "contracting", "value"))

movement_off = near("landscape.lazy", plan.Lazy)(off_by(1.05, "movement"))
flips_off = near("landscape.flips", plan.Lazy)(off_by(0.9, "flips-predicted", "path", "value"))
condition_off = near("landscape.certificate", plan.Certificate)(off_by(1.08, "condition"))
biased_off = near("landscape.odd", plan.Circle)(off_by(1.06, "biased"))
least_eigenvalue_off = near("landscape.nonconvex", plan.Minimisers)(off_by(1.02, "tanh"))
constant_kernel_off = near("landscape.straight", plan.Straight)(off_by(1.02, "length"))
mean_energy_off = near("landscape.energy", plan.Energies)(off_by(1.04, "random"))
wishart_factor_off = near("landscape.short", plan.Short)(off_by(1.03, "gaussian"))


@control("landscape.antipodal", plan.Parallel)
def as_if_parallel(table: pd.DataFrame, case: plan.Parallel) -> pd.DataFrame:
    """Antipodes that count as one input, as parallel ones do: rank p."""
    return table.assign(predicted=table.predicted.where(table.quantity != "rank", table["size"]))


@near("landscape.antipodal", plan.Parallel)
def one_direction_less(table: pd.DataFrame, case: plan.Parallel) -> pd.DataFrame:
    """A rank p + min(p, d − 1): smaller by one from p = d on."""
    d = table.cell.str.extract(r"d(\d+)\.", expand=False).astype(int)
    wrong = table["size"] + np.minimum(table["size"], d - 1)
    return table.assign(predicted=table.predicted.where(table.quantity != "rank", wrong))


@control("landscape.lazy", plan.Lazy)
def by_the_least_eigenvalue(table: pd.DataFrame, case: plan.Lazy) -> pd.DataFrame:
    """The bound |y|²/λ₀ for the movement itself."""
    naive = table.loc[table.quantity == "naive", "value"].iloc[0]
    return table.assign(predicted=table.predicted.where(table.quantity != "movement", naive))


@control("landscape.floor", plan.Circle)
def next_eigenvalue(table: pd.DataFrame, case: plan.Circle) -> pd.DataFrame:
    """λ_{k+2} in the place of λ_k, at the same times."""
    lam = eigenvalues(max(case.degrees) + 3)
    for k in case.degrees:
        for lifetimes in case.lifetimes:
            wrong = total(deviations(k + 2, lifetimes / lam[k]), k + 2)
            table.loc[table.cell == f"k{k}.t{lifetimes:g}", "predicted"] = wrong
    return table


@near("landscape.floor", plan.Circle)
def rate_falls_with_points(table: pd.DataFrame, case: plan.Circle) -> pd.DataFrame:
    """Rates that fall like n^-0.1, and agree at the largest n."""
    return scaled(table, table.quantity == "rate", (table["size"] / max(case.num_samples)) ** -0.1)


@control("landscape.nonconvex", plan.Minimisers)
def relu_as_smooth(table: pd.DataFrame, case: plan.Minimisers) -> pd.DataFrame:
    """Hessians of ReLU networks, passed off as those of smooth ones."""
    relu, tanh = (table.loc[table.quantity == kind].sort_values(["cell", "size"]) for kind in ("relu", "tanh"))
    table.loc[tanh.index, "value"] = (relu.value / relu["size"]).to_numpy()
    return table


@near("landscape.hessian", plan.Hessians)
def norm_falls_faster(table: pd.DataFrame, case: plan.Hessians) -> pd.DataFrame:
    """Norms with a linear head that fall like m^-0.54, and agree at the least m."""
    linear = (table.quantity == "norm") & (table.cell == "linear")
    return scaled(table, linear, (table["size"] / min(case.widths)) ** -0.04)


@control("landscape.energy", plan.Energies)
def rotated_one_by_one(table: pd.DataFrame, case: plan.Energies) -> pd.DataFrame:
    """A rotation of its own for each neuron: the energy changes as much as that of other random ones."""
    spreads = table.loc[table.quantity == "random"].groupby("cell").value.std()
    changed = table.quantity == "change"
    table.loc[changed, "value"] = table.loc[changed, "cell"].map(spreads)
    return table


@near("landscape.rotation", plan.Rotation)
def training_closes_more(table: pd.DataFrame, case: plan.Rotation) -> pd.DataFrame:
    """Free training that closes 15 % more of the gap between random and least energy."""
    moved = table.quantity == "moved"
    return table.assign(value=table.value.where(~moved, table.value - 0.15 * table.predicted))


@near("landscape.least-energy", plan.Geodesics)
def spread_falls_slower(table: pd.DataFrame, case: plan.Geodesics) -> pd.DataFrame:
    """A spread of |A(t)|² on paths of least energy that falls like L^-0.85."""
    least = (table.quantity == "spread") & (table.cell == "least")
    return scaled(table, least, table["size"].where(least, 1.0) ** 0.15)


@near("landscape.layers", plan.Geodesics)
def bottom_matters_a_little(table: pd.DataFrame, case: plan.Geodesics) -> pd.DataFrame:
    """Paths of least energy on which bottom layers matter more by a factor of e^0.1."""
    return table.assign(value=table.value + 0.1 * (table.quantity == "reset"))
