"""The ensemble Kalman sampler on a Gaussian: its law, collapse without one, and distance to its limit.

For a linear forward map and π = N(m, B⁻¹) the sampler is, with w = u − m and C = (1/J) Σ (u_k − ū)(u_k − ū)ᵀ,

    dw_j = −C B w_j dt + √(2C) dW_j  [+ (d + 1)/J (u_j − ū) dt]

The bracket is the correction of Nüsken and Reich. Without it the invariant law is π^J |C|^{−(d+1)/2}:
J C ~ Wishart_d(J − d − 2, B⁻¹) independent of ū ~ N(m, B⁻¹/J), for J > 2d + 1; with it, π^J.

The mean-field copy v_j of a particle has its start, its W_j and the limit's covariance in the place of C. On
N(0, I), with symmetric roots and C = I + ε,

    d(u − v) = −(u − v) dt − ε v dt + ε dW/√2,   E tr ε² = d(d + 1)/J,   E (u − v)ᵀ ε v → 0

to first order, so that J E|u − v|² → d(d + 1)/4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from numpy.random import Generator

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sampling.plan import Chaos, Collapse, EnsembleSettings, Finite

Root = Callable[[Array], Array]
Advance = Callable[[Array, Array, float], Array]


def posterior(dim: int = 10) -> Array:
    """Precision of linear regression on the first columns of diabetes, standardised, with the prior N(0, I).

    The variance of the noise is what least squares on all columns leaves.
    """
    from sklearn.datasets import load_diabetes

    X, y = (np.asarray(one, dtype=float) for one in load_diabetes(return_X_y=True))
    X, y = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    noise = np.mean((y - X @ np.linalg.lstsq(X, y)[0]) ** 2)
    return X[:, :dim].T @ X[:, :dim] / noise + np.eye(dim)


def deviations(w: Array) -> Array:
    """u_j − ū of ensembles (…, J, d)."""
    return w - w.mean(-2, keepdims=True)


def triangular(e: Array) -> Array:
    """R (…, d, d), upper triangular with positive diagonal, of eᵀe = RᵀR, without forming eᵀe."""
    r = np.linalg.qr(e, mode="r")
    return np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None] * r


def symmetric(e: Array) -> Array:
    """The symmetric root of eᵀe."""
    values, vectors = np.linalg.eigh(e.swapaxes(-1, -2) @ e)
    return (vectors * np.sqrt(values.clip(min=0.0))[..., None, :]) @ vectors.swapaxes(-1, -2)


def move(w: Array, noise: Array, step: float, B: Array, corrected: bool = False, root: Root = triangular) -> Array:
    """One trapezoidal step of ensembles (…, J, d) in dt = h, with C frozen.

    (I + A) w' = (I − A) w + √(2h) C^{1/2} ξ [+ h (d + 1)/J (u − ū)],  A = ½ h C B

    Rows of ``noise`` are standard normal. With C frozen at B⁻¹ it keeps π at any step; its weak order is 1.
    """
    num_particles, dim = w.shape[-2:]
    e = deviations(w)
    factor = root(e) / np.sqrt(num_particles)
    A = 0.5 * step * factor.swapaxes(-1, -2) @ factor @ B
    right = w - w @ A.swapaxes(-1, -2) + np.sqrt(2 * step) * noise @ factor
    if corrected:
        right += step * (dim + 1) / num_particles * e
    return np.linalg.solve(np.eye(dim) + A, right.swapaxes(-1, -2)).swapaxes(-1, -2)


def follow(
    case: EnsembleSettings, rng: Generator, start: Array, advance: Advance, observe: Root
) -> tuple[Array, Array]:
    """What is observed at times of the case: in the limit of small steps, and with steps of h/2; (times, …) each.

    Steps of h and of h/2 take the same Brownian path; laws have an error of first order in h.
    ``advance(state, noise, h)``: the noise has the shape of the state's last three axes.
    """
    coarse = fine = start
    seen, at = [], np.rint(np.linspace(case.since, case.horizon, case.times) / case.step)
    for n in range(1, int(at[-1]) + 1):
        noise = rng.standard_normal((2, *start.shape[-3:]))
        coarse = advance(coarse, noise.sum(0) / np.sqrt(2), case.step)
        fine = advance(advance(fine, noise[0], case.step / 2), noise[1], case.step / 2)
        if n in at:
            seen.append([observe(coarse), observe(fine)])
    found = np.array(seen)
    return 2 * found[:, 1] - found[:, 0], found[:, 1]


def from_the_law(rng: Generator, count: int, num_particles: int, precision: Array, independent: bool) -> Array:
    """Ensembles (count, J, d) of π^J, or of the invariant law: deviations QR with Q uniform, RᵀR Wishart."""
    dim = len(precision)
    w = rng.standard_normal((count, num_particles, dim))
    if not independent:
        e, wishart = deviations(w), triangular(rng.standard_normal((count, num_particles - dim - 2, dim)))
        w = w - e + np.linalg.solve(triangular(e).swapaxes(1, 2), e.swapaxes(1, 2)).swapaxes(1, 2) @ wishart
    return w @ np.linalg.inv(np.linalg.cholesky(precision))


def spread(w: Array, precision: Array) -> Array:
    """(2, …): mean over particles of wᵀ B w/d, which is 1 under π, and log |J C B|."""
    e = deviations(w)
    mean = ((w @ precision) * w).sum(-1).mean(-1) / w.shape[-1]
    return np.stack([mean, np.linalg.slogdet(e.swapaxes(-1, -2) @ e @ precision)[1]])


@job(Finite)
def finite(case: Finite) -> Iterator[pd.DataFrame]:
    """Covariance over that of the target, without correction and with it; log |J C B|, last of all."""
    *pairs, (dim, most) = case.pairs
    targets = [*((f"d{d}.j{J}", J, np.eye(d)) for d, J in pairs), ("diabetes", most, posterior(dim))]
    for where, J, precision in targets:
        d, observe = len(precision), partial(spread, precision=precision)
        for quantity, corrected, derived in (("covariance", False, 1 - (d + 1) / J), ("corrected", True, 1.0)):
            rng = stream(case.seed, quantity, where, case.replicates)
            start = from_the_law(rng, case.replicates, J, precision, corrected)
            advance = partial(move, B=precision, corrected=corrected)
            limit, fine = follow(case, rng, start, advance, observe)
            yield tidy(quantity, where, J, limit[:, 0].mean(0), derived)
            if not corrected:
                yield tidy("log_det", where, d, fine[-1, 1], J - d - 2)  # predicted: degrees of freedom


def log_least(e: Array) -> Array:
    """log λ_min(C) from singular values: eigenvalues of C itself would end in rounding."""
    return 2 * np.log(np.linalg.svd(e, compute_uv=False)[..., -1]) - np.log(e.shape[-2])


def move_deviations(e: Array, noise: Array, step: float) -> Array:
    """`move` on N(0, I) for u_j − ū alone: they do not depend on ū, beside which small ones would be rounded."""
    return deviations(move(e, noise, step, np.eye(e.shape[-1])))


@job(Collapse)
def collapse(case: Collapse) -> Iterator[pd.DataFrame]:
    """Rate of log λ_min(C) from ``since`` to ``horizon``, with the derived one."""
    for d, J in case.pairs:
        rng, where = stream(case.seed, "collapse", d, J, case.replicates), f"d{d}.j{J}"
        start = deviations(from_the_law(rng, case.replicates, J, np.eye(d), independent=J - 2 * d < 2))
        (first, last), _ = follow(case, rng, start, move_deviations, log_least)
        yield tidy("rate", where, J, (last - first) / (case.horizon - case.since), 2 * min(J - 2 * d - 1, 0) / J)


def beside_copies(state: Array, noise: Array, step: float) -> Array:
    """One step of (u, v) stacked, (2, …, J, d): v sees C = I, which its law keeps at any step."""
    u, v = state
    copy = ((1 - step / 2) * v + np.sqrt(2 * step) * noise) / (1 + step / 2)
    return np.stack([move(u, noise, step, np.eye(u.shape[-1]), root=symmetric), copy])


def apart(state: Array) -> Array:
    """Means over particles of |u_j − v_j|² and of |u_j − v_{j+1}|², whose noise is another: (2, …)."""
    u, v = state
    return np.stack([((u - other) ** 2).sum(-1).mean(-1) for other in (v, np.roll(v, 1, axis=-2))])


@job(Chaos)
def chaos(case: Chaos) -> Iterator[pd.DataFrame]:
    """Mean squares over particles and over times, one row per ensemble."""
    for d, J in case.pairs:
        rng = stream(case.seed, "chaos", d, J, case.replicates)
        start = np.stack([rng.standard_normal((case.replicates, J, d))] * 2)
        means = follow(case, rng, start, beside_copies, apart)[0].mean(0)
        for quantity, values in zip(("distance", "independent"), means, strict=True):
            yield tidy(quantity, f"d{d}", J, values, d * (d + 1) / 4 / J)
