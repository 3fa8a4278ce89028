"""Networks whose branches are scaled by the root of the width: a fluctuation that stays."""

from __future__ import annotations

import pandas as pd

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.plan import RootScaling
from zeroloss.studies.setup import build_problem, chunks, independent_parameters

__all__ = ["root_scaling"]


@job(RootScaling)
def root_scaling(case: RootScaling) -> pd.DataFrame:
    """Branches of scale 1/(L √M): residuals at s = kernel_time/M of many networks of each width.

    ``predicted``: the slope 0 of their spread in M; 1/(L M) gives −½.
    """
    problem = build_problem(case)
    L, taus = case.num_layers, case.kernel_times
    frames = []
    for M in case.num_units:
        network = Network(problem, L, M, branch_scale=1.0 / (L * M**0.5))
        each = L * M * problem.num_samples
        for batch in chunks(0, case.replicates, each):
            theta = independent_parameters(case, problem, batch, L, M)
            run = network.train(theta, [tau / M for tau in taus], rtol=case.network_rtol)
            frames.append(tidy(
                run.residuals.cpu().numpy(), {"kernel_time": taus, "replicate": batch,
                                              "sample": range(problem.num_samples)},
                "value", num_units=M))
    return pd.concat(frames, ignore_index=True).assign(predicted=0.0)
