"""The embedded explicit Runge–Kutta pair in the training time s, batched over replicates.

Every replicate (row) has its own step size, so that its trajectory does not depend on what it is
batched with. The pair is first-same-as-last: the last stage is the slope at the new point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroloss.integrate.steps import GROWTH, LEAST_ERROR, SAFETY, SHORTEST, SHRINKAGE, check

__all__ = ["DORMAND_PRINCE", "Evaluation", "Flow", "Pair", "Trajectory", "integrate"]

KEPT_STATES = 16  # of a trajectory: half of the most that is held


@dataclass(frozen=True)
class Pair:
    """Butcher tableau with embedded error weights ``error`` = b − b̂ and order of b."""

    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    error: tuple[float, ...]
    c: tuple[float, ...]


DORMAND_PRINCE = Pair(  # Dormand and Prince 1980, 5(4)
    5,
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
)


@dataclass
class Evaluation:
    """What is seen at a point, besides the slope, which the vector field writes where it is told.

    ``observed`` (replicates, m) is recorded at the output times; ``rate`` (replicates,) is
    integrated along the flow with the weights of the pair (here: the dissipation of the risk).
    """

    observed: Tensor
    rate: Tensor


@dataclass
class Flow:
    """What came of an integration, at each output time.

    observed (outputs, replicates, m), integral of the rate (outputs, replicates), states
    (outputs, replicates, n) if kept, number of accepted and rejected steps per replicate.
    """

    observed: Tensor
    integral: Tensor
    states: Tensor | None
    final: Tensor
    accepted: Tensor
    rejected: Tensor
    trajectory: Trajectory | None

    def note(
        self, alive: Tensor, cursor: Tensor, times: Tensor, s: Tensor, y: Tensor, observed: Tensor, integral: Tensor
    ) -> Tensor:
        """Note every replicate that stands at its next output time; returns the new cursor."""
        hit = s == times[cursor]
        if bool(hit.any()):
            rows, slots = alive[hit], cursor[hit]
            self.observed[slots, rows] = observed[hit]
            self.integral[slots, rows] = integral[hit]
            if self.states is not None:
                self.states[slots, rows] = y[hit]
            self.final[rows] = y[hit]
        return cursor + hit


# (state (active, n), s (active,), out (active, n)) -> Evaluation, with the slope written to out
Field = Callable[[Tensor, Tensor, Tensor], Evaluation]


class _Stages:
    """The slopes K (active, stages, n) of one attempted step; K[:, 0] is that of the point."""

    def __init__(self, vector_field: Field, y: Tensor, rtol: float, atol: float) -> None:
        self.vector_field, self.rtol, self.atol = vector_field, rtol, atol
        pair = DORMAND_PRINCE
        self.K = y.new_empty((y.shape[0], len(pair.c), y.shape[1]))
        table = y.new_zeros((len(pair.c) + 1, len(pair.c)))
        for i, row in enumerate((*pair.a, pair.error)):
            table[i, : len(row)] = y.new_tensor(row)
        self.table = table

    def _combine(self, count: int, h: Tensor, y: Tensor | None) -> Tensor:
        """y + h Σ_j table[count, j] K_j, j < count, in one pass over the stages."""
        weights = (h[:, None] * self.table[count, :count]).unsqueeze(1)
        if y is None:
            return torch.bmm(weights, self.K[:, :count]).squeeze(1)
        if count == 1:
            # a product with a single row is rounded otherwise when it is alone in its batch
            return (weights.squeeze(1) * self.K[:, 0]).add_(y)
        return torch.baddbmm(y.unsqueeze(1), weights, self.K[:, :count]).squeeze(1)

    def repeat(self, y: Tensor, s: float, h: Tensor) -> Tensor:
        """The new state of a step that was accepted before; K as it was then."""
        return self.attempt(y, torch.full_like(h, s), h, torch.zeros_like(h))[0]

    def attempt(self, y: Tensor, s: Tensor, h: Tensor, rate: Tensor) -> tuple[Tensor, Evaluation, Tensor, Tensor]:
        """New state, evaluation there, scaled error (≤ 1 accepts), integral of the rate."""
        pair, last = DORMAND_PRINCE, len(DORMAND_PRINCE.c) - 1
        integral = rate * pair.b[0]
        new, now = y, Evaluation(y, rate)
        for i in range(1, last + 1):
            new = self._combine(i, h, y)
            now = self.vector_field(new, s + pair.c[i] * h, self.K[:, i])
            integral = integral + now.rate * pair.b[i]
        delta = self._combine(last + 1, h, None)
        scale = torch.maximum(y.abs(), new.abs()).mul_(self.rtol).add_(self.atol)
        error = torch.linalg.vector_norm(delta.div_(scale), dim=1) / math.sqrt(y.shape[1])
        return new, now, error, integral * h

    def moved(self, y: Tensor, new: Tensor, accept: Tensor) -> Tensor:
        """The state after an attempt, its slope in K[:, 0]: the new one where that was accepted."""
        if bool(accept.all()):
            self.K[:, 0] = self.K[:, -1]
            return new
        y[accept] = new[accept]
        self.K[accept, 0] = self.K[accept, -1]
        return y


class Trajectory:
    """Accepted points of a single flow (replicates = 1), for cubic Hermite interpolation.

    Of the states a bounded number is kept, evenly spread; what lies between is computed again, step
    by step as it was, when it is asked for: cheap when asked for in order, forwards or backwards.
    Memory: up to 2 ``most`` states with their slopes, and one stretch between two of them.
    """

    def __init__(self, stages: _Stages, y: Tensor, most: int) -> None:
        self.s: list[float] = [0.0]
        self._stages, self._most, self._stride = stages, most, 1
        self._steps: list[Tensor] = []
        self._kept = {0: (y[0].clone(), stages.K[0, 0].clone())}
        self._between: dict[int, tuple[Tensor, Tensor]] = {}

    def record(self, s: float, step: Tensor, y: Tensor) -> None:
        """Note an accepted point y (1, n) at s, ``step`` after the one before."""
        index = len(self.s)
        self.s.append(s)
        self._steps.append(step.clone())
        if index % self._stride == 0:
            self._kept[index] = y[0].clone(), self._stages.K[0, 0].clone()
        if len(self._kept) > 2 * self._most:
            self._stride *= 2
            self._kept = {i: point for i, point in self._kept.items() if i % self._stride == 0}

    def point(self, index: int) -> tuple[Tensor, Tensor]:
        """State and slope, (n,) each, at the accepted point of this index."""
        if index in self._kept:
            return self._kept[index]
        if index not in self._between:
            first = index - index % self._stride
            self._between = {}
            y, slope = self._kept[first]
            for i in range(first, min(first + self._stride, len(self.s)) - 1):
                self._stages.K[0, 0] = slope
                new = self._stages.repeat(y[None], self.s[i], self._steps[i])
                y, slope = new[0], self._stages.K[0, -1].clone()
                self._between[i + 1] = y, slope
        return self._between[index]

    def at(self, step: int, fraction: float) -> Tensor:
        """The state at s_step + fraction·(s_{step+1} − s_step), error O(h⁴): (n,)."""
        h, x = self.s[step + 1] - self.s[step], fraction
        if x in (0.0, 1.0):
            return self.point(step + int(x))[0]
        (y1, slope1), (y0, slope0) = self.point(step + 1), self.point(step)
        return (
            (1 + 2 * x) * (1 - x) ** 2 * y0
            + x**2 * (3 - 2 * x) * y1
            + h * (x * (1 - x) ** 2 * slope0 - x**2 * (1 - x) * slope1)
        )


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent; ``torch.pow`` rounds an element by its place in the batch, log and exp do not."""
    return torch.exp(torch.log(x) * exponent)


def _check_finite(values: Tensor, alive: Tensor, s: Tensor) -> None:
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        row = int(torch.nonzero(~finite)[0])
        raise FloatingPointError(
            f"the velocity of replicate {int(alive[row])} is not finite at "
            f"flow time {float(s[row]):.6g}; reduce rtol or the scales of "
            "the law"
        )


def _first_step(y: Tensor, slope: Tensor, rtol: float, atol: float) -> Tensor:
    """A first step from the size of state and slope (Hairer, Nørsett, Wanner, II.4, simplified)."""
    scale = y.abs().mul_(rtol).add_(atol)
    d1 = (slope / scale).square_().mean(1).sqrt_()
    return _power(d1.clamp_min(1e-12), -1.0 / DORMAND_PRINCE.order).clamp_max(0.5) * 0.5


def _next_step(h: Tensor, step: Tensor, error: Tensor) -> Tensor:
    """What to try after a step that was accepted (error ≤ 1) or not, and may have been cut short."""
    factor = SAFETY * _power(error.clamp_min(LEAST_ERROR), -1.0 / DORMAND_PRINCE.order)
    tried = step * factor.clamp(SHRINKAGE, GROWTH)
    return torch.where((error <= 1.0) & (step < h), torch.maximum(h, tried), tried)


def _empty(outputs: int, y: Tensor, observed: Tensor, keep_states: bool, trajectory: Trajectory | None) -> Flow:
    """A flow of which nothing was seen yet."""
    counts = torch.zeros(len(y), dtype=torch.int64, device=y.device)
    states = y.new_zeros((outputs, *y.shape)) if keep_states else None
    seen, integral = observed.new_zeros((outputs, *observed.shape)), y.new_zeros((outputs, len(y)))
    return Flow(seen, integral, states, y.clone(), counts, counts.clone(), trajectory)


def integrate(
    vector_field: Field,
    y0: Tensor,
    outputs: Sequence[float],
    *,
    rtol: float = 1e-6,
    atol: float | None = None,
    keep_states: bool = False,
    record: bool = False,
    max_steps: int = 100_000,
) -> Flow:
    """Integrate dy/ds = vector_field(y, s) from s = 0 through the output times.

    vector_field(state (active, n), s (active,), out (active, n)) writes the slope to ``out`` and
    returns what else is seen; y0 (replicates, n). Local error
    per step is held below atol + rtol |y| in root mean square over n; output times are hit
    exactly. Replicates that are done leave the batch. Memory does not grow with the steps;
    ``record`` keeps a trajectory (one replicate only), from a bounded number of states.

    A step to where a value is not finite is rejected. Raises FloatingPointError with replicate and
    s if that holds for the shortest step too.
    """
    atol = rtol if atol is None else atol
    check(rtol, atol, outputs)
    times = y0.new_tensor([*outputs, math.inf])
    y, s = y0.clone(), y0.new_zeros(len(y0))
    stages = _Stages(vector_field, y, rtol, atol)
    now = vector_field(y, s, stages.K[:, 0])
    observed, rate, integral = now.observed, now.rate, torch.zeros_like(s)
    trajectory = Trajectory(stages, y, KEPT_STATES) if record else None
    flow = _empty(len(outputs), y, observed, keep_states, trajectory)
    h = _first_step(y, stages.K[:, 0], rtol, atol)
    alive = torch.arange(len(y), device=y.device)
    _check_finite(h, alive, s)
    cursor = flow.note(alive, torch.zeros_like(alive), times, s, y, observed, integral)
    for _ in range(max_steps):
        keep = cursor < len(outputs)
        if not bool(keep.all()):
            if not bool(keep.any()):
                return flow
            y, s, h, integral, observed, rate, alive, cursor, stages.K = (
                part[keep] for part in (y, s, h, integral, observed, rate, alive, cursor, stages.K)
            )
        target = times[cursor]
        left = target - s
        step = torch.where(h >= left, left, torch.where(2 * h > left, left / 2, h))
        new, after, error, gained = stages.attempt(y, s, step, rate)
        error = torch.where(torch.isfinite(error), error, math.inf)
        _check_finite(torch.where(step < SHORTEST * (1.0 + s), error, 0.0), alive, s)
        accept = error <= 1.0
        flow.accepted[alive] += accept
        flow.rejected[alive] += ~accept
        h = _next_step(h, step, error)
        hit = accept & (step >= left)
        s = torch.where(hit, target, torch.where(accept, s + step, s))
        integral = torch.where(accept, integral + gained, integral)
        rate = torch.where(accept, after.rate, rate)
        observed = torch.where(accept[:, None], after.observed, observed)
        y = stages.moved(y, new, accept)
        if trajectory is not None and bool(accept[0]):
            trajectory.record(float(s[0]), step, y)
        cursor = flow.note(alive, cursor, times, s, y, observed, integral)
    raise RuntimeError(
        f"more than {max_steps} steps to reach flow time {outputs[-1]}; raise rtol or shorten flow_times"
    )
