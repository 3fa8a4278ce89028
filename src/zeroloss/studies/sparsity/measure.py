"""Estimates of `sparsity`, each beside what the theory says; then the claims' negative and near controls."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from ledger.record.rows import Rows, between, exact, over, plain, rows_of
from ledger.record.statistics import log_slope
from ledger.study import Run, control, measures
from zeroloss.studies.replicated import by_size, means, part_of, ratio_of
from zeroloss.studies.sparsity.factors import least_objective, switches
from zeroloss.studies.sparsity.nets import balance
from zeroloss.studies.sparsity.plan import Local, Theory

EXCESS = 1e-3  # of an objective over its least value, which is of order one


@measures("sparsity.penalty", "sparsity.balance", "sparsity.switch", "sparsity.global")
def flows(run: Run) -> Rows:
    """At the last time: the penalty over that of balanced layers, the median of D over D₀ e^{−4λt}. Targets at which
    large starts leave 0 over τ_loc; shares of targets at which the flow misses the minimum."""
    rows: Rows = []
    for name, case, table in run.of(Theory):
        say = rows_of([name], replicates=case.replicates)
        for claim, quantity, how in (("penalty", "penalty", over), ("balance", "imbalance", between)):
            for where, part in part_of(table, quantity):
                rows.append(say(f"sparsity.{claim}", quantity, where, how(ratio_of(by_size(part)[-1][1]))))
        for where, part in part_of(table, "switch"):
            rows.append(say("sparsity.switch", "ratio", where, between(ratio_of(part))))
            rows.append(say("", "switch", where, between(part.value.to_numpy())))
        for where, part in part_of(table, "objective"):
            excess = (part.value - part.predicted).to_numpy()
            share = np.mean(excess.reshape(-1, case.replicates) > EXCESS, 0)
            rows.append(say("sparsity.global", "share", where, between(share)))
            rows.append(say("", "largest_excess", where, plain(excess.max())))
        for layers in case.factor_layers:
            for quantity, value in zip(("tau_local", "tau"), switches(layers, case.factor_decay), strict=True):
                rows.append(say("", quantity, f"l{layers}", plain(value)))
    return rows


def exponent(part: pd.DataFrame) -> float:
    """Minus the slope of the logarithm of a risk in that of its size, over all sizes."""
    return -float(log_slope(*means(part)))


@measures("sparsity.depth", "sparsity.linear")
def rates(run: Run) -> Rows:
    """Exponents of the worst risks, beside the bound's, the minimax one and the linear one."""
    rows: Rows = []
    for name, case, table in run.of(Theory):
        say, slopes = rows_of([name], sizes=case.periods), {alpha: [] for alpha in case.alphas}
        for where, part in part_of(table, "risk"):
            alpha, layers = (float(word) for word in where[1:].split(".l"))
            slope, bound = exponent(part), float(part.predicted.iloc[0])
            rows.append(say("sparsity.depth", "rate_error", where, exact(slope - 2 * alpha / (2 * alpha + 1))))
            rows += [say("", "exponent", where, plain(slope)), say("", "bound", where, plain(bound))]
            if layers > 2:
                rows.append(say("sparsity.depth", "bound_excess", where, exact(bound - slope)))
                slopes[alpha].append(slope)
        for alpha, found in slopes.items():
            rows.append(say("sparsity.depth", "spread", f"a{alpha:g}", exact(float(np.ptp(found)))))
        for where, part in part_of(table, "linear"):
            error = exponent(part) - part.predicted.iloc[0]
            rows.append(say("sparsity.linear", "exponent_error", where, exact(error)))
            rows.append(say("", "exponent_linear", where, plain(exponent(part))))
    return rows


@measures("sparsity.local")
def local(run: Run) -> Rows:
    """Least error over decays over that of the best spline, by replicate; training errors at the least decay."""
    rows: Rows = []
    for name, case, table in run.of(Local):
        say = rows_of([name], replicates=case.replicates)
        for where, part in part_of(table, "network"):
            ratios = np.min([ratio_of(one) for _, one in by_size(part)], axis=0)
            rows.append(say("sparsity.local", "over_spline", where, between(ratios)))
        for where, part in part_of(table, "training"):
            rows.append(say("", "training_over_noise", where, between(ratio_of(by_size(part)[0][1]))))
    return rows


# ---- negative controls


@control("sparsity.penalty", Theory)
@control("sparsity.balance", Theory)
def adam_with_decay_apart(table: pd.DataFrame, case: Theory) -> pd.DataFrame:
    """AdamW: as many steps, whose decay is apart from the adapted gradient, and which balances nothing."""
    kept = table.loc[~table.quantity.isin(["penalty", "imbalance"])]
    return pd.concat([kept, *balance(case, adamw=True)], ignore_index=True)


@control("sparsity.switch", Theory)
@control("sparsity.global", Theory)
def other_minimum(table: pd.DataFrame, case: Theory) -> pd.DataFrame:
    """The switch τ of the global minimum for τ_loc; the least value of an objective with half of the decay."""
    for layers in case.factor_layers:
        own = table.cell.str.split(".").str[0] == f"l{layers}"
        table.loc[own & (table.quantity == "switch"), "predicted"] = switches(layers, case.factor_decay)[1]
        own &= table.quantity == "objective"
        y = table.loc[own, "size"].to_numpy()
        table.loc[own, "predicted"] = least_objective(y, layers, case.factor_decay / 2)
    return table


@control("sparsity.depth", Theory)
@control("sparsity.linear", Theory)
def other_exponents(table: pd.DataFrame, case: Theory) -> pd.DataFrame:
    """The bound's exponent for the risks'; that of all estimators, 1 − 1/(2α + 1), for linear ones' 1 − 1/2α."""
    value = table.value.where(table.quantity != "risk", table["size"] ** -table.predicted)
    minimax = 1 - 1 / (1 / (1 - table.predicted) + 1)
    return table.assign(value=value, predicted=table.predicted.where(table.quantity != "linear", minimax))


@control("sparsity.local", Local)
def rough_spline(table: pd.DataFrame, case: Local) -> pd.DataFrame:
    """In the place of the networks, a spline with a hundredth of the best smoothing."""
    kept = table.loc[table.quantity != "network"]
    return pd.concat([kept, table.loc[table.quantity == "spline"].assign(quantity="network")], ignore_index=True)


# ---- near controls


@near("sparsity.penalty", Theory)
@near("sparsity.balance", Theory)
@near("sparsity.switch", Theory)
@near("sparsity.global", Theory)
@near("sparsity.depth", Theory)
@near("sparsity.linear", Theory)
def slightly_off(table: pd.DataFrame, case: Theory) -> pd.DataFrame:
    """Penalties, imbalances, switches predicted 2 % too small; objectives larger by 0.0015; exponents less by 0.03."""
    table = scaled(table, table.quantity.isin(["penalty", "imbalance", "switch"]), 0.98, "predicted")
    table = scaled(table, table.quantity.isin(["risk", "linear"]), table["size"] ** 0.03)
    return table.assign(value=table.value + 0.0015 * (table.quantity == "objective"))


@near("sparsity.local", Local)
def larger_errors(table: pd.DataFrame, case: Local) -> pd.DataFrame:
    """Networks with ten times their error."""
    return scaled(table, table.quantity == "network", 10.0)
