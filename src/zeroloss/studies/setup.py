"""What jobs of several studies build and run, from their case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ledger.config.closed import Closed
from ledger.record.streams import stream
from zeroloss.integrate.exponential import Point, follow
from zeroloss.limit.collocation import DepthRule, gauss_legendre
from zeroloss.limit.flow import MeanField, limit_residuals
from zeroloss.limit.prediction import Recorded, record
from zeroloss.model import law as laws
from zeroloss.model import problem as problems
from zeroloss.model.arrays import Array
from zeroloss.model.law import InitialLaw, PathLaw
from zeroloss.model.problem import Problem
from zeroloss.network.engine import recomputes
from zeroloss.network.resnet import Network, Training
from zeroloss.studies.case import LimitCase, OnLaw, OnProblem

System = MeanField | Network
# state of one batch of networks: about 20 MB in float64
_BATCH_NUMBERS = 2_600_000


def build_problem(case: OnProblem) -> Problem:
    """The problem of a case, on its device."""
    p = case.problem
    if p.kind == "csv":
        built = problems.from_csv(str(p.path), str(p.target), p.features, p.num_samples, case.data_seed, p.lift)
    else:
        built = problems.built_in(p.kind, p.num_samples, case.data_seed)
    return built.to(case.device)


def build_law(settings: Closed) -> InitialLaw:
    """ρ_ini of its settings."""
    return InitialLaw(**settings.model_dump())


def sobol(case: OnLaw, problem: Problem, log2_points: int, *scramble: str | int) -> Array:
    """A Sobol rule of the law of a case, its scramble by name: (k, points)."""
    return laws.sobol_rule(build_law(case.initial_law), problem.dim, log2_points, case.seed, case.setting, *scramble)


def chunks(first: int, count: int, numbers_each: int, most: int = 64) -> list[range]:
    """Replicates in batches that stay near the processor's caches; ``most`` of them at once.

    Narrow layers want more replicates at once: calls cost more than their arithmetic there.
    """
    size = max(1, min(most, _BATCH_NUMBERS // numbers_each))
    return [range(i, min(i + size, first + count)) for i in range(first, first + count, size)]


def _tensor(arrays: list[Array], problem: Problem) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(problem.inputs.device)


def independent_parameters(case: OnLaw, problem: Problem, replicates: range, num_layers: int, num_units: int) -> Tensor:
    """Independent layers of each replicate, from its own stream: (replicates, L, k, M)."""
    law = build_law(case.initial_law)
    return _tensor(
        [
            laws.sample_independent(
                law,
                stream(case.seed, case.setting, "independent", num_layers, num_units, i),
                num_layers,
                num_units,
                problem.dim,
            )
            for i in replicates
        ],
        problem,
    )


def path_parameters(
    case: OnLaw, problem: Problem, path: PathLaw, replicates: range, times: Array, num_units: int
) -> Tensor:
    """Paths at ``times``: (replicates, len(times), k, M).

    The stream does not depend on ``times``: all depths and the continuous limit share paths.
    """
    law, name = build_law(case.initial_law), (case.seed, case.setting, repr(path), num_units)
    return _tensor(
        [laws.sample_paths(law, path, stream(*name, i), times, num_units, problem.dim) for i in replicates], problem
    )


def train(
    case: LimitCase, problem: Problem, theta: Tensor, flow_times: Sequence[float], compiled: bool = True
) -> Training:
    """Networks started at theta (replicates, L, k, M)."""
    L, M = theta.shape[1], theta.shape[3]
    network = Network(
        problem, L, M, case.activation, compiled=compiled, recompute=recomputes(L, M, problem.num_samples)
    )
    return network.train(theta, flow_times, rtol=case.network_rtol)


def trained(
    case: LimitCase,
    problem: Problem,
    path: PathLaw | None,
    replicates: range,
    L: int,
    M: int,
    flow_times: Sequence[float],
    compiled: bool = True,
) -> Iterator[Training]:
    """Replicates of one size, in batches, in the type of numbers of the case; ``path`` None means
    independent layers."""
    for batch in chunks(replicates.start, len(replicates), L * M * (2 * problem.dim + 1), most=max(64, 4096 // M)):
        theta = (
            independent_parameters(case, problem, batch, L, M)
            if path is None
            else path_parameters(case, problem, path, batch, np.arange(L) / L, M)
        )
        yield train(case, problem, theta.to(getattr(torch, case.network_dtype)), flow_times, compiled)


def residuals(
    case: LimitCase,
    problem: Problem,
    rule: DepthRule,
    points: Array,
    flow_times: Sequence[float] = (),
    rtol: float = 0.0,
) -> Array:
    """r(s) (flow_times, samples) of the limit with this depth rule and cloud, at the flow times and
    to the tolerance of the case where none are given."""
    return limit_residuals(
        problem, rule, points, flow_times or case.flow_times, activation=case.activation, rtol=rtol or case.limit_rtol
    )


def recorded(case: LimitCase, problem: Problem, rule: DepthRule, points: Array, rtol: float) -> Recorded:
    """The same limit with its influence functions at the flow times of the case.

    Costates are float32: errors near 1e-5, far below the spread over scrambles.
    """
    return record(problem, points, rule, case.flow_times, activation=case.activation, rtol=rtol, dtype=torch.float32)


def limit_at_start(problem: Problem, points: Array, depth_nodes: int, activation: str) -> tuple[MeanField, Tensor]:
    """The mean-field limit of a cloud, and its parameters at the start: (n, k, particles)."""
    field = MeanField(problem, gauss_legendre(depth_nodes), points.shape[-1], activation)
    return field, field.shape(field.start(points[None]))[0]


def followed(system: System, theta: Tensor, flow_time: float, rtol: float, floor: float = 0.0) -> list[Point]:
    """Every point of the flow from theta to a flow time, or to a floor of the risk."""
    points: list[Point] = []
    follow(system.linearise, theta, [flow_time], rtol=rtol, floor=floor, each=points.append)
    return points
