"""Random networks of finite width, layer by layer without their matrices.

Given the features of one layer the neurons of the next are independent Gaussians, so that a network is a
chain that draws n normals a layer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import digamma, polygamma, roots_jacobi
from scipy.stats import binom

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.aspect.gaussian import ACTIVATIONS, LEAK, Critical, critical, laws, mean_square
from zeroloss.studies.aspect.plan import Classes, Product, Residual, Stack, Vertex
from zeroloss.studies.replicated import tidy

NODES = 40  # of a quadrature in Beta laws
BATCH = 2000  # networks that are drawn at once
SAMPLED = 1.5  # E Ĝ²/(E Ĝ)² up to which its mean over samples is near it
COMPANIONS = {"gelu": (0.7, 0.95), "swish": (1.005, 1.05)}  # brackets, in units of K*
DEGREE = 10  # of the polynomial for the map of one number


def log_factor(name: str, width: int) -> tuple[float, float]:
    """Mean and variance of log(Ĝ_(l+1)/Ĝ_l) for homogeneous σ, given that it is finite.

    B ~ Bin(n, ½) neurons are above zero. With X ~ χ²_B, Y ~ χ²_(n−B) the factor is (X + a² Y)/nA₂, and
    X + Y ~ χ²_n is independent of X/(X + Y) ~ Beta(B/2, (n − B)/2). a = 1 for linear, 0 for ReLU.
    """
    n = width
    leak = {"linear": 1.0, "leaky": LEAK, "relu": 0.0}[name] ** 2
    scale = np.log(4 / (n * (1 + leak)))
    if leak == 1:
        return float(digamma(n / 2) + scale), float(polygamma(1, n / 2))
    B = np.arange(n + 1)
    weights = binom.pmf(B, n, 0.5)
    if leak == 0:
        weights, B = weights[1:] / weights[1:].sum(), B[1:]
        means, variances = digamma(B / 2), polygamma(1, B / 2)
    else:
        logs = np.full((n + 1, NODES), np.log(leak))
        logs[n] = 0.0
        shares = np.full((n + 1, NODES), 1 / NODES)
        for b in range(1, n):
            x, w = roots_jacobi(NODES, (n - b) / 2 - 1, b / 2 - 1)
            logs[b], shares[b] = np.log(leak + (1 - leak) * (1 + x) / 2), w / w.sum()
        means = (shares * logs).sum(1)
        variances = (shares * logs**2).sum(1) - means**2
        scale += digamma(n / 2)
        variances = variances + polygamma(1, n / 2)
    mean = weights @ means
    return float(mean + scale), float(weights @ (variances + means**2) - mean**2)


@job(Product)
def products(case: Product) -> Iterator[pd.DataFrame]:
    """log Ĝ of networks that still live at the last depth, Ĝ² at a small one, and which are dead."""
    for name in case.activations:
        C_W = critical(name).C_W
        for n in case.widths:
            where, logs, squares = f"{name}.n{n}", [], []
            for first in range(0, case.replicates, BATCH):
                rng = stream(case.seed, "product", name, n, first)
                log = np.zeros(min(BATCH, case.replicates - first))
                for layer in range(1, case.depth):
                    z = rng.standard_normal((len(log), n))
                    with np.errstate(divide="ignore"):
                        log += np.log(C_W * (ACTIVATIONS[name](z) ** 2).mean(1))
                    if layer + 1 == case.shallow:
                        squares.append(np.exp(2 * log))
                logs.append(log)
            log, steps = np.concatenate(logs), case.depth - 1
            alive = log[np.isfinite(log)]
            mean, variance = log_factor(name, n)
            yield tidy("mean", where, n, alive, steps * mean)
            yield tidy("spread", where, n, (alive - alive.mean()) ** 2, steps * variance)
            moment = (1 + mean_square(name, 1.0)[1] * C_W**2 / n) ** (case.shallow - 1)
            if moment < SAMPLED:
                yield tidy("moment", where, n, np.concatenate(squares), moment)
            if name == "relu" and n == case.dead_width:
                yield tidy("dead", where, n, ~np.isfinite(log), 1 - (1 - 0.5**n) ** steps)


def scaled_covariances(stack: Stack, at: Critical, width: int, count: int, rng: np.random.Generator) -> Array:
    """n log(1 + Cov(z_i², z_j²)/K²) at each depth of a stack, from so many networks: (depths,).

    The covariance is that of the conditional means γ²z_i² + Ĝ, which given the layer before are all that two
    neurons share. Subtracted is the linear response κ to the sampling errors of a layer that is not disturbed,
    driven by the same normals, and its exact variance is added: most of the noise goes with it.
    """
    sigma, gamma, n = ACTIVATIONS[stack.activation], stack.gamma, width
    law = laws(stack.activation, gamma, at, max(stack.depths))
    z = np.sqrt(at.K) * rng.standard_normal((count, n))
    still, kappa, found = z, np.zeros(count), []
    for layer in range(1, max(stack.depths)):
        now = layer - 1
        G = at.C_b + at.C_W * (sigma(z) ** 2).mean(1)
        kappa = law.chi[now] * kappa + at.C_W * ((sigma(still) ** 2).mean(1) - law.squares[now])
        if layer + 1 in stack.depths:
            means = gamma**2 * z**2 + G[:, None]
            total = means.mean(1)
            covariance = (n * total.var(ddof=1) - means.var()) / (n - 1)
            covariance += law.shared[layer] / n - kappa.var(ddof=1)
            found.append(n * np.log1p(covariance / total.mean() ** 2))
        noise = rng.standard_normal((count, n))
        z = gamma * z + np.sqrt(G)[:, None] * noise
        still = gamma * still + np.sqrt(law.G[now]) * noise
    return np.array(found)


def blocks(case: Vertex | Residual) -> Iterator[pd.DataFrame]:
    """One row for each block of networks, width and depth, beside V/K²; the textbook's in a column."""
    for stack in case.stacks:
        at = critical(stack.activation, stack.gamma)
        law = laws(stack.activation, stack.gamma, at, max(stack.depths))
        for n in case.widths:
            found = [
                scaled_covariances(stack, at, n, case.networks, stream(case.seed, stack.name, n, block))
                for block in range(case.replicates)
            ]
            for depth, values in zip(sorted(stack.depths), np.transpose(found), strict=True):
                here = depth - 1
                table = tidy("covariance", f"{stack.name}.l{depth}", n, values, law.V[here] / law.K[here] ** 2)
                yield table.assign(textbook=law.textbook[here] / law.K[here] ** 2)


@job(Vertex)
def vertex(case: Vertex) -> Iterator[pd.DataFrame]:
    """Without residual branches; not every activation has a formula in the textbook."""
    return (part.drop(columns="textbook") for part in blocks(case))


@job(Residual)
def residual(case: Residual) -> Iterator[pd.DataFrame]:
    """With residual branches."""
    return blocks(case)


def growth(name: str, at: Critical, depth: int) -> float:
    """V/(l K²) after ``depth`` layers l, by the recursion of K and V."""
    K, V = at.K, 0.0
    for _ in range(depth - 1):
        mean, spread, slope = mean_square(name, K)
        K, V = at.C_b + at.C_W * mean, (at.C_W * slope) ** 2 * V + at.C_W**2 * spread
    return V / (depth * K**2)


def far_growth(name: str, at: Critical, low: float, depth: int) -> float:
    """The same from K = at.K, falling towards ``low``: the moments are polynomials between the two."""
    centre, half = (at.K + low) / 2, (at.K - low) / 2
    x = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    moments = np.array([mean_square(name, centre + half * one) for one in x])
    steps = moments * (at.C_W, at.C_W**2, at.C_W) + (at.C_b - centre, 0.0, 0.0)
    g, spreads, chi = (list(map(float, np.polyfit(x, steps[:, i] / (half if i == 0 else 1), DEGREE))) for i in range(3))
    u, V = 1.0, 0.0
    for _ in range(depth - 1):
        moved = spread = slope = 0.0
        for a, b, c in zip(g, spreads, chi, strict=True):
            moved, spread, slope = moved * u + a, spread * u + b, slope * u + c
        u, V = moved, slope * slope * V + spread
    return V / (depth * (centre + half * u) ** 2)


def companion(name: str, at: Critical, bracket: tuple[float, float]) -> float:
    """The other fixed point of K' = C_b + C_W⟨σ²⟩_K, in a bracket in units of K*."""

    def moved(K: float) -> float:
        return at.C_b + at.C_W * mean_square(name, K)[0] - K

    return float(brentq(moved, bracket[0] * at.K, bracket[1] * at.K))  # pyright: ignore


@job(Classes)
def classes(case: Classes) -> Iterator[pd.DataFrame]:
    """V/(lK²) from K = 1 (tanh, sin) and from above K* (GELU); the other fixed point beside K*."""
    for name in ("tanh", "sin"):
        yield tidy("slope", name, case.depth, growth(name, critical(name), case.depth), 2 / 3)
    for name, bracket in COMPANIONS.items():
        at = critical(name)
        yield tidy("companion", name, case.depth, companion(name, at, bracket) / at.K)
    at = critical("gelu")
    spread = at.C_W**2 * mean_square("gelu", at.K)[1] / at.K**2
    above = at._replace(K=at.K * (1 + case.displacement))
    for words, depth in (("near", case.depth), ("far", case.far_depth)):
        value = growth("gelu", above, depth) if words == "near" else far_growth("gelu", above, at.K, depth)
        yield tidy("half-stable", words, depth, value, spread / 5)
