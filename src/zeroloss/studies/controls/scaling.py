"""Networks whose branches are scaled by the root of the width: a fluctuation that stays."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.plan import RootScaling
from zeroloss.studies.setup import build_problem, chunks, independent_parameters


@job(RootScaling)
def root_scaling(case: RootScaling) -> Iterator[pd.DataFrame]:
    """Branches of scale 1/(L √M): residuals at s = kernel_time/M of many networks of each width.

    ``predicted``: the slope 0 of their spread in M; 1/(L M) gives −½.
    """
    problem = build_problem(case)
    L, taus = case.num_layers, case.kernel_times
    for M in case.num_units:
        network = Network(problem, L, M, branch_scale=1.0 / (L * M**0.5))
        for batch in chunks(0, case.replicates, L * M * problem.num_samples):
            theta = independent_parameters(case, problem, batch, L, M)
            run = network.train(theta, [tau / M for tau in taus], rtol=case.network_rtol)
            axes = {"kernel_time": taus, "replicate": batch, "sample": range(problem.num_samples)}
            yield tidy(run.residuals.cpu().numpy(), axes, "value", num_units=M).assign(predicted=0.0)
