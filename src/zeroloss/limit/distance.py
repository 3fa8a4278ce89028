"""W₁ between measures on a rectangle of (a, b), on a common coarse support, exactly.

A measure is deposited on the centres of coarse cells by quadratic B-splines: a Markov kernel that
keeps means and, B-splines being totally positive, the order of points on a line. In the metric
|Δa| + |Δb| it brings no two points nearer to or farther from each other than they are, so that
W₁ of the deposits is at most W₁ of the measures and tends to it as the support is refined; and the
deposit of a lattice of particles converges fast, since the splines are smooth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloss.limit.finite_volumes import Grid

__all__ = ["MOST_POINTS", "deposit", "wasserstein"]

Array = NDArray[np.float64]
MOST_POINTS = 1500  # of the support: the cost matrix of the exact solver is its square
_ROUND_OFF = 1e-15  # moved mass that counts as none


def _splines(x: Array, low: float, width: float, cells: int) -> tuple[NDArray[np.intp], Array]:
    """Index of the first of three nodes, in an axis with one more node on each side, and shares."""
    u = (np.clip(x, low, low + cells * width) - low) / width
    cell = np.minimum(u.astype(np.intp), cells - 1)
    f = u - cell - 0.5
    return cell, np.stack([0.5 * (0.5 - f) ** 2, 0.75 - f**2, 0.5 * (0.5 + f) ** 2])


def deposit(a: Array, b: Array, mass: Array, coarse: Grid) -> Array:
    """Mass on the centres of the coarse cells and of one more ring: (A + 2, B + 2), the same total.

    a, b, mass (particles,); what lies outside the rectangle is moved to its side.
    Raises ValueError for a support of more than ``MOST_POINTS`` points.
    """
    shape = coarse.cells[0] + 2, coarse.cells[1] + 2
    if shape[0] * shape[1] > MOST_POINTS:
        raise ValueError(
            f"the support must have at most {MOST_POINTS} points, got {shape[0] * shape[1]}; set support to fewer cells"
        )
    i, along_a = _splines(a, coarse.a[0], coarse.width(0), coarse.cells[0])
    j, along_b = _splines(b, coarse.b[0], coarse.width(1), coarse.cells[1])
    total = np.zeros(shape[0] * shape[1])
    for di in range(3):
        for dj in range(3):
            total += np.bincount((i + di) * shape[1] + j + dj, mass * along_a[di] * along_b[dj], minlength=len(total))
    return total.reshape(shape)


def wasserstein(one: Array, other: Array, coarse: Grid) -> float:
    """W₁ in the metric |Δa| + |Δb| between two deposits of equal mass (A + 2, B + 2).

    Only what differs is moved, which is all the same for W₁; by the network simplex of POT
    (Bonneel et al. 2011; Flamary et al. 2021). Raises RuntimeError where it does not converge.
    """
    import ot  # it brings a second of others with it, and most who read this module only deposit

    axes = [np.arange(-0.5, cells + 1) * coarse.width(axis) for axis, cells in enumerate(coarse.cells)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    gap = (one - other).ravel()
    more, less = gap > 0, gap < 0
    give, take = gap[more], -gap[less]
    moved = float(give.sum())
    if not moved > _ROUND_OFF or not len(take):
        return 0.0
    cost = np.abs(points[more][:, None] - points[less][None]).sum(-1)
    value, log = ot.emd2(give / moved, take / take.sum(), cost, numItermax=10_000_000, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"optimal transport must converge, got: {log['warning']}; set support to fewer cells")
    return moved * float(value)
