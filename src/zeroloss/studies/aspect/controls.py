"""Controls of `aspect`: wrong models or data that its claims must refute, and the smallest that they do refute."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from ledger.study import control
from zeroloss.studies.aspect.chains import growth, log_factor
from zeroloss.studies.aspect.gaussian import critical, mean_square
from zeroloss.studies.aspect.plan import Bias, Classes, Information, Product, Rank, Residual, Vertex
from zeroloss.studies.replicated import by_size


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


@control("aspect.optimum", Information)
def wider(table: pd.DataFrame, case: Information) -> pd.DataFrame:
    """An optimum twice as far."""
    return table.assign(predicted=2 * table.predicted)


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


# ---- near controls


@near("aspect.product", Product)
def law_off(table: pd.DataFrame, case: Product) -> pd.DataFrame:
    """Means of log Ĝ predicted 3 % too large."""
    return scaled(table, table.quantity == "mean", 1.03, "predicted")


@near("aspect.vertex", Vertex)
@near("aspect.residual", Residual)
def vertex_off(table: pd.DataFrame, case: Vertex | Residual) -> pd.DataFrame:
    """V predicted 5 % too large."""
    return table.assign(predicted=1.05 * table.predicted)


@near("aspect.classes", Classes)
def slope_off(table: pd.DataFrame, case: Classes) -> pd.DataFrame:
    """Slopes of V/K² that are 2 % larger."""
    return scaled(table, table.quantity == "slope", 1.02)


@near("aspect.half-stable", Classes)
def far_growth_off(table: pd.DataFrame, case: Classes) -> pd.DataFrame:
    """A growth of c₀/4 in the end, where it is c₀/5."""
    return scaled(table, table.quantity == "half-stable", 1.25)


@near("aspect.residual-formula", Residual)
def formula_off(table: pd.DataFrame, case: Residual) -> pd.DataFrame:
    """The formula 10 % larger; it is exact for linear layers."""
    return table.assign(textbook=1.1 * table.textbook)


@near("aspect.information", Information)
def coefficient_off(table: pd.DataFrame, case: Information) -> pd.DataFrame:
    """A cubic coefficient that is 2 % larger."""
    return scaled(table, table.quantity == "cubic", 1.02, "predicted")


@near("aspect.optimum", Information)
def optimum_off(table: pd.DataFrame, case: Information) -> pd.DataFrame:
    """An optimum of the series that is 20 % farther."""
    return table.assign(predicted=1.2 * table.predicted)


@near("aspect.rank", Rank)
def rank_off(table: pd.DataFrame, case: Rank) -> pd.DataFrame:
    """Ranks predicted 3 % too large."""
    return scaled(table, table.quantity == "rank", 1.03, "predicted")


@near("aspect.bias", Bias)
def deep_ranks_fall(table: pd.DataFrame, case: Bias) -> pd.DataFrame:
    """Ranks of four orthogonal factors that are 15 % lower."""
    rows = (table.quantity == "effective") & table.cell.str.startswith("orthogonal")
    return scaled(table, rows & (table["size"] == max(case.depths)), 0.85)
