"""Training that must end above zero: with affine layers, on contradictory labels, with fewer
parameters than samples, and from the origin.

Every table has a column ``predicted``: what the data alone say, computed before any training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.integrate.exponential import Point
from zeroloss.limit.flow import MeanField
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.controls.floors import affine_floor, grouped_floor
from zeroloss.studies.controls.plan import Identity, Labels, Line, Origin, Parameters, Trained
from zeroloss.studies.setup import build_problem, followed, independent_parameters, limit_at_start, sobol

Tables = Iterator[pd.DataFrame]


def limit_of(
    case: Trained | Line, problem: Problem, nodes: int, scramble: int, activation: str = "tanh"
) -> tuple[MeanField, Tensor]:
    """The mean-field limit on one scramble of the rule, and its start (n, k, particles)."""
    points = sobol(case, problem, case.log2_points, case.kind, scramble)
    return limit_at_start(problem, points, nodes, activation)


def seen(points: list[Point], **labels: Any) -> pd.DataFrame:
    """Rows (flow_time, quantity, index, value) of risk and eigenvalues at the points of one run."""
    times = [point.s for point in points]
    risk = np.array([[point.risk] for point in points])
    spectra = np.stack([point.spectrum.cpu().numpy() for point in points])
    return pd.concat(
        [
            tidy(values, {"flow_time": times, "index": range(values.shape[1])}, "value", quantity=name, **labels)
            for name, values in (("risk", risk), ("eigenvalue", spectra))
        ],
        ignore_index=True,
    )


def _followed(case: Trained, problem: Problem, activation: str, predicted: float) -> Tables:
    """The limit on each scramble, and each network, to the end of the time; there is no floor to
    leave them at."""
    L, M = case.num_layers, case.num_units
    for i in range(case.replicates):
        theta = independent_parameters(case, problem, range(i, i + 1), L, M)[0]
        for model, (system, start) in (
            ("limit", limit_of(case, problem, case.depth_nodes, i, activation)),
            ("network", (Network(problem, L, M, activation), theta)),
        ):
            yield seen(
                followed(system, start, case.flow_time, case.rtol), setting=case.setting, model=model, replicate=i
            ).assign(predicted=predicted)


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return problem.inputs.cpu().numpy(), problem.targets.cpu().numpy()


@job(Identity)
def identity(case: Identity) -> Tables:
    """σ(u) = u: z(1) is affine in z_0, so least squares bounds the risk, and is reached."""
    for part in case.cases:
        problem = build_problem(part)
        yield from _followed(part, problem, "identity", affine_floor(*_arrays(problem)))


def doubled(problem: Problem, sample: int, gap: float) -> Problem:
    """The problem with one sample twice, its second label higher by ``gap``."""
    again = slice(sample, sample + 1)
    return replace(
        problem,
        inputs=torch.cat([problem.inputs, problem.inputs[again]]),
        targets=torch.cat([problem.targets, problem.targets[again] + gap]),
    )


@job(Labels)
def labels(case: Labels) -> Tables:
    """Two equal inputs of different labels: no function fits both, the means of groups are best."""
    for part in case.cases:
        problem = doubled(build_problem(part), part.sample, part.gap)
        yield from _followed(part, problem, "tanh", grouped_floor(*_arrays(problem)))


@job(Parameters)
def parameters(case: Parameters) -> Tables:
    """Networks of fewer parameters than samples; ``predicted`` is the rank that K can have.

    Raises ValueError if a size has as many parameters as there are samples.
    """
    problem = build_problem(case)
    for size in case.sizes:
        L, M = size.num_layers, size.num_units
        network = Network(problem, L, M)
        count = int(np.prod(network.parameter_shape))
        if count >= problem.num_samples:
            raise ValueError(
                f"sizes must have fewer than {problem.num_samples} parameters, got "
                f"{count} in {L} layers of {M} units; "
                "set controls.parameters"
            )
        starts = independent_parameters(case, problem, range(case.replicates), L, M)
        for i, theta in enumerate(starts):
            yield seen(
                followed(network, theta, case.flow_time, case.rtol),
                num_layers=L,
                num_units=M,
                replicate=i,
                predicted=float(count),
            )


@job(Origin)
def origin(case: Origin) -> pd.DataFrame:
    """All units at θ = 0, where σ(0) = 0 makes every gradient vanish: nothing is to move.

    Rows: risk, and the largest displacement of a parameter; ``predicted``: E(0), and 0.
    """
    problem = build_problem(case)
    network = Network(problem, case.num_layers, case.num_units)
    cloud = np.zeros((network.parameter_shape[1], 2**case.log2_points))
    alike = torch.zeros(network.parameter_shape, dtype=torch.float64, device=case.device)
    start = float(Problem.risk(problem.residuals(problem.inputs)))
    rows = []
    for model, (system, theta) in (
        ("limit", limit_at_start(problem, cloud, case.depth_nodes, "tanh")),
        ("network", (network, alike)),
    ):
        for point in followed(system, theta, case.flow_time, case.rtol):
            moved = float((point.theta - theta).abs().max())
            rows += [
                {"model": model, "flow_time": point.s, "quantity": name, "value": value, "predicted": predicted}
                for name, value, predicted in (("risk", point.risk, start), ("displacement", moved, 0.0))
            ]
    return pd.DataFrame(rows)
