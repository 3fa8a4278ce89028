"""A replicate has the same bits in any batch and on any number of threads."""

from __future__ import annotations

import pytest
import torch

from tests.faults import summary
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network
from zeroloss.studies.case import OnLaw
from zeroloss.studies.settings import LawSettings, ProblemSettings
from zeroloss.studies.setup import independent_parameters

REPLICATES = 64
CASE = OnLaw(seed=3, device="cpu", setting="surface", initial_law=LawSettings(),
             problem=ProblemSettings(kind="surface", num_samples=5))
PROBLEM = built_in("surface", 5, 3)


def trained(batch: int, threads: int, compiled: bool) -> torch.Tensor:
    """Residuals of all replicates, trained in batches."""
    network = Network(PROBLEM, 3, 9, "tanh", threads=threads, compiled=compiled)
    parts = []
    for first in range(0, REPLICATES, batch):
        theta = independent_parameters(CASE, PROBLEM, range(first, min(first + batch, REPLICATES)),
                                       3, 9)
        parts.append(network.train(theta, [0.5, 2.0], rtol=1e-6).residuals)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("compiled", [True, False], ids=["engine", "torch"])
def test_batches_and_threads(compiled: bool) -> None:
    whole = trained(REPLICATES, 1, compiled)
    assert whole.shape == (2, REPLICATES, 5) and bool(torch.isfinite(whole).all())
    settings = [(batch, threads) for batch in (1, 7, 64) for threads in ((1, 2) if compiled else
                                                                         (1,))]
    for batch, threads in settings:
        assert torch.equal(trained(batch, threads, compiled), whole), (batch, threads)
    name = "engine, threads 1 and 2" if compiled else "torch"
    summary.count("same bytes", f"replicates in batches of 1, 7, 64: {name}", len(settings),
                  len(settings))
