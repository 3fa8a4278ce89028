"""The jobs of `normalisation`: λ, the largest eigenvalue of JJᵀ/n, at the start, and descent in units of
η* = 2(1 + m)/λ, m the momentum."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import torch
from scipy.optimize import bisect, brentq
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.problem import built_in
from zeroloss.studies.normalisation.laws import Batch
from zeroloss.studies.normalisation.nets import Net, Theta, inputs, start
from zeroloss.studies.normalisation.plan import Descent, Multiplier, Spectrum
from zeroloss.studies.replicated import tidy


def measured(net: Net, theta: Theta) -> dict[str, float]:
    """λ; its quotient of the uniform vector where statistics are differentiated, and else the mean of K_xx, λ of PKP,
    P = I − 11ᵀ/n, and q̃^l/q̃^{l+1} in the midst."""
    if net.statistics == "differentiated":
        top, uniform, _ = net.top(theta)
        return {"top": top, "uniform": uniform}
    kernel, slopes = net.parts(theta)
    centred = kernel - kernel.mean(0)
    centred = centred - centred.mean(1, keepdim=True)
    top, less = (float(torch.linalg.eigvalsh(one)[-1]) / len(one) for one in (kernel, centred))
    factor = float(slopes[1].trace() / slopes[2].trace())
    return {"top": top, "centred": less, "diagonal": float(kernel.diagonal().mean()), "factor": factor}


def predicted(batch: Batch, kind: str, width: int) -> dict[str, float]:
    """The same by the laws, and of PKP by a conjecture."""
    top, n = width * batch.top(kind), batch.num_samples
    if kind == "differentiated":
        return {"top": top, "uniform": top}
    same, two = batch.kernel(kind)
    centred, factor = (width**0.5 + n**0.5) ** 2 * (same - two) / n, batch.layers(kind)[1][1, 0]
    return {"top": top, "centred": centred, "diagonal": width * same, "factor": factor}


@job(Spectrum)
def spectrum(case: Spectrum) -> Iterator[pd.DataFrame]:
    """What is measured of networks of one output over the laws, beside λ by laws that are ``wrong``: of inputs that are
    all the same, of (25) as printed, of statistics that are held."""
    for name, correlation, width in product(case.activations, case.correlations, case.widths):
        batch = Batch(name, case.samples(width), case.num_layers, correlation)
        net = Net(inputs(width, batch.num_samples, correlation), name, case.statistics)
        widths = [*[width] * case.num_layers, 1]
        found = [measured(net, start(widths, case.seed, width, i)) for i in range(case.replicates)]
        wrong = {"plain": batch.kernel("plain")[0], "held": batch.top("printed"), "differentiated": batch.top("held")}
        for quantity, law in predicted(batch, case.statistics, width).items():
            where, values = f"{case.statistics}.{name}.c{correlation:g}", [one[quantity] for one in found]
            yield tidy(quantity, where, width, values, law).assign(wrong=width * wrong[case.statistics])


def onset(net: Net, theta: Theta, momentum: float, case: Descent) -> float:
    """Rate over η* at which a small residual along the top mode ceases to shrink in the last third of the steps."""
    top, _, e = net.top(theta)
    y = net.outputs(theta) - case.push * e

    def growth(share: float) -> float:
        r = net.descend(theta, y, share * 2 * (1 + momentum) / top, momentum, case.num_steps)[1]
        along = (r * e).sum((1, 2)).abs().log()
        return float(along[-1] - along[case.num_steps * 2 // 3])

    return float(brentq(growth, 0.98, 1.02, xtol=1e-4))  # pyright: ignore


def edge(net: Net, theta: Theta, y: Tensor, momentum: float, num_steps: int, case: Descent) -> float:
    """A rate over η* at which the loss after so many steps is not below that at the start, by bisection.

    From 0.8 and ``most``, each moved by factors of two until the edge is between them.
    """
    star = 2 * (1 + momentum) / net.top(theta)[0]

    @cache
    def fails(log_share: float) -> float:
        r = net.descend(theta, y, float(np.exp(log_share)) * star, momentum, num_steps)[1]
        return -1.0 if r[-1].norm() < r[0].norm() else 1.0

    low, high = np.log(0.8), np.log(case.most)
    while fails(low) > 0:
        low -= np.log(2)
    while fails(high) < 0:
        high += np.log(2)
    return float(np.exp(bisect(fails, low, high, xtol=case.accuracy)))  # pyright: ignore


@job(Descent)
def descent(case: Descent) -> Iterator[pd.DataFrame]:
    """Where growth begins, and where training to normal targets ends, by steps; of a ``linear`` network the last layer
    alone is trained."""
    for kind, momentum in product(("plain", "differentiated", "linear"), case.momenta):
        started = []
        for i in range(case.replicates):
            net = Net(inputs(case.width, case.num_samples, 0.0), "relu", kind.replace("linear", "plain"))
            theta = start([*[case.width] * case.num_layers, 1], case.seed, "descent", i)
            if kind == "linear":
                net, theta = Net(net.layers(theta)[0][-1]), theta[-2:]
            y = torch.from_numpy(stream(case.seed, "normalisation", "y", i).standard_normal((case.num_samples, 1)))
            started.append((net, theta, y))
        where = f"{kind}.m{momentum:g}"
        yield tidy("onset", where, case.num_steps, [onset(net, theta, momentum, case) for net, theta, _ in started])
        for steps in case.horizons:
            values = [edge(net, theta, y, momentum, steps, case) for net, theta, y in started]
            yield tidy("edge", f"t{steps}.{where}", steps, values)


@job(Multiplier)
def multiplier(case: Multiplier) -> Iterator[pd.DataFrame]:
    """How far another γ inside, from half-way on, moves the loss on digits; the loss after training for each γ of the
    last normalisation, at a share of its own η* and of the least of them."""
    digits = built_in("digits", case.num_samples, case.data_seed)
    x, y, half = digits.inputs, digits.targets[:, None], case.num_steps // 2
    widths = [x.shape[1], *[case.width] * (case.num_layers - 1), 1]
    started = [start(widths, case.seed, "digits", i) for i in range(case.replicates)]

    def rate(net: Net, theta: Theta) -> float:
        return case.share * 2 / net.top(theta)[0]

    def loss(net: Net, theta: Theta, rate: float, num_steps: int) -> float:
        return float(net.descend(theta, y, rate, 0.0, num_steps)[1][-1].square().mean()) / 2

    for name in ("relu", "gelu"):
        net, other = (Net(x, name, "differentiated", gammas) for gammas in ({}, {0: 2.0}))
        values = []
        for theta in started:
            own = rate(net, theta)
            middle = net.descend(theta, y, own, 0.0, half)[0]
            values.append(abs(loss(other, middle, own, half) / loss(net, middle, own, half) - 1))
        yield tidy("inner", name, 1.0, values)
    nets = [Net(x, "relu", "differentiated", {case.num_layers - 2: gamma}) for gamma in case.gammas]
    rates = np.array([[rate(net, theta) for theta in started] for net in nets])
    for quantity, used in (("share", rates), ("fixed", np.broadcast_to(rates.min(0), rates.shape))):
        for gamma, net, own in zip(case.gammas, nets, used.tolist(), strict=True):
            values = [loss(net, theta, r, case.num_steps) for theta, r in zip(started, own, strict=True)]
            yield tidy(quantity, f"g{gamma:g}", gamma, values)
