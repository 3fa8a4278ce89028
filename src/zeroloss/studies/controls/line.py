"""The negative control on a line: flows in d = 1 keep order, finite networks fold.

If each layer increases between neighbouring samples, 1 + (1/L) mean_m ∂_z f > 0, so does the whole
network, and isotonic regression bounds its risk. The limit, a flow, never leaves this bound; a
network crosses it once the order of two samples is lost in some layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.study import job
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.floored import limit_of
from zeroloss.studies.controls.floors import monotone_floor
from zeroloss.studies.controls.plan import Line
from zeroloss.studies.setup import build_problem, followed, independent_parameters

LEFT_BELOW = 0.98  # of the floor: a network is left once it has crossed clearly


def without_lift(problem: Problem) -> Problem:
    """The first coordinate of the inputs, in increasing order, read out itself: d = 1."""
    order = torch.argsort(problem.inputs[:, 0])
    return replace(
        problem, inputs=problem.inputs[order, :1], targets=problem.targets[order], readout=problem.readout.new_ones(1)
    )


def layer_slope(features: Tensor) -> Tensor:
    """The least slope of a layer between neighbouring samples: features (L+1, R, N, 1) -> (R,).

    (z_{l+1,i+1} − z_{l+1,i})/(z_{l,i+1} − z_{l,i}) = 1 + (1/L) mean_m ∂_z f at some z between
    the two samples; order is kept while it is above 0.
    """
    steps = features[..., 0].diff(dim=-1)
    return (steps[1:] / steps[:-1]).amin((0, 2))


@job(Line)
def line(case: Line) -> pd.DataFrame:
    """Limit on each depth rule, and networks of each depth, with the floor of isotonic regression.

    Rows: model, num_layers (of the limit 0), depth_nodes (of networks 0), replicate, flow_time;
    quantity risk or, of networks, slope (`layer_slope`), value, predicted.
    """
    problem = without_lift(build_problem(case))
    floor = monotone_floor(problem.inputs[:, 0].cpu().numpy(), problem.targets.cpu().numpy())
    rows = _limits(case, problem) + _networks(case, problem, floor)
    return pd.DataFrame(rows).assign(predicted=floor)


def _limits(case: Line, problem: Problem) -> list[dict[str, Any]]:
    """The risk of the limit on one rule in θ, with each number of nodes in depth."""
    rows = []
    for nodes in case.depth_nodes:
        labels = {"model": "limit", "num_layers": 0, "depth_nodes": nodes, "replicate": 0}
        rows += [
            labels | {"flow_time": point.s, "quantity": "risk", "value": point.risk}
            for point in followed(*limit_of(case, problem, nodes, 0), case.flow_time, case.rtol)
        ]
    return rows


def _networks(case: Line, problem: Problem, floor: float) -> list[dict[str, Any]]:
    """Risk and least layer slope of each network until it has crossed the floor.

    Past the crossing a folded network is stiffer than any explicit step: it is left there.
    """
    rows, M = [], case.num_units
    times = [0.0, *np.geomspace(case.first_time, case.network_time, case.num_times)]
    for L in case.num_layers:
        network = Network(problem, L, M)
        start = independent_parameters(case, problem, range(case.replicates), L, M)
        for i in range(case.replicates):
            theta, before = start[i : i + 1], 0.0
            for s in times:
                run = network.train(theta, [s - before], rtol=case.network_rtol)
                theta, before, risk = run.parameters, s, float(run.risk[0, 0])
                slope = float(layer_slope(network.features(theta))[0])
                rows += [
                    {
                        "model": "network",
                        "num_layers": L,
                        "depth_nodes": 0,
                        "replicate": i,
                        "flow_time": s,
                        "quantity": name,
                        "value": value,
                    }
                    for name, value in (("risk", risk), ("slope", slope))
                ]
                if risk < LEFT_BELOW * floor:
                    break
    return rows
