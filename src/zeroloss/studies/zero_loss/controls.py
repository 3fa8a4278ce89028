"""Negative controls: training where zero loss, or a rate, must fail, with the floor beforehand.

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
from zeroloss.studies.setup import build_law, build_problem, chunks, independent_parameters
from zeroloss.studies.zero_loss.floors import affine_floor, grouped_floor
from ledger.record.tidy import tidy

__all__ = ["doubled", "identity", "labels", "limit_of", "origin", "parameters", "root_scaling",
           "seen"]

Spec = dict[str, Any]
System = MeanField | Network


def limit_of(spec: Spec, problem: Problem, law: InitialLaw, nodes: int, scramble: int,
             activation: str = "tanh") -> tuple[MeanField, Tensor]:
    """The mean-field limit on one scramble of the rule, and its start (n, k, particles)."""
    points = sobol_rule(law, problem.dim, spec["log2_points"], spec["seed"], spec["setting"],
                        spec["kind"], scramble)
    field = MeanField(problem, gauss_legendre(nodes), points.shape[-1], activation)
    return field, field.shape(field.start(points[None]))[0]


def _models(spec: Spec, problem: Problem, activation: str
            ) -> Iterator[tuple[str, int, System, Tensor]]:
    """(model, replicate, system, start) of the limit on each scramble, and of each network."""
    L, M = spec["num_layers"], spec["num_units"]
    for i in range(spec["replicates"]):
        yield "limit", i, *limit_of(spec, problem, build_law(spec), spec["depth_nodes"], i,
                                    activation)
        theta = independent_parameters(spec, problem, range(i, i + 1), L, M)[0]
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


def _followed(spec: Spec, problem: Problem, activation: str, predicted: float) -> pd.DataFrame:
    """Limit and networks to the end of the time; there is no floor to leave them at."""
    frames = []
    for model, i, system, theta in _models(spec, problem, activation):
        points: list[Point] = []
        follow(system.linearise, theta, [spec["flow_time"]], rtol=spec["rtol"], each=points.append)
        frames.append(seen(points, setting=spec["setting"], model=model, replicate=i))
    return pd.concat(frames, ignore_index=True).assign(predicted=predicted)


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return problem.inputs.cpu().numpy(), problem.targets.cpu().numpy()


def identity(spec: Spec) -> pd.DataFrame:
    """σ(u) = u: z(1) is affine in z_0, so least squares bounds the risk, and is reached."""
    frames = []
    for case in spec["cases"]:
        problem = build_problem(case)
        frames.append(_followed(case, problem, "identity", affine_floor(*_arrays(problem))))
    return pd.concat(frames, ignore_index=True)


def doubled(problem: Problem, sample: int, gap: float) -> Problem:
    """The problem with one sample twice, its second label higher by ``gap``."""
    again = slice(sample, sample + 1)
    return replace(problem, inputs=torch.cat([problem.inputs, problem.inputs[again]]),
                   targets=torch.cat([problem.targets, problem.targets[again] + gap]))


def labels(spec: Spec) -> pd.DataFrame:
    """Two equal inputs of different labels: no function fits both, the means of groups are best."""
    frames = []
    for case in spec["cases"]:
        problem = doubled(build_problem(case), case["sample"], case["gap"])
        frames.append(_followed(case, problem, "tanh", grouped_floor(*_arrays(problem))))
    return pd.concat(frames, ignore_index=True)


def parameters(spec: Spec) -> pd.DataFrame:
    """Networks of fewer parameters than samples; ``predicted`` is the rank that K can have.

    Raises ValueError if a size has as many parameters as there are samples.
    """
    problem = build_problem(spec)
    frames = []
    for size in spec["sizes"]:
        L, M = size["num_layers"], size["num_units"]
        system = Network(problem, L, M)
        count = int(np.prod(system.parameter_shape))
        if count >= problem.num_samples:
            raise ValueError(f"sizes must have fewer than {problem.num_samples} parameters, got "
                             f"{count} in {L} layers of {M} units; "
                             "set zero_loss.controls.parameters")
        theta = independent_parameters(spec, problem, range(spec["replicates"]), L, M)
        for i in range(spec["replicates"]):
            points: list[Point] = []
            follow(system.linearise, theta[i], [spec["flow_time"]], rtol=spec["rtol"],
                   each=points.append)
            frames.append(seen(points, num_layers=L, num_units=M, replicate=i,
                               predicted=float(count)))
    return pd.concat(frames, ignore_index=True)


def origin(spec: Spec) -> pd.DataFrame:
    """All units at θ = 0, where σ(0) = 0 makes every gradient vanish: nothing is to move.

    Rows: risk, and the largest displacement of a parameter; ``predicted``: E(0), and 0.
    """
    problem, law = build_problem(spec), build_law(spec)
    L, M = spec["num_layers"], spec["num_units"]
    network = Network(problem, L, M)
    alike = independent_parameters(spec, problem, range(1), L, M)[0]
    start = float(Problem.risk(problem.residuals(problem.inputs)))
    rows = []
    for model, (system, theta) in (
            ("limit", limit_of(spec, problem, law, spec["depth_nodes"], 0)),
            ("network", (network, alike))):
        points: list[Point] = []
        follow(system.linearise, theta, [spec["flow_time"]], rtol=spec["rtol"], each=points.append)
        for point in points:
            moved = float((point.theta - theta).abs().max())
            rows += [{"model": model, "flow_time": point.s, "quantity": name, "value": value,
                      "predicted": predicted} for name, value, predicted in
                     (("risk", point.risk, start), ("displacement", moved, 0.0))]
    return pd.DataFrame(rows)


def root_scaling(spec: Spec) -> pd.DataFrame:
    """Branches of scale 1/(L √M): residuals at s = kernel_time/M of many networks of each width.

    ``predicted``: the slope 0 of their spread in M; 1/(L M) gives −½.
    """
    problem = build_problem(spec)
    L, taus = spec["num_layers"], spec["kernel_times"]
    frames = []
    for M in spec["num_units"]:
        network = Network(problem, L, M, branch_scale=1.0 / (L * M**0.5))
        each = L * M * problem.num_samples
        for batch in chunks(0, spec["replicates"], each):
            theta = independent_parameters(spec, problem, batch, L, M)
            run = network.train(theta, [tau / M for tau in taus], rtol=spec["network_rtol"])
            frames.append(tidy(
                run.residuals.cpu().numpy(), {"kernel_time": taus, "replicate": batch,
                                              "sample": range(problem.num_samples)},
                "value", num_units=M))
    return pd.concat(frames, ignore_index=True).assign(predicted=0.0)
