"""Random residual networks at great depth, and statistics of weights on paths that are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.model.law import FractionalBrownian, SmoothPath
from zeroloss.studies.regimes.plan import Chains, Paths
from zeroloss.studies.replicated import tidy

LEAK = 0.5
BATCH = 20_000
WINDOW = 8  # layers of a running mean
BLOCKS = ("linear", "leaky", "relu", "without-w")
CURVATURE = {"gelu": np.sqrt(2 / np.pi), "tanh": 0.0}  # σ''(0)


def norms(case: Chains, block: str, first: int, count: int) -> Array:
    """log |z_L|² from |z_0| = 1 of layers z -> z + (s/√L) V φ, V ~ N(0, 1/n).

    φ is z, or the full block σ(Wz) with W of variance 2/(n(1 + a²)); `without-w` is relu(z) times √2.
    """
    n, L = case.width, case.num_layers
    rng = stream(case.seed, "law", block, first)
    z = np.full((count, n), n**-0.5)
    for _ in range(L):
        if block == "linear":
            square = (z**2).sum(1)
        elif block == "without-w":
            square = 2 * (np.maximum(z, 0) ** 2).sum(1)
        else:
            leak = LEAK if block == "leaky" else 0.0
            W = rng.standard_normal((count, n))
            gates = np.where(W > 0, 1.0, leak**2)
            square = (z**2).sum(1) * 2 / (n * (1 + leak**2)) * (gates * W**2).sum(1)
        z = z + case.scale * np.sqrt(square / (n * L))[:, None] * rng.standard_normal((count, n))
    return np.log((z**2).sum(1))


def displacements(case: Chains, beta: float) -> Array:
    """|z_L − z_0|²/|z_0|² of layers z -> z + L^−β V z: (replicates,)."""
    n, L = case.moment_width, case.num_layers
    rng = stream(case.seed, "moment", beta)
    z = np.ones((case.moment_replicates, n))
    for _ in range(L):
        size = np.sqrt((z**2).sum(1, keepdims=True) / n)
        z = z + L**-beta * size * rng.standard_normal(z.shape)
    return ((z - 1) ** 2).sum(1) / n


def levels(case: Chains, hurst: float, betas: Array) -> Array:
    """log |z_L − z_0|²/|z_0|² for layers L^−β V_k whose entries are fractional Gaussian noise of variance 1/n along
    the depth: (replicates, betas), on the same noise for all β. H = ½ is that of independent layers."""
    n, L = case.line_width, case.line_layers
    found = []
    for r in range(case.line_replicates):
        rng = stream(case.seed, "line", hurst, r)
        motion = FractionalBrownian(hurst, L).normals(rng, np.arange(L + 1) / L, (n, n))
        V = np.diff(motion, axis=0) * L**hurst / np.sqrt(n)
        start = rng.standard_normal((n, 1))
        z = np.tile(start, len(betas))
        for layer in V:
            z = z + layer @ z * L**-betas
        found.append(np.log(((z - start) ** 2).sum(0) / (start**2).sum()))
    return np.array(found)


def drifts(case: Chains, name: str) -> Array:
    """Mean displacement of a coordinate over ½ s² (|h|²/d) for h -> h + σ(Ah), A ~ N(0, s²/(dL)): antithetic pairs."""
    d, L = case.width, case.num_layers
    rng = stream(case.seed, "drift", name)
    start = np.where(np.arange(d) % 2, 1.0, -1.0)  # its mean is 0: the drift turns it only at second order
    pair = [np.tile(start, (case.drift_replicates, 1)) for _ in range(2)]
    for _ in range(L):
        noise = rng.standard_normal(pair[0].shape)
        for i, sign in enumerate((1.0, -1.0)):
            h = pair[i]
            u = sign * case.drift_scale * np.sqrt((h**2).sum(1, keepdims=True) / (d * L)) * noise
            pair[i] = h + (np.tanh(u) if name == "tanh" else u * ndtr(u))
    return ((pair[0] + pair[1]) / 2 - start).mean(1) / (case.drift_scale**2 / 2)


@job(Chains)
def chains(case: Chains) -> Iterator[pd.DataFrame]:
    """Standardised norms, displacements over their moment, levels over β, drifts over σ''(0)."""
    n, s = case.width, case.scale
    for block in BLOCKS:
        found = np.concatenate(
            [norms(case, block, a, min(BATCH, case.replicates - a)) for a in range(0, case.replicates, BATCH)]
        )
        yield tidy("norm", block, case.num_layers, (found - s**2 * (1 - 2 / n)) / np.sqrt(4 * s**2 / n))
    for beta in case.moment_betas:
        exact = (1 + case.num_layers ** (-2 * beta)) ** case.num_layers - 1
        yield tidy("moment", f"b{beta:g}", beta, displacements(case, beta), exact)
    for hurst in case.hursts:
        betas = hurst + np.arange(-0.15, 0.1501, case.line_step)
        for beta, values in zip(betas, levels(case, hurst, betas).T, strict=True):
            yield tidy("level", f"h{hurst:g}", float(beta), values, hurst)
    for name, curvature in CURVATURE.items():
        yield tidy("drift", name, case.num_layers, drifts(case, name), curvature)


def statistics(path: Array) -> dict[str, Array]:
    """Of weights (L, paths): largest increment, root of the sum of squared increments, norm of the running sum."""
    steps, sums = np.diff(path, axis=0), np.cumsum(path, axis=0)
    return {
        "increment": np.abs(steps).max(0),
        "root-sum": np.sqrt((steps**2).sum(0)),
        "sum": np.sqrt((sums**2).mean(0)),
    }


@job(Paths)
def paths(case: Paths) -> Iterator[pd.DataFrame]:
    """The three statistics on smooth, fractional Brownian and independent weights, at depths that double."""
    for L in case.num_layers:
        times, R = np.arange(L) / L, case.replicates
        known = {f"h{hurst:g}": FractionalBrownian(hurst, L) for hurst in case.hursts} | {"smooth": SmoothPath(0.25)}
        for name in (*known, "independent"):
            rng = stream(case.seed, "paths", name, L)
            path = known[name].normals(rng, times, (R,)) if name in known else rng.standard_normal((L, R))
            sums = np.cumsum(path, axis=0)
            for quantity, values in statistics(path).items():
                yield tidy(quantity, name, L, values)
            yield tidy("smoothed", name, L, statistics((sums[WINDOW:] - sums[:-WINDOW]) / WINDOW)["root-sum"])
