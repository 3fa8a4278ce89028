"""Least squares of least norm on samples: isotropic, five spectra, and rows that were measured.

Given the inputs, the risk over signs of the coefficients and over noise is computed, not drawn:
with Z⁺ the pseudoinverse and P = Z⁺Z, B = Σ_k θ_k² [(I − P) Σ (I − P)]_kk and V = tr(Z⁺ᵀ Σ Z⁺).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import streams
from zeroloss.studies.interpolation.equivalents import SPECTRA, risk_of_ridge
from zeroloss.studies.interpolation.plan import Exact, Measured, Spectra
from zeroloss.studies.replicated import tidy

DATA = ("diabetes-relu", "digits", "digits-relu")
BATCH = 250  # replicates whose inputs are held at once


def risks(inputs: Array, eigenvalues: Array, energies: Array) -> tuple[float, float]:
    """B and V given inputs (n, d) in the eigenvectors of Σ; energies θ_k² (d,)."""
    inverse = np.linalg.pinv(inputs, rcond=1e-9)
    left = np.eye(inputs.shape[1]) - inverse @ inputs
    return float(energies @ (left**2 @ eigenvalues)), float((inverse**2).sum(1) @ eigenvalues)


@job(Exact)
def exact_formulas(case: Exact) -> Iterator[pd.DataFrame]:
    """Bias and variance of n Gaussian samples in d dimensions, over their exact means.

    E|(I − P)θ|² = 1 − n/d, and E tr (ZZᵀ)⁻¹ = n/(d − n − 1), by the inverse Wishart law; with d < n
    its transpose. |d − n| = 3 has no variance: distances below 5 are refused by the plan.
    """
    n = case.num_samples
    for d in case.dims:
        bias, variance = [], []
        for first in range(0, case.replicates, BATCH):
            count = min(BATCH, case.replicates - first)
            Z = stream(case.seed, "exact", d, first).standard_normal((count, n, d))
            gram = Z @ Z.swapaxes(1, 2) if d > n else Z.swapaxes(1, 2) @ Z
            inverse = np.linalg.inv(gram)
            variance.append(np.trace(inverse, axis1=1, axis2=2))
            if d > n:  # θ the first direction: what is left of it is 1 − zᵀ(ZZᵀ)⁻¹z
                column = Z[:, :, 0]
                bias.append(1 - np.einsum("ri,rij,rj->r", column, inverse, column))
        yield tidy("variance", f"d{d}", n, np.concatenate(variance), min(n, d) / (abs(d - n) - 1))
        if bias:
            yield tidy("bias", f"d{d}", n, np.concatenate(bias), 1 - n / d)


@job(Spectra)
def spectra(case: Spectra) -> Iterator[pd.DataFrame]:
    """B and V on Gaussian rows of five spectra with θ_k² = 1, and their equivalents."""
    for name, spectrum in SPECTRA.items():
        for n, replicates in zip(case.num_samples, case.replicates, strict=True):
            eigenvalues = spectrum(case.directions * n)
            ones = np.ones(len(eigenvalues))
            roots = np.sqrt(eigenvalues)
            rngs = streams(replicates, case.seed, name, n)
            found = [risks(rng.standard_normal((n, len(roots))) * roots, eigenvalues, ones) for rng in rngs]
            both = zip(("bias", "variance"), np.transpose(found), risk_of_ridge(eigenvalues, ones, n), strict=True)
            for quantity, values, predicted in both:
                yield tidy(quantity, name, n, values, predicted)


def rows_of_data(case: Measured, name: str) -> Array:
    """The rows of a table that ships with scikit-learn, or their random ReLU features: (rows, d).

    Standardised columns; pixels that never change are left out. The coordinates of the features are
    the eigenvectors of their second moments, so that it is diagonal.
    """
    from sklearn import datasets

    load = {"diabetes": datasets.load_diabetes, "digits": datasets.load_digits}[name.partition("-")[0]]
    rows = np.asarray(load(return_X_y=True)[0], dtype=float)
    rows = rows[:, rows.std(0) > 0]
    rows = (rows - rows.mean(0)) / rows.std(0)
    if name.endswith("-relu"):
        weights = stream(case.data_seed, "features", name).standard_normal((rows.shape[1], case.num_features))
        rows = np.maximum(rows @ weights / np.sqrt(rows.shape[1]), 0.0)
    vectors = np.linalg.eigh(rows.T @ rows)[1][:, ::-1]
    return rows @ vectors


@job(Measured)
def measured(case: Measured) -> Iterator[pd.DataFrame]:
    """B and V on rows drawn from a table, whose covariance is then known exactly, on Gaussian rows of the
    same covariance, and on rows of which each coordinate is drawn from a row of its own: as the table's by
    themselves, and independent of each other. n is the same for all, and θ_k² = 1."""
    for name, n in zip(DATA, case.num_samples, strict=True):
        rows = rows_of_data(case, name)
        eigenvalues = (rows**2).mean(0)
        keep = eigenvalues > 1e-10 * eigenvalues[0]
        rows, eigenvalues = rows[:, keep], eigenvalues[keep]
        ones, roots = np.ones(len(eigenvalues)), np.sqrt(eigenvalues)
        predicted = risk_of_ridge(eigenvalues, ones, n)
        found = []
        for rng in streams(case.replicates, case.seed, "measured", name):
            drawn = rows[rng.integers(len(rows), size=n)]
            gaussian = rng.standard_normal((n, len(roots))) * roots
            shuffled = rows[rng.integers(len(rows), size=gaussian.shape), np.arange(len(roots))]
            found.append([risks(sample, eigenvalues, ones) for sample in (drawn, gaussian, shuffled)])
        for kind, both in zip(("", "gaussian-", "shuffled-"), np.transpose(found, (1, 2, 0)), strict=True):
            for quantity, values, one in zip(("bias", "variance"), both, predicted, strict=True):
                yield tidy(f"{kind}{quantity}", name, n, values, one)
