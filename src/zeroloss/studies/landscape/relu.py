"""The two-layer ReLU network of Du et al., its kernel, and how far and across which gates it moves.

f = m^{−1/2} Σ_r a_r max(w_r·x, 0) with |x| = 1, a_r = ±1 that stay, and pairs ±a of equal w, so
that f = 0 at the start. Where the network is wide, the residuals obey r' = −H r with

    H_ij = h(x_i·x_j),      h(t) = t (π − arccos t)/2π.

*Antipodes.* h(t) − h(−t) = t/2: for p pairs ±x the odd part of H has the rank min(p, d) of the inputs,
the even part rank p, so rank H = p + min(p, d), and H is invertible as long as p ≤ d. With G = XXᵀ the odd part is
G/2, and the even one G ∘ arcsin(G)/π: by Schur's bounds its eigenvalues lie between the least and the largest of G/2,
so that H has the condition number of G. Square G have no bounded one: P(λ_min(G) < ε) ~ √ε.
*Movement.* w_r' = (a_r/√m) Σ_i r_i 1{w_r·x_i > 0} x_i, so that |W − W₀|² → yᵀH⁻¹y, and with α = H⁻¹y
√m max_r |w_r − w_r(0)| → sup_w |Σ_i α_i 1{w·x_i > 0} x_i|.
*Flips.* Near the gate w·x_i = 0, s = √m w·x_i obeys s' = ±(Σ_{j≠i} r_j g_j x_i·x_j + r_i 1{s > 0}) with
the other gates g_j of a w orthogonal to x_i. s has density (2πm)^{−1/2} near 0, so √m times the share of
signs that change tends to (2π)^{−1/2} times the measure of the starts whose sign does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import normals, sphere
from zeroloss.studies.landscape.plan import Lazy, Parallel
from zeroloss.studies.replicated import tidy
from zeroloss.studies.two_layer import descended, kernel, paired, tangent

RANK = 1e-13  # of the largest eigenvalue: what is below is none
STARTS = 24  # of s for each gate
MOST_STEPS = 100000


def labelled(seed: int, n: int, d: int) -> tuple[Array, Array]:
    """n points of the sphere with labels ±1."""
    rng = stream(seed, "landscape", n, d)
    return sphere(rng, n, d), rng.choice([-1.0, 1.0], n)


@job(Parallel)
def parallel(case: Parallel) -> Iterator[pd.DataFrame]:
    """Rank of H on p antipodal pairs, and decades of its eigenvalues and of those of G where all of them count."""
    for d in case.dims:
        for p in range(1, case.most_pairs + 1):
            x = sphere(stream(case.seed, "antipodes", d, p), case.replicates * p, d).reshape(-1, p, d)
            G = x @ x.swapaxes(1, 2)
            G[:, range(p), range(p)] = 1.0  # h has a root at −1, where its argument must be exact
            values = np.linalg.eigvalsh(tangent(np.block([[G, -G], [-G, G]])))
            yield tidy("rank", f"d{d}.p{p}", p, (values > RANK * values[:, -1:]).sum(1), p + min(p, d))
            if p <= d:
                decades, of_inputs = (np.log10(v[:, -1] / v[:, 0]) for v in (values, np.linalg.eigvalsh(G)))
                yield tidy("decades", f"d{d}.p{p}", p, decades, of_inputs)


def largest_movement(X: Array, alpha: Array, rng: np.random.Generator, draws: int) -> float:
    """sup_w |Σ α_i 1{w·x_i > 0} x_i| over random w."""
    best = 0.0
    for _ in range(max(1, draws // 20000)):
        gates = rng.standard_normal((min(draws, 20000), X.shape[1])) @ X.T > 0
        best = max(best, float(np.linalg.norm((gates * alpha) @ X, axis=1).max()))
    return best


def flips(X: Array, y: Array, step: float, num_steps: int, rng: np.random.Generator, gates: int) -> tuple[Array, Array]:
    """√m times the predicted share of signs that change, gate by gate: along the path of descent, and
    from the whole movement alone, as if no gate were crossed on the way."""
    n, d = X.shape
    i = rng.integers(n, size=gates)
    w = rng.standard_normal((gates, d))
    w -= (w * X[i]).sum(1, keepdims=True) * X[i]
    sign = rng.choice([-1.0, 1.0], gates)
    others = (w @ X.T > 0) * (X @ X.T)[i]
    others[np.arange(gates), i] = 0.0
    H = kernel(X)
    r = np.array(list(accumulate(range(1, num_steps), lambda r, _: r - step * (H @ r), initial=y)))
    outside = sign[:, None] * (others @ r.T)  # (gates, steps): the velocity at s < 0
    own = sign[:, None] * r.T[i]  # and what adds to it at s > 0
    reach = step * np.maximum(np.abs(outside), np.abs(outside + own)).sum(1).max()
    # stratified starts in [−reach, reach]
    s = reach * (2 * (np.arange(STARTS) + rng.random((gates, STARTS))) / STARTS - 1)
    first = s > 0
    for t in range(num_steps):
        s += step * (outside[:, t, None] + own[:, t, None] * (s > 0))
    along = 2 * reach * ((s > 0) != first).mean(1) / np.sqrt(2 * np.pi)
    total = step * outside.sum(1), step * (outside + own).sum(1)
    ends = (np.maximum(total[0], 0) + np.maximum(-total[1], 0)) / np.sqrt(2 * np.pi)
    return along, ends


@job(Lazy)
def lazy(case: Lazy) -> Iterator[pd.DataFrame]:
    """Movements and flips of trained networks at several widths, over their predictions."""
    X, y = labelled(case.data_seed, case.num_samples, case.dim)
    H = kernel(X)
    values = np.linalg.eigvalsh(H)
    alpha: Array = np.asarray(np.linalg.solve(H, y), dtype=np.float64)
    step = case.step / values[-1]
    rng = stream(case.seed, "lazy", "prediction")
    reach = largest_movement(X, alpha, rng, case.draws)
    steps = int(np.log(1 / case.until) / -np.log1p(-step * values[0])) + 1
    along, ends = flips(X, y, step, steps, rng, case.gates)
    yield tidy("flips-predicted", "path", 0, along)
    yield tidy("flips-predicted", "ends", 0, ends)
    for m, replicates in zip(case.widths, case.replicates, strict=True):
        found = []
        for half in normals(replicates, (m // 2, case.dim), case.seed, "lazy", m):
            W0, signs = paired(half)
            W, left = descended(X, y, W0, signs, step, case.until, MOST_STEPS)
            if not left <= case.until:
                raise RuntimeError(f"descent must reach {case.until:g} in {MOST_STEPS} steps; lower the step")
            rows, gates = np.linalg.norm(W - W0, axis=1), W0 @ X.T > 0
            nearby = np.linalg.norm((gates * alpha) @ X, axis=1).max()
            crossed = ((W @ X.T > 0) != gates).mean()
            found.append(((rows**2).sum(), np.sqrt(m) * rows.max(), nearby, np.sqrt(m) * crossed))
        moved, farthest, nearby, share = np.transpose(found)
        yield tidy("movement", "network", np.sqrt(m), moved, y @ alpha)
        yield tidy("naive", "network", np.sqrt(m), y @ y / values[0])
        yield tidy("farthest", "network", np.sqrt(m), farthest, nearby)
        yield tidy("farthest-sup", "network", np.sqrt(m), farthest, reach)
        yield tidy("flips", "network", np.sqrt(m), share, along.mean())
        yield tidy("flips-ends", "network", np.sqrt(m), share, ends.mean())
