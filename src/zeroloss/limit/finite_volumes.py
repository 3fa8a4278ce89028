"""Transport of a density on a rectangle, ∂_s ρ + div(V ρ) = 0, by finite volumes of second order.

ρ is held as averages over the cells of a grid of (a, b). The flux through a face is V⁺ρ⁻ + V⁻ρ⁺
with ρ∓ the values there of the linear profiles on both sides, whose slopes a limiter bounds by
twice the smaller difference (van Leer 1979); no flux leaves the rectangle. Mass is kept to
round-off, and an Euler step of at most ``positive_step`` keeps ρ ≥ 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from zeroloss.model.arrays import Array
from zeroloss.model.law import InitialLaw

__all__ = ["LIMITERS", "Grid", "Limiter", "divergence", "positive_step"]

Limiter = Callable[[Array, Array], Array]
_TINY = 1e-300  # 0/0 is 0 where nothing varies


@dataclass(frozen=True)
class Grid:
    """``cells`` per axis of the rectangle [a_low, a_high] × [b_low, b_high]; units those of θ.

    Raises ValueError for a range that is not finite and increasing, or fewer than 4 cells.
    """

    a: tuple[float, float]
    b: tuple[float, float]
    cells: tuple[int, int]

    def __post_init__(self) -> None:
        for name, (low, high) in (("a", self.a), ("b", self.b)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"the range of {name} must be finite and increasing, got ({low}, {high}); set box_{name}"
                )
        if min(self.cells) < 4:
            raise ValueError(f"cells must be at least 4 per axis, got {self.cells}; set cells")

    def edges(self, axis: int) -> Array:
        """Faces of the cells along an axis (0: a, 1: b): (cells + 1,)."""
        return np.linspace(*(self.a, self.b)[axis], self.cells[axis] + 1)

    def centres(self, axis: int) -> Array:
        """Centres of the cells along an axis: (cells,)."""
        edges = self.edges(axis)
        return 0.5 * (edges[1:] + edges[:-1])

    def width(self, axis: int) -> float:
        """h of an axis."""
        low, high = (self.a, self.b)[axis]
        return (high - low) / self.cells[axis]

    @property
    def area(self) -> float:
        """h_a h_b, of one cell."""
        return self.width(0) * self.width(1)

    def averages(self, law: InitialLaw) -> Array:
        """Exact cell averages of ρ_ini(a, b), cut off at the rectangle and of mass 1 there: (A, B).

        Raises ValueError for a law without a density, or without mass in the rectangle.
        """
        scales = (law.scale_a, law.scale_b)
        if law.kind == "point" or min(scales) <= 0:
            raise ValueError(
                f"the initial law must have a density, got {law.kind} with scales "
                f"{scales}; set initial_law to gaussian or uniform"
            )
        parts = []
        for axis, scale in enumerate(scales):
            x = self.edges(axis) / scale
            mass = np.diff(special.ndtr(x) if law.kind == "gaussian" else np.clip(x, -1, 1))
            if not mass.sum() > 0:
                raise ValueError(
                    f"the rectangle must hold mass of the {law.kind} law, got none; widen box_{'ab'[axis]}"
                )
            parts.append(mass / mass.sum())
        return np.outer(*parts) / self.area


def _van_leer(left: Array, right: Array) -> Array:
    """Harmonic mean of the differences where they agree in sign: smooth in both."""
    product = left * right
    np.maximum(product, 0.0, out=product)
    product *= 2.0
    product /= left + right + _TINY
    return product


LIMITERS: dict[str, Limiter] = {
    "van-leer": _van_leer,
    # no slope: the upwind scheme of order 1, to show what the slopes are for
    "first-order": lambda left, right: np.zeros_like(left),
}


def divergence(rho: Array, v: Array, axis: int, width: float, limiter: Limiter) -> Array:
    """(1/h) Σ of the fluxes out of each cell along an axis: like rho, (n, A, B).

    v holds the velocity at the inner faces: one fewer along ``axis``, or 1 along the other.
    """
    rho, v = np.moveaxis(rho, axis, 1), np.moveaxis(v, axis, 1)
    jumps = np.diff(rho, axis=1)
    half = np.zeros_like(rho)
    half[:, 1:-1] = limiter(jumps[:, :-1], jumps[:, 1:])
    half *= 0.5
    flux = np.where(v > 0, rho[:, :-1] + half[:, :-1], rho[:, 1:] - half[:, 1:])
    flux *= v
    flux /= width
    out = np.zeros_like(rho)
    out[:, :-1] = flux
    out[:, 1:] -= flux
    return np.moveaxis(out, 1, axis)


def positive_step(v_a: Array, v_b: Array, grid: Grid) -> float:
    """The longest Euler step that cannot make a cell negative: 1/max 2 (|V_a|/h_a + |V_b|/h_b).

    A cell gives V⁺ρ_E + V⁻ρ_W ≤ max|V| (ρ_E + ρ_W) = 2 max|V| ρ along an axis, since the limiter
    leaves ρ_E, ρ_W ≥ 0. The maxima are over the faces of a whole row of cells along a, which is no
    loss where V_a depends on b alone. Infinite where nothing moves. v_a (n, 1 or A − 1, B) and
    v_b (n, A, B − 1) at the inner faces.
    """
    along_a, along_b = (np.maximum(v.max(1), -v.min(1)) for v in (v_a, v_b))
    faces = np.pad(along_b, ((0, 0), (1, 1)))
    rate = 2.0 * float((along_a / grid.width(0) + np.maximum(faces[:, 1:], faces[:, :-1]) / grid.width(1)).max())
    return 1.0 / rate if rate > 0 else math.inf
