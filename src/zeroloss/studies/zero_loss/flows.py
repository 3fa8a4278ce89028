"""Training followed to the floor of the numbers: risk, kernel, first variation, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.integrate.exponential import Point, follow
from zeroloss.model.block import ACTIVATIONS
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.setup import System, build_law, build_problem, independent_parameters, limit_at_start, sobol
from zeroloss.studies.zero_loss.plan import Flow, Training

WIDER = 2.0  # probes of the first variation reach so far beyond the law
BALL = 1.0  # radius of the balls whose mass is followed, in units of the law's scales
PER_DECADE = 8  # outputs of gradient descent per factor 10 in s


class Recorder:
    """Collects rows (flow_time, quantity, index, value) at the points of one run."""

    def __init__(self, case: Flow, activation: str, problem: Problem, model: str, replicate: int) -> None:
        self.activation = ACTIVATIONS[activation]
        self.labels = {"activation": activation, "model": model, "replicate": replicate}
        self.rows: list[tuple[float, str, int, float]] = []
        law, d = build_law(case.initial_law), problem.dim
        rng = stream(case.seed, case.setting, "probes")
        xi = torch.from_numpy(rng.standard_normal((2 * d + 1, case.probes)))
        scales = torch.from_numpy(law.scales(d))[:, None]
        self.probes = (WIDER * scales * xi).to(problem.inputs.device)
        self.centres, self.scales = (scales * xi)[:, :32].to(self.probes.device), scales

    def __call__(self, point: Point) -> None:
        """Note what is seen at one point."""
        self._add(point.s, "risk", [point.risk])
        self._add(point.s, "eigenvalue", point.spectrum.tolist())
        self._add(point.s, "residual", point.now.residuals.tolist())
        variation = point.now.first_variation(self.probes, self.activation)
        spread = (variation.amax(1) - variation.amin(1)).max()
        self._add(point.s, "variation", [float(variation.abs().max())])
        self._add(point.s, "signed", [float(spread)])

    def conditions(self, point: Point) -> None:
        """Smallest mass of balls about probes of the law, range of a_d, spread over depth."""
        theta, mass = point.theta, point.now.mass
        d = (theta.shape[1] - 1) // 2
        scaled = (theta / self.scales.to(theta.device)).transpose(1, 2).flatten(0, 1)
        distance = torch.cdist((self.centres / self.scales.to(theta.device)).T, scaled)
        inside = (distance < BALL * np.sqrt(theta.shape[1])).double() @ mass.flatten()
        self._add(point.s, "ball", [float(inside.min())])
        self._add(point.s, "lead", [float(theta[:, d - 1].min()), float(theta[:, d - 1].max())])
        share = mass.sum(1, keepdim=True)
        centre = (theta * share[:, :, None]).sum(0) / share.sum()
        between = ((theta - centre).square().sum(1) * mass).sum()
        self._add(point.s, "depth-spread", [float(between.sqrt())])

    def slowest(self, point: Point) -> None:
        """Note the eigenvector of λ_min(K)."""
        self._add(point.s, "mode", torch.linalg.eigh(point.now.kernel)[1][:, 0].tolist())

    def _add(self, s: float, quantity: str, values: list[float]) -> None:
        self.rows += [(s, quantity, i, value) for i, value in enumerate(values)]

    def frame(self) -> pd.DataFrame:
        """All rows, with the labels of the run."""
        frame = pd.DataFrame(self.rows, columns=["flow_time", "quantity", "index", "value"])
        return frame.assign(**self.labels)


@job(Flow)
def flow(case: Flow) -> Iterator[pd.DataFrame]:
    """Limit and networks to the floor: each activation, scramble of the rule, replicate.

    Columns: activation, model, replicate, flow_time, quantity, index, value.
    """
    problem = build_problem(case)
    for training in case.flows:
        for i in range(case.replicates):
            for model, start in (("limit", _limit), ("network", _network)):
                system, theta = start(case, training, problem, i)
                recorder = Recorder(case, training.activation, problem, model, i)
                reached(case, training, system, theta, recorder)
                yield recorder.frame()


def _limit(case: Flow, training: Training, problem: Problem, i: int) -> tuple[System, Tensor]:
    """The mean-field limit on one scramble of the rule; under gradient descent the wide network
    of the same particles in each layer stands for it."""
    points = sobol(case, problem, training.log2_points or case.log2_points, "zero-loss", i)
    if training.method == "exponential":
        return limit_at_start(problem, points, case.depth_nodes, training.activation)
    theta = torch.from_numpy(points).to(problem.inputs.device)
    layers = theta.expand(case.num_layers, -1, -1).contiguous()
    return Network(problem, case.num_layers, points.shape[-1], training.activation), layers


def _network(case: Flow, training: Training, problem: Problem, i: int) -> tuple[System, Tensor]:
    L, M = case.num_layers, case.num_units
    theta = independent_parameters(case, problem, range(i, i + 1), L, M)[0]
    return Network(problem, L, M, training.activation), theta


def reached(case: Flow, training: Training, system: System, theta: Tensor, recorder: Recorder) -> None:
    """Follows a flow that is left at the floor of the risk; all points are recorded, the conditions
    of the theorems at the first and the last."""
    last: list[Point] = []

    def each(point: Point) -> None:
        if not last:
            recorder.conditions(point)
        recorder(point)
        last[:] = [point]

    if training.step is not None:
        assert isinstance(system, Network)
        _descend(training.step, training.flow_time, case.floor, system, theta, each)
    else:
        follow(system.linearise, theta, [training.flow_time], rtol=case.rtol, floor=case.floor, each=each)
    if last[0].s > 0:  # a flow may begin below its floor: its only point is seen already
        recorder.conditions(last[0])
    recorder.slowest(last[0])


def _descend(
    h: float, flow_time: float, floor: float, network: Network, theta: Tensor, each: Callable[[Point], None]
) -> None:
    """Gradient descent of a fixed step h, seen at times that grow by a constant factor."""
    counts = np.unique(np.rint(np.geomspace(1, flow_time / h, PER_DECADE * round(np.log10(flow_time / h)))))
    done = 0
    for count in [0, *counts.astype(int).tolist()]:
        try:
            if count:
                steps = count - done
                theta = network.descend(theta[None], h, steps, record_every=steps).parameters[0]
        except FloatingPointError as error:
            raise FloatingPointError(f"after {done} steps, {error}") from error
        done, now = count, network.linearise(theta)
        point = Point(count * h, theta, now, torch.linalg.eigvalsh(now.kernel).clamp_min(0.0))
        each(point)
        if count and point.risk < floor:
            return
