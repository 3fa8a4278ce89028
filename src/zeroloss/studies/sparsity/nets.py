"""Parallel ReLU networks with weight decay: f(x) = Σ_j W_j^L σ(… σ(W_j^1 (x, 1))), L layers each.

The bias is a weight of the constant input, so that each subnet is homogeneous in each of its layers, and
⟨W_j^l, ∇L̂⟩ is the same for all l. Under the flow W' = −∇L̂ − 2λW of L̂ + λ Σ|W|², L̂ the mean square, differences
D_l = |W_j^l|² − |W_j^{l+1}|² obey D_l' = −4λ D_l, whatever the data.

All weights of R networks of M subnets are one tensor (L, R, M, w, w). Columns of the first layer beyond two and rows of
the last beyond one are zero, and stay so: no gradient reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from scipy.interpolate import make_smoothing_spline
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.replicated import tidy
from zeroloss.studies.sparsity.plan import Local, Theory

__all__ = ["FUNCTIONS", "balance", "flow", "local", "loss", "norms", "start", "trained", "values"]

TIMES = 8  # at which a flow is looked at
LOG10_SMOOTHING = np.arange(-10.0, -2.0, 0.25)
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "doppler": lambda x: np.sqrt(x * (1 - x)) * np.sin(2.1 * np.pi / (x + 0.05)),
    "kinks": lambda x: np.interp(x, [0.0, 0.3, 0.33, 0.36, 0.6, 1.0], [0.0, 0.3, 2.0, 0.3, 0.0, 0.4]),
}


def start(rng: np.random.Generator, shape: tuple[int, ...], scales: Array) -> Tensor:
    """Normal weights (R, M, w) of L layers, of variance 2/inputs, 1/M of it in the last, times scales (L,); kinks lie
    in [0, 1]."""
    W = (
        rng.standard_normal((len(scales), *shape, shape[-1]))
        * np.sqrt(2 / shape[-1])
        * scales[:, None, None, None, None]
    )
    W[0] *= np.sqrt(shape[-1] / 2)
    W[0, ..., 1] = -W[0, ..., 0] * rng.uniform(size=shape)
    W[0, ..., 2:], W[-1, ..., 1:, :] = 0.0, 0.0
    W[-1] /= np.sqrt(shape[1])
    return torch.from_numpy(W)


def values(W: Tensor, x: Tensor) -> Tensor:
    """f at x (n,) of all networks, (R, n)."""
    z = torch.cat([x[None], torch.ones_like(x)[None], x.new_zeros(W.shape[-1] - 2, len(x))])
    for layer in W[:-1]:
        z = torch.relu(layer @ z)
    return (W[-1, ..., :1, :] @ z).sum(-3).squeeze(-2)


def loss(W: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """L̂ = mean (f − y)², summed over the networks: its gradient is each network's own."""
    return ((values(W, x) - y) ** 2).mean(-1).sum()


def norms(W: Tensor) -> Array:
    """|W_j^l|² (L, R, M)."""
    return (W**2).sum((-2, -1)).numpy()


def flow(W: Tensor, x: Tensor, y: Tensor, decay: float, time: float, step: float) -> Tensor:
    """Weights after W' = −∇L̂ − 2λW for a time, by the classical Runge–Kutta method, of order 4 between kinks."""

    def force(W: Tensor) -> Tensor:
        return -torch.func.grad(loss)(W, x, y) - 2 * decay * W

    for _ in range(round(time / step)):
        a = force(W)
        b = force(W + step / 2 * a)
        c = force(W + step / 2 * b)
        W = W + step / 6 * (a + 2 * b + 2 * c + force(W + step * c))
    return W


def trained(
    W: Tensor, x: Tensor, y: Tensor, decay: float, steps: int, rate: float, kind: type = torch.optim.Adam
) -> Tensor:
    """Weights after steps of Adam on L̂ + λ Σ|W|², or of AdamW, with a rate that falls to zero along a cosine."""
    W = W.clone().requires_grad_()
    optimiser = kind([W], lr=rate, weight_decay=2 * decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(W, x, y).backward()
        optimiser.step()
        schedule.step()
    return W.detach()


def balance(case: Theory, adamw: bool = False) -> Iterator[pd.DataFrame]:
    """Penalty over L Σ Π|W|^{2/L}, which it is in balance, and the median of D(t)/D(0), in λt.

    Training is the flow, or as many steps of AdamW.
    """
    x = (torch.arange(case.num_samples, dtype=torch.float64) + 0.5) / case.num_samples
    y, time = torch.sin(2 * torch.pi * x), case.decay_time / case.flow_decay / TIMES
    for layers in case.flow_layers:
        shape = case.replicates, case.num_subnets, case.num_units
        W = start(stream(case.seed, "flow", layers), shape, np.linspace(1.4, 0.6, layers))
        first = np.diff(norms(W), axis=0)
        for decayed in np.linspace(0.0, case.decay_time, TIMES + 1):
            if decayed and adamw:
                W = trained(W, x, y, case.flow_decay, round(time / case.step), 0.01, torch.optim.AdamW)
            elif decayed:
                W = flow(W, x, y, case.flow_decay, time, case.step)
            squares = norms(W)
            balanced = layers * (squares.prod(0) ** (1 / layers)).sum(-1)
            apart = np.median(np.diff(squares, axis=0) / first, axis=(0, 2))
            yield tidy("penalty", f"l{layers}", decayed, squares.sum((0, 2)), balanced)
            yield tidy("imbalance", f"l{layers}", decayed, apart, np.exp(-4 * decayed))


@job(Local)
def local(case: Local) -> Iterator[pd.DataFrame]:
    """Mean squared errors of networks, in the decay, with that of the smoothing spline whose own is least.

    Inputs are a grid, functions have variance one. ``spline``: that of a hundredth of the best smoothing.
    """
    x = (np.arange(case.num_samples) + 0.5) / case.num_samples
    for name in case.functions:
        rng, f = stream(case.seed, "local", name), FUNCTIONS[name](x)
        f = (f - f.mean()) / f.std()
        drawn = f + case.noise * rng.standard_normal((case.replicates, len(x)))
        splines = [[make_smoothing_spline(x, y, lam=10.0**k)(x) for k in LOG10_SMOOTHING] for y in drawn]
        errors = ((np.array(splines) - f) ** 2).mean(-1)
        best, least = errors.argmin(1), errors.min(1)
        yield tidy("spline", name, 0.0, errors[np.arange(len(best)), np.maximum(best - 8, 0)], least)
        first = start(rng, (case.replicates, case.num_subnets, case.num_units), np.ones(case.num_layers)).float()
        inputs, targets = torch.from_numpy(x).float(), torch.from_numpy(drawn).float()
        for decay in case.decays:
            found = values(trained(first, inputs, targets, decay, case.steps, case.learning_rate), inputs).numpy()
            yield tidy("network", name, decay, ((found - f) ** 2).mean(1), least)
            yield tidy("training", name, decay, ((found - drawn) ** 2).mean(1), case.noise**2)
