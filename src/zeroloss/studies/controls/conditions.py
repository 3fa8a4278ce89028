"""Zero loss against the initial law and the size: what is sufficient, and what is not necessary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.block import dim_theta
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.floored import seen
from zeroloss.studies.controls.plan import Conditions, Row, ShiftedLaw
from zeroloss.studies.setup import build_problem, followed


def shifted(law: ShiftedLaw, rng: np.random.Generator, num_layers: int, num_units: int, dim: int) -> np.ndarray:
    """θ = centre + scale ξ, drawn for each unit, or once for all where ``shared``: (L, k, M)."""

    def spread(name: str) -> np.ndarray:
        return np.repeat([getattr(law, f"{name}_{part}") for part in "awb"], [dim, dim, 1])

    shape = (num_layers, dim_theta(dim), num_units)
    drawn = (1, shape[1], 1) if law.shared else shape
    xi = rng.standard_normal(drawn) if law.kind == "gaussian" else rng.uniform(-1, 1, drawn)
    theta = spread("centre")[:, None] + spread("scale")[:, None] * xi
    return np.array(np.broadcast_to(theta, shape))


def profile_spread(theta: Tensor) -> float:
    """Standard deviation over depth of the mean particle of each layer: theta (L, k, M)."""
    profile = theta.mean(2)
    return float((profile - profile.mean(0)).square().sum(1).mean().sqrt())


@job(Conditions)
def conditions(case: Conditions) -> Iterator[pd.DataFrame]:
    """Networks of each law or size of ``rows``, followed to the floor of the risk.

    Rows: row (its name), num_samples, replicate, flow_time; quantity risk, eigenvalue (by index),
    or depth-spread at the start and at the end; value. Laws without chance are run once.
    """
    for N in case.num_samples:
        problem = build_problem(case.model_copy(update={"problem": case.problem.model_copy(update={"num_samples": N})}))
        for row in case.rows:
            random = max(row.law.scale_a, row.law.scale_w, row.law.scale_b) > 0
            for i in range(case.replicates if random else 1):
                for table in _one(case, problem, row, i):
                    yield table.assign(row=row.row, num_samples=N, replicate=i)


def _one(case: Conditions, problem: Problem, row: Row, replicate: int) -> list[pd.DataFrame]:
    """One network to the floor: risk and eigenvalues on the way, the depth profile at both ends."""
    L, M = row.num_layers, row.num_units
    network = Network(problem, L, M)
    rng = stream(case.seed, case.setting, "conditions", row.row, L, M, replicate)
    theta = torch.from_numpy(shifted(row.law, rng, L, M, problem.dim))
    points = followed(network, theta.to(problem.inputs.device), case.flow_time, case.rtol, case.floor)
    return [
        seen(points),
        pd.DataFrame(
            [
                {"flow_time": point.s, "quantity": "depth-spread", "index": 0, "value": profile_spread(point.theta)}
                for point in (points[0], points[-1])
            ]
        ),
    ]
