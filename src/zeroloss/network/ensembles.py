"""From Python: train an ensemble of finite networks, each from a random stream of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch
from numpy.typing import ArrayLike

from ledger.progress import Progress, counted, reporting, silent
from ledger.record.streams import stream
from zeroloss.model.arguments import check_subject, flow_times_of
from zeroloss.model.law import InitialLaw, PathLaw, check_sampling, sample_independent, sample_paths
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network, Training

__all__ = ["draw", "train"]

PARTS = 50  # in which an ensemble is trained where progress is shown


def train(
    problem: Problem,
    law: InitialLaw,
    num_layers: int,
    num_units: int,
    flow_time: ArrayLike,
    *,
    replicates: int = 100,
    sampling: str = "independent",
    activation: str = "tanh",
    rtol: float = 1e-5,
    seed: int = 0,
    progress: Progress = False,
) -> Training:
    """Gradient flow of so many networks to s = flow_time, or through several flow times.

    residuals (outputs, replicates, samples) and risk (outputs, replicates), outputs = 1 for a
    single flow time. ``sampling`` is ``independent`` (every layer drawn anew) or ``path`` (constant
    paths). Each replicate has its own random stream. ``progress`` shows how far it is
    (`ledger.progress`). Raises ValueError for sizes below 1, an unknown sampling or activation and
    flow times that do not increase; TypeError for what is no problem or law.

    >>> from zeroloss.model import problem
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> trained = train(sine, InitialLaw(), num_layers=4, num_units=16, flow_time=[0.0, 4.0],
    ...                 replicates=20)
    >>> trained.risk.shape  # flow times, networks
    torch.Size([2, 20])
    >>> bool((trained.risk[1] < trained.risk[0]).all())
    True
    """
    check_sampling(sampling, num_layers=num_layers, num_units=num_units, replicates=replicates)
    check_subject(problem, law)
    times = flow_times_of(flow_time)
    theta = draw(problem, law, num_layers, num_units, replicates=replicates, sampling=sampling, seed=seed)
    network = Network(problem, num_layers, num_units, activation)
    with reporting(progress) as report:
        # a network is the same in any batch on the processor; elsewhere they all stay together
        whole = report is silent or theta.device.type != "cpu"
        size = replicates if whole else -(-replicates // PARTS)
        starts = counted(report, f"training {replicates} networks", range(0, replicates, size))
        return _joined([_part(network, theta, i, size, times, rtol) for i in starts])


def draw(
    problem: Problem,
    law: InitialLaw,
    num_layers: int,
    num_units: int,
    *,
    replicates: int,
    sampling: str,
    seed: int,
    name: Sequence[str] = (),
) -> torch.Tensor:
    """Networks as they start, (replicates, layers, k, units); ``name`` tells streams of one seed apart."""
    depths = np.arange(num_layers) / num_layers
    drawn = []
    for i in range(replicates):
        rng = stream(seed, problem.name, *name, sampling, num_layers, num_units, i)
        drawn.append(
            sample_independent(law, rng, num_layers, num_units, problem.dim)
            if sampling == "independent"
            else sample_paths(law, PathLaw(), rng, depths, num_units, problem.dim)
        )
    return torch.from_numpy(np.stack(drawn)).to(problem.inputs.device)


def _part(
    network: Network, theta: torch.Tensor, first: int, size: int, times: Sequence[float], rtol: float
) -> Training:
    """So many of the networks, from the first on."""
    try:
        return network.train(theta[first : first + size], times, rtol=rtol)
    except FloatingPointError as error:
        if first:
            error.add_note(f"counted from replicate {first} of the ensemble on")
        raise


def _joined(parts: Sequence[Training]) -> Training:
    """The networks of all parts in their order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    along = {
        field.name: 0 if field.name in ("parameters", "steps") else 1
        for field in fields(first)
        if field.name != "flow_times"
    }
    return Training(
        first.flow_times,
        **{name: torch.cat([getattr(part, name) for part in parts], axis) for name, axis in along.items()},
    )
