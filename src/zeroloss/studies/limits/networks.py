"""The jobs of `limits` that train finite networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zeroloss.model.law import FractionalBrownian, PathLaw, SmoothPath, sobol_rule
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.network.resnet import Network, recomputes
from zeroloss.model.problem import Problem
from zeroloss.studies.setup import (
    build_law,
    build_problem,
    chunks,
    independent_parameters,
    path_parameters,
)
from ledger.record.tidy import tidy

__all__ = ["commute", "energy", "ensemble", "fixed_paths", "rough", "smooth"]

Spec = dict[str, Any]
Array = np.ndarray


def _layers(num_layers: int) -> Array:
    return np.arange(num_layers) / num_layers


def _train(spec: Spec, problem: Problem, theta: Tensor, flow_times: Sequence[float]) -> Array:
    """Residuals (flow_times, replicates, samples) of networks started at theta."""
    L, M = theta.shape[1], theta.shape[3]
    network = Network(problem, L, M, spec["activation"],
                      recompute=recomputes(L, M, problem.num_samples))
    return network.train(theta, flow_times, rtol=spec["network_rtol"]).residuals.cpu().numpy()


def _replicates(spec: Spec, problem: Problem, path: PathLaw | None, first: int, count: int,
                num_layers: int, num_units: int, flow_times: Sequence[float]) -> pd.DataFrame:
    """Train replicates of one size; ``path`` None means independent layers."""
    parts = []
    numbers = num_layers * num_units * (2 * problem.dim + 1)
    for batch in chunks(first, count, numbers, most=max(64, 4096 // num_units)):
        if path is None:
            theta = independent_parameters(spec, problem, batch, num_layers, num_units)
        else:
            theta = path_parameters(spec, problem, path, batch, _layers(num_layers), num_units)
        parts.append(_train(spec, problem, theta, flow_times))
    r = np.concatenate(parts, axis=1).transpose(1, 0, 2)
    return tidy(r, {"replicate": range(first, first + count), "flow_time": flow_times,
                    "sample": range(r.shape[2])}, "residual",
                num_layers=num_layers, num_units=num_units)


def ensemble(spec: Spec) -> pd.DataFrame:
    """Residuals of trained networks of some sizes, on independent layers or constant paths."""
    problem = build_problem(spec)
    path = PathLaw() if spec["sampling"] == "path" else None
    return pd.concat([
        _replicates(spec, problem, path, size["first_replicate"], size["replicates"],
                    size["num_layers"], size["num_units"], spec["flow_times"])
        for size in spec["sizes"]], ignore_index=True)


def smooth(spec: Spec) -> pd.DataFrame:
    """The same on smooth paths of some correlation lengths."""
    problem = build_problem(spec)
    return pd.concat([
        _replicates(spec, problem, SmoothPath(length), 0, spec["replicates"], spec["num_layers"],
                    spec["num_units"], spec["flow_times"]).assign(correlation_length=length)
        for length in spec["correlation_lengths"]], ignore_index=True)


def _continuous(spec: Spec, problem: Problem, path: PathLaw, replicates: int, num_units: int,
                nodes: int, flow_times: Sequence[float], num_layers: int = 0) -> pd.DataFrame:
    """The continuous limit (L = ∞, entered as num_layers 0) on M paths of each replicate."""
    rule = gauss_legendre(nodes)
    field = MeanField(problem, rule, num_units, spec["activation"])
    parts = []
    for batch in chunks(0, replicates, nodes * num_units * (2 * problem.dim + 1)):
        theta = path_parameters(spec, problem, path, batch, rule.nodes.numpy(), num_units)
        run = field.run(theta.flatten(1), flow_times, rtol=spec["network_rtol"])
        parts.append(run.residuals.cpu().numpy())
    r = np.concatenate(parts, axis=1).transpose(1, 0, 2)
    return tidy(r, {"replicate": range(replicates), "flow_time": flow_times,
                    "sample": range(r.shape[2])}, "residual", num_layers=num_layers,
                num_units=num_units)


def fixed_paths(spec: Spec) -> pd.DataFrame:
    """Networks of several depths and the continuous limit, all on the same smooth paths.

    num_layers 0 is the continuous limit, −1 the same with two nodes less.
    """
    problem, path = build_problem(spec), SmoothPath(spec["correlation_length"])
    times, M, R = spec["flow_times"], spec["num_units"], spec["replicates"]
    nodes = spec["depth_nodes"]
    frames = [_continuous(spec, problem, path, R, M, nodes, times),
              _continuous(spec, problem, path, R, M, nodes - 2, times, num_layers=-1)]
    frames += [_replicates(spec, problem, path, 0, R, L, M, times) for L in spec["depths"]]
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


def rough(spec: Spec) -> pd.DataFrame:
    """Depths on the same fractional Brownian (or smooth) paths, and their admissibility sums.

    Rows of quantity `residual` (flow_time, sample) and `admissibility` (flow_time 0, sample −1);
    column path is `h0.25` for a Hurst index, `lipschitz` for smooth paths.
    """
    finest = max(spec["depths"]) * spec["cells_per_layer"]
    frames = []
    for chosen in spec["paths"]:
        if "hurst" in chosen:
            path, name = FractionalBrownian(chosen["hurst"], finest), f"h{chosen['hurst']:g}"
        else:
            path, name = SmoothPath(chosen["correlation_length"]), "lipschitz"
        frames.append(_on_rough_paths(spec, path, finest).assign(path=name))
    return pd.concat(frames, ignore_index=True)


def _on_rough_paths(spec: Spec, path: PathLaw, finest: int) -> pd.DataFrame:
    """Paths are drawn once, on the finest grid: every depth takes its own points of them."""
    problem, R, M = build_problem(spec), spec["replicates"], spec["num_units"]
    per_layer = spec["cells_per_layer"]
    times = {L: [s for s in spec["flow_times"] if s == 0 or L in spec["trained_depths"]]
             for L in spec["depths"]}
    residuals, sums = {L: [] for L in times}, {L: [] for L in times}
    grid = np.arange(finest + 1) / finest
    for batch in chunks(0, R, len(grid) * M * (2 * problem.dim + 1)):
        fine = path_parameters(spec, problem, path, batch, grid, M)
        for L in times:
            theta = fine[:, :: finest // (L * per_layer)]
            sums[L].append(_admissibility(theta, L))
            residuals[L].append(_train(spec, problem, theta[:, :-1:per_layer], times[L]))
    frames = []
    for L in times:
        r = np.concatenate(residuals[L], axis=1).transpose(1, 0, 2)
        frames.append(tidy(r, {"replicate": range(R), "flow_time": times[L],
                               "sample": range(r.shape[2])}, "value", num_layers=L,
                           quantity="residual"))
        frames.append(tidy(torch.cat(sums[L]).cpu().numpy(), {"replicate": range(R)}, "value",
                           num_layers=L, quantity="admissibility", flow_time=0.0, sample=-1))
    return pd.concat(frames, ignore_index=True)


def commute(spec: Spec) -> pd.DataFrame:
    """Two routes of sampled paths: L = ∞ at growing M, and L = M growing jointly.

    The third order (M = ∞ at growing L) is the depth ladder.
    """
    problem, path, times = build_problem(spec), PathLaw(), spec["flow_times"]
    frames = [
        _continuous(spec, problem, path, spec["replicates"], M, spec["depth_nodes"], times)
        .assign(route="depth-first") for M in spec["widths"]]
    frames += [
        _replicates(spec, problem, None, 0, spec["joint_replicates"], size, size, times)
        .assign(route="jointly") for size in spec["sizes"]]
    return pd.concat(frames, ignore_index=True)


def energy(spec: Spec) -> pd.DataFrame:
    """E(0), E(s) and the integral of the dissipation, along the limit and along networks."""
    return pd.concat([_energy(one).assign(setting=one["setting"]) for one in spec["cases"]],
                     ignore_index=True)


def _energy(spec: Spec) -> pd.DataFrame:
    problem, rtol = build_problem(spec), spec["rtol"]
    times = sorted({0.0, *spec["flow_times"]})
    points = sobol_rule(build_law(spec), problem.dim, spec["log2_points"], spec["seed"],
                        spec["setting"], "energy")
    field = MeanField(problem, gauss_legendre(spec["depth_nodes"]), points.shape[-1],
                      spec["activation"])
    run = field.run(field.start(points[None]), times, rtol=rtol)
    L, M, R = spec["num_layers"], spec["num_units"], spec["replicates"]
    theta = independent_parameters(spec, problem, range(R), L, M)
    trained = Network(problem, L, M, spec["activation"]).train(theta, times, rtol=rtol)
    frames = []
    for model, result in (("limit", run), ("network", trained)):
        for column, values in (("risk", result.risk), ("dissipated", result.dissipated)):
            frames.append(tidy(values.cpu().numpy(), {"flow_time": times,
                                                      "replicate": range(values.shape[1])},
                               "value", model=model, quantity=column))
    return pd.concat(frames, ignore_index=True)
