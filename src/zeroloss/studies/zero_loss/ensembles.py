"""The law of the risk through training: networks of one size, and what predicts it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import euler
from zeroloss.limit.fluctuation import covariance_independent
from zeroloss.studies.setup import build_problem, recorded, sobol, trained
from zeroloss.studies.zero_loss.plan import Networks, Predicted

Tables = Iterator[pd.DataFrame]


@job(Networks)
def networks(case: Networks) -> Tables:
    """The risk of every network at each flow time, from independent layers.

    Columns: replicate, flow_time, risk.
    """
    batches = trained(
        case, build_problem(case), None, range(case.replicates), case.num_layers, case.num_units, case.flow_times
    )
    risk = np.asarray(torch.cat([batch.risk for batch in batches], 1).T.double().cpu())
    yield tidy(risk, {"replicate": range(case.replicates), "flow_time": case.flow_times}, "risk")


@job(Predicted)
def predicted(case: Predicted) -> Tables:
    """r_L(s) and Σ_L(s) at M = ∞ on every scramble of the rule; of a residual, column is -1.

    Columns: scramble, flow_time, row, column, value.
    """
    problem = build_problem(case)
    samples = range(case.problem.num_samples)
    for scramble in range(case.rule.scrambles):
        points = sobol(case, problem, case.rule.log2_points, case.kind, scramble)
        limit = recorded(case, problem, euler(case.num_layers), points, case.limit_rtol)
        for s, r in zip(case.flow_times, limit.residuals, strict=True):
            both = np.column_stack([r, covariance_independent(limit.influence(s))])
            yield tidy(both, {"row": samples, "column": [-1, *samples]}, "value", scramble=scramble, flow_time=s)
