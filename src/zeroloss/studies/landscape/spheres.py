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
    """Test errors of networks whose neurons stay, are rotated together, or are free; and how far training
    free neurons moves their energy, over the gap between random and least."""
    from sklearn.datasets import load_digits

    inputs, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    inputs = (inputs - inputs.mean(0)) / inputs.std()
    for m in case.digit_widths:
        errors: dict[str, list[float]] = {"fixed": [], "rotated": [], "free": []}
        moved = []
        for r in range(case.digit_replicates):
            order = stream(case.data_seed, "split", r).permutation(len(inputs))
            train, test = order[: case.train_rows], order[case.train_rows :]
            for method, found in errors.items():
                rng = stream(case.seed, "digits", m, r)
                net = Layers(rng, m, inputs.shape[1], method)
                start = energy(net.W, case.power)
                net.train(inputs[train], labels[train], rng, case)
                found.append(float((net.predict(inputs[test]) != labels[test]).mean()))
                if method == "free":
                    moved.append(energy(net.W, case.power) - start)
        for method, found in errors.items():
            yield tidy("error", f"m{m}.{method}", m, found)
        yield tidy("rotated-minus-free", f"m{m}", m, np.subtract(errors["rotated"], errors["free"]))
        D = inputs.shape[1]
        yield tidy("moved", f"m{m}", m, moved, random_energy(D, case.power) - least_energy(m, D, case.power))


class Layers:
    """x -> V max(W R x, 0) with soft-max; ``method``: which of W, R and V are trained.

    R stays orthogonal: momentum is taken in the ambient space, projected, and followed by a QR step.
    """

    def __init__(self, rng: np.random.Generator, m: int, d: int, method: str) -> None:
        self.method = method
        self.W = rng.standard_normal((m, d)) * np.sqrt(2 / d)
        self.V = rng.standard_normal((CLASSES, m)) / np.sqrt(m)
        self.R = np.eye(d)

    def predict(self, X: Array) -> Array:
        """The class of each row."""
        return np.argmax(np.maximum(X @ self.R.T @ self.W.T, 0.0) @ self.V.T, axis=1)

    def train(self, X: Array, labels: Array, rng: np.random.Generator, case: Rotation) -> None:
        """Stochastic gradient descent with momentum 0.9."""
        speed = {"V": np.zeros_like(self.V), "W": np.zeros_like(self.W), "R": np.zeros_like(self.R)}
        for _ in range(case.steps):
            rows = rng.integers(len(X), size=case.batch)
            for name, slope in self._slopes(X[rows], labels[rows]).items():
                speed[name] = 0.9 * speed[name] + slope
            self.V = self.V - case.learning_rate * speed["V"]
            if self.method == "free":
                self.W = self.W - case.learning_rate * speed["W"]
            if self.method == "rotated":
                turn = speed["R"] @ self.R.T
                q, r = np.linalg.qr(self.R - case.learning_rate * (turn - turn.T) / 2 @ self.R)
                self.R = q * np.sign(np.diag(r))

    def _slopes(self, X: Array, labels: Array) -> dict[str, Array]:
        Z = X @ self.R.T
        u = Z @ self.W.T
        h = np.maximum(u, 0.0)
        logits = h @ self.V.T
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(X)), labels] -= 1
        p /= len(X)
        back = (p @ self.V) * (u > 0)
        slopes = {"V": p.T @ h}
        if self.method == "free":
            slopes["W"] = back.T @ Z
        if self.method == "rotated":
            slopes["R"] = self.W.T @ back.T @ X
        return slopes
