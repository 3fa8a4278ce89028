"""Gradient flow on the circle, where the kernel's eigenfunctions are known: rates, floors, odd degrees.

With uniform inputs on the circle h(cos θ) has the eigenvalues λ_k = (1/2π) ∫ h(cos θ) cos kθ dθ:

    λ₀ = 1/π²,  λ₁ = 1/8,  even k: (k² + 1)/(π² (k² − 1)²),  odd k ≥ 3: 0.

For y = √2 cos kθ on n uniform points and r' = −(H/n) r the first order of H/n about its limit gives

    E |r − e^{−λ_kT} y|²/n = C/n,
    C = Σ_{j≠k} m_j (λ_j/(λ_j − λ_k))² (e^{−λ_kT} − e^{−λ_jT})² + (λ_kT e^{−λ_kT})²,   m₀ = 1, m_j = 2,

which is what is left of |r|²/n once e^{−2λ_kT} is below it: until then the second order counts in |r|² as much. For
λ_k = 0, E |r|²/n = 1 − D/n with D = Σ m_j (2 x_j − x_j²), x_j = 1 − e^{−λ_jT}: what falls is
memorised point by point. With inputs (x, 1) the third degree has an eigenvalue, and is learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.linalg import block_diag

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import streams
from zeroloss.studies.landscape.plan import Circle
from zeroloss.studies.replicated import tidy
from zeroloss.studies.two_layer import descent, paired, tangent

MODES = 64  # of the sums over j, whose terms fall like j^{−4}


def eigenvalues(count: int) -> Array:
    """λ_0 … λ_{count − 1} of the kernel without biases."""
    k = np.arange(count, dtype=float)
    even = (k**2 + 1) / (np.pi**2 * np.where(k == 1, 1.0, k**2 - 1) ** 2)
    return np.where(k % 2 == 0, even, np.where(k == 1, 0.125, 0.0))


def with_bias(k: int) -> float:
    """λ_k of the kernel of inputs (x, 1), 2 h((1 + cos θ)/2)."""
    return float(quad(lambda a: tangent((1 + np.cos(a)) / 2) * np.cos(k * a), 0, np.pi, limit=200)[0] * 2 / np.pi)


def deviations(k: int, T: float) -> Array:
    """Weights w_j, j < MODES, of the first order of r − e^{−λ_kT} y on the modes cos jθ and sin jθ each:
    (λ_j/(λ_j − λ_k))² (e^{−λ_kT} − e^{−λ_jT})², and (λ_kT e^{−λ_kT})² for j = k."""
    lam = eigenvalues(MODES)
    own = lam[k]
    gap = np.where(lam == own, 1.0, lam - own)
    weights = (lam / gap) ** 2 * (np.exp(-own * T) - np.exp(-lam * T)) ** 2
    weights[k] = (own * T * np.exp(-own * T)) ** 2
    return weights


def memorised(T: float) -> Array:
    """Weights 2 x_j − x_j² of what is memorised of a degree without an eigenvalue."""
    x = 1 - np.exp(-eigenvalues(MODES) * T)
    return 2 * x - x**2


def total(weights: Array, k: int) -> float:
    """Σ_j m_j w_j: m₀ = 1, m_j = 2, and 1 for j = k, where E φ_k⁴ − 1 = ½."""
    m = np.where(np.isin(np.arange(MODES), (0, k)), 1.0, 2.0)
    return float(m @ weights)


def first_order(angles: Array, k: int, weights: Array) -> float:
    """The same of a sample, of mean ``total``: n Σ_j w_j |mean of φ_jφ_k − δ_jk|²."""
    n, j = len(angles), np.arange(MODES)
    y = np.sqrt(2) * np.cos(k * angles)
    size = np.where(j == 0, 1.0, np.sqrt(2))
    phases = np.exp(1j * angles[:, None] * j)
    means = size * (y @ phases) / n
    means[k] -= 1.0
    return float(n * (weights @ np.abs(means) ** 2))


def excess(angles: Array, k: int, weights: Array) -> float:
    """Of the first order of a sample over its mean: what is measured varies with it, and less once it is subtracted."""
    return first_order(angles, k, weights) - total(weights, k)


def remaining(angles: Array, targets: Array, times: Array, bias: bool = False) -> Array:
    """r = e^{−HT/n} y for targets (n, degrees), each at its times (count, degrees): (count, n, degrees)."""
    G = np.cos(angles[:, None] - angles)
    H = 2 * tangent((1 + G) / 2) if bias else tangent(G)
    values, vectors = np.linalg.eigh(H / len(angles))
    return vectors @ (np.exp(-times[:, None, :] * values[:, None]) * (vectors.T @ targets))


@job(Circle)
def circle(case: Circle) -> Iterator[pd.DataFrame]:
    """Deviations, early rates and what is left of odd degrees over what is predicted; networks."""
    degrees = list(case.degrees)
    lam = eigenvalues(max(degrees) + 1)[degrees]
    third = with_bias(3) * case.biased_time
    # e^{−1} of the square is left at the first of the times, at which rates are taken
    times = np.array([0.5, *case.lifetimes])[:, None] / lam
    # one decomposition for all degrees: the even ones at their times, then the third at its own
    schedule = np.asarray(block_diag(times, np.transpose([case.times])), dtype=np.float64)
    weights = [[deviations(k, T) for k, T in zip(degrees, row, strict=True)] for row in times[1:]]
    odd_weights = [memorised(T) for T in case.times]
    for n, replicates in zip(case.num_samples, case.replicates, strict=True):
        squares, rates, odd, biased = [], [], [], []
        for rng in streams(replicates, case.seed, "circle", n):
            angles = rng.random(n) * 2 * np.pi
            y = np.sqrt(2) * np.cos(angles[:, None] * np.array([*degrees, 3]))
            at = remaining(angles, y, schedule)
            left, third_left = at[: len(times), :, :-1], at[len(times) :, :, -1]
            rates.append(-np.log((left[0] ** 2).sum(0) / (y[:, :-1] ** 2).sum(0)) / (2 * times[0]))
            square = ((left[1:] - np.exp(-lam * times[1:])[:, None] * y[:, :-1]) ** 2).sum(1)
            squares.append(
                square - [[excess(angles, *each) for each in zip(degrees, row, strict=True)] for row in weights]
            )
            # the first order of |y|² about its mean is known, and has mean zero
            mean = (y[:, -1] ** 2).mean() - 1
            lost = n * (1 + mean) - (third_left**2).sum(1)
            odd.append(lost - [excess(angles, 3, w) for w in odd_weights])
            end = (remaining(angles, y[:, -1:], np.array([[case.biased_time]]), bias=True) ** 2).mean()
            biased.append(end - (1 - 2 * third) * np.exp(-2 * third) * mean)
        for j, k in enumerate(degrees):
            yield tidy("rate", f"k{k}", n, np.array(rates)[:, j], lam[j])
            for t, lifetimes in enumerate(case.lifetimes):
                yield tidy("floor", f"k{k}.t{lifetimes:g}", n, np.array(squares)[:, t, j], total(weights[t][j], k))
        for t, T in enumerate(case.times):
            yield tidy("memorised", f"t{T:g}", n, np.array(odd)[:, t], total(odd_weights[t], 3))
        yield tidy("biased", "k3", n, biased, np.exp(-2 * third))
    yield from networks(case)


def networks(case: Circle) -> Iterator[pd.DataFrame]:
    """Networks of ⌈n log n⌉ units trained on degree 2 by steps ½ of the time: what is left of the square at
    the first of the times, over that of the kernel on the same points."""
    T = case.times[0]
    for n in case.num_samples:
        half, found = int(np.ceil(n * np.log(n) / 2)), []
        for rng in streams(case.network_replicates, case.seed, "circle-network", n):
            angles = rng.random(n) * 2 * np.pi
            y = np.sqrt(2) * np.cos(2 * angles)
            X = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            steps = descent(X, y, *paired(rng.standard_normal((half, 2))), step=0.5 / n)
            _, residual, _ = next(islice(steps, round(2 * T), None))
            kernel = remaining(angles, y[:, None], np.array([[T]]))
            found.append(((residual**2).mean(), (kernel**2).mean()))
        yield tidy("network", "k2", n, *np.transpose(found))
