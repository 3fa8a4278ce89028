"""Ridge regression on random ReLU features, with its risk computed exactly given weights and data.

Inputs are uniform on the sphere of radius √d and features max(w·x, 0) have unit w, so that w·x has
unit variance. The ReLU is homogeneous: second moments over the sphere are those over Gaussian
inputs, E max(w·x, 0) max(v·x, 0) = (√(1 − t²) + t (π − arccos t))/2π with t = w·v, and
E max(w·x, 0) β·x = w·β/2. With μ₀² = 1/2π, μ₁ = 1/2 and μ*² = 1/2 − μ₀² − μ₁², ζ = μ₁/μ*.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import sphere, streams
from zeroloss.studies.interpolation.equivalents import random_features
from zeroloss.studies.interpolation.kernels import KERNELS
from zeroloss.studies.interpolation.plan import Features
from zeroloss.studies.replicated import tidy

MU_STAR_SQUARED = 0.5 - 0.5 / np.pi - 0.25
ZETA = 0.5 / np.sqrt(MU_STAR_SQUARED)


def risk(d: int, n: int, N: int, ridges: tuple[float, ...], noise: float, rng: np.random.Generator) -> list[float]:
    """Mean excess risk of ridge regression for each λ̄ over linear targets β·x, |β| = 1, and noise.

    The objective is the mean square plus (N/d) λ̄ μ*² |a|²; at 0 it is the fit of least norm. With
    a = S y, E yyᵀ = UUᵀ + noise and E y βᵀ = U/√d for inputs √d U, the risk is
    tr SᵀΦS (UUᵀ + noise) − tr SᵀWUᵀ/√d + 1, Φ the second moments of the features.
    """
    U, W = sphere(rng, n, d), sphere(rng, N, d)
    Z = np.sqrt(d) * np.maximum(U @ W.T, 0.0)
    moments = KERNELS["features"].value(W @ W.T)
    values, vectors = np.linalg.eigh(Z @ Z.T if n <= N else Z.T @ Z)
    factor = np.concatenate([U, np.sqrt(noise) * np.eye(n)], axis=1)
    found = []
    for ridge in ridges:
        solve = (vectors / (values + n * N * ridge * MU_STAR_SQUARED / d)) @ vectors.T
        S = Z.T @ solve if n <= N else solve @ Z.T
        a = S @ factor
        found.append(float((a * (moments @ a)).sum() - ((W.T @ S) * U.T).sum() / np.sqrt(d) + 1.0))
    return found


@job(Features)
def features(case: Features) -> Iterator[pd.DataFrame]:
    """Risks at each ψ₁ = N/d and ridge, for dimensions that double; a curve at the least of them."""
    sizes = [(d, psi1, r) for d, r in zip(case.dims, case.replicates, strict=True) for psi1 in case.psi1]
    sizes += [(case.dims[0], psi1, case.curve_replicates) for psi1 in case.curve if psi1 not in case.psi1]
    for d, psi1, replicates in sizes:
        n, N = round(case.psi2 * d), round(psi1 * d)
        rngs = streams(replicates, case.seed, "features", d, N)
        found = [risk(d, n, N, case.ridges, case.noise, rng) for rng in rngs]
        for ridge, values in zip(case.ridges, np.transpose(found), strict=True):
            predicted = random_features(psi1, case.psi2, ridge, ZETA, case.noise)
            kind = "risk" if psi1 in case.psi1 else "curve"
            yield tidy(kind, cell_of(psi1, ridge), d, values, predicted)


def cell_of(psi1: float, ridge: float) -> str:
    """The name of a width and a ridge."""
    return f"w{psi1:g}.r{ridge:g}"


def curve(case: Features, ridge: float, zeta: float = ZETA) -> tuple[Array, Array]:
    """Widths ψ₁ and the risk that the formula gives, for a figure."""
    widths = np.geomspace(min(case.curve) / 1.3, max(case.curve) * 1.1, 160)
    return widths, np.array([random_features(w, case.psi2, ridge, zeta, case.noise) for w in widths])
