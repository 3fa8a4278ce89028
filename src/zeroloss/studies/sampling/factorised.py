"""The factorised Gaussian q nearest to N(m, Σ) in KL(q‖p): variances and entropy.

Its variances are 1/Λ_ii with Λ = Σ⁻¹. The entropy that is lost is ½ log|S| + ½ log|R| with S_ii = Σ_ii Λ_ii
("shrinkage") and R the correlations ("delinkage"). With equal correlations ρ the ratio of variances is
(1 − ρ)(1 + (d−1)ρ)/(1 + (d−2)ρ) → 1 − ρ, while (1/2d) [log(dρ/(1−ρ)) − 1] is lost per coordinate.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import root

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sampling.ensembles import posterior
from zeroloss.studies.sampling.plan import Factorised


def nearest(precision: Array) -> Array:
    """Variances (d,) of q, from gradients of Φ = −log p alone.

    KL = E_q Φ − Σ log σ_i + const, and E_q of a quadratic is the mean over the 2d points m ± √d σ_i e_i; the
    mean of q is that of p. The stationary point in σ is found by Powell's hybrid method.
    """

    def slopes(sigma: Array) -> Array:
        shifts = np.concatenate([np.diag(sigma), -np.diag(sigma)]) * np.sqrt(len(sigma))
        return ((shifts @ precision) * shifts).mean(0) - 1  # σ ∂KL/∂σ

    return root(slopes, np.full(len(precision), precision.max() ** -0.5), method="hybr", tol=1e-14).x ** 2


def lost(covariance: Array, variances: Array) -> float:
    """H(p) − H(q) of Gaussians."""
    return float(np.linalg.slogdet(covariance)[1] - np.log(variances).sum()) / 2


@job(Factorised)
def factorised(case: Factorised) -> Iterator[pd.DataFrame]:
    """Variances of q with 1/Λ_ii, marginal ones with those of q, their limits, and lost entropies with asymptotes."""
    rng = stream(case.seed, "covariance", case.dim, case.replicates)
    draws = rng.standard_normal((case.replicates, case.dim, case.dim + 2))
    targets = [("diabetes", posterior()), *(("random", one) for one in np.linalg.inv(draws @ draws.swapaxes(1, 2)))]
    for i, (where, precision) in enumerate(targets):
        variances = nearest(precision)
        yield tidy("variance", where, i, variances, 1 / np.diag(precision))
        yield tidy("marginal", where, i, np.diag(np.linalg.inv(precision)), variances)
    for rho in case.correlations:
        for d in case.dims:
            where, covariance = f"r{rho:g}", np.full((d, d), rho) + (1 - rho) * np.eye(d)
            variances, asymptote = 1 / np.diag(np.linalg.inv(covariance)), (np.log(d * rho / (1 - rho)) - 1) / 2 / d
            yield tidy("gap", where, d, lost(covariance, variances) / d, asymptote)
            yield tidy("forward", where, d, lost(covariance, np.ones(d)) / d, asymptote)
            yield tidy("ratio", where, d, variances[0], 1 - rho)
