"""The jobs of `size` that train networks: ladders of widths, the corollary, the threshold."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.integrate.exponential import Point, follow
from zeroloss.limit.collocation import euler, gauss_legendre
from zeroloss.limit.prediction import predict
from zeroloss.model.law import PathLaw
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import build_law, build_problem, independent_parameters, residuals, sobol, trained
from zeroloss.studies.size.plan import Corollary, Ensemble, Threshold
from zeroloss.theory.risk_law import RiskLaw

Array = np.ndarray
OUTPUTS = 60  # flow times at which the limit is seen on the way to the horizon
EARLIEST = 0.5


def _risks(
    case: Ensemble | Corollary, problem: Problem, L: int, M: int, replicates: range, flow_times: Sequence[float]
) -> Array:
    """Risks (replicates, flow_times) of trained networks of one size."""
    path = PathLaw() if case.sampling == "path" else None
    runs = trained(case, problem, path, replicates, L, M, flow_times)
    return torch.cat([run.risk for run in runs], dim=1).T.cpu().numpy()


@job(Ensemble)
def ensemble(case: Ensemble) -> Iterator[pd.DataFrame]:
    """Trained risks of networks of some sizes, one row per replicate and flow time."""
    problem, times = build_problem(case), case.flow_times
    for size in case.sizes:
        L, M = size.num_layers, size.num_units
        yield tidy(
            _risks(case, problem, L, M, size.which, times),
            {"replicate": size.which, "flow_time": times},
            "risk",
            num_layers=L,
            num_units=M,
        )


@job(Corollary)
def corollary(case: Corollary) -> pd.DataFrame:
    """Networks at the first flow time where the limit's risk is at most ε/2.

    Column what: `limit` (E(ρ) at that flow time), `depth` (E_L at each depth of the ladder up to
    the one taken), `predicted` (P(E > ε) by the law at each width), `risk` (of each network).
    """
    problem = build_problem(case)
    points = sobol(case, problem, case.rule.log2_points, "corollary", 0)
    s = _reached(case, problem, points)
    limit = residuals(case, problem, gauss_legendre(case.depth_nodes), points, [s])
    rows = [("limit", 0, 0, float(0.5 * np.mean(limit**2)))]
    rows += _deep_enough(case, problem, points, s, rows[0][-1])
    L = rows[-1][1]
    predicted = _law_at(case, problem, L, s, limit)
    for M in case.num_units:
        count = L * M if case.sampling == "independent" else M
        rows.append(("predicted", L, M, predicted.above(count, case.accuracy, 0)))
    frames = [pd.DataFrame(rows, columns=["what", "num_layers", "num_units", "value"]).assign(replicate=0)]
    for M in case.num_units:
        replicates = range(case.replicates)
        risks = _risks(case, problem, L, M, replicates, [s])
        frames.append(tidy(risks[:, 0], {"replicate": replicates}, "value", what="risk", num_layers=L, num_units=M))
    return pd.concat(frames, ignore_index=True).assign(flow_time=s)


def _reached(case: Corollary, problem: Problem, points: Array) -> float:
    """The first of OUTPUTS flow times with E(ρ(s)) ≤ ε/2."""
    times = np.geomspace(EARLIEST, case.horizon, OUTPUTS).tolist()
    r = residuals(case, problem, gauss_legendre(case.depth_nodes), points, times)
    risk = 0.5 * np.mean(r**2, axis=1)
    below = np.flatnonzero(risk <= case.accuracy / 2)
    if len(below) == 0:
        raise ValueError(
            f"the limit of {case.setting} is at {risk[-1]:.3g} at the horizon "
            f"{case.horizon:g}, above half of the accuracy {case.accuracy:g}; "
            "set size.corollaries.horizon higher"
        )
    return times[below[0]]


def _deep_enough(
    case: Corollary, problem: Problem, points: Array, s: float, reference: float
) -> list[tuple[str, int, int, float]]:
    """E_L up to the first depth with E_L − E(ρ) ≤ ε/4 (the last one if there is none)."""
    rows: list[tuple[str, int, int, float]] = []
    for L in case.depths:
        r = residuals(case, problem, euler(L), points, [s])
        rows.append(("depth", L, 0, float(0.5 * np.mean(r**2))))
        if rows[-1][-1] - reference <= case.accuracy / 4:
            break
    return rows


def _law_at(case: Corollary, problem: Problem, L: int, s: float, limit: Array) -> RiskLaw:
    """The predicted law of the risk at depth L and flow time s, from all scrambles."""
    predicted = predict(
        problem,
        build_law(case.initial_law),
        L,
        s,
        activation=case.activation,
        log2_points=case.rule.log2_points,
        scrambles=case.rule.scrambles,
        rtol=case.influence_rtol,
        dtype=torch.float32,
        seed=case.seed,
        name=[case.setting, "corollary"],
    )
    N = problem.num_samples
    sigma = predicted.covariances[case.sampling].mean(0).reshape(1, N, 1, N)
    rng = stream("size-corollary", case.setting, case.sampling, case.accuracy)
    return RiskLaw(predicted.residuals.mean(0), limit, sigma, case.draws, rng)


@job(Threshold)
def threshold(case: Threshold) -> pd.DataFrame:
    """Last risk and flow time of small networks, followed to the floor or to the end of time."""
    problem = build_problem(case)
    rows = []
    for L in case.num_layers:
        for M in case.num_units:
            starts = independent_parameters(case, problem, range(case.replicates), L, M)
            for i, theta in enumerate(starts):
                network = Network(problem, L, M, case.activation)
                rows.append((L, M, i, theta.numel(), *_end(case, network, theta)))
    return pd.DataFrame(rows, columns=["num_layers", "num_units", "replicate", "parameters", "flow_time", "risk"])


def _end(case: Threshold, network: Network, theta: Tensor) -> tuple[float, float]:
    """(s, risk) of the last accepted point: one that needs too many steps is left where it is."""
    last: list[Point] = []

    def each(point: Point) -> None:
        last[:] = [point]

    with contextlib.suppress(RuntimeError):
        follow(network.linearise, theta, [case.flow_time], rtol=case.rtol, floor=case.floor, max_steps=400, each=each)
    return last[0].s, last[0].risk
