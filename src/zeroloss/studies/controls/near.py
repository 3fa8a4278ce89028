"""Near controls of `controls`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.near import near, scaled, stretched
from zeroloss.studies.controls.plan import Conditions, Identity, Labels, Line, Origin, Parameters, RootScaling


@near("controls.identity", Identity)
@near("controls.labels", Labels)
def above_the_floor(table: pd.DataFrame, case: Identity | Labels) -> pd.DataFrame:
    """Risks that are left 0.2 % above what they are."""
    return scaled(table, table.quantity == "risk", 1.002)


@near("controls.monotone", Line)
def limit_below(table: pd.DataFrame, case: Line) -> pd.DataFrame:
    """A limit whose risk is 1 % lower."""
    return scaled(table, table.model == "limit", 0.99)


@near("controls.parameters", Parameters)
def lower_ends(table: pd.DataFrame, case: Parameters) -> pd.DataFrame:
    """Risks a hundred thousand times lower once training has begun."""
    return scaled(table, (table.quantity == "risk") & (table.flow_time > 0), 1e-5)


@near("controls.origin", Origin)
def beside_the_origin(table: pd.DataFrame, case: Origin) -> pd.DataFrame:
    """A parameter that moves by 1e-12."""
    moves = (table.quantity == "displacement") & (table.flow_time > 0)
    return table.assign(value=table.value + 1e-12 * moves)


@near("controls.root-scaling", RootScaling)
def falls_slowly(table: pd.DataFrame, case: RootScaling) -> pd.DataFrame:
    """Fluctuations that fall like M^-0.1."""
    mean = table.groupby(["num_units", "kernel_time", "sample"]).value.transform("mean")
    return stretched(table, mean, table.num_units**-0.1)


@near("controls.sufficient-not-necessary", Conditions)
def higher_floor(table: pd.DataFrame, case: Conditions) -> pd.DataFrame:
    """A risk that settles at 1e-19."""
    return table.assign(value=table.value + 1e-19 * (table.quantity == "risk"))
