"""Targets and starts: random singular vectors, a torus of directions, overlaps that vanish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ledger.record.streams import stream
from zeroloss.studies.linear.balanced import Start, Target
from zeroloss.studies.linear.chain import Chain, rank_one_start
from zeroloss.studies.linear.plan import FactorCase

Array = np.ndarray
HIDDEN = (3, 1, 4, 2, 3)  # widths between input and output, in turn; one of them is one


def target_of(case: FactorCase, values: Sequence[float] | None = None) -> Target:
    """Z with the singular values of the block, or others, and random singular vectors: one more
    output than input, as many inputs as values."""
    s = np.array(case.values if values is None else values)
    rng = stream(case.data_seed, "linear", "target")
    rank = len(case.values)
    left = np.linalg.qr(rng.standard_normal((rank + 1, rank + 1)))[0]
    right = np.linalg.qr(rng.standard_normal((rank, rank)))[0]
    return Target(left[:, : len(s)], s, right[:, : len(s)])


def chain_of(target: Target, num_layers: int) -> Chain:
    """Networks of N factors with a layer of one neuron."""
    hidden = (
        (1, *HIDDEN)[: num_layers - 1]
        if num_layers < 3
        else tuple(HIDDEN[j % len(HIDDEN)] for j in range(num_layers - 1))
    )
    Z = target.matrix
    return Chain((Z.shape[1], *hidden, Z.shape[0]), Z)


def state_of(chain: Chain, starts: list[Start], case: FactorCase, norms: Array | None = None) -> Array:
    """Factors of starts σ u vᵀ, balanced unless ``norms`` (starts, N) are given."""
    if norms is None:
        sigma = np.array([start.sigma for start in starts])
        norms = np.repeat(sigma[:, None] ** (1 / chain.num_layers), chain.num_layers, axis=1)
    rng = stream(case.seed, "linear", "hidden", chain.num_layers)
    return rank_one_start(
        chain.widths, np.stack([start.u for start in starts]), np.stack([start.v for start in starts]), norms, rng
    )


def _unit(rng: np.random.Generator, dim: int) -> Array:
    drawn = rng.standard_normal(dim)
    return drawn / np.linalg.norm(drawn)


def generic_starts(target: Target, case: FactorCase, count: int, sigma: float) -> list[Start]:
    """Independent uniform directions with uᵀZv > 0."""
    rng = stream(case.seed, "linear", "generic", count)
    starts = []
    for _ in range(count):
        u, v = _unit(rng, len(target.left)), _unit(rng, len(target.right))
        starts.append(Start(u * np.sign(u @ target.matrix @ v), v, sigma))
    return starts


def torus(target: Target, cells: int, sigma: float) -> Iterator[tuple[float, float, Start]]:
    """(φ, ψ, start): u = cos φ u_1 + sin φ u_2 and v = cos ψ v_1 + sin ψ v_2 on a grid of angles.

    φ + ψ = π and φ − ψ = π, where p_1 vanishes, are lines of the grid; whole quarters are exact.
    """
    turn = 2 * np.pi * np.arange(cells) / cells
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    circle[np.abs(circle) < 1e-15] = 0.0
    for i, first in enumerate(circle):
        for j, second in enumerate(circle):
            yield turn[i], turn[j], Start(target.left[:, :2] @ first, target.right[:, :2] @ second, sigma)


def patterns(target: Target, case: FactorCase, count: int, sigma: float) -> list[tuple[int, Start]]:
    """(k, start) with the overlaps of all modes before k zero: k = 1 (none) to the rank, and
    k = rank + 1 (all, which ends at the origin)."""
    rank = len(target.values)
    rng = stream(case.seed, "linear", "patterns", count)
    starts: list[tuple[int, Start]] = []
    while len(starts) < count * (rank + 1):
        k = len(starts) // count + 1
        a, b = _unit(rng, rank), _unit(rng, rank)
        b[: k - 1] = -a[: k - 1]
        left = max(1.0 - b[: k - 1] @ b[: k - 1], 0.0)
        b[k - 1 :] *= np.sqrt(left) / max(np.linalg.norm(b[k - 1 :]), 1e-300)
        # a second start near a boundary would say nothing about either side
        if k > rank or abs(a[k - 1] + b[k - 1]) > 0.2:
            starts.append((k, Start(target.left @ a, target.right @ b, sigma)))
    return starts
