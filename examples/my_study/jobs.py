"""The job of `my_study`: trains networks of one width."""

import pandas as pd

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import build_problem, independent_parameters

from . import activation  # noqa: F401  (registers softplus)
from .plan import Ensemble


@job(Ensemble)
def ensemble(case: Ensemble) -> pd.DataFrame:
    """Residuals of each network at the flow time."""
    problem, L, M = build_problem(case), case.num_layers, case.num_units
    axes = {"replicate": range(case.replicates), "sample": range(problem.num_samples)}
    theta = independent_parameters(case, problem, axes["replicate"], L, M)
    run = Network(problem, L, M, case.activation).train(theta, [case.flow_time], rtol=case.rtol)
    return tidy(run.residuals[0].cpu().numpy(), axes, "residual")
