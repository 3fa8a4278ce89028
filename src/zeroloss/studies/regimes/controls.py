"""Controls of `regimes`, in its tables: wrong models or data that its claims must refute, and the smallest wrong
theories that they do refute. The words of both stand in the claims."""

from __future__ import annotations

import pandas as pd

from ledger.study import control
from zeroloss.studies.declared import instead, off_by, passed_off, shifted, tilted
from zeroloss.studies.regimes import plan
from zeroloss.studies.regimes.small import EXPONENTS

frozen = passed_off("regimes.exponents", plan.Exponents, {f"shared.{name}": f"one.{name}" for name in ("tanh", "gelu")})
curvature_exchanged = passed_off(
    "regimes.affine", plan.Exponents, {f"{kind}.gelu": f"{kind}.tanh" for kind in EXPONENTS}, quantity="deviation"
)
under_adam = passed_off("regimes.balance", plan.Balance, {"drift": "adam"}, "quantity")
of_running_means = passed_off("regimes.inherited", plan.Inherited, {"variation": "of-means"}, "quantity")
smoothed = passed_off("regimes.statistics", plan.Paths, {"root-sum": "smoothed"}, "quantity")
without_inner_weights = passed_off("regimes.law", plan.Chains, {"relu": "without-w"}, quantity="norm")
drift_of_tanh = passed_off("regimes.drift", plan.Chains, {"gelu": "tanh"}, quantity="drift")
independent_as_path = passed_off(
    "regimes.bridge", plan.Starts, {f"path.{name}": "independent.tanh" for name in ("tanh", "gelu")}
)

exponents_off = tilted("regimes.exponents", plan.Exponents, -0.05, "norm")
deviations_off = tilted("regimes.affine", plan.Exponents, -0.1, "deviation")
leaks = shifted("regimes.balance", plan.Balance, "drift", 2e-6)  # of δ²
sum_off = tilted("regimes.optimiser", plan.Optimiser, -0.2, "norm")
variation_falls = off_by("regimes.inherited", plan.Inherited, 0.98, "variation", "value")
hurst_off = tilted("regimes.statistics", plan.Paths, -0.05, "root-sum")
law_off = off_by("regimes.law", plan.Chains, 1.15, "norm", "value")
line_off = shifted("regimes.trichotomy", plan.Chains, "level", -0.1, "predicted")  # β is larger than H
drift_off = off_by("regimes.drift", plan.Chains, 1.15, "drift", "value")
increments_off = tilted("regimes.bridge", plan.Starts, 0.05, "increment")
variation_off = off_by("regimes.variation", plan.Variation, 1.1)
regularised_off = tilted("regimes.bridge-relu", plan.Kink, 0.15, "increment")
jumps_off = tilted("regimes.kink", plan.Kink, -0.35, "variation")


@control("regimes.optimiser", plan.Optimiser)
def as_a_flow(table: pd.DataFrame, case: plan.Optimiser) -> pd.DataFrame:
    """The exponents of the flow, which know no rate, for those of Adam."""
    predicted = {"delta": -EXPONENTS["shared"][0], "norm": -EXPONENTS["shared"][1]}
    return table.assign(value=table["size"] ** table.quantity.map(predicted))


@control("regimes.trichotomy", plan.Chains)
def independent_as_smooth(table: pd.DataFrame, case: plan.Chains) -> pd.DataFrame:
    """Independent layers passed off as noise of H = 0.75."""
    rows = (table.quantity == "level") & (table.cell == "h0.5")
    return table.assign(predicted=table.predicted.where(~rows, 0.75))


@control("regimes.variation", plan.Variation)
def without_tangents(table: pd.DataFrame, case: plan.Variation) -> pd.DataFrame:
    """J = I: weights that move all alike."""
    return table.assign(predicted=1.0)


@control("regimes.bridge-relu", plan.Kink)
@control("regimes.kink", plan.Kink)
def diffusive(table: pd.DataFrame, case: plan.Kink) -> pd.DataFrame:
    """Brownian weights for those of ReLU networks."""
    cells = table.loc[table.cell.str.contains("relu"), "cell"]
    return instead(table, dict.fromkeys(cells, "brownian"))
