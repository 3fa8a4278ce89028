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
import torch
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import ortho_group
from torch import Tensor
from torch.func import grad, grad_and_value
from torch.nn.functional import cross_entropy, normalize

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import normals, streams
from zeroloss.studies.landscape.plan import Energies, Rotation
from zeroloss.studies.landscape.relu import labelled
from zeroloss.studies.replicated import tidy

CLASSES = 10
MOVING = {"fixed": "V", "rotated": "VR", "free": "VW"}  # what is trained

Parts = dict[str, Tensor]


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
    of_neurons = grad_and_value(lambda W: (torch.pdist(normalize(W)) ** -s).mean())

    def loss(flat: Array) -> tuple[float, Array]:
        slope, value = of_neurons(torch.from_numpy(flat).view(n, D))
        return value.item(), slope.numpy().ravel()

    found = minimize(
        loss, rng.standard_normal(n * D), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-13}
    )
    return float(found.fun)


@job(Energies)
def energies(case: Energies) -> Iterator[pd.DataFrame]:
    """Random neurons, the same rotated, the least that there is; minimised ones of growing number."""
    s = case.power
    for n, D in case.shapes:
        where = f"n{n}.d{D}"
        rotation = ortho_group.rvs(D, random_state=stream(case.seed, "rotation", D))
        drawn = normals(case.replicates, (n, D), case.seed, "energy", n, D)
        found, rotated = ([energy(W @ by, s) for W in drawn] for by in (np.eye(D), rotation))
        yield tidy("random", where, n, found, random_energy(D, s))
        yield tidy("over-least", where, n, found, least_energy(n, D, s))
        yield tidy("change", where, n, np.abs(np.subtract(rotated, found)).max())
    for n in case.counts:
        D = case.counted_dim
        best = min(minimised(n, D, s, rng) for rng in streams(case.starts, case.seed, "least", n))
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
        drawn = normals(case.replicates, (m, case.dim), case.seed, "gradient", m)
        for kind, scales in (("isotropic", np.ones(case.dim)), ("stretched", stretch)):
            yield tidy("gradient", kind, m, [gradient(W * scales, X, y, case.ridge) for W in drawn])
    yield from digits(case)


def digits(case: Rotation) -> Iterator[pd.DataFrame]:
    """Test errors of networks V max(W R x, 0) whose neurons W stay, are rotated together, or are free; and how far
    training free neurons moves their energy, over the gap between random and least."""
    from sklearn.datasets import load_digits

    inputs, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    x, labels = torch.from_numpy((inputs - inputs.mean(0)) / inputs.std()), torch.from_numpy(labels)
    n, D = x.shape
    splits = np.stack([rng.permutation(n) for rng in streams(case.digit_replicates, case.data_seed, "split")])
    train, test = np.split(splits, [case.train_rows], axis=1)
    for m in case.digit_widths:
        rngs = streams(case.digit_replicates, case.seed, "digits", m)
        W = np.stack([rng.standard_normal((m, D)) for rng in rngs]) * np.sqrt(2 / D)
        V = np.stack([rng.standard_normal((CLASSES, m)) for rng in rngs]) / np.sqrt(m)
        which = [rng.integers(case.train_rows, size=(case.steps, case.batch)) for rng in rngs]
        rows = np.stack([order[one] for order, one in zip(train, which, strict=True)], axis=1)
        same = torch.eye(D, dtype=x.dtype).expand(len(W), D, D)
        start = {"W": torch.from_numpy(W), "V": torch.from_numpy(V), "R": same}
        ends = {method: trained(x, labels, rows, start, moving, case) for method, moving in MOVING.items()}
        wrong = {method: logits(x[test], **end).argmax(2) != labels[test] for method, end in ends.items()}
        errors = {method: found.double().mean(1) for method, found in wrong.items()}
        for method, found in errors.items():
            yield tidy("error", f"m{m}.{method}", m, found)
        yield tidy("rotated-minus-free", f"m{m}", m, errors["rotated"] - errors["free"])
        s = case.power
        moved = [energy(new, s) - energy(old, s) for new, old in zip(ends["free"]["W"].numpy(), W, strict=True)]
        yield tidy("moved", f"m{m}", m, moved, random_energy(D, s) - least_energy(m, D, s))


def logits(x: Tensor, W: Tensor, V: Tensor, R: Tensor) -> Tensor:
    """V max(W R x, 0) of each row, network by network."""
    return torch.relu(x @ R.mT @ W.mT) @ V.mT


def trained(x: Tensor, labels: Tensor, rows: np.ndarray, start: Parts, moving: str, case: Rotation) -> Parts:
    """W, V and R of networks after stochastic gradient descent with momentum 0.9 on the soft-max loss of ``rows``
    (steps, networks, batch), where some of the three are trained.

    R stays orthogonal: momentum is taken in the ambient space, projected, and followed by a QR step.
    """
    parts, speed = dict(start), {name: torch.zeros_like(start[name]) for name in moving}

    def loss(moved: Parts, batch: np.ndarray) -> Tensor:
        found = logits(x[batch], **parts | moved).mT
        return cross_entropy(found, labels[batch], reduction="none").mean(1).sum()

    for batch in rows:
        slopes = grad(loss)({name: parts[name] for name in moving}, batch)
        for name in moving:
            speed[name] = 0.9 * speed[name] + slopes[name]
            if name == "R":
                turn = speed["R"] @ parts["R"].mT
                q, r = torch.linalg.qr(parts["R"] - case.learning_rate * (turn - turn.mT) / 2 @ parts["R"])
                parts["R"] = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
            else:
                parts[name] = parts[name] - case.learning_rate * speed[name]
    return parts
