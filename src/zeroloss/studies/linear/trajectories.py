"""The jobs on deep linear networks with a one-neuron layer: simulated factor by factor, beside what
the balanced equations say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.linear.balanced import (
    Start,
    Target,
    end_of,
    escape_constant,
    final_rates,
    norms_at_the_end,
    trajectory,
    unbalanced_rate,
)
from zeroloss.studies.linear.plan import Ends, Follow, Portrait, Stages, Unbalanced
from zeroloss.studies.linear.starts import chain_of, generic_starts, patterns, state_of, target_of, torus

Array = np.ndarray
ARRIVED, SEEN = 0.005, 0.01  # relative distance to an end: predicted, and allowed to the factors
OUTPUTS = 160
DEEP, DEEPER = 1e-8, 1e-12  # loss above its infimum between which the last rate is taken
TINY = 1e-3  # below it a singular value has no direction worth reading


@job(Follow)
def follow(case: Follow) -> pd.DataFrame:
    """Gaps |W(s) − σ u vᵀ|_F/s_1 of the factors: along the flow, and of descent by its step."""
    return gaps_of(case)


def gaps_of(case: Follow, imbalance: float = 1.0) -> pd.DataFrame:
    """The same; ``imbalance`` scales the last factor up and the first one down: above 1 the start
    is not balanced, and the equations are not its own."""
    target, rows = target_of(case), []
    for N in case.num_layers:
        chain = chain_of(target, N)
        starts = generic_starts(target, case, case.replicates, case.sigma)
        norms = np.full((len(starts), N), case.sigma ** (1 / N))
        norms[:, 0], norms[:, -1] = norms[:, 0] / imbalance, norms[:, -1] * imbalance
        state, times = state_of(chain, starts, case, norms), case.flow_times
        exact = trajectory(starts, target, N, times)
        gaps = _norm(chain.flow(state, times, case.rtol) - exact) / target.values[0]
        rows += [("flow", N, i, s, gaps[t, i]) for t, s in enumerate(times) for i in range(len(starts))]
        end = case.descent_time
        exact_end = trajectory(starts, target, N, [0.0, end])[-1]
        for per_unit in case.steps_per_unit:
            W = chain.descend(state, 1.0 / per_unit, round(end * per_unit))
            gaps = _norm(W - exact_end) / target.values[0]
            rows += [("descent", N, i, per_unit, gap) for i, gap in enumerate(gaps)]
    return pd.DataFrame(rows, columns=["quantity", "num_layers", "replicate", "at", "value"])


def _norm(W: Array) -> Array:
    return np.linalg.norm(W, axis=(-2, -1))


@job(Ends)
def ends(case: Ends) -> pd.DataFrame:
    """Where each start ends, predicted from its overlaps and measured on its factors, with what
    must not fall on the way.

    A start is read at the first output after the balanced flow is within ARRIVED of its end;
    the end is −1 where that is not within ``horizon``. Ends: 0 origin, else the mode.
    """
    target, frames = target_of(case), []
    grid = list(torus(target, case.cells, case.sigma))
    labelled = [("torus", phi, psi, start) for phi, psi, start in grid] + [
        ("pattern", float(k), 0.0, start) for k, start in patterns(target, case, case.replicates, case.sigma)
    ]
    starts = [start for *_, start in labelled]
    times = np.concatenate([[0.0], np.geomspace(0.05, case.horizon, OUTPUTS)])
    for N in case.num_layers:
        chain = chain_of(target, N)
        W = chain.flow(state_of(chain, starts, case), times, case.rtol)
        exact, invariants = trajectory(starts, target, N, times), _invariants(W, target)
        for i, (family, first, second, start) in enumerate(labelled):
            predicted = end_of(start, target)
            horizon, end, distance = _read(W[:, i], exact[:, i], target, times, predicted)
            overlaps = start.overlaps(target)[0]
            frames.append(
                (
                    family,
                    N,
                    i,
                    first,
                    second,
                    predicted,
                    end,
                    distance,
                    horizon,
                    _nearest_boundary(overlaps),
                    *(part[i] for part in invariants),
                )
            )
    return pd.DataFrame(
        frames,
        columns=[
            "family",
            "num_layers",
            "start",
            "first",
            "second",
            "predicted",
            "measured",
            "distance",
            "horizon",
            "boundary",
            "fall_rayleigh",
            "fall_overlap",
            "low_sigma",
            "rise_rayleigh",
        ],
    )


def _nearest_boundary(overlaps: Array) -> float:
    """|p_k| of the first overlap that is not zero, how far the start is from another end; 2, which
    is as large as it can be, if all are."""
    sizes = np.abs(overlaps[overlaps != 0])
    return float(sizes[0]) if len(sizes) else 2.0


def _read(W: Array, exact: Array, target: Target, times: Array, predicted: int) -> tuple[float, int, float]:
    """(when it is read, the end found there or −1, the relative distance to the predicted end)."""
    near = _norm(exact - target.mode(predicted)) <= ARRIVED * target.values[0]
    if not near[-1]:
        return float(times[-1]), -1, float(_norm(W[-1] - target.mode(predicted)) / target.values[0])
    at = int(np.flatnonzero(~near)[-1]) + 1 if not near.all() else 0
    gaps = [_norm(W[at] - target.mode(k)) / target.values[0] for k in range(len(target.values) + 1)]
    nearest = int(np.argmin(gaps))
    end = nearest if gaps[nearest] <= SEEN else -1
    return float(times[at]), end, float(gaps[predicted])


def _invariants(W: Array, target: Target) -> tuple[Array, Array, Array, Array]:
    """Largest falls of uᵀZv and of p_1², of σ below min(σ_0, u_0ᵀZv_0) where that is above 0, none
    of which may be above 0, and the largest rise of uᵀZv from one output to the next: (starts,)."""
    sigma = _norm(W)
    safe = np.maximum(sigma, 1e-300)
    h = np.einsum("trij,ij->tr", W, target.matrix) / safe
    left, right = target.left[:, 0], target.right[:, 0]
    a, b = left @ W / safe[..., None], W @ right / safe[..., None]
    both = np.einsum("i,trij,j->tr", left, W, right) / safe
    # (u_1·u)² + (v_1·v)² + 2 (u_1·u)(v_1·v), which the sign of (u, v) does not change
    overlap = (a**2).sum(-1) + (b**2).sum(-1) + 2 * both
    seen = sigma[1:] > TINY
    falls = [np.where(seen, value[:-1] - value[1:], 0.0) for value in (h, overlap)]
    low = np.where(h[0] > 0, (np.minimum(sigma[0], h[0]) - sigma).max(0), 0.0)
    return falls[0].max(0), falls[1].max(0), low, -falls[0].min(0)


@job(Portrait)
def portrait(case: Portrait) -> pd.DataFrame:
    """u_k·u along trajectories of the factors, with the pattern and the predicted end of each."""
    target, N = target_of(case), case.num_layers
    starts = patterns(target, case, case.replicates, case.sigma)
    chain = chain_of(target, N)
    times = np.linspace(0.0, case.flow_time, case.outputs)
    W = chain.flow(state_of(chain, [start for _, start in starts], case), times, case.rtol)
    rows = []
    for i, (_, start) in enumerate(starts):
        u = start.u
        for s, product in zip(times, W[:, i], strict=True):
            left = np.linalg.svd(product)[0][:, 0]
            u = left * np.sign(left @ u)  # the product leaves the sign open
            rows += [(i, end_of(start, target), s, k + 1, value) for k, value in enumerate(target.left.T @ u)]
    return pd.DataFrame(rows, columns=["start", "predicted", "flow_time", "mode", "value"])


@job(Stages)
def stages(case: Stages) -> pd.DataFrame:
    """Last rates for each N and gap, times of escape from the origin, the way into it."""
    rows: list[tuple[str, int, float, float, float]] = []
    for N in case.num_layers:
        for ratio in case.ratios:
            for aligned in (False, True):
                measured, predicted = _last_rate(case, N, ratio, aligned)
                name = "aligned" if aligned else "final"
                rows += [(f"{name}-measured", N, ratio, 0.0, measured), (f"{name}-predicted", N, ratio, 0.0, predicted)]
        if N > 2:
            rows += _escapes(case, N) + _approach(case, N)
    return pd.DataFrame(rows, columns=["quantity", "num_layers", "ratio", "sigma", "value"])


def _excess(W: Array, target: Target) -> Array:
    """Loss above that of the best rank-one approximation, ½|Δ|² − ⟨Δ, Z − Z_1⟩ with Δ = W − Z_1:
    no difference of two losses, which round-off would bound."""
    gap = W - target.mode(1)
    rest = target.matrix - target.mode(1)
    return 0.5 * _norm(gap) ** 2 - np.einsum("...ij,ij->...", gap, rest)


def _last_rate(case: Stages, num_layers: int, ratio: float, aligned: bool) -> tuple[float, float]:
    """(measured, predicted) rate of the loss from DEEP to DEEPER above its infimum."""
    first = case.values[0]
    target = target_of(case, [first, ratio * first])
    start = (
        Start(target.left[:, 0], target.right[:, 0], case.sigma)
        if aligned
        else generic_starts(target, case, 1, case.sigma)[0]
    )
    alone, together = final_rates(target.values, num_layers)
    predicted = alone if aligned else together
    chain = chain_of(target, num_layers)
    times = _until_deeper(predicted)
    return _rate(times, _excess(chain.flow(state_of(chain, [start], case), times, case.rtol)[:, 0], target)), predicted


def _until_deeper(guess: float) -> Array:
    """Times by the end of which a loss of rate ``guess`` is below DEEPER."""
    return np.linspace(0.0, 60.0 / guess + 10.0, 400)


def _rate(times: Array, excess: Array) -> float:
    """−d log(loss above its infimum)/ds between DEEP and DEEPER."""
    inside = np.flatnonzero(excess > DEEPER)
    last = int(inside[-1])
    first = int(np.flatnonzero(excess[: last + 1] > DEEP)[-1]) + 1
    return float(np.log(excess[first] / excess[last]) / (times[last] - times[first]))


def _escapes(case: Stages, num_layers: int) -> list[tuple[str, int, float, float, float]]:
    """Time until σ is at s_1/2 from small starts, measured and by the balanced equations' limit."""
    target = target_of(case)
    chain, power = chain_of(target, num_layers), 1 - 2 / num_layers
    start = generic_starts(target, case, 1, 1.0)[0]
    constant = escape_constant(start, target, num_layers)
    rows = []
    for sigma in case.smallest:
        small = Start(start.u, start.v, sigma)
        guess = constant * sigma**-power
        escape = chain.reaches(state_of(chain, [small], case), 0.5 * target.values[0], 2.0 * guess + 5.0, case.rtol)
        rows += [
            ("escape-measured", num_layers, 0.0, sigma, escape),
            ("escape-predicted", num_layers, 0.0, sigma, guess),
        ]
    return rows


def _approach(case: Stages, num_layers: int) -> list[tuple[str, int, float, float, float]]:
    """Exponent of σ in s on the way into the origin, between the two times of ``approach``."""
    target = target_of(case)
    start = Start(target.left[:, 0], -target.right[:, 0], case.sigma)
    chain, times = chain_of(target, num_layers), [0.0, *case.approach]
    size = _norm(chain.flow(state_of(chain, [start], case), times, case.rtol))[:, 0]
    exponent = np.log(size[2] / size[1]) / np.log(times[2] / times[1])
    return [
        ("approach-measured", num_layers, 0.0, case.sigma, float(exponent)),
        ("approach-predicted", num_layers, 0.0, case.sigma, -num_layers / (num_layers - 2)),
    ]


@job(Unbalanced)
def unbalanced(case: Unbalanced) -> pd.DataFrame:
    """Last rates of factors that differ in norm, and the end of factors without structure.

    Directions outside of the modes, s_k = 0, relax at rates that imbalance brings near to the slowest:
    the loss is that of the part of W on the modes, which they reach to second order only.
    """
    first = case.values[0]
    target = target_of(case, [first, 0.5 * first])
    left, right = (modes @ modes.T for modes in (target.left, target.right))
    rows: list[tuple[str, int, float, int, float]] = []
    for N in case.num_layers:
        chain = chain_of(target, N)
        start = generic_starts(target, case, 1, 1.0)[0]
        for t in case.imbalances:
            norms = np.ones(N)
            norms[0], norms[-1] = 1 / t, t
            state = state_of(chain, [start], case, norms[None])
            predicted = unbalanced_rate(norms_at_the_end(norms, first), target.values)
            times = _until_deeper(predicted)
            W = left @ chain.flow(state, times, case.rtol)[:, 0] @ right
            measured = _rate(times, _excess(W, target))
            rows += [
                ("rate-measured", N, t, 0, measured),
                ("rate-predicted", N, t, 0, predicted),
                ("rate-balanced", N, t, 0, final_rates(target.values, N)[1]),
            ]
        rows += _without_structure(case, N)
    return pd.DataFrame(rows, columns=["quantity", "num_layers", "imbalance", "replicate", "value"])


def _without_structure(case: Unbalanced, num_layers: int) -> list[tuple[str, int, float, int, float]]:
    """Relative distance to the best rank-one approximation of Gaussian factors, at the horizon."""
    target = target_of(case)
    chain = chain_of(target, num_layers)
    rng = stream(case.seed, "linear", "gaussian", num_layers)
    state = np.concatenate(
        [rng.standard_normal((case.replicates, a * b)) / np.sqrt(a) for a, b in pairwise(chain.widths)], axis=1
    )
    W = chain.flow(state, [0.0, case.horizon], case.rtol)[-1]
    gaps = _norm(W - target.mode(1)) / target.values[0]
    return [("gaussian-distance", num_layers, 0.0, i, float(gap)) for i, gap in enumerate(gaps)]
