"""Estimates of `normalisation`: what is measured over what is derived; then the claims' controls."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, between, exact, over, row, rows_of
from ledger.record.statistics import about
from ledger.study import Run, control, measures
from zeroloss.studies.normalisation.laws import crossing
from zeroloss.studies.normalisation.plan import Descent, Multiplier, Spectrum
from zeroloss.studies.replicated import limit_row, mean_row, part_of, ratio_of, slope_row

KEYS = ("cell", "size", "replicate")  # of a network
SPECTRUM, FROZEN, DIFFERENTIATED = (f"normalisation.{name}" for name in ("spectrum", "frozen", "differentiated"))
CLAIMS = {"plain": SPECTRUM, "held": FROZEN, "differentiated": DIFFERENTIATED}


def steadied(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each ratio of λ to its law less what the mean of K_xx of the same network has beyond its own.

    Both ratios tend to one; what they share, the norms of all layers, is most of the noise.
    """
    beyond = (table.value / table.predicted - 1).where(table.quantity == "diagonal", 0.0)
    shared = beyond.groupby([table[key] for key in KEYS]).transform("sum")
    rows = table.quantity.isin(["top", "centred"])
    return table.assign(value=table.value - table.predicted * shared.where(rows, 0.0))


@measures(SPECTRUM, FROZEN, DIFFERENTIATED)
def spectra(run: Run) -> Rows:
    """What was measured at the start over its law in 1/N → 0, and λ over the printed recursion."""
    rows: Rows = []
    for name, case, table in run.of(Spectrum, grows=False):
        claim, table = CLAIMS[case.statistics], steadied(table)
        for quantity, sizes in {"top": 3, "uniform": 3, "diagonal": 3, "factor": 2}.items():
            rows += [limit_row(claim, quantity, where, part, name, sizes) for where, part in part_of(table, quantity)]
        if case.statistics == "held":
            printed = part_of(table.assign(predicted=table.wrong), "top")
            rows += [limit_row(claim, "printed", where, part, name) for where, part in printed]
    return rows


@measures("normalisation.crossing")
def crossings(run: Run) -> Rows:
    """γ at which BatchNorm of ReLU networks ceases to flatten: λ is as γ², and the root is taken of both limits."""
    num_layers = next(run.of(Spectrum))[1].num_layers
    tops = {one["cell"]: one for one in spectra(run) if one["quantity"] == "top"}
    limits = [tops[f"{kind}.relu.c0"] for kind in ("plain", "differentiated")]
    predicted = {kind: crossing(num_layers, kind) for kind in ("differentiated", "held", "printed")}
    value = predicted["differentiated"] * (limits[0]["estimate"] / limits[1]["estimate"]) ** 0.5
    error = value / 4 * float(np.hypot(*((one["upper"] - one["lower"]) / one["estimate"] for one in limits)))
    sources, least = [one["sources"] for one in limits], min(one["replicates"] for one in limits)
    of_claim = partial(rows_of(sources, replicates=least, sizes=3), "normalisation.crossing")
    foretold = [of_claim("crossing", kind, exact(gamma)) for kind, gamma in predicted.items()]
    return [of_claim("gamma", "relu", about(value, error, CONFIDENCE)), *foretold]


@measures("normalisation.centre")
def centres(run: Run) -> Rows:
    """Slopes of λ in N where n is a share of it; λ of centred outputs over the conjecture at the largest N."""
    rows: Rows = []
    for name, case, table in run.of(Spectrum, grows=True):
        table = steadied(table)
        for where, part in part_of(table, "top"):
            growing = part.assign(value=part.value / part.predicted * part["size"])
            rows.append(slope_row("normalisation.centre", "slope", where, growing, name))
        for where, part in part_of(table, "centred"):
            largest = ratio_of(part.loc[part["size"] == max(case.widths)])
            rows.append(mean_row("normalisation.centre", "conjecture", where, largest, name))
            rows.append(slope_row("normalisation.centre", "slope_centred", where, part, name))
    return rows


@measures("normalisation.onset", "normalisation.divergence")
def edges(run: Run) -> Rows:
    """Where growth begins and training ends, over η*."""
    return [
        row(f"normalisation.{claim}", quantity, where, between(part.value.to_numpy()), [name], replicates=len(part))
        for name, _, table in run.of(Descent)
        for quantity, claim in (("onset", "onset"), ("edge", "divergence"))
        for where, part in part_of(table, quantity)
    ]


@measures("normalisation.multiplier")
def multipliers(run: Run) -> Rows:
    """What another γ inside changes, losses at a share of η* and at one rate, the former over those of the next γ."""
    name, case, table = run.one(Multiplier)
    of_claim = partial(rows_of([name], replicates=case.replicates), "normalisation.multiplier")
    rows = [
        of_claim(quantity, where, estimate(part.value.to_numpy()))
        for quantity, estimate in (("inner", over), ("share", between), ("fixed", between))
        for where, part in part_of(table, quantity)
    ]
    losses = table.loc[table.quantity == "share"].pivot(index="replicate", columns="size", values="value")
    for less, more in pairwise(case.gammas):
        rows.append(of_claim("ratio", f"g{less:g}", over((losses[less] / losses[more]).to_numpy())))
    return rows


# ---- negative controls


@control(SPECTRUM, Spectrum)
@control(FROZEN, Spectrum)
@control(DIFFERENTIATED, Spectrum)
@control("normalisation.centre", Spectrum)
def another_law(table: pd.DataFrame, case: Spectrum) -> pd.DataFrame:
    """λ of inputs that are all the same; with q where the normaliser is q − q_xy; of statistics that are held. Where n
    grows, λ of outputs whose mean was kept."""
    if not case.grows:
        return table.assign(predicted=table.predicted.where(table.quantity != "top", table.wrong))
    kept = table.value.where(table.quantity == "top").groupby([table[key] for key in KEYS]).transform("sum")
    return table.assign(value=table.value.where(table.quantity != "centred", kept))


@control("normalisation.crossing", Spectrum)
def statistics_held(table: pd.DataFrame, case: Spectrum) -> pd.DataFrame:
    """The law of statistics that are held, for those that are differentiated."""
    return another_law(table, case) if case.statistics == "differentiated" else table


@control("normalisation.onset", Descent)
@control("normalisation.divergence", Descent)
def momentum_forgotten(table: pd.DataFrame, case: Descent) -> pd.DataFrame:
    """2/λ, whatever the momentum."""
    return table.assign(value=table.value * (1 + table.cell.str.partition(".m")[2].astype(float)))


@control("normalisation.multiplier", Multiplier)
def not_homogeneous(table: pd.DataFrame, case: Multiplier) -> pd.DataFrame:
    """The inner γ of an activation that is not homogeneous."""
    return table.assign(cell=table.cell.replace({"relu": "gelu", "gelu": "relu"}))


# ---- near controls


@near(SPECTRUM, Spectrum)
@near(FROZEN, Spectrum)
@near(DIFFERENTIATED, Spectrum)
@near("normalisation.crossing", Spectrum)
@near("normalisation.centre", Spectrum)
def eigenvalue_off(table: pd.DataFrame, case: Spectrum) -> pd.DataFrame:
    """λ predicted 10 % too large, or 10 % too small where statistics are differentiated; like N^0.8 where n grows."""
    if case.grows:
        return scaled(table, table.quantity == "top", table["size"] ** -0.2)
    return scaled(table, table.quantity == "top", 0.9 if case.statistics == "differentiated" else 1.1, "predicted")


@near("normalisation.onset", Descent)
@near("normalisation.divergence", Descent)
@near("normalisation.multiplier", Multiplier)
def training_off(table: pd.DataFrame, case: Descent | Multiplier) -> pd.DataFrame:
    """η* predicted 1.5 % too large, and 20 % too small for where training ends; an inner γ that moves the loss by 1e-8
    of it."""
    value = table.value / table.quantity.map({"onset": 1.015, "edge": 0.8}).fillna(1.0)
    return table.assign(value=value + 1e-8 * (table.quantity == "inner"))
