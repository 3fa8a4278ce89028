"""Products of random matrices: their rank, their spectrum, and what training leaves of both.

The participation rank of S ≥ 0 is P²/Q with P = tr S and Q = tr S², the effective rank exp(−Σ p log p) with p the
singular values over their sum.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import digamma

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.aspect.plan import Bias, Rank
from zeroloss.studies.replicated import tidy

BATCH = 500  # products that are drawn at once
STEP = 0.1  # of gradient descent, over the number of layers; inputs are whitened
MOST_STEPS = 400_000
STARTS = ("gaussian", "orthogonal", "small")


def layer(P2: float, Q: float, width: int, inputs: int) -> tuple[float, float]:
    """E P² and E Q of W S Wᵀ for W (width, inputs) with entries N(0, 1/inputs).

    By Wick's rule: P² -> (n² P² + 2n Q)/d² and Q -> (n P² + n(n+1) Q)/d²; for n = d the eigenvalues are 1 + 2/n and
    1 − 1/n.
    """
    n, d = width, inputs
    return (n**2 * P2 + 2 * n * Q) / d**2, (n * P2 + n * (n + 1) * Q) / d**2


def predicted_rank(P2: float, Q: float, inputs: int, width: int, depth: int) -> float:
    """E P²/E Q after ``depth`` layers."""
    for one in range(depth):
        P2, Q = layer(P2, Q, width, width if one else inputs)
    return P2 / Q


def moments(start: Array, width: int, depth: int, count: int, rng: np.random.Generator) -> Array:
    """P² and Q of S = A Aᵀ, A = W_depth ⋯ W_1 start (inputs, samples): (count, 2)."""
    A = np.broadcast_to(start, (count, *start.shape))
    for _ in range(depth):
        d = A.shape[1]
        A = rng.standard_normal((count, width, d)) @ A / np.sqrt(d)
    S = A @ A.swapaxes(1, 2)
    return np.stack([np.trace(S, axis1=1, axis2=2) ** 2, (S**2).sum((1, 2))], 1)


def _ranks(where: str, start: Array, width: int, depth: int, replicates: int, seed: int) -> pd.DataFrame:
    """One row for each product, with P² and Q, and the predicted ratio of their means."""
    C = start @ start.T
    predicted = predicted_rank(float(np.trace(C)) ** 2, float((C**2).sum()), len(C), width, depth)
    found = np.concatenate(
        [
            moments(start, width, depth, min(BATCH, replicates - first), stream(seed, where, first))
            for first in range(0, replicates, BATCH)
        ]
    )
    return tidy("rank", where, depth / width, found[:, 0], predicted).assign(trace=found[:, 1])


def images(case: Rank) -> Array:
    """Digits, so many of them, centred: (pixels, samples)."""
    from sklearn.datasets import load_digits

    rows = np.asarray(load_digits(return_X_y=True)[0], dtype=float)
    rows = rows[stream(case.data_seed, "digits").permutation(len(rows))[: case.digits_samples]]
    return (rows - rows.mean(0)).T


@job(Rank)
def rank(case: Rank) -> Iterator[pd.DataFrame]:
    """P² and Q of products; logarithms of the diagonal of R along QR decompositions, by layer."""
    starts = [("", np.eye(n), n, replicates) for n, replicates in zip(case.widths, case.replicates, strict=True)]
    for words, start, n, replicates in (*starts, ("digits.", images(case), case.digits_width, case.digits_replicates)):
        for depth in sorted({max(round(t * n), 1) for t in case.aspect_ratios}):
            yield _ranks(f"{words}n{n}.l{depth}", start, n, depth, replicates, case.seed)
    n, sums = case.spectrum_width, np.zeros((case.spectrum_replicates, case.spectrum_width))
    rng, basis = stream(case.seed, "spectrum"), np.broadcast_to(np.eye(n), (len(sums), n, n))
    for _ in range(case.spectrum_depth):
        basis, R = np.linalg.qr(rng.standard_normal(basis.shape) / np.sqrt(n) @ basis)
        sums += np.log(np.abs(np.diagonal(R, axis1=1, axis2=2)))
    for i in range(n):
        exponent = (digamma((n - i) / 2) + np.log(2 / n)) / 2
        yield tidy("exponent", f"i{i + 1}", n, sums[:, i] / case.spectrum_depth, exponent).assign(trace=1.0)


def effective_rank(A: Array) -> Array:
    """exp of the entropy of the singular values over their sum: (…, n, m) -> (…)."""
    s = np.linalg.svd(A, compute_uv=False)
    p = s / s.sum(-1, keepdims=True)
    return np.exp(-(p * np.log(np.maximum(p, 1e-300))).sum(-1))


def product(factors: Array) -> Array:
    """W_N ⋯ W_1 of factors (N, replicates, n, n)."""
    whole = factors[0]
    for W in factors[1:]:
        whole = W @ whole
    return whole


def start(kind: str, shape: tuple[int, int, int, int], scale: float, rng: np.random.Generator) -> Array:
    """Factors (N, replicates, n, n): Gaussian of variance 1/n, orthogonal, or orthogonal times scale^(1/N)."""
    W = rng.standard_normal(shape) / np.sqrt(shape[-1])
    if kind == "gaussian":
        return W
    Q, R = np.linalg.qr(W)
    Q = Q * np.sign(np.diagonal(R, axis1=2, axis2=3))[:, :, None, :]
    return Q * scale ** (1 / shape[0]) if kind == "small" else Q


def descend(factors: Array, covariance: Array, target: Array, accuracy: float) -> Array:
    """Gradient descent on ½ tr (W − Z) C (W − Z)ᵀ from factors (N, R, n, n), each until that is ``accuracy`` of its
    value at W = 0. RuntimeError if one does not arrive."""
    W, N = factors.copy(), len(factors)
    floor = accuracy * np.einsum("rij,rjk,rik->r", target, covariance, target)
    alive = np.arange(W.shape[1])
    for _ in range(MOST_STEPS):
        now = W[:, alive]
        left, right = [np.broadcast_to(np.eye(W.shape[-1]), now[0].shape)], [now[0]]
        for j in range(1, N):
            left.append(left[-1] @ now[N - j])
            right.append(now[j] @ right[-1])
        error = right[-1] - target[alive]
        G = error @ covariance[alive]
        keep = (G * error).sum((1, 2)) > floor[alive]
        if not keep.any():
            return W
        for j in range(N):
            gradient = left[N - 1 - j].swapaxes(1, 2) @ G
            if j:
                gradient = gradient @ right[j - 1].swapaxes(1, 2)
            W[j, alive[keep]] -= STEP / N * gradient[keep]
        alive = alive[keep]
    raise RuntimeError(f"{len(alive)} networks of {N} layers were not trained after {MOST_STEPS} steps; raise accuracy")


@job(Bias)
def bias(case: Bias) -> Iterator[pd.DataFrame]:
    """Effective and participation rank of trained products, by depth, start and number of samples.

    Inputs and target of a replicate are the same for all depths, starts and numbers of samples. The inputs are
    whitened: their second moment C is the projector to the space that the samples span.
    """
    n, R = case.width, case.replicates
    rng = stream(case.seed, "bias", "data")
    factors = np.linalg.qr(rng.standard_normal((2, R, n, case.rank)))[0]
    target = factors[0] * np.linspace(1, 0, case.rank, endpoint=False) @ factors[1].swapaxes(1, 2)
    X = rng.standard_normal((R, n, max(case.num_samples)))
    for samples in case.num_samples:
        whitened = np.linalg.qr(X[:, :, :samples])[0]
        C = whitened @ whitened.swapaxes(1, 2)
        for kind in STARTS:
            for depth in case.depths:
                W = start(kind, (depth, R, n, n), case.small_scale, stream(case.seed, "bias", kind, depth))
                whole = product(descend(W, C, target, case.accuracy))
                S = whole @ whole.swapaxes(1, 2)
                participation = np.trace(S, axis1=1, axis2=2) ** 2 / (S**2).sum((1, 2))
                where = f"{kind}.s{samples}"
                yield tidy("effective", where, depth, effective_rank(whole), case.rank)
                yield tidy("participation", where, depth, participation, case.rank)
