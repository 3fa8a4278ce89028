"""Estimates of `sampling`, each measurement beside what was derived for it; then the claims' controls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ledger.near import near
from ledger.record.interval import COVERING, one_sided, simultaneous
from ledger.record.rows import Row, Rows, exact, over, plain, row
from ledger.record.statistics import Estimate, ks_distance, log_slope
from ledger.record.streams import stream
from ledger.study import Run, control, measures
from zeroloss.studies.replicated import limit_row, mean_row, means, part_of, ratio_of, slope_row
from zeroloss.studies.sampling.plan import Chaos, Collapse, Factorised, Finite, Langevin

DRAWS = 1000000  # of the law of a determinant


@measures("sampling.finite", "sampling.collapse")
def apart(run: Run) -> Rows:
    """Covariances and rates, and minus the derived ones; distance of laws of log |J C B|."""
    rows: Rows = []
    for kind, claim, quantities in (
        (Finite, "sampling.finite", ("covariance", "corrected")),
        (Collapse, "sampling.collapse", ("rate",)),
    ):
        for name, _, table in run.of(kind):
            parts = [(q, *one) for q in quantities for one in part_of(table, q)]
            joint = simultaneous(len(parts), COVERING)
            for quantity, where, part in parts:
                excess = (part.value - part.predicted).to_numpy()
                rows.append(mean_row(claim, f"{quantity}_excess", where, excess, name, interval=joint))
                rows.append(mean_row("", quantity, where, part.value.to_numpy(), name))
            for where, part in part_of(table, "log_det"):
                degrees = part.predicted.iloc[0] - np.arange(part["size"].iloc[0])  # log |W| = Σ log χ² (Bartlett)
                law = np.log(stream("determinant", where).chisquare(degrees, (DRAWS, len(degrees)))).sum(1)
                distance = ks_distance(part.value.to_numpy(), law, one_sided())
                rows.append(row(claim, "ks", where, distance, [name], replicates=len(part), sizes=1))
    return rows


@measures("sampling.chaos")
def chaos(run: Run) -> Rows:
    """J E|u − v|² over d(d + 1)/4 from the two largest ensembles, as J → ∞; slope of E|u − v|² between them."""
    claim, rows = "sampling.chaos", list[Row]()
    for name, _, table in run.of(Chaos):
        parts = part_of(table, "distance")
        for where, part in parts:
            joint = simultaneous(len(parts), COVERING)
            rows.append(limit_row(claim, "constant", where, part, name, sizes=2, interval=joint))
            rows.append(slope_row(claim, "slope", where, part, name, sizes=2))
    return rows


def least_step(part: pd.DataFrame) -> float:
    """The mean over the predicted one in the limit of steps 1/size → 0, by the parabola through the three least."""
    sizes, values = means(part)
    return np.polyfit(1 / sizes[-3:], values[-3:], 2)[-1] / part.predicted.iloc[0]


EXACT: tuple[tuple[type[Langevin | Factorised], str, str, str, Callable[[pd.DataFrame], Estimate]], ...] = (
    (Langevin, "bias", "ratio", "bias", lambda one: exact(least_step(one))),
    (Langevin, "coupling", "ratio", "coupling", lambda one: exact(least_step(one))),
    (Langevin, "root", "slope", "over_logarithm", lambda one: exact(float(log_slope(*means(one))))),
    (Langevin, "root", "count", "steps", lambda one: exact(ratio_of(one)[-1])),
    (Langevin, "", "local_slope", "steps", lambda one: plain(float(log_slope(*np.array(means(one))[:, -2:])))),
    (Langevin, "", "bias", "bias", lambda one: plain(least_step(one) * one.predicted.iloc[0])),
    (Factorised, "shrinkage", "error", "variance", lambda one: over(np.abs(ratio_of(one) - 1))),
    (Factorised, "shrinkage", "shrunk", "marginal", lambda one: over(1 / ratio_of(one))),
    (Factorised, "", "least_shrunk", "marginal", lambda one: plain(1 / ratio_of(one).max())),
    (Factorised, "delinkage", "gap", "gap", lambda one: exact(ratio_of(one)[-1])),
    (Factorised, "delinkage", "ratio_error", "ratio", lambda one: exact(abs(one.value - one.predicted).iloc[-1])),
)


@measures("sampling.bias", "sampling.coupling", "sampling.root", "sampling.shrinkage", "sampling.delinkage")
def computed(run: Run) -> Rows:
    """What is computed exactly, or to rounding: `EXACT`."""
    return [
        row(claim and f"sampling.{claim}", quantity, where, estimate(part), [name])
        for kind, claim, quantity, source, estimate in EXACT
        for name, _, table in run.of(kind)
        for where, part in part_of(table, source)
    ]


# ---- negative and near controls

MEASURED = {  # what stands in the place of each quantity
    "distance": "independent",  # copies driven by the noise of another particle
    "variance": "marginal",  # Σ_ii, the variances of the nearest q in KL(p‖q)
    "gap": "forward",  # its lost entropy
    "over_logarithm": "linear",  # the earlier bound d/ε read as a law
}
# independent particles, as J → ∞; ensembles that stay; the ¼ of a Gaussian for every target; a coupling that is optimal
DERIVED = {"covariance": 1.0, "rate": 0.0, "bias": 0.25, "coupling": 1.0}
TOO_LARGE = {
    "covariance": 1.05, "rate": 1.25, "distance": 1.15, "bias": 1.002, "coupling": 1.002, "steps": 1.01,
    "variance": 1 + 2e-8, "gap": 1.005,
}  # fmt: skip


def mistaken(table: pd.DataFrame, case: object) -> pd.DataFrame:
    """Another quantity in the place of the one, or another theory."""
    kept = table.loc[~table.quantity.isin(MEASURED)]
    wrong = [table.loc[table.quantity == other].assign(quantity=one) for one, other in MEASURED.items()]
    table = pd.concat([kept, *wrong], ignore_index=True)
    return table.assign(predicted=table.quantity.map(DERIVED).fillna(table.predicted))


def predicted_too_large(table: pd.DataFrame, case: object) -> pd.DataFrame:
    """Predictions that are too large by these factors."""
    return table.assign(predicted=table.predicted * table.quantity.map(TOO_LARGE).fillna(1.0))


KINDS = {
    "finite": Finite, "collapse": Collapse, "chaos": Chaos, "bias": Langevin, "root": Langevin, "coupling": Langevin,
    "shrinkage": Factorised, "delinkage": Factorised,
}  # fmt: skip
for _claim, _kind in KINDS.items():
    control(f"sampling.{_claim}", _kind)(mistaken)
    near(f"sampling.{_claim}", _kind)(predicted_too_large)
