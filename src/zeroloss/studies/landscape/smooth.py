"""Smooth networks: PL* with explicit constants, minimisers that are not convex, paths, norms of second derivatives.

f = m^{−1/2} Σ_r a_r tanh(w_r·x), |x| = 1, a_r = ±1 that stay, W trained on ½|f − y|². With s = sup|σ''|
and unit inputs |J(W) − J(W₀)| ≤ s |X| |W − W₀|_F/√m, so that

    √λ_min(K(W)) ≥ √λ₀ − s |X| |W − W₀|_F/√m,     λ₀ = λ_min(K(W₀)).

Where √λ_min ≥ √λ₀/2 the path of gradient flow is no longer than 2|r₀|/√λ₀, so m ≥ (4 s |X| |r₀|/λ₀)²
keeps PL* with μ = λ₀/4 along it and leads to zero loss.

*At a minimiser.* ∇²L = JᵀJ + Σ r_i ∇²f_i. At w* + δv the residuals are δ Jv, so λ_min(∇²L)/δ tends to
λ_min of P Σ_i (Jv)_i ∇²f_i P with P onto ker J. A ReLU has ∇²f_i = 0 off its gates: ∇²L = JᵀJ there.

*Path.* Steps −η Jᵀr with a constant K sum to the length η Σ_t (rᵀK r)^{1/2}, r = (1 − ηK)^t r₀, and the distance of
their ends is (r₀ᵀK⁻¹r₀)^{1/2}; natural gradient, −η Jᵀ K⁻¹ r, keeps its direction: 1.

*Second derivatives*, by automatic differentiation, are small for a linear head alone:

    linear      f = m^{−1/2} Σ_r a_r tanh(w_r·x), both layers trained
    head        tanh of it
    bottleneck  f = m^{−1/2} Σ_r a_r tanh(u_r·b), b = m^{−1/2} Σ_r v_r tanh(w_r·x) in R⁴, all layers trained

Of a linear head the Hessian parts into one block for each unit, on a_r and on w_r along x, with the norm

    max_r ½ (|b_r| + (b_r² + 4 σ'²|x|²)^{1/2})/√m,     b_r = |a_r σ''(w_r·x)| |x|².

tanh(g) adds tanh''(g) ∇g∇gᵀ, of norm |tanh''(g)| |∇g|² = O(1); so does a bottleneck of four neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pandas as pd
import torch
from numpy.polynomial.hermite_e import hermegauss
from torch import Tensor
from torch.func import grad, jvp, vmap

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import normals, sphere, streams
from zeroloss.studies.landscape.plan import Certificate, Hessians, Minimisers, Straight
from zeroloss.studies.landscape.relu import labelled
from zeroloss.studies.replicated import tidy
from zeroloss.studies.two_layer import RELU, Activation, descended, descent, paired

SUP_CURVATURE = 4 / (3 * np.sqrt(3))  # of tanh
NODES = 60  # of each axis of the Gauss-Hermite rule
NECK = 4  # neurons of the bottleneck
POWERS = 24  # iterations of the power method, on the square of the Hessian

Net = Callable[[Tensor, Tensor], Tensor]


def slope(u: Array) -> Array:
    """tanh'."""
    return 1 / np.cosh(u) ** 2


def curvature(u: Array) -> Array:
    """tanh''."""
    return -2 * np.tanh(u) / np.cosh(u) ** 2


TANH: Activation = (np.tanh, slope)


def jacobian(W: Array, signs: Array, X: Array, sigma: Activation = TANH) -> Array:
    """∂f_i/∂W as (n, m d); signs are a/√m, W (m, d)."""
    return ((sigma[1](X @ W.T) * signs)[:, :, None] * X[:, None, :]).reshape(len(X), -1)


def limit_kernel(X: Array) -> Array:
    """E σ'(w·x_i) σ'(w·x_j) x_i·x_j over w from N(0, 1), by a Gauss-Hermite rule in the plane of both."""
    nodes, weights = hermegauss(NODES)
    weights = weights / weights.sum()
    t = np.clip(X @ X.T, -1.0, 1.0)
    v = t[..., None, None] * nodes[:, None] + np.sqrt(1 - t**2)[..., None, None] * nodes
    return np.einsum("ijab,a,b->ij", slope(nodes)[:, None] * slope(v), weights, weights) * t


@job(Certificate)
def certificate(case: Certificate) -> Iterator[pd.DataFrame]:
    """The widths that suffice by PL* and by the theorem's polynomial, which networks come to zero loss
    within a horizon, and the condition number of K at large width."""
    n, d = case.num_samples, case.dim
    X, y = labelled(case.data_seed, n, d)
    H = limit_kernel(X)
    values = np.linalg.eigvalsh(H)
    step = case.step / values[-1]
    steps, until = int(case.horizon / (values[0] * step)), np.sqrt(case.accuracy)
    certified = (4 * SUP_CURVATURE * np.linalg.norm(X, 2) * np.linalg.norm(y) / values[0]) ** 2
    yield tidy("certified", "network", n, certified)
    yield tidy("theorem", "network", n, n**6 / values[0] ** 4)
    for m in case.widths:
        drawn = stream(case.seed, "certificate", m).standard_normal((case.replicates, m // 2, d))
        _, left = descended(X, y, *paired(drawn), step, until, steps, TANH)
        yield tidy("success", "network", m, left <= until)
    m = 2 * int(np.ceil(certified / 2))  # so wide that λ_min of K at the start is that of H
    for r, drawn in enumerate(normals(case.certified_replicates, (m // 2, d), case.seed, "certified")):
        _, left = descended(X, y, *paired(drawn), step, until, steps, TANH)
        yield tidy("failed", "network", r, left > until)
    m, rngs = case.condition_width, streams(case.condition_replicates, case.seed, "condition")
    jacobians = {
        "network": [jacobian(*paired(rng.standard_normal((m // 2, d))), X) for rng in rngs],
        "gaussian": [rng.standard_normal((n, m)) for rng in rngs],
    }
    for kind, found in jacobians.items():
        yield tidy("condition", kind, m, np.linalg.cond([J @ J.T for J in found]), values[-1] / values[0])


def minimiser(W: Array, signs: Array, X: Array, y: Array) -> Array:
    """A zero of the loss by Gauss-Newton steps, damped so that units do not saturate."""
    residual = y
    for _ in range(400):
        residual = signs @ np.tanh(W @ X.T) - y
        if np.abs(residual).max() < 1e-13:
            return W
        J = jacobian(W, signs, X)
        change = J.T @ np.linalg.solve(J @ J.T, residual)
        W = W - (0.3 if np.abs(residual).max() > 1e-3 else 1.0) * change.reshape(W.shape)
    raise RuntimeError(f"Gauss-Newton must reach a zero of the loss, got {np.abs(residual).max():.3g}")


def second_order(W: Array, signs: Array, X: Array, weights: Array) -> Array:
    """Σ_i c_i ∇²f_i for tanh: a block a_r σ''(w_r·x_i) x_i x_iᵀ/√m for each unit, (m d, m d)."""
    m, d = W.shape
    blocks = np.einsum("ri,i,ia,ib->rab", curvature(W @ X.T) * signs[:, None], weights, X, X)
    full = np.zeros((m, d, m, d))
    full[np.arange(m), :, np.arange(m), :] = blocks
    return full.reshape(m * d, m * d)


@job(Minimisers)
def minimisers(case: Minimisers) -> Iterator[pd.DataFrame]:
    """Smallest eigenvalue of the Hessian next to a minimiser, over δ and over its prediction; the same
    of ReLU networks at a random point, where no residual can bend the loss."""
    X, y = labelled(case.data_seed, case.num_samples, case.dim)
    m, d = case.num_units, case.dim
    for r, rng in enumerate(streams(case.replicates, case.seed, "minimiser")):
        signs = rng.choice([-1.0, 1.0], m) / np.sqrt(m)
        W = minimiser(rng.standard_normal((m, d)), signs, X, case.scale * y)
        v = rng.standard_normal((m, d))
        v /= np.linalg.norm(v)
        J = jacobian(W, signs, X)
        kernel_of_J = np.linalg.svd(J)[2][len(X) :]
        inner = kernel_of_J @ second_order(W, signs, X, J @ v.ravel()) @ kernel_of_J.T
        predicted = np.linalg.eigvalsh(inner)[0]
        for delta in case.deltas:
            at = W + delta * v
            J = jacobian(at, signs, X)
            hessian = J.T @ J + second_order(at, signs, X, signs @ np.tanh(at @ X.T) - case.scale * y)
            yield tidy("tanh", f"x{r}", delta, np.linalg.eigvalsh(hessian)[0] / delta, predicted)
            J = jacobian(at, signs, X, RELU)
            yield tidy("relu", f"x{r}", delta, np.linalg.eigvalsh(J.T @ J)[0], predicted)


@job(Straight)
def straight(case: Straight) -> Iterator[pd.DataFrame]:
    """Length over displacement of training paths, of gradient descent and of natural gradient, and the same of a
    constant kernel."""
    X, y = labelled(case.data_seed, case.num_samples, case.dim)
    for m, replicates in zip(case.widths, case.replicates, strict=True):
        starts = normals(replicates, (m // 2, case.dim), case.seed, "straight", m)
        for method in ("descent", "natural"):
            found = [stretches(X, y, *paired(half), case, method == "natural") for half in starts]
            yield tidy("length", method, np.sqrt(m), *np.transpose(found))


def stretches(X: Array, y: Array, W: Array, signs: Array, case: Straight, natural: bool) -> tuple[float, float]:
    """Length over displacement of the path from W, and of that of a constant kernel."""
    J = jacobian(W, signs, X)
    values, vectors = np.linalg.eigh(J @ J.T)
    rate = np.ones_like(values) if natural else values
    step = case.step / rate[-1]
    steps = int(np.log(1 / case.until) / -np.log1p(-step * rate[0])) + 1
    length, end = 0.0, W
    for at, _, change in islice(descent(X, y, W, signs, step, TANH, natural=natural), steps):
        length, end = length + np.linalg.norm(change), at - change
    modes = (vectors.T @ y) ** 2
    factors = (1 - step * rate) ** np.arange(steps)[:, None]
    norms = np.sqrt((factors**2 * modes * rate**2 / values).sum(1))
    displacement = np.sqrt(((1 - (1 - step * rate) ** steps) ** 2 * modes / values).sum())
    return float(length / np.linalg.norm(end - W)), float(step * norms.sum() / displacement)


def linear(p: Tensor, x: Tensor) -> Tensor:
    """The network with a linear head, of m (d + 1) parameters."""
    m = len(p) // (len(x) + 1)
    return p[:m] @ torch.tanh(p[m:].view(m, -1) @ x) / m**0.5


def head(p: Tensor, x: Tensor) -> Tensor:
    """The same behind a tanh."""
    return torch.tanh(linear(p, x))


def bottleneck(p: Tensor, x: Tensor) -> Tensor:
    """The network through four neurons, of m (d + 1 + 2 NECK) parameters."""
    m = len(p) // (len(x) + 1 + 2 * NECK)
    a, u, v, w = p.split((m, NECK * m, NECK * m, len(x) * m))
    b = v.view(NECK, m) @ torch.tanh(w.view(m, -1) @ x) / m**0.5
    return a @ torch.tanh(u.view(m, NECK) @ b) / m**0.5


# with the number of parameters of a unit beside those on its input
NETS = {"linear": (linear, 1), "head": (head, 1), "bottleneck": (bottleneck, 1 + 2 * NECK)}


def drawn(size: int, m: int, count: int, *name: str | int) -> Tensor:
    """Parameters of so many networks of m units: outer weights ±1, inner ones from N(0, 1)."""
    rng = stream(*name)
    p = rng.standard_normal((count, size))
    p[:, :m] = rng.choice([-1.0, 1.0], (count, m))
    return torch.from_numpy(p)


def norms(net: Net, p: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """|∇²f(p_k; x)| for each of the networks p (count, size), by the power method from ``start``."""

    def apply(v: Tensor) -> Tensor:
        return vmap(lambda q, w: jvp(lambda z: grad(net)(z, x), (q,), (w,))[1])(p, v)

    v = start / start.norm(dim=1, keepdim=True)
    for _ in range(POWERS):
        v = apply(apply(v))
        v = v / v.norm(dim=1, keepdim=True)
    return apply(v).norm(dim=1)


def closed_form(p: Tensor, m: int, x: Tensor) -> Tensor:
    """The norm for the linear head."""
    u = torch.tanh(p[:, m:].view(len(p), m, -1) @ x)
    first, second = 1 - u**2, 2 * (u * (1 - u**2)).abs() * p[:, :m].abs()
    length = x.norm()
    b = second * length**2
    return ((b + (b**2 + 4 * first**2 * length**2).sqrt()) / 2).amax(1) / m**0.5


@job(Hessians)
def hessians(case: Hessians) -> Iterator[pd.DataFrame]:
    """Norms at random parameters, architecture by width; which of them come to zero loss."""
    d, width = case.dim, case.trained_width
    x = torch.from_numpy(sphere(stream(case.data_seed, "hessian"), 1, d)[0])
    for kind, (net, outer) in NETS.items():
        for m in case.widths:
            size = m * (d + outer)
            p = drawn(size, m, case.replicates, case.seed, kind, m)
            start = torch.from_numpy(stream(case.seed, kind, m, "power").standard_normal((case.replicates, size)))
            yield tidy("norm", kind, m, norms(net, p, x, start), closed_form(p, m, x) if kind == "linear" else 1.0)
        p = drawn(width * (d + outer), width, case.trained_replicates, case.seed, kind, "trained")
        yield tidy("left", kind, width, left(net, p, case))


def left(net: Net, p: Tensor, case: Hessians) -> Tensor:
    """Loss at the end of descent from p on labels ±½, over that at the start, network by network."""
    X, y = (torch.from_numpy(part) for part in labelled(case.data_seed, case.num_samples, case.dim))

    def loss(q: Tensor) -> Tensor:
        return 0.5 * ((vmap(lambda x: net(q, x))(X) - y / 2) ** 2).sum()

    first = vmap(loss)(p)
    slope, velocity = vmap(grad(loss)), torch.zeros_like(p)
    for _ in range(case.steps):
        velocity = 0.9 * velocity - case.step * slope(p)
        p = p + velocity
    return vmap(loss)(p) / first
