"""Deep linear networks with a one-neuron layer, factor by factor: W = W_N ⋯ W_1.

Loss ½|W_N ⋯ W_1 − Z|²_F (whitened data); gradient flow dW_j/ds = −∂loss/∂W_j for each factor. With
a layer of one neuron W has rank one. Nothing here knows the closed forms of `balanced`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

Array = np.ndarray


@dataclass(frozen=True)
class Chain:
    """Networks of one shape on one target: widths (d_0, …, d_N), target Z (d_N, d_0).

    States are flat, (starts, Σ_j d_j d_{j−1}), the factors one after the other from W_1 on.
    """

    widths: tuple[int, ...]
    target: Array

    @property
    def num_layers(self) -> int:
        """N, the number of factors."""
        return len(self.widths) - 1

    def factors(self, flat: Array) -> list[Array]:
        """W_1, …, W_N as views of a flat state: (starts, d_j, d_{j−1}) each."""
        shapes = [(self.widths[j + 1], self.widths[j]) for j in range(self.num_layers)]
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        parts = np.split(flat, ends[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]

    def product(self, flat: Array) -> Array:
        """W = W_N ⋯ W_1: (starts, d_N, d_0)."""
        product, *rest = self.factors(flat)
        for W in rest:
            product = W @ product
        return product

    def velocity(self, flat: Array) -> Array:
        """−(W_N ⋯ W_{j+1})ᵀ (W − Z) (W_{j−1} ⋯ W_1)ᵀ for each j, like ``flat``."""
        factors = self.factors(flat)
        before = [factors[0]]  # W_j ⋯ W_1
        for W in factors[1:]:
            before.append(W @ before[-1])
        pulled = self.target - before[-1]  # (W_N ⋯ W_{j+1})ᵀ (Z − W)
        slopes = []
        for j in reversed(range(self.num_layers)):
            slopes.append(pulled @ before[j - 1].swapaxes(1, 2) if j else pulled)
            pulled = factors[j].swapaxes(1, 2) @ pulled
        return np.concatenate([slope.reshape(len(flat), -1) for slope in reversed(slopes)], axis=1)

    def flow(self, start: Array, flow_times: Sequence[float] | Array, rtol: float) -> Array:
        """W(s) along the gradient flow at increasing times from 0 on, by the pair of order 8 of
        Dormand and Prince: (outputs, starts, d_N, d_0). Starts share their steps.

        Raises FloatingPointError if the step has to become too short.
        """
        solved = self._solve(start, float(flow_times[-1]), rtol, t_eval=flow_times)
        return np.stack([self.product(y.reshape(start.shape)) for y in solved.y.T])

    def reaches(self, start: Array, size: float, longest: float, rtol: float) -> float:
        """The time at which |W|_F of one start reaches ``size``; NaN if not within ``longest``."""

        def above(_: float, y: Array) -> float:
            return float(np.linalg.norm(self.product(y.reshape(start.shape)))) - size

        setattr(above, "terminal", True)  # how solve_ivp is told to stop there  # noqa: B010
        solved = self._solve(start, longest, rtol, events=above)
        return float(solved.t_events[0][0]) if len(solved.t_events[0]) else float("nan")

    def _solve(self, start: Array, end: float, rtol: float, **options: Any) -> Any:
        def slope(_: float, y: Array) -> Array:
            return self.velocity(y.reshape(start.shape)).ravel()

        solved = solve_ivp(slope, (0.0, end), start.ravel(), method="DOP853", rtol=rtol, atol=rtol, **options)
        if not solved.success:
            raise FloatingPointError(f"the flow of {self.num_layers} factors was not integrated: {solved.message}")
        return solved

    def descend(self, start: Array, step: float, num_steps: int) -> Array:
        """W after so many steps of gradient descent: (starts, d_N, d_0)."""
        flat = start.copy()
        for _ in range(num_steps):
            flat += step * self.velocity(flat)
        return self.product(flat)


def rank_one_start(widths: Sequence[int], u: Array, v: Array, norms: Array, rng: np.random.Generator) -> Array:
    """Factors W_j = w_j q_j q_{j−1}ᵀ with q_N = u, q_0 = v and random unit vectors between.

    u (starts, d_N), v (starts, d_0), norms w (starts, N) -> flat state. Balanced,
    W_{j+1}ᵀ W_{j+1} = W_j W_jᵀ, exactly if all w_j of a start are equal; σ = Π w_j.
    """
    unit = [v]
    for width in widths[1:-1]:
        q = rng.standard_normal((len(u), width))
        unit.append(q / np.linalg.norm(q, axis=1, keepdims=True))
    unit.append(u)
    factors = [norms[:, j, None, None] * unit[j + 1][:, :, None] * unit[j][:, None, :] for j in range(len(widths) - 1)]
    return np.concatenate([W.reshape(len(u), -1) for W in factors], axis=1)
