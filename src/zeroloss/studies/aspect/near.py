"""Near controls of `aspect`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled
from zeroloss.studies.aspect.plan import Bias, Classes, Information, Product, Rank, Residual, Vertex


@near("aspect.product", Product)
def law_off(table: pd.DataFrame, case: Product) -> pd.DataFrame:
    """Means of log Ĝ predicted 3 % too large."""
    return scaled(table, table.quantity == "mean", 1.03, "predicted")


@near("aspect.vertex", Vertex)
def vertex_off(table: pd.DataFrame, case: Vertex) -> pd.DataFrame:
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


@near("aspect.residual", Residual)
def memory_off(table: pd.DataFrame, case: Residual) -> pd.DataFrame:
    """V predicted 5 % too large."""
    return table.assign(predicted=1.05 * table.predicted)


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
