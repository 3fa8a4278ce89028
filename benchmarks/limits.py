"""W3: E(ρ(s)) of the mean-field limit to an accuracy, ours beside general solvers and networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.brute import Ladder, brute_force
from benchmarks.depth_peers import MAKERS, DepthPeer, basis
from benchmarks.limit_cases import LimitCase
from benchmarks.reference import Refined
from benchmarks.rows import OURS, Row, spread, unavailable
from benchmarks.timing import Effort, Method, alternate, lap
from zeroloss.integrate.runge_kutta import DORMAND_PRINCE, Evaluation, integrate
from zeroloss.limit.flow import LimitFlow, LimitNumbers, MeanField, solve
from zeroloss.model.block import push, theta_gradient

__all__ = ["Search", "limits"]


@dataclass(frozen=True)
class Search:
    """How the peers' tolerance is found: tolerances in turn, on 2^log2_points particles, until the
    whole run is right to a tenth of the accuracy; 2^most particles at most are measured."""

    tolerances: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    outer: float = 1e-3  # of the steps in s, the same for the peer and ours: they cancel
    log2_points: int = 8
    most: int = 12
    fine_nodes: int = 16


@dataclass(frozen=True)
class _Solved:
    """What `solve` did: size of its rule, particles times evaluations, relative error found."""

    log2_points: int
    particles: float
    error: float


@contextmanager
def counted(nodes: int) -> Iterator[list[float]]:
    """Particles times evaluations of the gradient, as at so many nodes, of each run of MeanField
    meanwhile."""
    counts, original = [], MeanField.run

    def run(self: MeanField, start: Tensor, *arguments: Any, **options: Any) -> LimitFlow:
        found = original(self, start, *arguments, **options)
        particles = len(start) * len(self.cloud.weights) * self.rule.num_nodes / nodes
        counts.append(particles * _evaluations(found))
        return found

    with mock.patch.object(MeanField, "run", run):
        yield counts


def _evaluations(run: LimitFlow) -> float:
    """Gradients that a run took per cloud: one at the start and all stages but the first of each
    step, accepted or not."""
    steps = (run.flow.accepted + run.flow.rejected).double()
    return 1.0 + (len(DORMAND_PRINCE.c) - 1) * float(steps.mean())


def _ours(case: LimitCase, accuracy: float, truth: Refined) -> tuple[list[Row], _Solved]:
    """E(ρ(s)) by solve, its own error and the error found."""
    found: list[LimitNumbers] = []

    def run(_: None) -> None:
        found.append(solve(case.problem, case.law, [case.flow_time], accuracy=accuracy, **case.options))

    with counted(case.depth_nodes) as counts:
        taken = lap(Method(OURS, run))
    numbers = found[0]
    stated = float(numbers.risk_error[0] / numbers.risk[0])
    error = abs(float(numbers.risk[0]) / truth.risk - 1.0)
    note = f"{2**numbers.log2_points} points"
    note += "" if stated <= accuracy else "; stopped at its largest rule"
    refined = f"against the refined run, itself within {truth.error / truth.risk:.1e}"
    row = partial(Row, "limit", case.name, OURS, size=accuracy)
    return [
        row("cpu_seconds", taken.cpu, "s", note=note),
        row("stated_error", stated),
        row("relative_error", error, note=refined),
    ], _Solved(numbers.log2_points, sum(counts), error)


def _states(case: LimitCase, log2_points: int) -> list[Tensor]:
    """Particles (n, k, P) at three times of the flow, as evaluations along it meet them."""
    field, start = case.cloud(log2_points, "gradient", 0)
    times = [case.flow_time * part for part in (0.8, 0.9, 1.0)]
    run = field.run(start, times, rtol=1e-4, keep=True)
    assert run.particles is not None
    return [theta[0].contiguous() for theta in run.particles]


def _exact(case: LimitCase, theta: Tensor, fine_nodes: int) -> tuple[Tensor, Tensor]:
    """Residuals (N,) and −∇δE/δρ like theta (n, k, P) of the interpolated equation in depth.

    Solved at many more nodes c_p: −Σ_p b_p ℓ_q(c_p) ∇δE/δρ(c_p) / b_q.
    """
    rule = case.field(1).rule
    field = case.field(theta.shape[-1], fine_nodes)
    nodes = field.rule.nodes.numpy()
    powers = np.vander(nodes, rule.num_nodes, increasing=True)
    lagrange = torch.from_numpy(powers @ basis(rule.nodes.numpy()).T)  # (fine, n)
    everywhere = torch.einsum("pq,qkj->pkj", lagrange, theta)
    state, r, p = field.solve_depth(everywhere[None])
    pushed = push(p, everywhere[None], state.slope)
    slope = theta_gradient(state.features, p, state.sigma, pushed)[0]
    weighted = field.rule.weights[:, None] * lagrange / rule.weights
    return r[0], -torch.einsum("pq,pkj->qkj", weighted, slope) / case.problem.num_samples


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, copy=True)) if not isinstance(array, Tensor) else array


def _errors(found: tuple[Any, Any], exact: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Relative errors of the risk and of the gradient (root mean square)."""
    risk, true = (float(_tensor(r).square().mean()) for r in (found[0], exact[0]))
    slope = _tensor(found[1])
    return abs(risk / true - 1.0), float((slope - exact[1]).norm() / exact[1].norm())


def _whole_run(case: LimitCase, peer: DepthPeer, search: Search) -> float:
    """One cloud from s = 0 to the end by the peer's gradients: relative difference of the risk
    from ours on the same cloud."""
    field, start = case.cloud(search.log2_points, "whole", 0)
    expected = field.run(start, [case.flow_time], rtol=search.outer)

    def vector_field(flat: Tensor, s: Tensor, out: Tensor) -> Evaluation:
        del s
        r, slope = peer.evaluate(peer.prepare(field.shape(flat)[0]))
        out.copy_(_tensor(slope).reshape(1, -1))
        return Evaluation(_tensor(r)[None], torch.zeros(1, dtype=torch.float64))

    flow = integrate(vector_field, start, [case.flow_time], rtol=search.outer)
    return abs(float(case.problem.risk(flow.observed)[0, 0] / expected.risk[0, 0]) - 1.0)


def _tuned(case: LimitCase, name: str, accuracy: float, search: Search) -> tuple[DepthPeer, float, float]:
    """The peer at its loosest tolerance whose whole run is right to ε/10; tolerance, difference.

    Where none is, at the loosest whose run is nearly as right as the best of them.
    """
    found: list[tuple[DepthPeer, float, float]] = []
    for tolerance in search.tolerances:
        peer = MAKERS[name](case, tolerance)
        found.append((peer, tolerance, _whole_run(case, peer, search)))
        if found[-1][2] <= accuracy / 10:
            return found[-1]
    best = min(difference for _, _, difference in found)
    return next(one for one in found if one[2] <= 1.5 * best)


def _peer_rows(case: LimitCase, name: str, accuracy: float, ours: _Solved, search: Search, effort: Effort) -> list[Row]:
    """Cost of one gradient against ours, and of as many as ours took.

    Theirs is taken at three states of the flow in turn, ours in a run of it.
    """
    peer, tolerance, difference = _tuned(case, name, accuracy, search)
    fixed = _states(case, search.log2_points)[-1]
    errors = _errors(peer.evaluate(peer.prepare(fixed)), _exact(case, fixed, search.fine_nodes))
    log2_points = min(ours.log2_points, search.most)
    states = [peer.prepare(theta) for theta in _states(case, log2_points)]
    theirs = Method(name, lambda _: [peer.evaluate(state) for state in states])
    field, start = case.cloud(log2_points, "gradient", 0)
    mine = Method(OURS, lambda _: field.run(start, [case.flow_time], rtol=1e-5))
    evaluations = _evaluations(mine.run(None))
    pairs = alternate(mine, theirs, effort)
    seconds = [lap_.cpu / len(states) for _, lap_ in pairs]
    ratios = [b.cpu / len(states) / (a.cpu / evaluations) for a, b in pairs]
    total = spread(seconds)["value"] * ours.particles / 2**log2_points
    note = f"tolerance {tolerance:g}, {2**log2_points} points"
    row = partial(Row, "limit", case.name, name, size=accuracy, note=note)
    return [
        row("gradient_seconds", unit="s", **spread(seconds)),
        row("gradient_ratio", unit="peer/ours", **spread(ratios)),
        row("depth_error", errors[0]),
        row("gradient_error", errors[1]),
        row("run_difference", difference, note=f"one cloud of {2**search.log2_points} points"),
        row("cpu_seconds", total, "s", note="gradients of zeroloss times the cost of one"),
        row("relative_error", ours.error, note="of the rule in θ, which all share"),
    ]


def limits(case: LimitCase, truth: Refined, ladder: Ladder, search: Search, effort: Effort) -> list[Row]:
    """All rows of one case."""
    ends = {"lower": truth.risk - truth.error, "upper": truth.risk + truth.error}
    rows = [Row("limit", case.name, "refined run", "risk", truth.risk, **ends, note="bounds of its error")]
    for accuracy in case.accuracies:
        own, solved = _ours(case, accuracy, truth)
        rows += own
        for name in MAKERS:
            try:
                rows += _peer_rows(case, name, accuracy, solved, search, effort)
            except ImportError as error:
                rows.append(unavailable("limit", case.name, name, error))
    return [*rows, *brute_force(case, truth.risk, ladder)]
