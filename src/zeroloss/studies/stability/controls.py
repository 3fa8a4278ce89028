"""Negative controls of `stability`: deliberately wrong theories or methods, in its tables."""

from __future__ import annotations

import pandas as pd

from ledger.study import control
from zeroloss.studies.stability import central, restrained
from zeroloss.studies.stability.layer import cells
from zeroloss.studies.stability.layer import table as as_table
from zeroloss.studies.stability.nets import PRECISIONS, diabetes, starts
from zeroloss.studies.stability.plan import Accuracy, Central, Decay, Delay, Depth, Edge, Recipe, Restrained, Thresholds


def instead(table: pd.DataFrame, quantity: str, other: str) -> pd.DataFrame:
    """The table with one quantity replaced by another, in the cells that have it."""
    wrong = table.loc[table.quantity == other]
    right = (table.quantity == quantity) & table["where"].isin(wrong["where"])
    return pd.concat([table.loc[~right], wrong.assign(quantity=quantity)], ignore_index=True)


@control("stability.heat", Thresholds)
def top_mode_at_the_start(table: pd.DataFrame, case: Thresholds) -> pd.DataFrame:
    """Starts that hold the unstable mode: precision delays nothing."""
    return instead(table, "delay_error", "delay_error_seeded")


@control("stability.linear", Thresholds)
def thresholds_of_a_torus(table: pd.DataFrame, case: Thresholds) -> pd.DataFrame:
    """The Fourier transform of the image in the place of the spectrum of its patches."""
    return instead(table, "predicted", "fourier")


@control("stability.onset", Restrained)
def gauss_newton(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """A Hessian without the curvature of the activation."""
    return instead(table, "predicted", "gauss_newton")


@control("stability.band", Restrained)
def no_decay(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Updates without decay, held against the band that decay makes."""
    kept = table.loc[~table.quantity.isin(["norm", "growth"])]
    return pd.concat([kept, as_table(restrained.band(case, decay=0.0))], ignore_index=True)


@control("stability.windows", Restrained)
def amplified_beyond_the_onset(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """What oscillates amplifies: growth at the rate of the equilibrium that is unstable."""
    own = dict(cells(table, "multiplier"))
    seen = table.quantity == "exponent"
    table.loc[seen, "value"] = [own[where][0] for where in table.loc[seen, "where"]]
    return table


@control("stability.edge", Edge)
def threshold_of_descent(table: pd.DataFrame, case: Edge) -> pd.DataFrame:
    """2/η for every method."""
    return instead(table, "hovers", "hovers_descent")


@control("stability.delay", Delay)
def no_delay(table: pd.DataFrame, case: Delay) -> pd.DataFrame:
    """Exits as soon as S crosses 2/η."""
    return instead(table, "exit_predicted", "crossing")


@control("stability.central", Central)
def no_variance(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """The loss of the central flow without σ²/η."""
    return instead(table, "loss", "loss_of_flow")


@control("stability.localised", Central)
def half_of_the_step(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """Tangents of descent with half of the step, which is far from its edge."""
    half = case.model_copy(update={"step": case.step / 2, "num_steps": 100})
    net = diabetes(case.num_samples, case.data_seed)
    _, S, pairs = central.descend(net, starts(net, case.seed, case.replicates), half)
    wrong = as_table(central.tangents(half, S, pairs))
    return pd.concat([table.loc[~table.quantity.isin(wrong.quantity)], wrong], ignore_index=True)


@control("stability.decay", Decay)
def decay_unseen(table: pd.DataFrame, case: Decay) -> pd.DataFrame:
    """The flow without decay for all."""
    return instead(table, "flow", "flow_without")


@control("stability.homogeneous", Decay)
def with_biases(table: pd.DataFrame, case: Decay) -> pd.DataFrame:
    """Networks with biases, which are not homogeneous."""
    return instead(table, "homogeneous", "biased")


@control("stability.accuracy", Accuracy)
def powers_of_two(table: pd.DataFrame, case: Accuracy) -> pd.DataFrame:
    """Factors that change no bit."""
    for kind in PRECISIONS:
        table = instead(table, f"factor_{kind}", f"power_{kind}")
    return table


@control("stability.recipe", Recipe)
def no_bit_changed(table: pd.DataFrame, case: Recipe) -> pd.DataFrame:
    """Factors that change no bit."""
    return instead(table, "factor", "power")


@control("stability.resnet", Depth)
def kernel_at_the_start(table: pd.DataFrame, case: Depth) -> pd.DataFrame:
    """h* of the kernel before training."""
    return instead(table, "factor_error", "factor_error_start")
