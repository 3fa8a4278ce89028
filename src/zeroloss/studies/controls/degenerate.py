"""Training that cannot move enough: with fewer parameters than samples, and from the origin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from ledger.study import job
from zeroloss.integrate.exponential import Point, follow
from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.floored import limit_of, seen
from zeroloss.studies.controls.plan import Origin, Parameters
from zeroloss.studies.setup import build_problem, independent_parameters

__all__ = ["origin", "parameters"]


@job(Parameters)
def parameters(case: Parameters) -> pd.DataFrame:
    """Networks of fewer parameters than samples; ``predicted`` is the rank that K can have.

    Raises ValueError if a size has as many parameters as there are samples.
    """
    problem = build_problem(case)
    frames = []
    for size in case.sizes:
        L, M = size.num_layers, size.num_units
        system = Network(problem, L, M)
        count = int(np.prod(system.parameter_shape))
        if count >= problem.num_samples:
            raise ValueError(f"sizes must have fewer than {problem.num_samples} parameters, got "
                             f"{count} in {L} layers of {M} units; "
                             "set controls.parameters")
        theta = independent_parameters(case, problem, range(case.replicates), L, M)
        for i in range(case.replicates):
            points: list[Point] = []
            follow(system.linearise, theta[i], [case.flow_time], rtol=case.rtol,
                   each=points.append)
            frames.append(seen(points, num_layers=L, num_units=M, replicate=i,
                               predicted=float(count)))
    return pd.concat(frames, ignore_index=True)


@job(Origin)
def origin(case: Origin) -> pd.DataFrame:
    """All units at θ = 0, where σ(0) = 0 makes every gradient vanish: nothing is to move.

    Rows: risk, and the largest displacement of a parameter; ``predicted``: E(0), and 0.
    """
    problem = build_problem(case)
    law = InitialLaw(**case.initial_law.model_dump())
    L, M = case.num_layers, case.num_units
    network = Network(problem, L, M)
    alike = torch.zeros(network.parameter_shape, dtype=torch.float64, device=case.device)
    start = float(Problem.risk(problem.residuals(problem.inputs)))
    rows = []
    for model, (system, theta) in (
            ("limit", limit_of(case, problem, law, case.depth_nodes, 0)),
            ("network", (network, alike))):
        points: list[Point] = []
        follow(system.linearise, theta, [case.flow_time], rtol=case.rtol, each=points.append)
        for point in points:
            moved = float((point.theta - theta).abs().max())
            rows += [{"model": model, "flow_time": point.s, "quantity": name, "value": value,
                      "predicted": predicted} for name, value, predicted in
                     (("risk", point.risk, start), ("displacement", moved, 0.0))]
    return pd.DataFrame(rows)
