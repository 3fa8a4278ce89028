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
from zeroloss.studies.setup import build_problem, recorded, residuals, sobol, trained
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
    """r_L(s) at M = ∞ on every scramble of the finer rule, and r_L(s) with Σ_L(s) on those of the other.

    Columns: rule, scramble, flow_time, row, column, value; column is -1 for the residuals.
    """
    problem, rule = build_problem(case), euler(case.num_layers)
    samples = range(case.problem.num_samples)
    for scramble in range(case.wide.scrambles):
        points = sobol(case, problem, case.wide.log2_points, case.kind, "wide", scramble)
        r = residuals(case, problem, rule, points)
        axes = {"flow_time": case.flow_times, "row": samples, "column": [-1]}
        yield tidy(r[..., None], axes, "value", rule="wide", scramble=scramble)
    for scramble in range(case.rule.scrambles):
        points = sobol(case, problem, case.rule.log2_points, case.kind, "influence", scramble)
        limit = recorded(case, problem, rule, points, case.limit_rtol)
        for s, r in zip(case.flow_times, limit.residuals, strict=True):
            both = np.column_stack([r, covariance_independent(limit.influence(s))])
            axes = {"row": samples, "column": [-1, *samples]}
            yield tidy(both, axes, "value", rule="influence", scramble=scramble, flow_time=s)
