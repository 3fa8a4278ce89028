"""Near controls of `linear`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from zeroloss.studies.linear.plan import Bridge, Ends, Follow, Momentum, Stages, Unbalanced


@near("linear.balanced", Follow)
def descent_of_order_105(table: pd.DataFrame, case: Follow) -> pd.DataFrame:
    """A gap of descent that falls like h^1.05."""
    return scaled(table, table.quantity == "descent", table["at"].clip(lower=1).to_numpy() ** -0.05)


@near("linear.ends", Ends)
def small_overlaps_do_not_count(table: pd.DataFrame, case: Ends) -> pd.DataFrame:
    """A first overlap below 0.15 counts as none: the start ends at the next mode, or at the origin."""
    following = (table.predicted + 1) % (len(case.values) + 1)
    return table.assign(predicted=table.predicted.where(table.boundary >= 0.15, following))


@near("linear.invariant", Ends)
def falls_by_little(table: pd.DataFrame, case: Ends) -> pd.DataFrame:
    """A Rayleigh quotient that falls by 1e-7 between two outputs."""
    return table.assign(fall_rayleigh=table.fall_rayleigh + 1e-7)


@near("linear.final-rate", Stages)
def last_rate_off(table: pd.DataFrame, case: Stages) -> pd.DataFrame:
    """Last rates predicted 2 % too large."""
    return scaled(table, table.quantity.isin(["final-predicted", "aligned-predicted"]), 1.02)


@near("linear.escape", Stages)
def escape_exponent_off(table: pd.DataFrame, case: Stages) -> pd.DataFrame:
    """Times of escape whose exponent is 0.02 larger."""
    escapes = table.quantity == "escape-measured"
    return scaled(table, escapes, table.sigma.where(escapes, 1.0) ** -0.02)


@near("linear.unbalanced", Unbalanced)
def unbalanced_rate_off(table: pd.DataFrame, case: Unbalanced) -> pd.DataFrame:
    """Last rates of unbalanced factors predicted 2 % too large."""
    return scaled(table, table.quantity == "rate-predicted", 1.02)


@near("linear.momentum", Momentum)
def exponents_off(table: pd.DataFrame, case: Momentum) -> pd.DataFrame:
    """Rates −log(contraction) whose exponent in κ is larger in size by 0.02."""
    power = table.condition**-0.02
    return table.assign(value=np.where(table.quantity == "measured", table.value**power, table.value))


@near("linear.contraction", Momentum)
def contracts_faster(table: pd.DataFrame, case: Momentum) -> pd.DataFrame:
    """One minus the contraction predicted 3 % too large."""
    predicted = table.quantity == "predicted"
    return table.assign(value=table.value.where(~predicted, 1.0 - 1.03 * (1.0 - table.value)))


@near("linear.bridge", Bridge)
def layers_approach_slower(table: pd.DataFrame, case: Bridge) -> pd.DataFrame:
    """Layers that approach their limit like L^-0.85."""
    return scaled(table, table.quantity == "network", table.num_layers.clip(lower=1) ** 0.15)
