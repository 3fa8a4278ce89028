"""Moments of the starting parameters that dominate all later ones, in the norm of the certificate.

ν and ω are norms of parts of θ(0) such that |a(s)| ≤ a₁ν + α, |w(s)| ≤ ω + b₁ν + γ along limit and
network (see ``size``): ν = |a|, ω = |w| where σ is bounded; ν = √2 |θ|, ω = 0 where it is not. The
weight of a particle is w = exp(−2χ (ν − K)₊): those with large ν count less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from zeroloss.model.arrays import Array
from zeroloss.model.block import Activation, dim_theta
from zeroloss.model.law import InitialLaw

__all__ = ["Norms", "Table"]

NU, OMEGA, TAIL = 7, 5, 3  # powers kept: ν⁰…ν⁶, ω⁰…ω⁴, and of the tail ν⁰…ν²
_LARGEST = 300.0  # exponents are given up beyond this power of e: their squares would overflow


@dataclass(frozen=True)
class Table:
    """Upper bounds of E[ν^j ω^k/w] (7, 5) and E[ν^j (1 − w)²/w] (3,), and what sampling adds.

    With n independent draws, the means of all entries lie below (1 + slack) times them (the tail:
    slack above them) but with probability at most deviation/n.
    """

    joint: Array
    tail: Array
    deviation: float

    def expected(self, a: tuple[Array, Array], w: tuple[Array, Array], i: int, j: int, tail: bool = False) -> Array:
        """E[â^i ŵ^j/w] for â = a₁ν + a₀, ŵ = ω + b₁ν + b₀, arrays that broadcast: i ≤ 2, j ≤ 4.

        ``tail`` takes (1 − w)²/w for 1/w, with i + j ≤ 2, and ω = 0 if j > 0.
        """
        total: Array = np.zeros(np.broadcast_shapes(*(np.shape(x) for x in (*a, *w))))
        for p in range(i + 1):
            of_a = math.comb(i, p) * a[0] ** p * a[1] ** (i - p)
            for k in range(j + 1):
                for q in range(j - k + 1):
                    of_w = math.comb(j, k) * math.comb(j - k, q) * w[0] ** q * w[1] ** (j - k - q)
                    if tail and k > 0:
                        continue  # met for unbounded σ alone, where ω = 0
                    moment = self.tail[p + q] if tail else self.joint[p + q, k]
                    total = total + of_a * of_w * moment
        return total


@dataclass(frozen=True)
class Norms:
    """The law of ν and ω: a multiple of χ_k (gaussian), or a supremum and a mean square."""

    kind: str
    nu: tuple[float, float]
    omega: tuple[float, float]

    @staticmethod
    def of(law: InitialLaw, dim: int, activation: Activation) -> Norms:
        """ν and ω of θ(0) ~ law: (degrees of freedom, scale) if gaussian, else (sup, E ν²)."""
        scales = np.abs(law.scales(dim))
        bounded = math.isfinite(activation.sup_value)
        if law.kind == "gaussian":
            if bounded:
                return Norms("gaussian", (dim, scales[0]), (dim, scales[dim]))
            return Norms("gaussian", (dim_theta(dim), math.sqrt(2.0) * scales.max()), (1, 0.0))
        share = 1.0 / 3.0 if law.kind == "uniform" else 1.0
        parts = (scales[:dim], scales[dim : 2 * dim]) if bounded else (math.sqrt(2.0) * scales, np.zeros(1))
        nu, omega = ((float(np.linalg.norm(part)), share * float(part @ part)) for part in parts)
        return Norms(law.kind, nu, omega)

    def cuts(self, chi: float) -> list[float]:
        """Candidates for K. The weight is needed, and K matters, for unbounded laws alone."""
        if self.kind != "gaussian":
            return [self.nu[0]]
        k, scale = self.nu
        if chi == 0.0:
            return [0.0]  # w = 1 for any K
        base = scale * math.sqrt(k)
        return [base + scale * x for x in (2.0, 3.0, 4.0, 6.0, 8.0)] + [
            base + scale * (4.0 * chi * scale + x) for x in (2.0, 4.0, 6.0)
        ]

    def table(self, chi: float, cut: float, slack: float, tail_slack: float) -> Table:
        """The moments for w = exp(−2 χ (ν − K)₊); entries are ``inf`` where they are too large."""
        j2, k2 = np.arange(2.0 * NU - 1.0), np.arange(2.0 * OMEGA - 1.0)
        if self.kind == "gaussian":
            omega = _chi_moments(*self.omega, k2)
            nu, twice, tail, tail_square = _tilted(*self.nu, j2, chi, cut)
        else:
            omega, nu = (_bounded(*part, powers) for part, powers in ((self.omega, k2), (self.nu, j2)))
            twice, tail, tail_square = nu, np.zeros(TAIL), np.zeros(TAIL)
        joint = np.outer(nu[:NU], omega[:OMEGA])
        deviation = 0.0
        if self.kind != "point":
            squares = np.outer(twice[::2], omega[::2])
            used = (np.add.outer(np.arange(NU), np.arange(OMEGA)) <= NU - 1) & (joint > 0)
            deviation = float((squares[used] / (slack * joint[used]) ** 2).sum())
            deviation += float(tail_square.sum()) / tail_slack**2
        return Table((1.0 + slack) * joint, tail + tail_slack * (tail > 0), deviation)


def _bounded(largest: float, mean_square: float, powers: Array) -> Array:
    """E ν^j ≤ sup^{j−2} E ν² for j ≥ 2, and (E ν²)^{1/2} for j = 1."""
    low = np.array([1.0, math.sqrt(mean_square)])
    return np.array([low[int(j)] if j < 2 else largest ** (j - 2.0) * mean_square for j in powers])


def _chi_moments(degrees: float, scale: float, powers: Array) -> Array:
    """E (scale χ_k)^j = scale^j 2^{j/2} Γ((k + j)/2)/Γ(k/2)."""
    log = 0.5 * powers * math.log(2.0) + special.gammaln(0.5 * (degrees + powers))
    return scale**powers * np.exp(log - special.gammaln(0.5 * degrees))


def _tilted(degrees: float, scale: float, powers: Array, chi: float, cut: float) -> tuple[Array, Array, Array, Array]:
    """For ν = scale χ_k: E ν^j/w, E ν^j/w², E ν^j (1 − w)²/w (j < TAIL), and of its square."""
    if chi == 0.0:
        plain = _chi_moments(degrees, scale, powers)
        return plain, plain, np.zeros(TAIL), np.zeros(TAIL)
    # fine where the integrands live: about 0 and about the peaks of the tilted densities
    bulk = math.sqrt(degrees + 2.0 * powers[-1]) + 12.0
    peaks = [t * chi * scale + np.linspace(-15.0, bulk, 400) for t in (2.0, 4.0)]
    x = np.unique(np.concatenate([np.linspace(0.0, bulk, 600), *peaks, [cut / scale]]))
    x = x[x > 0.0]
    density = (degrees - 1.0) * np.log(x) - 0.5 * x**2
    density -= (0.5 * degrees - 1.0) * math.log(2.0) + special.gammaln(0.5 * degrees)
    gap = np.diff(x, prepend=0.0)
    density += np.log(0.5 * (gap + np.append(gap[1:], 0.0)))
    excess = 2.0 * chi * np.maximum(scale * x - cut, 0.0)
    with np.errstate(divide="ignore"):
        lost = np.log(-np.expm1(-excess))

    def mean(log: Array, exponents: Array) -> Array:
        terms = density + log + np.multiply.outer(exponents, np.log(scale * x))
        found = np.logaddexp.reduce(terms, axis=1)
        return np.exp(np.where(found > _LARGEST, np.inf, found))

    low = powers[:TAIL]
    return (
        mean(excess, powers),
        mean(2.0 * excess, powers),
        mean(2.0 * lost + excess, low),
        mean(4.0 * lost + 2.0 * excess, 2 * low),
    )
