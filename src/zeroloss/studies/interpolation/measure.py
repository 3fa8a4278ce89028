"""Estimates of `interpolation`, each measurement over its formula; then the claims' controls.

A negative control is a deliberately wrong model or data: measured and judged, it must be `refuted`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.record.rows import Rows, exact, plain, row
from ledger.study import Run, control, measures
from zeroloss.studies.interpolation import near as near
from zeroloss.studies.interpolation.equivalents import SPECTRA, random_features, ridge_law, risk_of_ridge
from zeroloss.studies.interpolation.features import ZETA, cell_of
from zeroloss.studies.interpolation.kernels import KERNELS
from zeroloss.studies.interpolation.plan import Benign, Exact, Features, Kernels, Measured, Snr, Spectra, Spike, Trained
from zeroloss.studies.replicated import at_infinity, by_size, limit_row, mean_row, part_of, ratio_of, slope_row


@measures("interpolation.exact")
def exact_formulas(run: Run) -> Rows:
    """Bias and variance over their exact means."""
    rows: Rows = []
    for name, case, table in run.of(Exact):
        for quantity in ("bias", "variance"):
            for where, part in part_of(table, quantity):
                rows.append(
                    mean_row("interpolation.exact", quantity, where, ratio_of(part), name, sizes=len(case.dims))
                )
    return rows


@measures("interpolation.equivalent")
def equivalent(run: Run) -> Rows:
    """Bias and variance over their equivalents, on Gaussian rows in 1/n → 0, on measured rows at their n."""
    rows: Rows = []
    for name, _, table in run.of(Spectra):
        for quantity in ("bias", "variance"):
            for where, part in part_of(table, quantity):
                rows.append(limit_row("interpolation.equivalent", quantity, where, part, name))
    for name, case, table in run.of(Measured):
        for quantity in (f"{kind}{one}" for kind in ("", "gaussian-", "shuffled-") for one in ("bias", "variance")):
            for where, part in part_of(table, quantity):
                claim = "" if "-" in quantity else "interpolation.equivalent"
                label = f"{quantity}_real" if claim else quantity.replace("-", "_")
                rows.append(mean_row(claim, label, where, ratio_of(part), name, sizes=len(case.data)))
    return rows


@measures("interpolation.benign")
def benign(run: Run) -> Rows:
    """V over its limit, and V over Bartlett's sum over the limit of that, at the largest n."""
    rows: Rows = []
    for name, case, table in run.of(Benign):
        for spectrum, part in table.groupby("spectrum"):
            last = part.sort_values("decades").iloc[-1]
            variance = last.share / (1 - last.share)
            over = variance / (last.least_rank + last.tail_rank) / last.over_bound
            for quantity, value in (("variance", variance / last.limit), ("over_bound", over)):
                rows.append(
                    row("interpolation.benign", quantity, str(spectrum), exact(value), [name], sizes=len(case.decades))
                )
    return rows


@measures("interpolation.random-features")
def random_feature_risks(run: Run) -> Rows:
    """Risk over the formula in 1/d → 0, and at the largest d."""
    rows: Rows = []
    for name, case, table in run.of(Features):
        for where, part in part_of(table, "risk"):
            rows.append(limit_row("interpolation.random-features", "risk", where, part, name))
            largest = ratio_of(part.loc[part["size"] == max(case.dims)])
            rows.append(mean_row("", "risk_at_largest", where, largest, name))
    return rows


@measures("interpolation.self-ridge")
def self_ridge(run: Run) -> Rows:
    """Risks of kernels and of networks over the ridge law; slopes in d of the distance to the regressor."""
    claim = "interpolation.self-ridge"
    rows: Rows = []
    for name, _, table in run.of(Kernels):
        for where, part in part_of(table, "risk"):
            rows.append(limit_row(claim, "risk", where, part, name))
    for name, _, table in run.of(Trained):
        for where, part in part_of(table, "trained"):
            # of a ratio of means, linearised about the means
            samples = []
            for m, one in by_size(part):
                ratio = one.value.mean() / one.predicted.mean()
                samples.append(
                    (float(m), ratio + ((one.value - ratio * one.predicted) / one.predicted.mean()).to_numpy())
                )
            samples = samples[-3:]
            estimate = at_infinity([m for m, _ in samples], [values for _, values in samples])
            rows.append(
                row(claim, "network", where, estimate, [name], replicates=len(samples[0][1]), sizes=len(samples))
            )
    for name, _, table in run.of(Spike):
        for quantity in ("off", "on"):
            for where, part in part_of(table, quantity):
                rows.append(slope_row(claim, f"slope_{quantity}_{where}", where, part, name, sizes=2))
    return rows


@measures("interpolation.snr")
def least_snr(run: Run) -> Rows:
    """SNR at which an explicit ridge neither helps nor harms, −V'/B' over 1/λ, in 1/d → 0."""
    rows: Rows = []
    for name, _, table in run.of(Snr):
        variances = dict(part_of(table, "variance-slope"))
        for where, bias in part_of(table, "bias-slope"):
            samples = []
            for d, one in by_size(bias):
                other = variances[where].loc[variances[where]["size"] == d]
                zero = -other.value.mean() / one.value.mean()
                spread = (-other.value.to_numpy() - zero * one.value.to_numpy()) / one.value.mean()
                samples.append((d, (zero + spread) / one.predicted.iloc[0]))
            samples = samples[-3:]
            estimate = at_infinity([d for d, _ in samples], [values for _, values in samples])
            least = min(len(values) for _, values in samples)
            rows.append(row("interpolation.snr", "zero", where, estimate, [name], replicates=least, sizes=len(samples)))
            rows.append(row("", "predicted_zero", where, plain(bias.predicted.iloc[0]), [name]))
            rows.append(row("", "zero_at_largest", where, plain(samples[-1][1].mean()), [name]))
    return rows


# ---- negative controls


@control("interpolation.exact", Exact)
def without_the_one(table: pd.DataFrame, case: Exact) -> pd.DataFrame:
    """n/(d − n) where the inverse Wishart law has n/(d − n − 1)."""
    d = table.cell.str[1:].astype(int)
    n = case.num_samples
    wrong = np.minimum(n, d) / (d - n).abs()
    return table.assign(predicted=table.predicted.where(table.quantity == "bias", wrong))


@control("interpolation.equivalent", Spectra)
def half_the_samples(table: pd.DataFrame, case: Spectra) -> pd.DataFrame:
    """Equivalents of half as many samples."""
    for quantity in ("bias", "variance"):
        for where, part in part_of(table, quantity):
            for n, one in by_size(part):
                eigenvalues = SPECTRA[where](case.directions * int(n))
                bias, variance = risk_of_ridge(eigenvalues, np.ones(len(eigenvalues)), int(n) // 2)
                table.loc[one.index, "predicted"] = bias if quantity == "bias" else variance
    return table


@control("interpolation.benign", Benign)
def without_feedback(table: pd.DataFrame, case: Benign) -> pd.DataFrame:
    """V = d₂/n, as if the interpolant's own error had no part in it, for V = d₂/(n − d₂)."""
    return table.assign(share=table.share / (1 + table.share))


@control("interpolation.random-features", Features)
def squared_zeta(table: pd.DataFrame, case: Features) -> pd.DataFrame:
    """ζ = μ₁²/μ*² in the place of μ₁/μ*."""
    for psi1 in (*case.psi1, *case.curve):
        for ridge in case.ridges:
            predicted = random_features(psi1, case.psi2, ridge, ZETA**2, case.noise)
            table.loc[table.cell == cell_of(psi1, ridge), "predicted"] = predicted
    return table


@control("interpolation.self-ridge", Kernels)
def no_ridge(table: pd.DataFrame, case: Kernels) -> pd.DataFrame:
    """The law of a fifth of the ridge that the kernel brings along."""
    for where, part in part_of(table, "risk"):
        name, share = where.split(".n")
        for d, one in by_size(part):
            law = ridge_law(round(float(share) * d), d, KERNELS[name].ridge / 5, case.noise)
            table.loc[one.index, "predicted"] = law
    return table


@control("interpolation.snr", Snr)
def half_the_ridge(table: pd.DataFrame, case: Snr) -> pd.DataFrame:
    """Zeros for half of λ: twice as large."""
    slopes = table.quantity.str.endswith("slope")
    return table.assign(predicted=table.predicted.where(~slopes, 2 * table.predicted))
