"""An exponential integrator for gradient flows of a square loss: long steps in the stiff tail.

In the tail of training the flow is stiff: rates λ(K)/N of many magnitudes, steps of an explicit
method bound by the fastest. Where the residuals are small, r' = −K r/N with K nearly constant, so

    θ ← θ − h (1/N) Σ_i c_i q_iᵀ ∂_θ f,   c = φ₁(−h K/N) r,   φ₁(x) = (eˣ − 1)/x

is exact to first order in r for any h, and costs a gradient and the eigenvalues of an N × N matrix.
It is the exponential Euler method with the Gauss–Newton part of the Jacobian (Hochbruck and
Ostermann 2010); elsewhere of order 1, and raised to order 4 by extrapolation of 1, 2, 3, 4 steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroloss.integrate.steps import LEAST_ERROR, SAFETY, SHORTEST, SHRINKAGE, check
from zeroloss.model.kernel import Linearised

__all__ = ["Point", "follow"]

STAGES = 4  # of the extrapolation, and its order
LONGEST = 4.0  # growth of a step, less than of the explicit pairs
_ROUND_OFF = 1e-15


@dataclass(frozen=True)
class Point:
    """One accepted point: s, parameters (n, k, particles), what is seen there, the eigenvalues of
    K (N,) in increasing order."""

    s: float
    theta: Tensor
    now: Linearised
    spectrum: Tensor

    @property
    def risk(self) -> float:
        """E = mean ½ r²."""
        return float(0.5 * self.now.residuals.square().mean())


def _phi(x: Tensor) -> Tensor:
    """φ₁(−x) = (1 − e^{−x})/x for x ≥ 0."""
    return torch.where(x > 1e-12, -torch.expm1(-x) / x.clamp_min(1e-300), 1.0)


class _Stepper:
    """Steps of exponential Euler, and their extrapolation."""

    def __init__(self, linearise: Callable[[Tensor], Linearised]) -> None:
        self.linearise = linearise

    def point(self, theta: Tensor, s: float) -> tuple[Point, Tensor]:
        """The point and the eigenvectors of K there."""
        now = self.linearise(theta)
        kernel = now.kernel
        if not bool(torch.isfinite(kernel).all()):
            raise FloatingPointError("the kernel is not finite")
        values, vectors = torch.linalg.eigh(kernel)
        return Point(s, theta, now, values.clamp_min(0.0)), vectors

    def euler(self, start: Point, vectors: Tensor, h: float) -> Tensor:
        """θ − h pull(φ₁(−h K/N) r)."""
        r = start.now.residuals
        phi = _phi(start.spectrum * (h / len(r)))
        return start.theta - h * start.now.pull(vectors @ (phi * (vectors.T @ r)))

    def attempt(self, start: Point, vectors: Tensor, h: float) -> tuple[Tensor, Tensor]:
        """The results of orders STAGES and STAGES − 1 (Aitken and Neville)."""
        first: list[Tensor] = []
        for count in range(1, STAGES + 1):
            theta = self.euler(start, vectors, h / count)
            for i in range(1, count):
                middle, turned = self.point(theta, start.s + i * h / count)
                theta = self.euler(middle, turned, h / count)
            row = [theta]
            for l, below in enumerate(first):
                row.append(row[l] + (row[l] - below) / (count / (count - l - 1) - 1))
            first = row
        return first[-1], first[-2]

    def judged(self, start: Point, vectors: Tensor, h: float, s: float, rtol: float) -> tuple[Point, Tensor, float]:
        """The point a step later, the eigenvectors there and the scaled error: ≤ 1 accepts.

        The error is infinite where the step leads out of what can be computed.
        """
        try:
            new, coarse = self.attempt(start, vectors, h)
            after, turned = self.point(new, s)
            return after, turned, _error(after, coarse, self.linearise(coarse).residuals, rtol)
        except FloatingPointError:
            return start, vectors, math.inf


def follow(
    linearise: Callable[[Tensor], Linearised],
    theta: Tensor,
    outputs: Sequence[float],
    *,
    rtol: float = 1e-6,
    floor: float = 0.0,
    max_steps: int = 5000,
    each: Callable[[Point], None] | None = None,
) -> list[Point]:
    """Follow the flow from θ (n, k, particles) through the output times; the points there.

    The local error is held below ``rtol`` by the controller of `zeroloss.integrate.steps`: of θ in
    root mean square relative to 1 + |θ|, and of the residuals relative to themselves, so that the
    tail is followed to round-off. ``each`` is called with every accepted point. Ends early, with
    fewer points, where the risk is below ``floor``.

    Raises FloatingPointError where no step is short enough, RuntimeError after ``max_steps``.
    """
    check(rtol, rtol, outputs)
    stepper, found = _Stepper(linearise), []
    now, vectors = stepper.point(theta, 0.0)
    fastest = float(now.spectrum[-1]) / len(now.spectrum)
    h = min(0.1 / max(fastest, 1e-12), outputs[-1] or 1.0)
    pending = list(outputs)
    for _ in range(max_steps):
        if each is not None:
            each(now)
        while pending and now.s == pending[0]:
            found.append(now)
            pending.pop(0)
        if not pending or now.risk < floor:
            return found
        while True:
            left = pending[0] - now.s
            step = left if h >= left else (left / 2 if 2 * h > left else h)
            s = pending[0] if step == left else now.s + step
            after, turned, error = stepper.judged(now, vectors, step, s, rtol)
            factor = SAFETY * max(error, LEAST_ERROR) ** (-1.0 / STAGES)
            factor = min(LONGEST, max(SHRINKAGE, factor))
            if error <= 1.0:
                h = max(h, step * factor) if step < h else step * factor
                now, vectors = after, turned
                break
            if step < SHORTEST * (1.0 + now.s):
                raise FloatingPointError(
                    f"the flow is not finite at flow time {now.s:.6g}; reduce rtol or the scales of the law"
                )
            h = step * factor
    raise RuntimeError(
        f"more than {max_steps} steps to reach flow time {outputs[-1]}; raise rtol or shorten flow_times"
    )


def _error(after: Point, coarse: Tensor, residuals: Tensor, rtol: float) -> float:
    """Scaled difference of the two orders, in θ and in r; infinite where it is not finite."""
    theta, r = after.theta, after.now.residuals
    moved = float(((theta - coarse) / (1.0 + theta.abs())).square().mean().sqrt()) / rtol
    allowed = rtol * float(r.norm()) + _ROUND_OFF * math.sqrt(len(r))
    error = max(moved, float((r - residuals).norm()) / allowed)
    return error if math.isfinite(error) else math.inf
