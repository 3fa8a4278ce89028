"""Hyperspherical energy of neurons, and training by rotations alone (orthogonal over-parameterised training).

The energy of n unit vectors of R^D is the mean of |u − v|^{−s} over pairs. Of random ones it is for every n

    2^{−s} Γ((D − 1 − s)/2) Γ(D − 1) / (Γ((D − 1)/2) Γ(D − 1 − s/2)),      s < D − 1,

and the least is (2n/(n − 1))^{−s/2} for n ≤ D + 1, a simplex, and ((2D − 2) 2^{−s/2} + 2^{−s})/(2D − 1) for
n = 2D, a cross-polytope. For large n the least lies below the random one by C n^{s/(D−1) − 1} − 1/n of it.

One rotation R of all neurons keeps the energy, whatever it is, and of an isotropic layer only rotates the
inputs: where it is wide the loss, with the best linear layer on top, does not depend on R, and at width m its
gradient over O(d) is of size m^{−1/2}.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import ortho_group

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.landscape.plan import Energies, Rotation
from zeroloss.studies.landscape.relu import labelled
from zeroloss.studies.replicated import tidy

CLASSES = 10


def energy(W: Array, s: float) -> float:
    """Mean of |u − v|^{−s} over the pairs of normalised rows."""
    U = W / np.linalg.norm(W, axis=1, keepdims=True)
    squares = 2 - 2 * (U @ U.T)[np.triu_indices(len(U), 1)]
    return float((squares ** (-s / 2)).mean())


def random_energy(D: int, s: float) -> float:
    """The mean of random directions."""
    if s >= D - 1:
        raise ValueError(f"power must be below D − 1 = {D - 1}, or the energy has no mean, got {s}; lower it")
    logs = gammaln((D - 1 - s) / 2) + gammaln(D - 1) - gammaln((D - 1) / 2) - gammaln(D - 1 - s / 2)
    return float(2**-s * np.exp(logs))


def least_energy(n: int, D: int, s: float) -> float:
    """Of a simplex or a cross-polytope; ValueError for n that have no closed form."""
    if n <= D + 1:
        return float((2 * n / (n - 1)) ** (-s / 2))
    if n == 2 * D:
        return float(((2 * D - 2) * 2 ** (-s / 2) + 2**-s) / (2 * D - 1))
    raise ValueError(f"the least energy is known for n ≤ D + 1 and n = 2D, got n = {n} and D = {D}")


def minimised(n: int, D: int, s: float, rng: np.random.Generator) -> float:
    """A local minimum of the energy, by L-BFGS from random directions."""

    def loss(flat: Array) -> tuple[float, Array]:
        W = flat.reshape(n, D)
        length = np.linalg.norm(W, axis=1, keepdims=True)
        U = W / length
        squares = 2 - 2 * U @ U.T
        np.fill_diagonal(squares, 1.0)
        powers = squares ** (-s / 2)
        np.fill_diagonal(powers, 0.0)
        value = powers.sum() / (n * (n - 1))
        slope = (2 * s / (n * (n - 1))) * (powers / squares) @ U
        slope = (slope - (slope * U).sum(1, keepdims=True) * U) / length
        return value, slope.ravel()

    found = minimize(
        loss, rng.standard_normal(n * D), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-13}
    )
    return float(found.fun)


@job(Energies)
def energies(case: Energies) -> Iterator[pd.DataFrame]:
    """Random neurons, the same rotated, the least that there is; minimised ones of growing number."""
    s = case.power
    for n, D in case.shapes:
        where, found, changes = f"n{n}.d{D}", [], []
        rotation = ortho_group.rvs(D, random_state=stream(case.seed, "rotation", D))
        for r in range(case.replicates):
            W = stream(case.seed, "energy", n, D, r).standard_normal((n, D))
            found.append(energy(W, s))
            changes.append(abs(energy(W @ rotation, s) - found[-1]))
        yield tidy("random", where, n, found, random_energy(D, s))
        yield tidy("over-least", where, n, found, least_energy(n, D, s))
        yield tidy("change", where, n, max(changes))
    for n in case.counts:
        D = case.counted_dim
        best = min(minimised(n, D, s, stream(case.seed, "least", n, r)) for r in range(case.starts))
        yield tidy("minimised", f"d{D}", n, best, random_energy(D, s))


def gradient(W: Array, X: Array, y: Array, ridge: float) -> float:
    """|∇_R ℓ| over O(d) at R = I of ℓ = min_a |y − Φa|² + λ|a|², Φ = max(XWᵀ, 0)/√m.

    ℓ = λ yᵀ(ΦΦᵀ + λ)⁻¹y, so that with z = (ΦΦᵀ + λ)⁻¹y and c = Φᵀz the gradient in a matrix is
    −2λ Wᵀ (c_r z_i 1{w_r·x_i > 0}) X/√m; that over the group is its antisymmetric part.
    """
    m = len(W)
    u = X @ W.T
    features = np.maximum(u, 0.0) / np.sqrt(m)
    z = np.linalg.solve(features @ features.T + ridge * np.eye(len(X)), y)
    free = -2 * ridge / np.sqrt(m) * W.T @ (((u > 0) * z[:, None]) * (features.T @ z)).T @ X
    return float(np.linalg.norm(free - free.T) / 2)


@job(Rotation)
def rotation(case: Rotation) -> Iterator[pd.DataFrame]:
    """Gradients over O(d) at several widths, of isotropic and of stretched neurons; digits."""
    X, y = labelled(case.data_seed, case.num_samples, case.dim)
    stretch = np.linspace(0.2, 1.8, case.dim)
    for m in case.widths:
        for kind, scales in (("isotropic", np.ones(case.dim)), ("stretched", stretch)):
            found = []
            for r in range(case.replicates):
                W = stream(case.seed, "gradient", m, r).standard_normal((m, case.dim))
                found.append(gradient(W * scales, X, y, case.ridge))
            yield tidy("gradient", kind, m, found)
    yield from digits(case)


def digits(case: Rotation) -> Iterator[pd.DataFrame]:
    """Test errors of networks V max(W R x, 0) whose neurons W stay, are rotated together, or are free; and how far
    training free neurons moves their energy, over the gap between random and least."""
    from sklearn.datasets import load_digits

    inputs, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    inputs = (inputs - inputs.mean(0)) / inputs.std()
    D = inputs.shape[1]
    for m in case.digit_widths:
        errors: dict[str, list[float]] = {"fixed": [], "rotated": [], "free": []}
        moved = []
        for r in range(case.digit_replicates):
            order = stream(case.data_seed, "split", r).permutation(len(inputs))
            train, test = order[: case.train_rows], order[case.train_rows :]
            for method, found in errors.items():
                rng = stream(case.seed, "digits", m, r)
                W = rng.standard_normal((m, D)) * np.sqrt(2 / D)
                V = rng.standard_normal((CLASSES, m)) / np.sqrt(m)
                end = trained(inputs[train], labels[train], W, V, method, rng, case)
                predicted = forward(inputs[test], *end)[2].argmax(1)
                found.append(float((predicted != labels[test]).mean()))
                if method == "free":
                    moved.append(energy(end[0], case.power) - energy(W, case.power))
        for method, found in errors.items():
            yield tidy("error", f"m{m}.{method}", m, found)
        yield tidy("rotated-minus-free", f"m{m}", m, np.subtract(errors["rotated"], errors["free"]))
        yield tidy("moved", f"m{m}", m, moved, random_energy(D, case.power) - least_energy(m, D, case.power))


def forward(X: Array, W: Array, V: Array, R: Array) -> tuple[Array, Array, Array]:
    """R x, h = max(W R x, 0) and the logits V h of each row."""
    Z = X @ R.T
    h = np.maximum(Z @ W.T, 0.0)
    return Z, h, h @ V.T


def trained(
    X: Array, labels: Array, W: Array, V: Array, method: str, rng: np.random.Generator, case: Rotation
) -> tuple[Array, Array, Array]:
    """W, V and R after stochastic gradient descent with momentum 0.9 on the soft-max loss, from R = I.

    V is trained, W if the neurons are "free", R if they are "rotated": R stays orthogonal, as momentum is taken in
    the ambient space, projected, and followed by a QR step.
    """
    R, rate = np.eye(X.shape[1]), case.learning_rate
    speed_V = speed_W = speed_R = np.zeros(())
    for _ in range(case.steps):
        rows = rng.integers(len(X), size=case.batch)
        Z, h, logits = forward(X[rows], W, V, R)
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(rows)), labels[rows]] -= 1
        p /= len(rows)
        back = (p @ V) * (h > 0)
        if method == "free":
            speed_W = 0.9 * speed_W + back.T @ Z
            W = W - rate * speed_W
        if method == "rotated":
            speed_R = 0.9 * speed_R + W.T @ back.T @ X[rows]
            turn = speed_R @ R.T
            q, r = np.linalg.qr(R - rate * (turn - turn.T) / 2 @ R)
            R = q * np.sign(np.diag(r))
        speed_V = 0.9 * speed_V + p.T @ h
        V = V - rate * speed_V
    return W, V, R
