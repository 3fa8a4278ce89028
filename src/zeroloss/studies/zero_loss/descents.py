"""Other ways down: the penalised flow E_s, and gradient descent of a finite step."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zeroloss.integrate.exponential import follow
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import build_problem, independent_parameters
from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.studies.zero_loss.plan import Regularised, Steps

__all__ = ["regularised", "steps"]

Array = np.ndarray
EXACT = 1e-10  # tolerance of a flow whose energy is balanced, or that descent is held against
FOLLOWS = 0.01  # relative distance of the risk within which descent follows the flow


def _columns(case: Regularised | Steps) -> dict[str, range]:
    return {"replicate": range(case.replicates)}


@job(Regularised)
def regularised(case: Regularised) -> pd.DataFrame:
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
    axes = {"flow_time": times} | _columns(case)
    frames = [tidy(np.asarray(part), axes, "value", quantity=name) for name, part in
              (("objective", run.objective), ("dissipated", run.dissipated), ("risk", run.risk))]
    starts = {"risk": (run.parameters, times[-1]), "plain": (theta, 0.0)}
    ends = [_to_the_floor(case, unpenalised, *start) for start in starts.values()]
    for name, pairs in zip(starts, ends, strict=True):
        for i, found in enumerate(pairs):
            rows = found[1:] if name == "risk" else found
            frames.append(pd.DataFrame(rows, columns=["flow_time", "value"]).assign(
                replicate=i, quantity=name))
    until = [[pairs[-1][0] for pairs in end] for end in ends]
    frames.append(pd.DataFrame([
        {"flow_time": s, "replicate": i, "quantity": f"until-{name}", "value": s}
        for name, row in zip(starts, until, strict=True) for i, s in enumerate(row)]))
    return pd.concat(frames, ignore_index=True)


def _to_the_floor(case: Regularised, network: Network, thetas: Tensor, begin: float
                  ) -> list[list[tuple[float, float]]]:
    """(s, risk) at every step of each replicate, from s = ``begin``."""
    found = []
    for theta in thetas:
        seen: list[tuple[float, float]] = []
        follow(network.linearise, theta, [case.flow_time], rtol=case.rtol, floor=case.floor,
               each=lambda point, seen=seen: seen.append((begin + point.s, point.risk)))
        found.append(seen)
    return found


@job(Steps)
def steps(case: Steps) -> pd.DataFrame:
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
    axes = _columns(case) | {"sample": range(problem.num_samples)}
    exact = network.train(theta, [s], rtol=EXACT)
    frames = [tidy(exact.residuals[0].numpy(), axes, "value", quantity="residual", per_unit=0)]
    for count in case.steps_per_unit:
        run = network.descend(theta, 1.0 / count, round(s * count), round(s * count))
        frames.append(tidy(run.residuals[-1].numpy(), axes, "value", quantity="residual",
                           per_unit=count))
    for i in range(case.replicates):
        stiffest: list[float] = []
        follow(network.linearise, theta[i], [s], rtol=case.rtol,
               each=lambda point, seen=stiffest: seen.append(float(point.spectrum[-1])))
        limit = 2.0 * problem.num_samples / max(stiffest)
        longest = _longest(network, theta[i:i + 1], s, float(exact.risk[0, i]), limit)
        frames.append(pd.DataFrame([
            {"replicate": i, "sample": 0, "value": value, "quantity": name, "per_unit": 0}
            for name, value in (("longest", longest), ("limit", limit))]))
    return pd.concat(frames, ignore_index=True)


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
