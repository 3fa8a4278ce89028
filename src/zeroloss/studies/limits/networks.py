"""The jobs of `limits` that train finite networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.law import FractionalBrownian, PathLaw, SmoothPath
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.case import LimitCase
from zeroloss.studies.limits import plan
from zeroloss.studies.setup import build_problem, chunks, independent_parameters, path_parameters, sobol, train, trained

Tables = Iterator[pd.DataFrame]


def _table(case: LimitCase, parts: list[Tensor], first: int, num_layers: int, num_units: int) -> pd.DataFrame:
    """Residuals (flow_times, replicates, samples) of batches as rows, replicate by replicate."""
    r = torch.cat(parts, dim=1).transpose(0, 1).cpu().numpy()
    return tidy(
        r,
        {"replicate": range(first, first + len(r)), "flow_time": case.flow_times, "sample": range(r.shape[2])},
        "residual",
        num_layers=num_layers,
        num_units=num_units,
    )


def _replicates(
    case: LimitCase,
    problem: Problem,
    path: PathLaw | None,
    replicates: range,
    num_layers: int,
    num_units: int,
    compiled: bool = True,
) -> pd.DataFrame:
    """Trained replicates of one size; ``path`` None means independent layers."""
    runs = trained(case, problem, path, replicates, num_layers, num_units, case.flow_times, compiled)
    return _table(case, [run.residuals for run in runs], replicates.start, num_layers, num_units)


@job(plan.Ensemble)
def ensemble(case: plan.Ensemble) -> Tables:
    """Residuals of trained networks of some sizes, on independent layers or constant paths."""
    return _ensemble(case, compiled=True)


@job(plan.TorchEnsemble)
def torch_ensemble(case: plan.TorchEnsemble) -> Tables:
    """The same networks, trained by torch in place of the compiled engine."""
    return _ensemble(case, compiled=False)


def _ensemble(case: plan.NetworksCase, compiled: bool) -> Tables:
    problem = build_problem(case)
    path = PathLaw() if case.sampling == "path" else None
    for size in case.sizes:
        yield _replicates(case, problem, path, size.which, size.num_layers, size.num_units, compiled)


@job(plan.Smooth)
def smooth(case: plan.Smooth) -> Tables:
    """The same on smooth paths of some correlation lengths."""
    problem = build_problem(case)
    for length in case.correlation_lengths:
        yield _replicates(
            case, problem, SmoothPath(length), range(case.replicates), case.num_layers, case.num_units
        ).assign(correlation_length=length)


def _continuous(
    case: LimitCase, problem: Problem, path: PathLaw, replicates: int, num_units: int, nodes: int, num_layers: int = 0
) -> pd.DataFrame:
    """The continuous limit (L = ∞, entered as num_layers 0) on M paths of each replicate."""
    rule = gauss_legendre(nodes)
    field = MeanField(problem, rule, num_units, case.activation)
    parts = []
    for batch in chunks(0, replicates, nodes * num_units * (2 * problem.dim + 1)):
        theta = path_parameters(case, problem, path, batch, rule.nodes.numpy(), num_units)
        run = field.run(theta.flatten(1), case.flow_times, rtol=case.network_rtol)
        parts.append(run.residuals)
    return _table(case, parts, 0, num_layers, num_units)


@job(plan.FixedPaths)
def fixed_paths(case: plan.FixedPaths) -> Tables:
    """Networks of several depths and the continuous limit, all on the same smooth paths.

    num_layers 0 is the continuous limit, −1 the same with two nodes less.
    """
    problem, path = build_problem(case), SmoothPath(case.correlation_length)
    M, R, nodes = case.num_units, case.replicates, case.depth_nodes
    yield _continuous(case, problem, path, R, M, nodes)
    yield _continuous(case, problem, path, R, M, nodes - 2, num_layers=-1)
    for L in case.depths:
        yield _replicates(case, problem, path, range(R), L, M)


def _admissibility(theta: Tensor, num_layers: int) -> Tensor:
    """(1/M) Σ_l Σ_m ∫_{l/L}^{(l+1)/L} |ϑ_m(t) − ϑ_m(l/L)|² dt per replicate.

    theta (replicates, cells + 1, k, M) on equal cells of [0, 1]; the integral by the trapezoidal
    rule on the cells of each layer, as many for every depth.
    """
    per_layer = (theta.shape[1] - 1) // num_layers
    total = theta.new_zeros(theta.shape[0])
    for l in range(num_layers):
        part = theta[:, l * per_layer : (l + 1) * per_layer + 1]
        square = (part - part[:, :1]).square().sum(2).mean(2)  # |·|² over k, mean over units
        total += (square.sum(1) - 0.5 * square[:, -1]) / (per_layer * num_layers)
    return total


@job(plan.Rough)
def rough(case: plan.Rough) -> Tables:
    """Depths on the same fractional Brownian (or smooth) paths, and their admissibility sums.

    Rows of quantity `residual` (flow_time, sample) and `admissibility` (flow_time 0, sample −1);
    column path is `h0.25` for a Hurst index, `lipschitz` for smooth paths.
    """
    finest = max(case.depths) * case.cells_per_layer
    for chosen in case.paths:
        if isinstance(chosen, plan.FractionalPaths):
            path, name = FractionalBrownian(chosen.hurst, finest), f"h{chosen.hurst:g}"
        else:
            path, name = SmoothPath(chosen.correlation_length), "lipschitz"
        for table in _on_rough_paths(case, path, finest):
            yield table.assign(path=name)


def _on_rough_paths(case: plan.Rough, path: PathLaw, finest: int) -> Tables:
    """Paths are drawn once, on the finest grid: every depth takes its own points of them."""
    problem, R, M = build_problem(case), case.replicates, case.num_units
    per_layer = case.cells_per_layer
    times = {L: [s for s in case.flow_times if s == 0 or L in case.trained_depths] for L in case.depths}
    residuals, sums = {L: [] for L in times}, {L: [] for L in times}
    grid = np.arange(finest + 1) / finest
    for batch in chunks(0, R, len(grid) * M * (2 * problem.dim + 1)):
        fine = path_parameters(case, problem, path, batch, grid, M)
        for L in times:
            theta = fine[:, :: finest // (L * per_layer)]
            sums[L].append(_admissibility(theta, L))
            residuals[L].append(train(case, problem, theta[:, :-1:per_layer], times[L]).residuals)
    for L in times:
        r = torch.cat(residuals[L], dim=1).transpose(0, 1).cpu().numpy()
        yield tidy(
            r,
            {"replicate": range(R), "flow_time": times[L], "sample": range(r.shape[2])},
            "value",
            num_layers=L,
            quantity="residual",
        )
        yield tidy(
            torch.cat(sums[L]).cpu().numpy(),
            {"replicate": range(R)},
            "value",
            num_layers=L,
            quantity="admissibility",
            flow_time=0.0,
            sample=-1,
        )


@job(plan.Commute)
def commute(case: plan.Commute) -> Tables:
    """Two routes of sampled paths: L = ∞ at growing M, and L = M growing jointly.

    The third order (M = ∞ at growing L) is the depth ladder.
    """
    problem, path = build_problem(case), PathLaw()
    for M in case.widths:
        yield _continuous(case, problem, path, case.replicates, M, case.depth_nodes).assign(route="depth-first")
    for size in case.sizes:
        yield _replicates(case, problem, None, range(case.joint_replicates), size, size).assign(route="jointly")


@job(plan.Energy)
def energy(case: plan.Energy) -> Tables:
    """E(0), E(s) and the integral of the dissipation, along the limit and along networks."""
    for one in case.cases:
        problem, times = build_problem(one), sorted({0.0, *one.flow_times})
        points = sobol(one, problem, one.log2_points, "energy")
        field = MeanField(problem, gauss_legendre(one.depth_nodes), points.shape[-1], one.activation)
        L, M = one.num_layers, one.num_units
        theta = independent_parameters(one, problem, range(one.replicates), L, M)
        network = Network(problem, L, M, one.activation)
        for model, run in (
            ("limit", field.run(field.start(points[None]), times, rtol=one.rtol)),
            ("network", network.train(theta, times, rtol=one.rtol)),
        ):
            for quantity, values in (("risk", run.risk), ("dissipated", run.dissipated)):
                axes = {"flow_time": times, "replicate": range(values.shape[1])}
                yield tidy(values.cpu().numpy(), axes, "value", model=model, quantity=quantity).assign(
                    setting=one.setting
                )
