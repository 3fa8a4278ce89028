"""How far networks of one size are apart when little of the risk is left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import build_problem, chunks, independent_parameters
from zeroloss.studies.zero_loss.plan import Spread


@job(Spread)
def spread(case: Spread) -> Iterator[pd.DataFrame]:
    """The risk of every network at each flow time, from independent layers.

    Columns: num_units, replicate, flow_time, risk.
    """
    problem, L = build_problem(case), case.num_layers
    for M in case.widths:
        network = Network(problem, L, M, case.activation)
        runs = [
            network.train(independent_parameters(case, problem, batch, L, M), case.flow_times, rtol=case.network_rtol)
            for batch in chunks(0, case.replicates, L * M * (2 * problem.dim + 1), most=max(64, 4096 // M))
        ]
        risk = np.asarray(torch.cat([run.risk for run in runs], 1).T.cpu())
        axes = {"replicate": range(case.replicates), "flow_time": case.flow_times}
        yield tidy(risk, axes, "risk", num_units=M)
