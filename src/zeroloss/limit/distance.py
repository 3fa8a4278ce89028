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
from scipy import sparse
from scipy.optimize import linprog

from zeroloss.limit.finite_volumes import Grid

__all__ = ["MOST_POINTS", "deposit", "wasserstein"]

Array = NDArray[np.float64]
MOST_POINTS = 1500  # of the support: a tenth of a second for each distance
_ROUND_OFF = 1e-15  # moved mass that counts as none
_TOLERANCE = 1e-10  # of the linear program, whose masses add up to one


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

    Only what differs is moved, which is all the same for W₁, and by steps between neighbours, whose
    lengths add up to this metric: the cheapest flow on the edges of the support is a linear program
    (HiGHS, Huangfu and Hall 2018). Raises RuntimeError where it is not solved.
    """
    give, take = np.clip(one - other, 0.0, None), np.clip(other - one, 0.0, None)
    moved = float(give.sum())
    if not moved > _ROUND_OFF or not take.any():
        return 0.0
    rows, columns = one.shape
    leaving = sparse.hstack(
        [sparse.kron(_steps(rows), sparse.eye_array(columns)), sparse.kron(sparse.eye_array(rows), _steps(columns))]
    )
    lengths = np.repeat([coarse.width(0), coarse.width(1)], [(rows - 1) * columns, rows * (columns - 1)])
    found = linprog(
        np.tile(lengths, 2),
        A_eq=sparse.hstack([leaving, -leaving], format="csc"),
        b_eq=(give / moved - take / take.sum()).ravel(),
        method="highs-ds",
        options={"primal_feasibility_tolerance": _TOLERANCE, "dual_feasibility_tolerance": _TOLERANCE},
    )
    if found.status != 0:
        raise RuntimeError(f"optimal transport must converge, got: {found.message}; set support to fewer cells")
    return moved * float(found.fun)


def _steps(points: int) -> sparse.sparray:
    """What leaves each point of a line by a unit of flow to the next: (points, points − 1)."""
    return sparse.eye_array(points, points - 1) - sparse.eye_array(points, points - 1, k=-1)
