"""Training that must end at a floor above zero: with affine layers, and on contradictory labels.

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

from zeroloss.integrate.exponential import Point, follow
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.network.resnet import Network
from zeroloss.model.problem import Problem
from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.studies.controls.floors import affine_floor, grouped_floor
from zeroloss.studies.controls.plan import Identity, Labels, Line, Origin, Trained
from zeroloss.studies.setup import build_law, build_problem, independent_parameters

__all__ = ["doubled", "identity", "labels", "limit_of", "seen"]

System = MeanField | Network


def limit_of(case: Trained | Line | Origin, problem: Problem, law: InitialLaw, nodes: int,
             scramble: int, activation: str = "tanh") -> tuple[MeanField, Tensor]:
    """The mean-field limit on one scramble of the rule, and its start (n, k, particles)."""
    points = sobol_rule(law, problem.dim, case.log2_points, case.seed, case.setting, case.kind,
                        scramble)
    field = MeanField(problem, gauss_legendre(nodes), points.shape[-1], activation)
    return field, field.shape(field.start(points[None]))[0]


def _models(case: Trained, problem: Problem, activation: str
            ) -> Iterator[tuple[str, int, System, Tensor]]:
    """(model, replicate, system, start) of the limit on each scramble, and of each network."""
    L, M = case.num_layers, case.num_units
    for i in range(case.replicates):
        yield "limit", i, *limit_of(case, problem, build_law(case.initial_law), case.depth_nodes, i,
                                    activation)
        theta = independent_parameters(case, problem, range(i, i + 1), L, M)[0]
        yield "network", i, Network(problem, L, M, activation), theta


def seen(points: list[Point], **labels: Any) -> pd.DataFrame:
    """Rows (flow_time, quantity, index, value) of risk and eigenvalues at the points of one run."""
    times = [point.s for point in points]
    risk = np.array([[point.risk] for point in points])
    spectra = np.stack([point.spectrum.cpu().numpy() for point in points])
    return pd.concat([
        tidy(values, {"flow_time": times, "index": range(values.shape[1])}, "value",
             quantity=name, **labels)
        for name, values in (("risk", risk), ("eigenvalue", spectra))], ignore_index=True)


def _followed(case: Trained, problem: Problem, activation: str, predicted: float) -> pd.DataFrame:
    """Limit and networks to the end of the time; there is no floor to leave them at."""
    frames = []
    for model, i, system, theta in _models(case, problem, activation):
        points: list[Point] = []
        follow(system.linearise, theta, [case.flow_time], rtol=case.rtol, each=points.append)
        frames.append(seen(points, setting=case.setting, model=model, replicate=i))
    return pd.concat(frames, ignore_index=True).assign(predicted=predicted)


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return problem.inputs.cpu().numpy(), problem.targets.cpu().numpy()


@job(Identity)
def identity(case: Identity) -> pd.DataFrame:
    """σ(u) = u: z(1) is affine in z_0, so least squares bounds the risk, and is reached."""
    frames = []
    for part in case.cases:
        problem = build_problem(part)
        frames.append(_followed(part, problem, "identity", affine_floor(*_arrays(problem))))
    return pd.concat(frames, ignore_index=True)


def doubled(problem: Problem, sample: int, gap: float) -> Problem:
    """The problem with one sample twice, its second label higher by ``gap``."""
    again = slice(sample, sample + 1)
    return replace(problem, inputs=torch.cat([problem.inputs, problem.inputs[again]]),
                   targets=torch.cat([problem.targets, problem.targets[again] + gap]))


@job(Labels)
def labels(case: Labels) -> pd.DataFrame:
    """Two equal inputs of different labels: no function fits both, the means of groups are best."""
    frames = []
    for part in case.cases:
        problem = doubled(build_problem(part), part.sample, part.gap)
        frames.append(_followed(part, problem, "tanh", grouped_floor(*_arrays(problem))))
    return pd.concat(frames, ignore_index=True)
