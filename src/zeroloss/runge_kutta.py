"""Embedded explicit Runge–Kutta pairs in the training time s, batched over replicates.

Every replicate (row) has its own step size, so that its trajectory does not depend on what it is
batched with. Pairs are first-same-as-last: the last stage is the slope at the new point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["BOGACKI_SHAMPINE", "DORMAND_PRINCE", "Evaluation", "Flow", "Pair", "Trajectory",
           "integrate"]


@dataclass(frozen=True)
class Pair:
    """Butcher tableau with embedded error weights ``error`` = b − b̂ and order of b."""

    name: str
    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    error: tuple[float, ...]
    c: tuple[float, ...]


BOGACKI_SHAMPINE = Pair(  # Bogacki and Shampine 1989, 3(2)
    "bogacki-shampine", 3,
    ((), (1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
    (2 / 9, 1 / 3, 4 / 9, 0.0),
    (2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8),
    (0.0, 1 / 2, 3 / 4, 1.0),
)
DORMAND_PRINCE = Pair(  # Dormand and Prince 1980, 5(4)
    "dormand-prince", 5,
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
    """The vector field at a point: slope (replicates, n), and what is observed there.

    ``observed`` (replicates, m) is recorded at the output times; ``rate`` (replicates,) is
    integrated along the flow with the weights of the pair (here: the dissipation of the risk).
    """

    slope: Tensor
    observed: Tensor
    rate: Tensor

    def rows(self, index: Tensor) -> Evaluation:
        """The same for some replicates only."""
        return Evaluation(self.slope[index], self.observed[index], self.rate[index])


@dataclass
class Trajectory:
    """Accepted points of a single flow (replicates = 1), for cubic Hermite interpolation."""

    s: list[float] = field(default_factory=list)
    y: list[Tensor] = field(default_factory=list)
    slope: list[Tensor] = field(default_factory=list)

    def at(self, step: int, fraction: float) -> Tensor:
        """The state at s_step + fraction·(s_{step+1} − s_step), error O(h⁴): like y."""
        h, x = self.s[step + 1] - self.s[step], fraction
        y0, y1 = self.y[step], self.y[step + 1]
        if x in (0.0, 1.0):
            return y1 if x else y0
        return ((1 + 2 * x) * (1 - x) ** 2 * y0 + x**2 * (3 - 2 * x) * y1
                + h * (x * (1 - x) ** 2 * self.slope[step] - x**2 * (1 - x) * self.slope[step + 1]))


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


Field = Callable[[Tensor, Tensor], Evaluation]


def _error_norm(delta: Tensor, y: Tensor, new: Tensor, rtol: float, atol: float) -> Tensor:
    scale = torch.maximum(y.abs(), new.abs()).mul_(rtol).add_(atol)
    return delta.div_(scale).square_().mean(1).sqrt_()


def _check(rtol: float, atol: float, outputs: Sequence[float]) -> None:
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol and atol must be above 0, got {rtol} and {atol}; set rtol")
    if not outputs or min(outputs) < 0 or list(outputs) != sorted(set(outputs)):
        raise ValueError(f"flow_times must be increasing and at least 0, got {list(outputs)}; "
                         "set flow_times")


class _Stepper:
    """One attempted step of the pair for all active replicates."""

    def __init__(self, vector_field: Field, pair: Pair, rtol: float, atol: float) -> None:
        self.vector_field, self.pair, self.rtol, self.atol = vector_field, pair, rtol, atol

    def attempt(self, y: Tensor, s: Tensor, h: Tensor, first: Evaluation
                ) -> tuple[Tensor, Evaluation, Tensor, Tensor]:
        """New state, evaluation there, scaled error (≤ 1 accepts), integral of the rate."""
        pair, step = self.pair, h[:, None]
        stages, integral = [first], first.rate * pair.b[0]
        new = y
        for i in range(1, len(pair.c)):
            new = torch.zeros_like(y)
            for weight, stage in zip(pair.a[i], stages, strict=True):
                if weight:
                    new.add_(stage.slope, alpha=weight)
            new.mul_(step).add_(y)
            stages.append(self.vector_field(new, s + pair.c[i] * h))
            integral = integral + stages[-1].rate * pair.b[i]
        delta = torch.zeros_like(y)
        for weight, stage in zip(pair.error, stages, strict=True):
            if weight:
                delta.add_(stage.slope, alpha=weight)
        error = _error_norm(delta.mul_(step), y, new, self.rtol, self.atol)
        return new, stages[-1], error, integral * h


def _first_step(y: Tensor, slope: Tensor, rtol: float, atol: float, order: int) -> Tensor:
    """A first step from the size of state and slope (Hairer, Nørsett, Wanner, II.4, simplified)."""
    scale = y.abs().mul_(rtol).add_(atol)
    d1 = (slope / scale).square_().mean(1).sqrt_()
    return (1.0 / d1.clamp_min(1e-12)).pow(1.0 / order).clamp_max(0.5) * 0.5


def integrate(vector_field: Field, y0: Tensor, outputs: Sequence[float], *, rtol: float = 1e-6,
              atol: float | None = None, pair: Pair = DORMAND_PRINCE, keep_states: bool = False,
              record: bool = False, max_steps: int = 100_000) -> Flow:
    """Integrate dy/ds = vector_field(y, s) from s = 0 through the output times.

    vector_field: (active, n) state and (active,) s -> Evaluation; y0 (replicates, n). Local error
    per step is held below atol + rtol |y| in root mean square over n; output times are hit
    exactly. Replicates that are done leave the batch. Memory does not grow with the steps
    unless ``record`` keeps the trajectory (one replicate only).

    Raises FloatingPointError with replicate and s if a value is not finite.
    """
    atol = rtol if atol is None else atol
    _check(rtol, atol, outputs)
    replicates = y0.shape[0]
    stepper = _Stepper(vector_field, pair, rtol, atol)
    times = torch.tensor([*outputs, float("inf")], dtype=y0.dtype, device=y0.device)
    y = y0.clone()
    s = torch.zeros(replicates, dtype=y.dtype, device=y.device)
    now = vector_field(y, s)
    integral = torch.zeros_like(s)
    book = _Book(len(outputs), y, now, keep_states)
    trajectory = Trajectory([0.0], [y[0].clone()], [now.slope[0].clone()]) if record else None
    h = _first_step(y, now.slope, rtol, atol, pair.order)
    alive = torch.arange(replicates, device=y.device)
    cursor = torch.zeros_like(alive)
    cursor = book.record(alive, cursor, times, s, y, now, integral)
    for _ in range(max_steps):
        keep = cursor < len(outputs)
        if not bool(keep.all()):
            if not bool(keep.any()):
                return book.flow(trajectory)
            y, s, h, integral = y[keep], s[keep], h[keep], integral[keep]
            now, alive, cursor = now.rows(keep), alive[keep], cursor[keep]
        target = times[cursor]
        # stretch or halve the last steps so that none is tiny before an output
        left = target - s
        step = torch.where(h >= left, left, torch.where(2 * h > left, left / 2, h))
        new, after, error, gained = stepper.attempt(y, s, step, now)
        if not bool(torch.isfinite(error).all()):
            row = int(torch.nonzero(~torch.isfinite(error))[0])
            raise FloatingPointError(f"replicate {int(alive[row])} is not finite at flow time "
                                     f"{float(s[row]):.6g}; reduce rtol or the scales of the law")
        accept = error <= 1.0
        book.count(alive, accept)
        factor = (0.9 * error.clamp_min(1e-10).pow(-1.0 / pair.order)).clamp(0.2, 5.0)
        # a step cut short by an output time says nothing against the longer one
        h = torch.where(accept & (step < h), torch.maximum(h, step * factor), step * factor)
        hit = accept & (step >= left)
        take = accept[:, None]
        y = torch.where(take, new, y)
        now = Evaluation(torch.where(take, after.slope, now.slope),
                         torch.where(take, after.observed, now.observed),
                         torch.where(accept, after.rate, now.rate))
        integral = torch.where(accept, integral + gained, integral)
        s = torch.where(hit, target, torch.where(accept, s + step, s))
        if trajectory is not None and bool(accept[0]):
            trajectory.s.append(float(s[0]))
            trajectory.y.append(y[0].clone())
            trajectory.slope.append(now.slope[0].clone())
        cursor = book.record(alive, cursor, times, s, y, now, integral)
    raise RuntimeError(f"more than {max_steps} steps to reach flow time {outputs[-1]}; "
                       "raise rtol or shorten flow_times")


class _Book:
    """Keeps what is observed at the output times."""

    def __init__(self, outputs: int, y: Tensor, now: Evaluation, keep_states: bool) -> None:
        replicates = y.shape[0]
        self.observed = now.observed.new_zeros((outputs, *now.observed.shape))
        self.integral = y.new_zeros((outputs, replicates))
        self.states = y.new_zeros((outputs, *y.shape)) if keep_states else None
        self.final = y.clone()
        self.accepted = torch.zeros(replicates, dtype=torch.int64, device=y.device)
        self.rejected = torch.zeros_like(self.accepted)

    def count(self, alive: Tensor, accept: Tensor) -> None:
        self.accepted[alive] += accept
        self.rejected[alive] += ~accept

    def record(self, alive: Tensor, cursor: Tensor, times: Tensor, s: Tensor, y: Tensor,
               now: Evaluation, integral: Tensor) -> Tensor:
        """Note every replicate that stands at its next output time; returns the new cursor."""
        hit = s == times[cursor]
        if bool(hit.any()):
            rows, slots = alive[hit], cursor[hit]
            self.observed[slots, rows] = now.observed[hit]
            self.integral[slots, rows] = integral[hit]
            if self.states is not None:
                self.states[slots, rows] = y[hit]
            self.final[rows] = y[hit]
        return cursor + hit

    def flow(self, trajectory: Trajectory | None) -> Flow:
        return Flow(self.observed, self.integral, self.states, self.final, self.accepted,
                    self.rejected, trajectory)
