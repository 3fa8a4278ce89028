"""Controls of `aspect`: wrong models or data that its claims must refute, and the smallest that they do refute."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from ledger.study import control
from zeroloss.studies.aspect.chains import growth, log_factor
from zeroloss.studies.aspect.gaussian import critical, mean_square
from zeroloss.studies.aspect.plan import Bias, Classes, Information, Product, Rank, Residual, Vertex
from zeroloss.studies.declared import off_by
from zeroloss.studies.replicated import by_size

wider = off_by("aspect.optimum", Information, 2.0, mark=control)

law_off = off_by("aspect.product", Product, 1.03, "mean")
vertex_off = off_by("aspect.vertex", Vertex, 1.05)
recursion_off = off_by("aspect.residual", Residual, 1.05)
slope_off = off_by("aspect.classes", Classes, 1.02, "slope", "value")
far_growth_off = off_by("aspect.half-stable", Classes, 1.25, "half-stable", "value")  # c₀/4 in the end, for c₀/5
formula_off = off_by("aspect.residual-formula", Residual, 1.1, column="textbook")  # it is exact for linear layers
coefficient_off = off_by("aspect.information", Information, 1.02, "cubic")
optimum_off = off_by("aspect.optimum", Information, 1.2)
rank_off = off_by("aspect.rank", Rank, 1.03, "rank")


@control("aspect.product", Product)
def quadratic(table: pd.DataFrame, case: Product) -> pd.DataFrame:
    """The law of the linear network for all, whose ν is 2 and which never dies."""
    steps = case.depth - 1
    for n, part in by_size(table):
        mean, variance = log_factor("linear", int(n))
        words = {"mean": steps * mean, "spread": steps * variance, "dead": 0.0}
        words["moment"] = (1 + 2 / n) ** (case.shallow - 1)
        table.loc[part.index, "predicted"] = part.quantity.map(words)
    return table


@control("aspect.vertex", Vertex)
def without_response(table: pd.DataFrame, case: Vertex) -> pd.DataFrame:
    """χ = 1, as if every perturbation of K lasted: the spreads of all layers add up."""
    for stack in case.stacks:
        at, K, total = critical(stack.activation, stack.gamma), 0.0, 0.0
        for depth in range(1, max(stack.depths) + 1):
            K = at.K if depth == 1 else at.C_b + at.C_W * mean_square(stack.activation, K)[0]
            table.loc[table.cell == f"{stack.name}.l{depth}", "predicted"] = total / K**2
            total += at.C_W**2 * mean_square(stack.activation, K)[1]
    return table


@control("aspect.classes", Classes)
def supercritical(table: pd.DataFrame, case: Classes) -> pd.DataFrame:
    """Weights of 2 % more variance than the critical ones."""
    for name in ("tanh", "sin"):
        at = critical(name)
        value = growth(name, at._replace(C_W=1.02 * at.C_W), case.depth)
        table.loc[(table.quantity == "slope") & (table.cell == name), "value"] = value
    return table


@control("aspect.half-stable", Classes)
def unrestrained(table: pd.DataFrame, case: Classes) -> pd.DataFrame:
    """The growth c₀ of the half-stable point itself, at every depth."""
    rows = table.quantity == "half-stable"
    return table.assign(value=table.value.where(~rows, 5 * table.predicted))


@control("aspect.residual", Residual)
def without_memory(table: pd.DataFrame, case: Residual) -> pd.DataFrame:
    """The textbook's formula for the recursion."""
    return table.assign(predicted=table.textbook)


@control("aspect.residual-formula", Residual)
def without_branches(table: pd.DataFrame, case: Residual) -> pd.DataFrame:
    """The formula at γ = 0."""
    for stack in case.stacks:
        mean, spread, _ = mean_square(stack.activation, 1.0)
        for depth in stack.depths:
            table.loc[table.cell == f"{stack.name}.l{depth}", "textbook"] = (depth - 1) * spread / mean**2
    return table


@control("aspect.information", Information)
def gaussian_scale(table: pd.DataFrame, case: Information) -> pd.DataFrame:
    """The cubic coefficient (20 + n_L)/6."""
    m = table.cell.str[1:].astype(int)
    return table.assign(predicted=table.predicted.where(table.quantity != "cubic", (20 + 2 * m) / 6))


@control("aspect.rank", Rank)
def free_product(table: pd.DataFrame, case: Rank) -> pd.DataFrame:
    """n/(L + 1), the rank of a product of free matrices, which holds at L ≪ n alone."""
    square = (table.quantity == "rank") & ~table.cell.str.startswith("digits")
    widths = table.cell.str.extract(r"n(\d+)\.l(\d+)", expand=True).astype(float)
    return table.assign(predicted=table.predicted.where(~square, widths[0] / (widths[1] + 1)))


@control("aspect.bias", Bias)
def mistaken_start(table: pd.DataFrame, case: Bias) -> pd.DataFrame:
    """Gaussian starts passed off as orthogonal ones."""
    gaussian = table.loc[table.cell.str.startswith("gaussian")]
    renamed = gaussian.assign(cell=gaussian.cell.str.replace("gaussian", "orthogonal"))
    return pd.concat([table.loc[~table.cell.str.startswith("orthogonal")], renamed], ignore_index=True)


@near("aspect.bias", Bias)
def deep_ranks_fall(table: pd.DataFrame, case: Bias) -> pd.DataFrame:
    """Ranks of four orthogonal factors that are 15 % lower."""
    rows = (table.quantity == "effective") & table.cell.str.startswith("orthogonal")
    return scaled(table, rows & (table["size"] == max(case.depths)), 0.85)
