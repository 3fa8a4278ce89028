"""The job of `neighbours`: neurons as bases, graphs, rounded gradients.

Both methods with bases are Galerkin's: the greedy one projects u in H^m on the neurons it has, and Ritz's minimises the
energy of a plate over what random neurons span, so that its quotient lies above the exact one.

On graphs with A_ij independent of mean W(u_i, u_j), (1/n) Σ_j A_ij x(u_j) misses ∫ W(u_i, v) x(v) dv by a variance of
(1/n²) Σ_j W(1 − W) x²; with A = W it is the midpoint rule.

Descent on ½ Σ h w²: a mantissa of b bits makes relative errors of at most 2^{−b}, which leaves the convergence linear.
Multiples of δ round to zero below δ/2: |w| stops below δ/2h. With what was rounded away added to the next gradient,
x = w − ηe obeys x' = (1 − ηh) x − η²h e with |e| ≤ δ/2: |w| ends below ηδ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from numpy.polynomial.legendre import leggauss
from scipy.linalg import eigh
from scipy.stats import gennorm, kstest
from torch.func import jacfwd, vmap

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model import law, problem
from zeroloss.model.arrays import Array
from zeroloss.network.resnet import Network
from zeroloss.studies.neighbours.plan import Neighbours
from zeroloss.studies.replicated import tidy

POISSON = 0.3
DIM, HIDDEN = 4, 8  # of the graph network
CURVATURES = np.geomspace(0.05, 1.0, 20)


def greedy_errors(power: int, m: int, num_neurons: int, cells: int, orthogonal: bool = True) -> Array:
    """|u − u_n| in H^m, m = 0 or 1, n = 1, 2, …, for u = cos 2πx and the neurons (±(x − t))_+^k with t on a grid.

    Each step takes the normalised neuron with the largest product with the residual, which then loses its projection
    on all neurons (orthogonal), or on that one alone (pure). Four Gauss points a cell: products are exact.
    """
    nodes, weights = leggauss(4)
    t = np.arange(cells) / cells
    x = (t[:, None] + (1 + nodes) / 2 / cells).ravel()
    root = np.sqrt(np.tile(weights, cells) / 2 / cells)
    gap = np.concatenate([x - t[:, None], 1 - t[:, None] - x])
    u, neurons = root * np.cos(2 * np.pi * x), root * np.maximum(gap, 0) ** power
    if m:
        sign = np.repeat([1.0, -1.0], cells)[:, None]
        u = np.concatenate([u, -2 * np.pi * root * np.sin(2 * np.pi * x)])
        neurons = np.concatenate([neurons, root * sign * power * (gap > 0) * np.abs(gap) ** (power - 1)], 1)
    neurons /= np.linalg.norm(neurons, axis=1, keepdims=True)
    chosen, errors = [], []
    for _ in range(num_neurons):
        chosen.append(neurons[np.abs(neurons @ u).argmax()])
        Q = np.linalg.qr(np.array(chosen if orthogonal else chosen[-1:]).T)[0]
        u = u - Q @ (Q.T @ u)
        errors.append(float(np.linalg.norm(u)))
    return np.array(errors)


def plate_quotients(rng: np.random.Generator, num_units: int, num_points: int, free: bool = False) -> Array:
    """ω/2π² and k/4 of a simply supported square: frequency, and buckling under a load along x, (2,).

    u = x(1 − x) y(1 − y) Σ_i c_i tanh(a_i·(x, y) + s_i), c minimises ∫ (Δu)² − 2(1 − ν)(u_xx u_yy − u_xy²) over ∫ u²,
    or over π² ∫ u_x², by Gauss's rule of n² points. Directions in which u is below 1e-5 of its largest are left out.
    With ``free`` the factor y(1 − y) is missing, so that two edges may move.
    """
    nodes, weights = leggauss(num_points)
    points = torch.from_numpy(np.stack(np.meshgrid((1 + nodes) / 2, (1 + nodes) / 2), -1).reshape(-1, 2))
    root = np.sqrt(np.outer(weights, weights).reshape(-1, 1) / 4)
    a = torch.from_numpy(1.5 * rng.standard_normal((num_units, 2)))
    s = torch.from_numpy(rng.uniform(-1.5, 1.5, num_units))

    def trial(point: torch.Tensor) -> torch.Tensor:
        held = point * (1 - point)
        return (held[0] if free else held.prod()) * torch.tanh(a @ point + s)

    u, du, ddu = (vmap(one)(points).numpy() for one in (trial, jacfwd(trial), jacfwd(jacfwd(trial))))
    _, sizes, right = np.linalg.svd(root * u, full_matrices=False)
    kept = sizes > 1e-5 * sizes[0]
    T = right[kept].T / sizes[kept]
    u_x, u_xx, u_yy, u_xy = (root * one @ T for one in (du[..., 0], ddu[..., 0, 0], ddu[..., 1, 1], ddu[..., 0, 1]))
    twist, lap = u_xx.T @ u_yy, u_xx + u_yy
    energy = lap.T @ lap - (1 - POISSON) * (twist + twist.T - 2 * u_xy.T @ u_xy)
    frequency = np.sqrt(eigh(energy, eigvals_only=True)[0]) / (2 * np.pi**2)
    load = 1 / eigh(u_x.T @ u_x, energy, eigvals_only=True)[-1] / (4 * np.pi**2)
    return np.array([frequency, load])


def graphon(u: Array, v: Array) -> Array:
    """W(u, v) for all pairs."""
    return 0.8 * np.exp(-2 * (u[:, None] - v) ** 2)


def gradients(X: Array, again: Array, y: Array, weights: tuple[Array, Array], linear: bool) -> Array:
    """Sums over nodes of h (a·h' − y) for embeddings X, X' (…, nodes, DIM): h the neighbours' mean, or 8 ReLU of it."""
    V, a = weights
    h, other = (X, again) if linear else (np.maximum(X @ V, 0), np.maximum(again @ V, 0))
    return np.einsum("...if,...i->...f", h, other @ a[: h.shape[-1]] - y)


def gradient_errors(case: Neighbours, linear: bool) -> tuple[Array, Array]:
    """Errors of a sampled gradient beside the batch's with exact embeddings, and of this beside the full one, by draw.

    Nodes of a batch are drawn uniformly, neighbours of each uniformly among its own, twice for the linear network so
    that its gradient is unbiased.
    """
    n, R, B, rng = case.graph_size, case.draws, case.batch, stream(case.seed, "minibatch", int(linear))
    fixed = stream(case.data_seed, "minibatch")
    linked = fixed.uniform(size=(n, n)) < 10 / n
    linked[np.arange(n), (np.arange(n) + 1) % n] = True
    degree, listed = linked.sum(1), np.argsort(~linked, axis=1, kind="stable")  # neighbours come first
    X, y = fixed.standard_normal((n, DIM)), fixed.standard_normal(n)
    weights = fixed.standard_normal((DIM, HIDDEN)), fixed.standard_normal(HIDDEN) / 2
    Z, batch = linked / degree[:, None] @ X, rng.integers(n, size=(R, B))
    full = gradients(Z, Z, y, weights, linear) / n
    exact = gradients(Z[batch], Z[batch], y[batch], weights, linear) / B

    def embedded() -> Array:
        place = (rng.uniform(size=(R, B, case.neighbours)) * degree[batch][..., None]).astype(int)
        return X[listed[batch[..., None], place]].mean(2)

    first = embedded()
    sampled = gradients(first, embedded() if linear else first, y[batch], weights, linear) / B
    return sampled - exact, exact - full


def to_float(g: Array, bits: int) -> Array:
    """g with a mantissa of so many bits, and any exponent."""
    mantissa, exponent = np.frexp(g)
    return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent)


def descend(w: Array, rounded: Callable[[Array], Array], num_steps: int, feedback: bool = False) -> Array:
    """|w| after so many steps w ← w − Q(hw + e) with η = 1, e what Q left, or zero."""
    e = 0 * w
    for _ in range(num_steps):
        g = CURVATURES * w + e
        w = w - rounded(g)
        e = g - rounded(g) if feedback else e
    return np.abs(w)


def bases(case: Neighbours) -> Iterator[pd.DataFrame]:
    """Errors of both greedy algorithms, with the order of the bound; quotients of plates held at all edges, at two."""
    for power in case.powers:
        for m in range(min(power, 2)):
            for kind, orthogonal in (("greedy", True), ("pure", False)):
                errors = greedy_errors(power, m, case.num_neurons, case.cells, orthogonal)
                for n in range(case.first_neurons, case.num_neurons + 1):
                    yield tidy(kind, f"k{power}.{('l2', 'h1')[m]}", n, errors[n - 1], power - m + 1)
    for kind, free in (("plate", False), ("two edges", True)):
        rngs = (stream(case.seed, "plate", r) for r in range(case.replicates))
        found = np.array([plate_quotients(rng, case.plate_units, case.plate_points, free) for rng in rngs])
        yield tidy(kind, "frequency", case.plate_units, found[:, 0])
        yield tidy(kind, "buckling", case.plate_units, found[:, 1])


def graphs(case: Neighbours) -> Iterator[pd.DataFrame]:
    """For x(v) = cos 3v n times the squared error on drawn graphs, beside ∬ W(1 − W) x², and on weighted ones; the
    error on these. Cross terms of minibatches, variances."""
    nodes, weights = leggauss(40)
    v, weights = (1 + nodes) / 2, weights / 2
    variance = weights @ (graphon(v, v) * (1 - graphon(v, v))) @ (weights * np.cos(3 * v) ** 2)
    for n in case.num_nodes:
        u, found = (np.arange(n) + 0.5) / n, []
        W, x, limit = graphon(u, u), np.cos(3 * u), graphon(u, v) @ (weights * np.cos(3 * v))
        for r in range(case.num_graphs):
            upper = np.triu(stream(case.seed, "graphon", n, r).uniform(size=(n, n)) < W)
            found.append(n * (((upper | upper.T) @ x / n - limit) ** 2).mean())
        error = ((W @ x / n - limit) ** 2).mean()
        yield tidy("drawn", "convolution", n, found, variance)
        yield tidy("undrawn", "convolution", n, [n * error] * 2, variance)
        yield tidy("weighted", "convolution", n, np.sqrt(error))
    for where, linear in (("linear", True), ("relu", False)):
        inner, outer = gradient_errors(case, linear)
        for kind, error in (("cross", inner), ("total", inner + outer)):
            yield tidy(kind, where, case.batch, 2 * (error * outer).sum(1), ((error + outer) ** 2).sum(1))


def rounding(case: Neighbours) -> Iterator[pd.DataFrame]:
    """Ends of descents by rounding, over what is predicted; distances to a generalised normal law of the gradients of
    residual networks at their start, on digits."""

    def steps(g: Array) -> Array:
        return case.unit * np.round(g / case.unit)

    half, exact = case.num_steps // 2, 2 * np.log1p(-CURVATURES[0])
    digits = problem.built_in("digits", case.num_samples, case.data_seed)
    network = Network(digits, case.num_layers, case.num_units, compiled=False)
    for r in range(case.replicates):
        start, found = stream(case.seed, "rounding", r).uniform(1.0, 2.0, len(CURVATURES)), []
        for kind, rounded in (("rate", lambda g: to_float(g, case.bits)), ("steps", steps)):
            early, late = (descend(start, rounded, k)[0] for k in (half, 2 * half))
            found.append(tidy(kind, "float", case.bits, 2 * np.log(late / early) / half, exact))
        found.append(tidy("stall", "fixed", 1, (CURVATURES * descend(start, steps, 2 * half)).max(), case.unit / 2))
        found.append(tidy("feedback", "fixed", 1, descend(start, steps, 2 * half, feedback=True).max(), case.unit))
        rng = stream(case.seed, "gradients", r)
        theta = law.sample_independent(law.InitialLaw(), rng, case.num_layers, case.num_units, digits.dim)
        point = network.linearise(torch.from_numpy(theta))
        values = point.pull(point.residuals).numpy().ravel()
        shape, centre, scale = gennorm.fit(values, floc=0.0)
        distance = kstest(values, gennorm(shape, centre, scale).cdf).statistic
        found.append(tidy("gradients", "digits", case.num_units, distance, shape))
        yield from (one.assign(replicate=r) for one in found)


@job(Neighbours)
def neighbours(case: Neighbours) -> Iterator[pd.DataFrame]:
    """All of them."""
    yield from (table for tables in (bases, graphs, rounding) for table in tables(case))
