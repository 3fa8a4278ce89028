"""The jobs of `limits` that train finite networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.law import FractionalBrownian, PathLaw, SmoothPath, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network, recomputes
from zeroloss.studies.limits.plan import (
    Commute,
    Energy,
    EnergyOn,
    Ensemble,
    FixedPaths,
    FractionalPaths,
    LimitCase,
    NetworksCase,
    Rough,
    Smooth,
    TorchEnsemble,
)
from zeroloss.studies.setup import (
    build_law,
    build_problem,
    chunks,
    independent_parameters,
    path_parameters,
)

__all__ = ["commute", "energy", "ensemble", "fixed_paths", "rough", "smooth", "torch_ensemble"]

Array = np.ndarray


def _layers(num_layers: int) -> Array:
    return np.arange(num_layers) / num_layers


def _train(case: LimitCase, problem: Problem, theta: Tensor, flow_times: Sequence[float],
           compiled: bool = True) -> Array:
    """Residuals (flow_times, replicates, samples) of networks started at theta."""
    L, M = theta.shape[1], theta.shape[3]
    network = Network(problem, L, M, case.activation, compiled=compiled,
                      recompute=recomputes(L, M, problem.num_samples))
    return network.train(theta, flow_times, rtol=case.network_rtol).residuals.cpu().numpy()


def _replicates(case: LimitCase, problem: Problem, path: PathLaw | None, first: int, count: int,
                num_layers: int, num_units: int, compiled: bool = True) -> pd.DataFrame:
    """Train replicates of one size; ``path`` None means independent layers."""
    parts = []
    numbers = num_layers * num_units * (2 * problem.dim + 1)
    for batch in chunks(first, count, numbers, most=max(64, 4096 // num_units)):
        if path is None:
            theta = independent_parameters(case, problem, batch, num_layers, num_units)
        else:
            theta = path_parameters(case, problem, path, batch, _layers(num_layers), num_units)
        parts.append(_train(case, problem, theta, case.flow_times, compiled))
    r = np.concatenate(parts, axis=1).transpose(1, 0, 2)
    return tidy(r, {"replicate": range(first, first + count), "flow_time": case.flow_times,
                    "sample": range(r.shape[2])}, "residual",
                num_layers=num_layers, num_units=num_units)


@job(Ensemble)
def ensemble(case: Ensemble) -> pd.DataFrame:
    """Residuals of trained networks of some sizes, on independent layers or constant paths."""
    return _ensemble(case, compiled=True)


@job(TorchEnsemble)
def torch_ensemble(case: TorchEnsemble) -> pd.DataFrame:
    """The same networks, trained by torch in place of the compiled engine."""
    return _ensemble(case, compiled=False)


def _ensemble(case: NetworksCase, compiled: bool) -> pd.DataFrame:
    problem = build_problem(case)
    path = PathLaw() if case.sampling == "path" else None
    return pd.concat([
        _replicates(case, problem, path, size.first_replicate, size.replicates, size.num_layers,
                    size.num_units, compiled)
        for size in case.sizes], ignore_index=True)


@job(Smooth)
def smooth(case: Smooth) -> pd.DataFrame:
    """The same on smooth paths of some correlation lengths."""
    problem = build_problem(case)
    return pd.concat([
        _replicates(case, problem, SmoothPath(length), 0, case.replicates, case.num_layers,
                    case.num_units).assign(correlation_length=length)
        for length in case.correlation_lengths], ignore_index=True)


def _continuous(case: LimitCase, problem: Problem, path: PathLaw, replicates: int, num_units: int,
                nodes: int, num_layers: int = 0) -> pd.DataFrame:
    """The continuous limit (L = ∞, entered as num_layers 0) on M paths of each replicate."""
    rule = gauss_legendre(nodes)
    field = MeanField(problem, rule, num_units, case.activation)
    parts = []
    for batch in chunks(0, replicates, nodes * num_units * (2 * problem.dim + 1)):
        theta = path_parameters(case, problem, path, batch, rule.nodes.numpy(), num_units)
        run = field.run(theta.flatten(1), case.flow_times, rtol=case.network_rtol)
        parts.append(run.residuals.cpu().numpy())
    r = np.concatenate(parts, axis=1).transpose(1, 0, 2)
    return tidy(r, {"replicate": range(replicates), "flow_time": case.flow_times,
                    "sample": range(r.shape[2])}, "residual", num_layers=num_layers,
                num_units=num_units)


@job(FixedPaths)
def fixed_paths(case: FixedPaths) -> pd.DataFrame:
    """Networks of several depths and the continuous limit, all on the same smooth paths.

    num_layers 0 is the continuous limit, −1 the same with two nodes less.
    """
    problem, path = build_problem(case), SmoothPath(case.correlation_length)
    M, R, nodes = case.num_units, case.replicates, case.depth_nodes
    frames = [_continuous(case, problem, path, R, M, nodes),
              _continuous(case, problem, path, R, M, nodes - 2, num_layers=-1)]
    frames += [_replicates(case, problem, path, 0, R, L, M) for L in case.depths]
    return pd.concat(frames, ignore_index=True)


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


@job(Rough)
def rough(case: Rough) -> pd.DataFrame:
    """Depths on the same fractional Brownian (or smooth) paths, and their admissibility sums.

    Rows of quantity `residual` (flow_time, sample) and `admissibility` (flow_time 0, sample −1);
    column path is `h0.25` for a Hurst index, `lipschitz` for smooth paths.
    """
    finest = max(case.depths) * case.cells_per_layer
    frames = []
    for chosen in case.paths:
        if isinstance(chosen, FractionalPaths):
            path, name = FractionalBrownian(chosen.hurst, finest), f"h{chosen.hurst:g}"
        else:
            path, name = SmoothPath(chosen.correlation_length), "lipschitz"
        frames.append(_on_rough_paths(case, path, finest).assign(path=name))
    return pd.concat(frames, ignore_index=True)


def _on_rough_paths(case: Rough, path: PathLaw, finest: int) -> pd.DataFrame:
    """Paths are drawn once, on the finest grid: every depth takes its own points of them."""
    problem, R, M = build_problem(case), case.replicates, case.num_units
    per_layer = case.cells_per_layer
    times = {L: [s for s in case.flow_times if s == 0 or L in case.trained_depths]
             for L in case.depths}
    residuals, sums = {L: [] for L in times}, {L: [] for L in times}
    grid = np.arange(finest + 1) / finest
    for batch in chunks(0, R, len(grid) * M * (2 * problem.dim + 1)):
        fine = path_parameters(case, problem, path, batch, grid, M)
        for L in times:
            theta = fine[:, :: finest // (L * per_layer)]
            sums[L].append(_admissibility(theta, L))
            residuals[L].append(_train(case, problem, theta[:, :-1:per_layer], times[L]))
    frames = []
    for L in times:
        r = np.concatenate(residuals[L], axis=1).transpose(1, 0, 2)
        frames.append(tidy(r, {"replicate": range(R), "flow_time": times[L],
                               "sample": range(r.shape[2])}, "value", num_layers=L,
                           quantity="residual"))
        frames.append(tidy(torch.cat(sums[L]).cpu().numpy(), {"replicate": range(R)}, "value",
                           num_layers=L, quantity="admissibility", flow_time=0.0, sample=-1))
    return pd.concat(frames, ignore_index=True)


@job(Commute)
def commute(case: Commute) -> pd.DataFrame:
    """Two routes of sampled paths: L = ∞ at growing M, and L = M growing jointly.

    The third order (M = ∞ at growing L) is the depth ladder.
    """
    problem, path = build_problem(case), PathLaw()
    frames = [
        _continuous(case, problem, path, case.replicates, M, case.depth_nodes)
        .assign(route="depth-first") for M in case.widths]
    frames += [
        _replicates(case, problem, None, 0, case.joint_replicates, size, size)
        .assign(route="jointly") for size in case.sizes]
    return pd.concat(frames, ignore_index=True)


@job(Energy)
def energy(case: Energy) -> pd.DataFrame:
    """E(0), E(s) and the integral of the dissipation, along the limit and along networks."""
    return pd.concat([_energy(one).assign(setting=one.setting) for one in case.cases],
                     ignore_index=True)


def _energy(case: EnergyOn) -> pd.DataFrame:
    problem, rtol = build_problem(case), case.rtol
    times = sorted({0.0, *case.flow_times})
    points = sobol_rule(build_law(case.initial_law), problem.dim, case.log2_points, case.seed,
                        case.setting, "energy")
    field = MeanField(problem, gauss_legendre(case.depth_nodes), points.shape[-1],
                      case.activation)
    run = field.run(field.start(points[None]), times, rtol=rtol)
    L, M, R = case.num_layers, case.num_units, case.replicates
    theta = independent_parameters(case, problem, range(R), L, M)
    trained = Network(problem, L, M, case.activation).train(theta, times, rtol=rtol)
    frames = []
    for model, result in (("limit", run), ("network", trained)):
        for column, values in (("risk", result.risk), ("dissipated", result.dissipated)):
            frames.append(tidy(values.cpu().numpy(), {"flow_time": times,
                                                      "replicate": range(values.shape[1])},
                               "value", model=model, quantity=column))
    return pd.concat(frames, ignore_index=True)
