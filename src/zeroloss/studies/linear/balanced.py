"""Closed forms for balanced starts, W = σ u vᵀ on the target Z = Σ_k s_k u_k v_kᵀ.

    σ' = N σ^{2−2/N} (uᵀZv − σ),  u' = σ^{1−2/N} (I − u uᵀ) Z v,  v' = σ^{1−2/N} (I − v vᵀ) Zᵀ u

In the time τ with dτ = σ^{1−2/N} ds the directions are those of the *linear* flow U' = ZV,
V' = ZᵀU, since |U| = |V| stays: p_k = u_k·u + v_k·v grows like e^{s_k τ}, m_k = u_k·u − v_k·v
decays, the rest is constant. With G = |U(τ)|/|U(0)| and h = uᵀZv = d log G/dτ the singular value
obeys Bernoulli's equation dσ/dτ = N σ (h − σ), so that σ = G^N / (1/σ_0 + N ∫_0^τ G^N). Where it
ends follows from the overlaps p_k alone. Derived in the paper's appendix; sets and stages after
Eftekhari (2020) and Chen, Lin, Zhang (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import integrate as quadrature

Array = np.ndarray
ORIGIN = 0  # the number of the end W = 0; the others are numbered by their mode from 1 on
ZERO = 1e-12  # an overlap below it is none


@dataclass(frozen=True)
class Target:
    """Z = Σ_k s_k u_k v_kᵀ: left (d_N, r), values s (r,) falling and above 0, right (d_0, r)."""

    left: Array
    values: Array
    right: Array

    @property
    def matrix(self) -> Array:
        """Z (d_N, d_0)."""
        return (self.left * self.values) @ self.right.T

    def mode(self, k: int) -> Array:
        """s_k u_k v_kᵀ, counted from 1; zero for `ORIGIN`."""
        if k == ORIGIN:
            return np.zeros((len(self.left), len(self.right)))
        return self.values[k - 1] * np.outer(self.left[:, k - 1], self.right[:, k - 1])


@dataclass(frozen=True)
class Start:
    """A balanced start σ u vᵀ: u (d_N,) and v (d_0,) of norm one, sigma > 0."""

    u: Array
    v: Array
    sigma: float

    def overlaps(self, target: Target) -> tuple[Array, Array]:
        """p_k and m_k = u_k·u ± v_k·v (r,); what is round-off is zero."""
        a, b = target.left.T @ self.u, target.right.T @ self.v
        p, m = a + b, a - b
        return np.where(np.abs(p) > ZERO, p, 0.0), np.where(np.abs(m) > ZERO, m, 0.0)


def end_of(start: Start, target: Target) -> int:
    """The mode at which the flow ends, from the start alone: the first k with p_k ≠ 0, 1 being the
    best rank-one approximation and others saddles; `ORIGIN` if all p_k vanish."""
    escaping = np.flatnonzero(start.overlaps(target)[0])
    return int(escaping[0]) + 1 if len(escaping) else ORIGIN


@dataclass(frozen=True)
class _Modes:
    """G² at τ is Σ_i shares_i e^{powers_i τ} for each start: p_k² and m_k² over 4 with ±2 s_k,
    and what lies outside of the modes with 0. shares (starts, 2 r + 1), of sum 1."""

    shares: Array
    powers: Array

    @classmethod
    def of(cls, starts: Sequence[Start], target: Target) -> _Modes:
        overlaps = np.array([start.overlaps(target) for start in starts])  # (starts, 2, r)
        inside = (overlaps**2 / 4).reshape(len(starts), -1)
        rest = np.maximum(1.0 - inside.sum(1, keepdims=True), 0.0)
        rest[rest < ZERO] = 0.0
        s = target.values
        return cls(np.concatenate([inside, rest], axis=1), np.concatenate([2 * s, -2 * s, [0.0]]))

    def growth(self, tau: Array) -> tuple[Array, Array]:
        """log G and h = d log G/dτ at τ (starts,); the largest exponential is taken out."""
        exponents = np.where(self.shares > 0, tau[:, None] * self.powers, -np.inf)
        top = exponents.max(1, keepdims=True)
        terms = self.shares * np.exp(exponents - top)
        total = terms.sum(1)
        return 0.5 * (top[:, 0] + np.log(total)), 0.5 * (terms @ self.powers) / total


def trajectory(
    starts: Sequence[Start], target: Target, num_layers: int, flow_times: Sequence[float] | Array, rtol: float = 1e-12
) -> Array:
    """W(s) of balanced flows at increasing times from 0 on: (outputs, starts, d_N, d_0).

    Directions are closed forms of τ; τ(s) and log σ(s) of each start are integrated (DOP853).
    """
    power, modes = 1.0 - 2.0 / num_layers, _Modes.of(starts, target)

    def slope(_: float, y: Array) -> Array:
        tau, log = y.reshape(2, -1)
        sigma = np.exp(log)
        pace = sigma**power
        return np.concatenate([pace, num_layers * pace * (modes.growth(tau)[1] - sigma)])

    first = np.log([start.sigma for start in starts])
    solved = quadrature.solve_ivp(
        slope,
        (0.0, float(flow_times[-1])),
        np.concatenate([np.zeros_like(first), first]),
        method="DOP853",
        t_eval=flow_times,
        rtol=rtol,
        atol=rtol,
    )
    if not solved.success:
        raise FloatingPointError(f"the balanced flow was not integrated: {solved.message}")
    return np.stack([_products(starts, target, *y.reshape(2, -1)) for y in solved.y.T])


def _products(starts: Sequence[Start], target: Target, tau: Array, log: Array) -> Array:
    """σ u vᵀ (starts, d_N, d_0) at τ and log σ of each start."""
    products = []
    for start, at, size in zip(starts, tau, np.exp(log), strict=True):
        u, v = _directions(start, target, float(at))
        products.append(size * np.outer(u, v))
    return np.stack(products)


def _directions(start: Start, target: Target, tau: float) -> tuple[Array, Array]:
    """u and v at τ, each divided by its norm."""
    p, m = start.overlaps(target)
    rise = target.values * tau
    # of the exponents that occur the largest is taken out
    top = max(rise[p != 0].max(initial=-np.inf), -rise[m != 0].min(initial=np.inf), 0.0 if (p == 0).all() else -np.inf)
    up, down = np.exp(rise - top) * p, np.exp(-rise - top) * m
    directions = []
    for modes, whole, part in ((target.left, start.u, (up + down) / 2), (target.right, start.v, (up - down) / 2)):
        outside = (whole - modes @ (modes.T @ whole)) * np.exp(-top)
        directions.append(modes @ part + outside)
    u, v = directions
    return u / np.linalg.norm(u), v / np.linalg.norm(v)


def final_rates(values: Array, num_layers: int) -> tuple[float, float]:
    """Rates of the loss above its infimum at the end: 2 N s_1^{2−2/N} of σ alone (aligned starts),
    2 (s_1 − s_2) s_1^{1−2/N} of the directions. The second is always the smaller."""
    first, second = float(values[0]), float(values[1])
    return (2 * num_layers * first ** (2 - 2 / num_layers), 2 * (first - second) * first ** (1 - 2 / num_layers))


def escape_constant(start: Start, target: Target, num_layers: int) -> float:
    """lim σ_0^{1−2/N} T as σ_0 → 0, T the time to leave the origin, N ≥ 3: ∫_0^∞ G^{−(N−2)} dτ.

    ``start.sigma`` does not count. Infinite, and refused, for a start that ends at the origin.
    """
    if num_layers < 3 or end_of(start, target) == ORIGIN:
        raise ValueError(
            "num_layers must be at least 3 and the start leave the origin, got "
            f"{num_layers} and end {end_of(start, target)}; take another start"
        )
    modes = _Modes.of([start], target)
    value, _ = quadrature.quad(
        lambda tau: np.exp(-(num_layers - 2) * modes.growth(np.array([tau]))[0][0]),
        0.0,
        np.inf,
        epsabs=0.0,
        epsrel=1e-10,
        limit=400,
    )
    return float(value)


def norms_at_the_end(norms: Array, value: float) -> Array:
    """Norms w_j (N,) of the factors where Π w_j = ``value``, from those at the start: the flow of a
    chain of rank one keeps w_j² − w_1²."""
    kept = norms**2 - norms.min() ** 2

    def product(least: float) -> float:
        return float(np.prod(np.sqrt(least + kept))) - value

    from scipy.optimize import brentq

    top = value ** (2 / len(norms)) + 1.0
    least = brentq(product, 0.0, top, xtol=1e-15)  # the root alone, not its report
    return np.sqrt(np.float64(least) + kept)  # pyright: ignore


def unbalanced_rate(norms: Array, values: Array) -> float:
    """Rate of the loss at the best rank-one approximation for factors of norms w_j (N,) there.

    With c = Π_{1<j<N} w_j the directions u_k and v_k couple through the matrix
    [[−c² w_1², c s_k], [c s_k, −c² w_N²]]; twice the slower eigenvalue for k = 2, or that of σ
    itself, 2 s_1² Σ_j w_j^{−2}.
    """
    first, second = float(values[0]), float(values[1])
    inner = float(np.prod(norms[1:-1]))
    low, high = (inner * norms[0]) ** 2, (inner * norms[-1]) ** 2
    across = 0.5 * (low + high) - np.hypot(0.5 * (low - high), inner * second)
    return float(min(2 * across, 2 * first**2 * (norms**-2.0).sum()))
