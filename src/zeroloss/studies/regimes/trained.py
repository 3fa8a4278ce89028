"""Weights of small residual networks after training, against the depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.linalg import expm

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.regimes.plan import Balance, Exponents, Floor, Inherited, Optimiser
from zeroloss.studies.regimes.small import EXPONENTS, Stack
from zeroloss.studies.replicated import tidy

REAL = ("shared", "own")  # kinds that are run on real inputs too
TURN = 0.5  # size of the generator of the target map
SMALL_TURN = 0.05  # with δ = 1/L: a branch of GELU moves its input down by 0.17 at most, whatever its weights
WINDOW = 8  # layers of a running mean


SmallCase = Exponents | Balance | Floor | Optimiser | Inherited


def inputs(case: SmallCase, replicate: int, data: str = "gaussian") -> Array:
    """Samples (N, d): Gaussian, or those of diabetes or digits through a fixed projection."""
    N, d = case.num_samples, case.dim
    if data == "gaussian":
        return stream(case.seed, "inputs", replicate).standard_normal((N, d))
    from sklearn import datasets

    load = {"diabetes": datasets.load_diabetes, "digits": datasets.load_digits}[data]
    rows = np.asarray(load(return_X_y=True)[0], dtype=float)
    rows = rows[:, rows.std(0) > 0]
    rows = (rows - rows.mean(0)) / rows.std(0)
    projection = stream(case.data_seed, "projection", data).standard_normal((rows.shape[1], d))
    rows = rows @ np.linalg.qr(projection)[0]
    rows = rows / rows.std(0)
    return rows[stream(case.seed, "rows", data, replicate).permutation(len(rows))[:N]]


def turned(x: Array, rng: np.random.Generator, size: float = TURN) -> Array:
    """A target that residual layers reach: y = e^S x with Gaussian S of this size."""
    d = x.shape[1]
    return x @ np.asarray(expm(size * rng.standard_normal((d, d)) / np.sqrt(d))).T


def twice(case: SmallCase) -> tuple[Array, Array]:
    """Gaussian samples of each task and their targets (2R, N, d), for two kinds of networks one after the other."""
    R = case.replicates
    x = np.stack([inputs(case, r) for r in range(R)] * 2)
    return x, np.stack([turned(one, stream(case.seed, "target", r % R)) for r, one in enumerate(x)])


def deviation(x: Array, moved: Array) -> Array:
    """Relative rms distance of f − id (R, N, d) at inputs (N, d) from its best affine fit."""
    design = np.concatenate([x, np.ones((len(x), 1))], 1)
    hat = design @ np.linalg.pinv(design)
    left = moved - hat @ moved
    return np.sqrt((left**2).sum((1, 2)) / (moved**2).sum((1, 2)))


def affine_floor(x: Array, y: Array) -> float:
    """The least risk of affine maps."""
    design = np.concatenate([x, np.ones((len(x), 1))], 1)
    left = y - design @ (np.linalg.pinv(design) @ y)
    return float((left**2).sum()) / (2 * len(x))


def sizes(stack: Stack, state: Array) -> dict[str, Array]:
    """max ‖A_k‖ and the largest δ of each network."""
    layers, delta = stack.parts(state)
    return {"norm": np.linalg.norm(layers[..., :-1], axis=(2, 3)).max(1), "delta": delta.max(1)}


def by_cell(found: Mapping[str, Array], cells: Sequence[str], L: int) -> Iterator[pd.DataFrame]:
    """Tables of quantities of networks (R,), of which those of a cell stand together, as many in each; none of those
    that rest."""
    for quantity, values in found.items():
        for where, part in zip(cells, values.reshape(len(cells), -1), strict=True):
            yield tidy(quantity, where, L, part).dropna()


@job(Exponents)
def exponents(case: Exponents) -> Iterator[pd.DataFrame]:
    """max ‖A_k‖, δ and the affine deviation at each depth and share of the first risk, from A = 0; none of those that
    rest above the share."""
    cells = [(a, kind, "gaussian") for a in ("tanh", "gelu") for kind in EXPONENTS]
    cells = [*(("tanh", kind, data) for data in case.data if data != "gaussian" for kind in REAL), *cells]
    names = [f"{kind}.{a}" if data == "gaussian" else f"{kind}.{a}.{data}" for a, kind, data in cells]
    networks = [(a, kind, data, r) for a, kind, data in cells for r in range(case.replicates)]
    x = np.stack([inputs(case, r, data) for _, _, data, r in networks])
    y = x.copy()
    for one, (_, kind, _, r) in zip(y, networks, strict=True):
        one[:] = turned(one, stream(case.seed, "target", r), SMALL_TURN if kind == "inverse" else TURN)
    fresh = stream(case.seed, "fresh").standard_normal((case.fresh, case.dim))
    for L in case.num_layers:
        stack = Stack(x, y, L, [n[1] for n in networks], [n[0] for n in networks])
        size = np.array([(case.start if n[1] in REAL else 1.0) * L ** -EXPONENTS[n[1]][0] for n in networks])
        start = stack.state(np.zeros((len(x), L, case.dim, case.dim + 1)), np.tile(size[:, None], L))
        for share, state in zip(case.shares, stack.by_risk(start, case.shares, case.rtol), strict=True):
            moved = stack.outputs(state, np.broadcast_to(fresh, (len(x), *fresh.shape))) - fresh
            found = {**sizes(stack, state), "deviation": deviation(fresh, moved)}
            for table in by_cell(found, names, L):
                yield table.assign(share=share)


def invariants(stack: Stack, state: Array) -> Array:
    """δ² − Σ_k (‖A_k‖² + ‖b_k‖²) for shared δ, δ_k² − ‖A_k‖² − ‖b_k‖² of each layer for own ones: (R, L)."""
    layers, delta = stack.parts(state)
    squares = (layers**2).sum((2, 3))
    total = np.broadcast_to(squares.sum(1, keepdims=True), squares.shape)
    return delta**2 - np.where(stack.is_shared[:, None], total, squares)


@job(Balance)
def balance(case: Balance) -> Iterator[pd.DataFrame]:
    """Drift of the conserved quantities along a ReLU flow and under Adam, over δ²; and what the scaling of a layer
    against its δ changes in the outputs."""
    R, L, d = case.replicates, case.num_layers, case.dim
    x, rng = twice(case)[0], stream(case.seed, "balance")
    # branches of ReLU only add: a target that they reach, whose gates differ between samples
    y = x + np.maximum(x @ rng.standard_normal((len(x), d, d)) / np.sqrt(d), 0)
    stack = Stack(x, y, L, list(np.repeat(REAL, R)), ["relu"] * len(x))
    start = stack.state(rng.standard_normal((len(x), L, d, d + 1)) / (L * d), np.full((len(x), L), L**-0.5))
    trained = stack.by_risk(start, (case.share,), case.rtol)[0]
    moved = stack.adam(start, np.full(len(x), case.adam_rate), case.adam_steps)
    for quantity, state in (("drift", trained), ("adam", moved)):
        change = np.abs(invariants(stack, state) - invariants(stack, start)).max(1)
        size = (stack.parts(state)[1] ** 2).max(1)
        yield from by_cell({quantity: change / size}, REAL, L)
    layers, delta = stack.parts(trained)
    c = np.exp(rng.standard_normal(delta.shape))
    before, after = stack.outputs(trained, x), stack.outputs(stack.state(layers / c[..., None, None], delta * c), x)
    yield tidy("rescaled", "relu", L, np.abs(after - before).max((1, 2)))


@job(Floor)
def floor(case: Floor) -> Iterator[pd.DataFrame]:
    """Risk over the least of affine maps, long after it has come near it; shared δ, tanh."""
    R, d = case.replicates, case.dim
    x = np.stack([inputs(case, r) for r in range(R)])
    y = x + np.abs(x)
    floors = np.array([affine_floor(*pair) for pair in zip(x, y, strict=True)])
    for L in case.num_layers:
        stack = Stack(x, y, L, ["shared"] * R, ["tanh"] * R)
        start = stack.state(np.zeros((R, L, d, d + 1)), np.full((R, L), 0.1 * L**-0.25))
        risk, _ = stack.clocked(start, case.above * floors, case.times, case.rtol)
        yield tidy("floor", f"l{L}", L, risk, floors)


@job(Optimiser)
def optimiser(case: Optimiser) -> Iterator[pd.DataFrame]:
    """max ‖A_k‖ and δ under Adam, shared δ, from the start of the published code: δ = 1/L, A of size 0.01/(Ld)."""
    R, d = case.replicates, case.dim
    (x, y), rates = twice(case), np.repeat(case.rates, R)
    for L in case.num_layers:
        stack = Stack(x, y, L, ["shared"] * 2 * R, ["tanh"] * 2 * R)
        A = 0.01 / (L * d) * stream(case.seed, "adam", L).standard_normal((R, L, d, d + 1))
        start = stack.state(np.concatenate([A, A]), np.full((2 * R, L), 1 / L))
        end = stack.adam(start, rates, case.most_steps, case.share)
        yield from by_cell(sizes(stack, end), [f"rate{rate:g}" for rate in case.rates], L)


@job(Inherited)
def inherited(case: Inherited) -> Iterator[pd.DataFrame]:
    """Quadratic variation Σ_k ‖A_{k+1} − A_k‖² of independent layers, trained over start, and their displacement."""
    R, d, names = case.replicates, case.dim, ("tanh", "gelu")
    x, y = twice(case)
    for L in case.num_layers:
        stack = Stack(x, y, L, ["one"] * 2 * R, list(np.repeat(names, R)))
        A = stream(case.seed, "inherited", L).standard_normal((2 * R, L, d, d + 1)) * case.scale / np.sqrt(d * L)
        A[..., -1] = 0.0
        start = stack.state(A, np.ones((2 * R, L)))
        trained = stack.parts(stack.by_risk(start, (case.share,), case.rtol)[0])[0]
        sums = np.cumsum(trained[..., :-1], axis=1)
        paths = (A[..., :-1], trained[..., :-1], (sums[:, WINDOW:] - sums[:, :-WINDOW]) / WINDOW)
        before, after, of_means = ((np.diff(W, axis=1) ** 2).sum((1, 2, 3)) for W in paths)
        moved = np.linalg.norm(trained - A, axis=(2, 3)).max(1)
        found = {"variation": after / before, "of-means": of_means / before, "displacement": moved}
        yield from by_cell(found, names, L)
