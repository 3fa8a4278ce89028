"""A small residual network, many of them at once: h_{k+1} = h_k + δ_k σ(A_k h_k + b_k), E = mean ½ |h_L − y|².

Four parametrisations of δ: one number for all layers (`shared`), one for each (`own`), the constants 1 (`one`) and
1/L (`inverse`). State of a network, n = L d(d + 1) + L + 1 numbers: (A_k, b_k) with b_k as last column, δ_k, and
the number of the network, which tells its data after others have left the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from zeroloss.integrate.runge_kutta import Evaluation, Flow, integrate
from zeroloss.model.arrays import Array

__all__ = ["EXPONENTS", "Stack"]

# α of δ ~ L^−α and β of ‖A‖ ~ L^−β, from conservation laws and L δ A = Θ(1)
EXPONENTS = {"shared": (0.25, 0.75), "own": (0.5, 0.5), "one": (0.0, 1.0), "inverse": (1.0, 0.0)}
DENSITY = 1 / np.sqrt(2 * np.pi)
REST = 1e6  # flow time; networks that train have an e-folding time of at most some thousands, like their depth
Integers = NDArray[np.int_]
Pace = Callable[[Array, Array, Integers], Array]  # of risk, −∇E and the numbers of the networks


def activate(name: str, u: Array) -> tuple[Array, Array]:
    """σ(u) and σ'(u)."""
    if name == "tanh":
        h = np.tanh(u)
        return h, 1 - h * h
    if name == "gelu":
        cdf = ndtr(u)
        return u * cdf, cdf + u * (DENSITY * np.exp(-u * u / 2))
    return np.maximum(u, 0.0), (u > 0).astype(float)


@dataclass
class Stack:
    """R networks of L layers with their own data, parametrisation and activation.

    x, y (R, N, d); kinds and activations by network, of which equal activations stand together.
    """

    x: Array
    y: Array
    num_layers: int
    kinds: list[str]
    activations: list[str]

    def __post_init__(self) -> None:
        self.d = self.x.shape[2]
        self.weights = self.num_layers * self.d * (self.d + 1)
        self.names = np.array(self.activations)
        self.is_shared = np.array([kind == "shared" for kind in self.kinds])
        self.is_own = np.array([kind == "own" for kind in self.kinds])

    def state(self, layers: Array, delta: Array) -> Array:
        """States (R, n) of layers (R, L, d, d + 1) and δ (R, L)."""
        R = len(self.x)
        return np.concatenate([layers.reshape(R, -1), delta, np.arange(R, dtype=float)[:, None]], 1)

    def parts(self, state: Array) -> tuple[Array, Array]:
        """Layers (R, L, d, d + 1) and δ (R, L) of states (R, n)."""
        L, d = self.num_layers, self.d
        return state[:, : self.weights].reshape(-1, L, d, d + 1), state[:, self.weights : -1]

    def _activate(self, u: Array, rows: Integers) -> tuple[Array, Array]:
        """σ and σ' of preactivations (R, N, d), by runs of equal activations."""
        names = self.names[rows]
        cuts = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(rows)]
        if len(cuts) == 2:
            return activate(str(names[0]), u)
        found = [activate(str(names[a]), u[a:b]) for a, b in pairwise(cuts)]
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def outputs(self, state: Array, x: Array) -> Array:
        """h_L at inputs (R, N, d)."""
        layers, delta = self.parts(state)
        rows, h = state[:, -1].round().astype(int), x
        for k in range(self.num_layers):
            u = h @ layers[:, k, :, :-1].swapaxes(1, 2) + layers[:, k, None, :, -1]
            h = h + delta[:, k, None, None] * self._activate(u, rows)[0]
        return h

    def descend(self, state: Array) -> tuple[Array, Array]:
        """Risk (R,) and −∇E (R, n) at states; the number of a network has none."""
        layers, delta = self.parts(state)
        rows = state[:, -1].round().astype(int)
        L, x = self.num_layers, self.x[rows]
        h, kept, N = x, [], x.shape[1]
        for k in range(L):
            u = h @ layers[:, k, :, :-1].swapaxes(1, 2) + layers[:, k, None, :, -1]
            value, slope = self._activate(u, rows)
            kept.append((h, value, slope))
            h = h + delta[:, k, None, None] * value
        p = (h - self.y[rows]) / N
        risk = N / 2 * (p * p).sum((1, 2))
        down = np.zeros_like(state)
        of_layers, of_delta = self.parts(down)  # views
        for k in reversed(range(L)):
            h, value, slope = kept[k]
            of_delta[:, k] = -(p * value).sum((1, 2))
            q = p * slope * delta[:, k, None, None]
            of_layers[:, k, :, :-1] = -(q.swapaxes(1, 2) @ h)
            of_layers[:, k, :, -1] = -q.sum(1)
            p = p + q @ layers[:, k, :, :-1]
        shared = of_delta.sum(1, keepdims=True) * self.is_shared[rows, None]
        of_delta[:] = shared + of_delta * self.is_own[rows, None]
        return risk, down

    def power(self, down: Array, rows: Integers) -> Array:
        """−dE/dt along the flow: |∇E|², in which a shared δ counts once."""
        of_layers, of_delta = down[:, : self.weights], down[:, self.weights : -1]
        weight = np.where(self.is_shared[rows], 1 / self.num_layers, 1.0)
        return (of_layers**2).sum(1) + weight * (of_delta**2).sum(1)

    def _follow(self, state: Array, pace: Pace, times: list[float], rtol: float, clock: bool = False) -> Flow:
        """dθ/dτ = −pace ∇E with the pace of each network, by its number; with a clock, whose dt/dτ is the pace, as
        last column."""

        def field(y: torch.Tensor, _: torch.Tensor, out: torch.Tensor) -> Evaluation:
            values = (y[:, :-1].contiguous() if clock else y).numpy()
            risk, down = self.descend(values)
            speed = pace(risk, down, values[:, -1].round().astype(int))[:, None]
            out.copy_(torch.from_numpy(np.concatenate([down * speed, speed], 1) if clock else down * speed))
            return Evaluation(torch.from_numpy(risk)[:, None], torch.from_numpy(risk))

        start = np.concatenate([state, np.zeros((len(state), 1))], 1) if clock else state
        return integrate(field, torch.from_numpy(start), times, rtol=rtol, keep_states=True)

    def by_risk(self, state: Array, shares: tuple[float, ...], rtol: float) -> Array:
        """The gradient flow to each share of the first risk: states (shares, R, n).

        In the time τ = log(E(0)/E) the flow is dθ/dτ = −t ∇E with t = E/|∇E|², the flow time in which the risk
        falls by a factor e: a share is a time, met as exactly as τ is followed. At a minimum t is infinite:
        t/(1 + (t/REST)²) in its place leaves a network there. The weights of those that rest, t > REST,
        are NaN.
        """

        def pace(risk: Array, down: Array, rows: Integers) -> Array:
            power = self.power(down, rows)
            return risk * power / (power**2 + (risk / REST) ** 2)

        flow = self._follow(state, pace, [float(-np.log(share)) for share in shares], rtol)
        assert flow.states is not None
        states = flow.states.numpy()
        for end in states:
            risk, down = self.descend(end)
            rests = risk > REST * self.power(down, end[:, -1].round().astype(int))
            end[rests, :-1] = np.nan  # all but the number of the network
        return states

    def clocked(self, state: Array, target: Array, times: float, rtol: float) -> tuple[Array, Array]:
        """Risk after ``times`` the flow time at which it first is target (R,), and that time.

        The clock t is a state of its own: dt/dτ = E log(E(0)/target)/|∇E|², τ from 0 to 1.
        """
        rate = np.log(self.descend(state)[0] / target)

        def to_target(risk: Array, down: Array, rows: Integers) -> Array:
            return risk * rate[rows] / self.power(down, rows)

        reached = self._follow(state, to_target, [1.0], rtol, clock=True).final.numpy()
        left = (times - 1) * reached[:, -1]
        flow = self._follow(reached[:, :-1].copy(), lambda risk, down, rows: left[rows], [1.0], rtol)
        return flow.observed[0, :, 0].numpy(), reached[:, -1]

    def adam(self, state: Array, rates: Array, most: int, share: float = 0.0) -> Array:
        """States (R, n) when Adam at its own rate (R,) first has the share of the risk, or after ``most`` steps.

        β₁ = 0.9, β₂ = 0.999, ε = 1e−8. RuntimeError if a share is asked for and not reached.
        """
        y, found = state.copy(), state.copy()
        first, second = np.zeros_like(y), np.zeros_like(y)
        waiting, start = np.ones(len(y), dtype=bool), np.zeros(len(y))
        for step in range(1, most + 1):
            risk, down = self.descend(y)
            start = risk if step == 1 else start
            hit = waiting & (risk <= share * start)
            found[hit], waiting = y[hit], waiting & ~hit
            if not waiting.any():
                return found
            first = 0.9 * first + 0.1 * down
            second = 0.999 * second + 0.001 * down**2
            y += rates[:, None] * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        if share:
            raise RuntimeError(
                f"{waiting.sum()} networks had not {share} of their risk after {most} steps; raise most_steps"
            )
        return y
