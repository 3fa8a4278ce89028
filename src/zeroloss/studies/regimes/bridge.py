"""Trained weights of this paper's networks along the depth: what they keep of the regularity of their start."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model import problem as problems
from zeroloss.model.arrays import Array
from zeroloss.model.law import FractionalBrownian, PathLaw, sample_independent, sample_paths
from zeroloss.network.resnet import Network
from zeroloss.studies.regimes.plan import Kink, StartName, Starts, Variation
from zeroloss.studies.replicated import tidy
from zeroloss.studies.setup import build_law

RUNS: tuple[tuple[StartName, str], ...] = (
    ("path", "tanh"),
    ("path", "gelu"),
    ("brownian", "tanh"),
    ("independent", "tanh"),
)
LARGEST = (1, 2, 4, 8, 16, 32)  # increments of a unit whose squares are summed
Deep = Starts | Variation | Kink


def started(case: Deep, dim: int, L: int, start: StartName) -> Array:
    """θ (replicates, L, k, M); constant and Brownian paths are the same at all depths."""
    law, times = build_law(case.initial_law), np.arange(L) / L
    drawn = []
    for r in range(case.replicates):
        if start == "independent":
            rng = stream(case.seed, "bridge", start, L, r)
            drawn.append(sample_independent(law, rng, L, case.num_units, dim))
        else:
            path = PathLaw() if start == "path" else FractionalBrownian(0.5, max(case.num_layers))
            rng = stream(case.seed, "bridge", start, r)
            drawn.append(sample_paths(law, path, rng, times, case.num_units, dim))
    return np.stack(drawn)


def networks(case: Deep, start: StartName, activation: str) -> Iterator[tuple[int, Network, Array]]:
    """Each depth, its networks, and the θ that they start from."""
    problem = problems.built_in(case.problem.kind, case.problem.num_samples, case.data_seed)
    for L in case.num_layers:
        yield L, Network(problem, L, case.num_units, activation), started(case, problem.dim, L, start)


def trained(case: Starts | Variation, network: Network, theta: Array) -> Array:
    """θ after the flow time."""
    return network.train(torch.from_numpy(theta), [case.flow_time], rtol=case.rtol).parameters.numpy()


def squares(theta: Array) -> Array:
    """|θ_{l+1,m} − θ_{l,m}|², largest first along the layers: (replicates, L − 1, M)."""
    found = (np.diff(theta, axis=1) ** 2).sum(2)
    return np.sort(found, axis=1)[:, ::-1]


def along(where: str, L: int, theta: Array) -> Iterator[pd.DataFrame]:
    """Largest increment; quadratic variation by unit, and what the largest increments of each hold of it."""
    found = squares(theta)
    yield tidy("increment", where, L, np.sqrt(found[:, 0].max(1)))
    yield tidy("variation", where, L, found.sum((1, 2)) / theta.shape[3])
    for k in LARGEST:
        yield tidy(f"largest{k}", where, L, found[:, :k].sum((1, 2)) / theta.shape[3])


@job(Starts)
def bridge(case: Starts) -> Iterator[pd.DataFrame]:
    """Networks from constant, Brownian and independent layers after the flow time."""
    for start, activation in RUNS:
        for L, network, theta in networks(case, start, activation):
            yield from along(f"{start}.{activation}", L, trained(case, network, theta))


@job(Variation)
def variation(case: Variation) -> Iterator[pd.DataFrame]:
    """Quadratic variation of Brownian starts, trained over start, and E ‖∂θ(s)/∂θ(0)‖²/k.

    Along a rough path the increment of θ(s) is J dθ(0) with J the derivative of the flow of one particle in its
    start, the features of the network being what they are: a perturbation of each unit at each layer alone, drawn
    independently, changes the features by its mean, which is small like (LM)^(−½), and the unit by J times itself.
    """
    for activation in ("tanh", "gelu"):
        for L, network, theta in networks(case, "brownian", activation):
            noise = case.perturbation * stream(case.seed, "tangents", activation, L).standard_normal(theta.shape)
            end, above, below = (trained(case, network, one) for one in (theta, theta + noise, theta - noise))
            ratio = squares(end).sum((1, 2)) / squares(theta).sum((1, 2))
            tangents = ((above - below) / 2) ** 2
            predicted = tangents.mean((1, 2, 3)) / case.perturbation**2
            yield tidy("variation", activation, L, ratio, predicted)


@job(Kink)
def kink(case: Kink) -> Iterator[pd.DataFrame]:
    """ReLU from constant paths by descent of several steps, and the regularised one by the smallest; Brownian layers as
    they are."""
    for activation, step in [*(("relu", step) for step in case.steps), ("regularised-relu", min(case.steps))]:
        count = round(case.flow_time / step)
        for L, network, theta in networks(case, "path", activation):
            end = network.descend(torch.from_numpy(theta), step, count, count).parameters.numpy()
            yield from along(f"{activation}.h{step:g}", L, end)
    for L, _, theta in networks(case, "brownian", "relu"):
        yield from along("brownian", L, theta)
