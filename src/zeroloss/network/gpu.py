"""Gradients, gradient flow and descent of finite ResNets on a GPU, by the kernels of
`zeroloss.network.kernels`.

The same numbers as the torch code of `zeroloss.network.resnet` to rounding. Networks do not meet:
a whole training run is one launch, in which each takes steps of its own, and no byte depends on the
batch. A network runs on one multiprocessor, so that a GPU is full from about two hundred networks
on; of few and large ones torch makes more (`Network(..., compiled=False)`).

Not run on a GPU yet, hence for those who ask (ZEROLOSS_ENGINE=triton): tests run it by Triton's
interpreter and compile it for one (sm_90).
"""

# pyright: reportMissingImports=false, reportIndexIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from zeroloss.integrate.runge_kutta import DORMAND_PRINCE, Flow
from zeroloss.integrate.steps import check
from zeroloss.model.catalogue import ACTIVATIONS
from zeroloss.model.problem import Problem
from zeroloss.network import engine, kernels

__all__ = ["MOST_DIM", "descend", "flow", "serves", "velocity"]

MOST_DIM = 32  # d: more of it does not fit the registers
PAIRS = {torch.float64: 1024, torch.float32: 2048}  # of a unit and a sample, at a time
ACCUMULATED = 8192  # of a unit, a sample and a dimension
BLOCK = 2048  # numbers of a state at a time


def serves(problem: Problem, activation: str) -> bool:
    """Whether the kernels run this: float64 or float32, d ≤ MOST_DIM, an activation of the catalogue."""
    return problem.inputs.dtype in PAIRS and problem.dim <= MOST_DIM and activation in ACTIVATIONS


class _Launch:
    """What the kernels take for parameters theta (R, L, k, M) of a shape, and what they return.

    ``net``: the problem, [scale, factor, 1 if regularised], n, L, M, N; ``tiles``: constants, where
    units and warps for d = 2 are those that a prototype was fastest with on one H200.
    """

    def __init__(self, shape: engine.Shape, theta: Tensor, sign: float = -1.0) -> None:
        p, L, M = shape.problem, shape.num_layers, shape.num_units
        N, d = p.num_samples, p.dim
        self.shape, self.theta = shape, engine.checked(shape, theta)
        self.grid = (len(theta),)
        P, S = triton.next_power_of_2(d), min(16, triton.next_power_of_2(N))
        B = min(PAIRS[theta.dtype] // S, ACCUMULATED // (P * S), triton.next_power_of_2(M))
        warps = 16 if theta.dtype == torch.float64 and P < 8 else 8
        self.tiles = {"D": d, "P": P, "B": B, "S": S, "SIGMA": shape.activation, "num_warps": warps}
        numbers = theta.new_tensor([shape.scale, sign * L * M * shape.scale / N, float(shape.regularised)])
        data = (part.contiguous() for part in (p.inputs, p.targets, p.readout))
        self.net = (*data, numbers, self.theta[0].numel(), L, M, N)
        self.kept = self.empty(L, P, S)  # z_l of the samples at hand

    def empty(self, *sizes: int) -> Tensor:
        """Room for each network."""
        return self.theta.new_empty((len(self.theta), *sizes))

    def seen(self, outputs: int) -> tuple[Tensor, ...]:
        """Room for residuals (outputs, R, N), dissipated and mean |θ|² (outputs, R)."""
        observed = self.theta.new_empty((outputs, len(self.theta), self.shape.problem.num_samples))
        return observed, torch.empty_like(observed[..., 0]), torch.empty_like(observed[..., 0])

    def flow(self, seen: tuple[Tensor, ...], final: Tensor, accepted: Tensor, rejected: Tensor) -> Flow:
        """A flow as `integrate` returns it, mean |θ|² beside the residuals if regularised."""
        observed, integral, size = seen
        if self.shape.regularised:
            observed = torch.cat([observed, size.unsqueeze(-1)], -1)
        return Flow(observed, integral, None, final.flatten(1), accepted, rejected, None)


def velocity(shape: engine.Shape, theta: Tensor, out: Tensor, threads: int = 1, sign: float = 1.0) -> Tensor:
    """Write −L M ∇_θ E times ``sign``, like theta (replicates, L, k, M), to ``out``; return
    residuals (R, N)."""
    del threads
    launch = _Launch(shape, theta, -sign)
    direct = out if out.is_contiguous() else torch.empty_like(launch.theta)
    residuals = launch.empty(shape.problem.num_samples)
    kernels.velocity[launch.grid](launch.theta, direct, launch.kept, residuals, launch.net, **launch.tiles)
    if direct is not out:
        out.copy_(direct)
    return residuals


def flow(
    shape: engine.Shape,
    theta: Tensor,
    flow_times: Sequence[float],
    *,
    rtol: float,
    atol: float,
    max_steps: int = 100_000,
    threads: int = 1,
) -> Flow:
    """Gradient flow of theta (replicates, L, k, M) through the flow times, in one launch.

    Steps as `zeroloss.integrate.steps` says. Raises FloatingPointError with replicate and s if a
    value is not finite, RuntimeError after ``max_steps`` steps.
    """
    del threads
    check(rtol, atol, flow_times)
    launch, pair, stages = _Launch(shape, theta), DORMAND_PRINCE, len(DORMAND_PRINCE.c)
    table = theta.new_zeros((stages + 1, stages))
    # the first row has no stage to weigh; the 1 stands for the slope that the first step is judged by
    for i, row in enumerate(((1.0,), *pair.a[1:], pair.error)):
        table[i, : len(row)] = theta.new_tensor(row)
    rule = (table, *map(theta.new_tensor, (pair.b, pair.c, list(flow_times), [rtol, atol])))
    state = torch.stack([launch.theta, launch.theta])
    slopes = launch.empty(stages, *theta.shape[1:])
    seen, stopped = launch.seen(len(flow_times)), launch.empty()
    counts = torch.empty((4, len(theta)), dtype=torch.int64, device=theta.device)
    limits = len(flow_times), max_steps
    arguments = state, slopes, launch.kept, (*seen, stopped), counts, rule, *limits, launch.net
    kernels.flow[launch.grid](*arguments, **launch.tiles, E=BLOCK)
    accepted, rejected, status, flipped = counts
    for r in status.nonzero()[:1, 0].tolist():
        engine.raise_for(int(status[r]), r, float(stopped[r]), max_steps)
    final = torch.where((flipped == 0)[:, None, None, None], *state)
    return launch.flow(seen, final, accepted, rejected)


def descend(
    shape: engine.Shape, theta: Tensor, step: float, num_steps: int, record_every: int, threads: int = 1
) -> Flow:
    """Gradient descent θ ← θ − step L M ∇E, recorded as `Network.descend` says, in one launch."""
    del threads
    launch = _Launch(shape, theta)
    final, failed = launch.theta.clone(), torch.empty(len(theta), dtype=torch.int64, device=theta.device)
    seen, rule = launch.seen(-(-num_steps // record_every) + 1), (theta.new_ones(1), theta.new_tensor([step]))
    arguments = final, torch.empty_like(final), launch.kept, seen, failed, rule, num_steps, record_every, launch.net
    kernels.descend[launch.grid](*arguments, **launch.tiles, E=BLOCK)
    for at in sorted(failed[failed >= 0].tolist())[:1]:
        raise FloatingPointError(f"gradient descent is not finite at step {at}; reduce step (now {step})")
    steps = torch.full_like(failed, num_steps)
    return launch.flow(seen, final, steps, torch.zeros_like(steps))
