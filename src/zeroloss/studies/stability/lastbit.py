"""Jobs on what the last bit decides: accuracy of networks whose step is written as (η k)(v/k).

In exact arithmetic no k changes anything; powers of two change no bit (Sun et al. 2022, whose code has
this form). A difference of rounding, u, reaches accuracy if tangents grow by more than ln(1/u).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.nets import PRECISIONS
from zeroloss.studies.stability.plan import Accuracy, LastBitSettings, Recipe

Cells = list[tuple[float, int, int]]  # rate, factor and order of a run
TINY = 1e-8  # of the difference of two networks whose growth is followed
NUM_TRAIN = 1200  # of 1797 digits


def digits(data_seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels over 16, less their mean, and labels: to train on, then to test on."""
    x, y = map(np.asarray, load_digits(return_X_y=True))
    order = torch.from_numpy(stream(data_seed, "stability", "digits").permutation(len(y)))
    x, y = torch.from_numpy(x)[order] / 16, torch.from_numpy(y)[order].long()
    x = x - x[:NUM_TRAIN].mean(0)
    return x[:NUM_TRAIN], y[:NUM_TRAIN], x[NUM_TRAIN:], y[NUM_TRAIN:]


def batches(seed: int, orders: Sequence[int], epochs: int, size: int) -> Iterator[Tensor]:
    """Rows of each batch, (orders, size): one permutation for each order and epoch."""
    for epoch in range(epochs):
        rows = [stream(seed, "stability", "order", o, epoch).permutation(NUM_TRAIN) for o in orders]
        yield from torch.from_numpy(np.stack(rows)).split(size, 1)


def runs(case: LastBitSettings, orders: int) -> list[tuple[int, int]]:
    """Factor and order of each run: k, powers of two, and so many other orders at k = 1."""
    return [(k, 0) for k in (*case.factors, *case.powers)] + [(1, o) for o in range(1, orders + 1)]


def compared(case: LastBitSettings, where: str, shares: Tensor, precision: str = "") -> Iterator[pd.DataFrame]:
    """Accuracies (runs,) over factors, beside powers of two, which change no bit, and orders."""
    ends = len(case.factors), len(case.factors) + len(case.powers)
    names = f"factor{precision}", f"factor{precision}_wrong", f"order{precision}"
    yield from (tidy(name, where, 0.0, share) for name, share in zip(names, shares.tensor_split(ends), strict=True))


def logits(theta: list[Tensor], x: Tensor) -> Tensor:
    """64-32-10 with ReLU: (B, n, 64) -> (B, n, 10)."""
    W1, b1, W2, b2 = theta
    return torch.relu(x @ W1 + b1) @ W2 + b2


@job(Accuracy)
def accuracy(case: Accuracy) -> Iterator[pd.DataFrame]:
    """Accuracy for each rate, factor and order in both precisions; growth of tangents for each rate."""
    x, y, x_test, y_test = digits(case.data_seed)
    cells = [(rate, k, order) for rate in case.rates for k, order in runs(case, case.orders - 1)]
    for replicate in range(case.replicates):
        where = [f"h{rate:g}.r{replicate}" for rate in case.rates]
        for name, kind in PRECISIONS.items():
            theta, growth = _train(case, x.to(kind), y, cells, replicate)
            right = logits(theta, x_test.to(kind)).argmax(2).eq(y_test).double().mean(1)
            for cell, shares in zip(where, right[: len(cells)].view(len(where), -1), strict=True):
                yield from compared(case, cell, shares, f"_{name}")
            yield from (tidy("tangent", cell, 0.0, g) for cell, g in zip(where, growth, strict=False))


def _train(case: Accuracy, x: Tensor, y: Tensor, cells: Cells, replicate: int) -> tuple[list[Tensor], list[float]]:
    """Weights after training with each rate, factor and order; in float64 with those of tangents after them:
    these follow the first factor of their rate at a distance of TINY, and their growth is the largest rise of its
    logarithm up to the end."""
    rng, kind = stream(case.seed, "stability", "digits", replicate), x.dtype
    shapes = (64, 32), (32, 10)
    start = [w for m, n in shapes for w in (rng.standard_normal((m, n)) / m**0.5, np.zeros((1, n)))]
    own = [cells.index((rate, case.factors[0], 0)) for rate in case.rates] if kind is torch.float64 else []
    near = [len(cells) + i for i in range(len(own))]
    cells = [*cells, *((cells[i][0], 1, 0) for i in own)]
    theta = [torch.from_numpy(w).to(kind).repeat(len(cells), 1, 1) for w in start]
    speed = [torch.zeros_like(w) for w in theta]
    rates, factors, orders = zip(*cells, strict=True)
    k = torch.tensor(factors, dtype=kind)[:, None, None]
    step = torch.tensor(rates, dtype=kind)[:, None, None] * k
    for w in theta:
        w[near] += TINY * torch.from_numpy(rng.standard_normal(w[near].shape)).to(kind) / 50
    total = [torch.zeros(len(near))]
    for batch in batches(case.seed + replicate, orders, case.epochs, case.batch):
        theta = [w.detach().requires_grad_() for w in theta]
        loss = nn.functional.cross_entropy(logits(theta, x[batch]).flatten(0, 1), y[batch].flatten(), reduction="sum")
        slopes = torch.autograd.grad(loss / batch.shape[1], theta)
        speed = [case.momentum * v + g for v, g in zip(speed, slopes, strict=True)]
        theta = [(w - step * (v / k)).detach() for w, v in zip(theta, speed, strict=True)]
        if near:
            apart = sum((w[near] - w[own]).square().sum((1, 2)) for w in (*theta, *speed)) ** 0.5  # pyright: ignore
            for w in (*theta, *speed):
                w[near] = w[own] + (w[near] - w[own]) * (TINY / apart)[:, None, None]
            total.append(total[-1] + (apart / TINY).log())
    logs = torch.stack(total)
    return theta, (logs[-1] - logs[1:].min(0).values).tolist() if near else []


class Residual(nn.Module):
    """Residual networks side by side: 3×3 convolutions of 8 channels with batch norm, the first one and
    three blocks of two; mean, linear. Groups of channels are networks, which share nothing."""

    def __init__(self, networks: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.networks, self.layers = networks, nn.ModuleList()
        for fan in (1, *[8] * 6):
            kernel = torch.from_numpy(rng.standard_normal((8, fan, 3, 3)) * (2 / (9 * fan)) ** 0.5).float()
            conv = nn.Conv2d(fan * networks, 8 * networks, 3, padding=1, groups=networks, bias=False)
            conv.weight.data = kernel.repeat(networks, 1, 1, 1)
            self.layers.append(nn.Sequential(conv, nn.BatchNorm2d(8 * networks)))
        last = torch.from_numpy(rng.standard_normal((8, 10)) * 0.5).float()
        self.last, self.shift = nn.Parameter(last.repeat(networks, 1, 1)), nn.Parameter(torch.zeros(networks, 1, 10))

    def forward(self, x: Tensor) -> Tensor:
        """(n, networks, 64) -> (networks, n, 10)."""
        z = torch.relu(self.layers[0](x.view(*x.shape[:2], 8, 8)))
        for one, other in zip(self.layers[1::2], self.layers[2::2], strict=True):
            z = torch.relu(other(torch.relu(one(z))) + z)
        return z.mean((2, 3)).view(len(x), self.networks, 8).transpose(0, 1) @ self.last + self.shift


@job(Recipe)
def recipe(case: Recipe) -> Iterator[pd.DataFrame]:
    """Accuracy over factors k at one order, over orders at k = 1, and for powers of two, in float32: the
    mean over the last quarter of the epochs. Nesterov's momentum, a tenth of the rate every fifth."""
    ks, orders = zip(*runs(case, case.orders), strict=True)
    x, y, x_test, y_test = digits(case.data_seed)
    x, every = x.float(), x_test.float()[:, None].expand(-1, len(ks), -1)
    net, per_epoch = Residual(len(ks), stream(case.seed, "stability", "recipe")), -(-NUM_TRAIN // case.batch)
    k, weights = torch.tensor(ks, dtype=torch.float32), list(net.parameters())
    factors = [k.repeat_interleave(len(w) // len(k)).view(-1, *[1] * (w.ndim - 1)) for w in weights]
    speed, found = [torch.zeros_like(w) for w in weights], []
    for n, batch in enumerate(batches(case.seed, orders, case.epochs, case.batch)):
        rate = case.rate * 0.1 ** (n * 5 // (per_epoch * case.epochs))
        out = net.train()(x[batch.T])
        loss = nn.functional.cross_entropy(out.flatten(0, 1), y[batch].flatten(), reduction="sum") / batch.shape[1]
        slopes = torch.autograd.grad(loss, weights)
        for w, v, g, f in zip(weights, speed, slopes, factors, strict=True):
            g = g + case.decay * w.detach()
            v[:] = case.momentum * v + g
            w.data -= (rate * f) * ((g + case.momentum * v) / f)
        if (n + 1) % per_epoch == 0:
            found.append(net.eval()(every).argmax(2).eq(y_test).double().mean(1))
    yield from compared(case, "digits", torch.stack(found[-max(1, case.epochs // 4) :]).mean(0))
