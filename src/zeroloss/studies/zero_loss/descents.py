"""Other ways down: the penalised flow E_s, and gradient descent of a finite step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import build_problem, followed, independent_parameters
from zeroloss.studies.zero_loss.plan import Regularised, Steps

EXACT = 1e-10  # tolerance of a flow whose energy is balanced, or that descent is held against
FOLLOWS = 0.01  # relative distance of the risk within which descent follows the flow


@job(Regularised)
def regularised(case: Regularised) -> Iterator[pd.DataFrame]:
    """E_s and E under the penalty, then E without it to the floor, and E of the plain flow.

    Columns: flow_time, replicate, quantity (objective, dissipated, risk, plain, until), value;
    `until` holds the time at which the risk of each run fell below the floor.
    """
    problem = build_problem(case)
    L, M, times = case.num_layers, case.num_units, case.flow_times
    theta = independent_parameters(case, problem, range(case.replicates), L, M)
    penalised = Network(problem, L, M, case.activation, regularised=True)
    run = penalised.train(theta, times, rtol=EXACT)
    unpenalised = Network(problem, L, M, case.activation)
    axes = {"flow_time": times, "replicate": range(case.replicates)}
    for name, part in (("objective", run.objective), ("dissipated", run.dissipated), ("risk", run.risk)):
        yield tidy(np.asarray(part), axes, "value", quantity=name)
    until = []
    for name, starts, begin in (("risk", run.parameters, times[-1]), ("plain", theta, 0.0)):
        for i, start in enumerate(starts):
            points = followed(unpenalised, start, case.flow_time, case.rtol, case.floor)
            ends = [(begin + point.s, point.risk) for point in points]
            until.append((ends[-1][0], i, f"until-{name}", ends[-1][0]))
            yield pd.DataFrame(ends[1:] if name == "risk" else ends, columns=["flow_time", "value"]).assign(
                replicate=i, quantity=name
            )
    yield pd.DataFrame(until, columns=["flow_time", "replicate", "quantity", "value"])


@job(Steps)
def steps(case: Steps) -> Iterator[pd.DataFrame]:
    """Residuals after gradient descent of each step h to s, those of the flow, and the longest
    step that follows it.

    Columns: per_unit (1/h, 0 for the flow), replicate, sample, value; quantity residual, or
    `longest`: the largest h, over halvings of 2 N/λ_max(K) and a bisection, whose risk is within
    1 % of the flow's; `limit`: the least 2 N/λ_max(K) along the flow.
    """
    problem = build_problem(case)
    L, M, s = case.num_layers, case.num_units, case.flow_time
    theta = independent_parameters(case, problem, range(case.replicates), L, M)
    network = Network(problem, L, M, case.activation)
    exact = network.train(theta, [s], rtol=EXACT)
    ends = {0: exact.residuals[0]} | {
        count: network.descend(theta, 1.0 / count, round(s * count), round(s * count)).residuals[-1]
        for count in case.steps_per_unit
    }
    axes = {"replicate": range(case.replicates), "sample": range(problem.num_samples)}
    for count, residuals in ends.items():
        yield tidy(residuals.numpy(), axes, "value", quantity="residual", per_unit=count)
    for i, start in enumerate(theta):
        stiffest = max(float(point.spectrum[-1]) for point in followed(network, start, s, case.rtol))
        limit = 2.0 * problem.num_samples / stiffest
        longest = _longest(network, start[None], s, float(exact.risk[0, i]), limit)
        yield pd.DataFrame(
            [
                {"replicate": i, "sample": 0, "value": value, "quantity": name, "per_unit": 0}
                for name, value in (("longest", longest), ("limit", limit))
            ]
        )


def _longest(network: Network, theta: Tensor, s: float, risk: float, limit: float) -> float:
    """The longest step that follows the flow to s, within 1 %, by bisection of its number."""

    def follows(count: int) -> bool:
        try:
            found = float(network.descend(theta, s / count, count, count).risk[-1, 0])
        except FloatingPointError:
            return False
        return bool(torch.isfinite(torch.tensor(found))) and abs(found / risk - 1.0) <= FOLLOWS

    few = 1
    many = max(2, int(np.ceil(s / limit)))
    while not follows(many):
        few, many = many, 2 * many
    while many - few > max(1, many // 64):
        middle = (few + many) // 2
        few, many = (few, middle) if follows(middle) else (middle, many)
    return s / many
