"""Controls of `interpolation`, in its tables: a deliberately wrong model for each claim, which must be refuted, and a
near one, the smallest wrong theory that the claim refutes. The words of both stand in the claim."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near
from ledger.study import control
from zeroloss.studies.interpolation.equivalents import SPECTRA, random_features, ridge_law, risk_of_ridge
from zeroloss.studies.interpolation.features import ZETA, cell_of
from zeroloss.studies.interpolation.kernels import KERNELS
from zeroloss.studies.interpolation.plan import Benign, Exact, Features, Kernels, Snr, Spectra
from zeroloss.studies.planted import off_by
from zeroloss.studies.replicated import by_size, part_of

moments_off = near("interpolation.exact", Exact)(off_by(1.03))
equivalents_off = near("interpolation.equivalent", Spectra)(off_by(1.03))
limits_off = near("interpolation.benign", Benign)(off_by(1.035, column="limit"))
risks_off = near("interpolation.random-features", Features)(off_by(1.04))
ridge_law_off = near("interpolation.self-ridge", Kernels)(off_by(1.04))
zero_off = near("interpolation.snr", Snr)(off_by(1.015))


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
