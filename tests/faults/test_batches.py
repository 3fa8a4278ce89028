"""A replicate has the same bits in any batch and on any number of threads."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from judging import cases_of

from tests.faults import summary
from zeroloss.network.resnet import Network
from zeroloss.studies.case import OnLaw
from zeroloss.studies.setup import build_problem, independent_parameters

REPLICATES = 64
CASE = cast(OnLaw, cases_of("limits")["reference-surface"])
PROBLEM = build_problem(CASE)


def trained(batch: int, threads: int, compiled: bool) -> torch.Tensor:
    """Residuals of all replicates, trained in batches."""
    network = Network(PROBLEM, 3, 9, "tanh", threads=threads, compiled=compiled)
    parts = []
    for first in range(0, REPLICATES, batch):
        theta = independent_parameters(CASE, PROBLEM, range(first, min(first + batch, REPLICATES)), 3, 9)
        parts.append(network.train(theta, [0.5, 2.0], rtol=1e-6).residuals)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("compiled", [True, False], ids=["engine", "torch"])
def test_batches_and_threads(compiled: bool) -> None:
    whole = trained(REPLICATES, 1, compiled)
    assert whole.shape == (2, REPLICATES, PROBLEM.num_samples) and bool(torch.isfinite(whole).all())
    settings = [(batch, threads) for batch in (1, 7, 64) for threads in ((1, 2) if compiled else (1,))]
    for batch, threads in settings:
        assert torch.equal(trained(batch, threads, compiled), whole), (batch, threads)
    name = "engine, threads 1 and 2" if compiled else "torch"
    summary.count("same bytes", f"replicates in batches of 1, 7, 64: {name}", len(settings))
