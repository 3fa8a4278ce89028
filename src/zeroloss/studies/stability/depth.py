"""Job `Depth`: the largest stable step of residual networks, from the kernel of their limit alone.

At zero loss the residual obeys r' = (1 − h K/N) r, so descent is stable up to h* = 2N/λ_max(K), which is a
learning rate h* L M: the mean-field kernel has a limit, and with it the rate grows like the number of units.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model import law
from zeroloss.model.kernel import Linearised
from zeroloss.model.problem import Problem, built_in
from zeroloss.network.resnet import Network
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.layer import Parts, beside, crossing
from zeroloss.studies.stability.plan import Depth

PUSH = 1e-6  # of the residual that is put on the top mode
READ = 6  # steps over which its factor is read
FLOOR = 1e-27  # a risk below it is round-off


@job(Depth)
def depth(case: Depth) -> Parts:
    """Factors at h*, curvature beyond the edge, and the largest stable step over layers and units."""
    problem = built_in(case.problem, case.num_samples, case.data_seed)
    limits = [_limit(problem, case, scramble) for scramble in range(case.scrambles)]
    yield tidy("step", "limit", 0.0, limits)
    for L, M in product(case.num_layers, case.num_units):
        found = [_stable(problem, case, L, M, i) for i in range(case.replicates)]
        yield tidy("stable", f"l{L}.m{M}", 0.0, found, np.mean(limits))
    yield from _edge(built_in(case.edge_problem, case.num_samples, case.data_seed), case)


def top_mode(at: Linearised) -> tuple[float, Tensor]:
    """λ_max(K) and its vector (N,)."""
    values, vectors = torch.linalg.eigh(at.kernel)
    return float(values[-1]), vectors[:, -1]


def _limit(problem: Problem, case: Depth, scramble: int) -> float:
    """h* = 2N/λ_max(K) at the end of the flow of the limit; the nodes share a Sobol net."""
    nodes, log2_points = case.depth_nodes, case.log2_points
    net = law.sobol_rule(law.InitialLaw(), problem.dim, log2_points + 3, case.seed, scramble)
    clouds = net.reshape(len(net), 8, 2**log2_points)[:, :nodes].transpose(1, 0, 2)
    field = MeanField(problem, gauss_legendre(nodes), 2**log2_points, case.activation)
    final = field.run(field.start(clouds[None]), [0.0, case.flow_time], rtol=1e-6).flow.final
    return 2 * problem.num_samples / top_mode(field.linearise(field.shape(final)[0]))[0]


def _start(problem: Problem, case: Depth, L: int, M: int, i: int) -> tuple[Network, Tensor]:
    draw = law.sample_independent(law.InitialLaw(), stream(case.seed, "stability", L, M, i), L, M, problem.dim)
    return Network(problem, L, M, case.activation), torch.from_numpy(draw[None])


def factor(network: Network, theta: Tensor, step: float) -> float:
    """|r_{n+1}·e|/|r_n·e| of the difference r of two descents, from theta (L, k, M) and from beside it
    along the top mode e of its kernel."""
    at = network.linearise(theta)
    value, e = top_mode(at)
    both = torch.stack([theta, theta + PUSH * len(e) / value * at.pull(e)])
    r = network.descend(both, step, READ).residuals
    modes = ((r[:, 1] - r[:, 0]) @ e).abs().log()
    return float(((modes[-1] - modes[0]) / READ).exp())


def _stable(problem: Problem, case: Depth, L: int, M: int, i: int) -> float:
    """The largest stable step, measured, after the flow."""
    network, theta = _start(problem, case, L, M, i)
    theta = network.train(theta, [0.0, case.flow_time]).parameters[0]
    own = 2 * problem.num_samples / top_mode(network.linearise(theta))[0]
    return crossing(lambda h: float(np.log(factor(network, theta, h))), own, 1.3)


def _edge(problem: Problem, case: Depth) -> Parts:
    """One small network: factors about h*, then descent with more than h* of the flow, to its edge."""
    N, factors, ends = problem.num_samples, [], []
    for i in range(case.edge_replicates):
        network, start = _start(problem, case, case.edge_layers, case.edge_units, i)
        theta = network.train(start, [0.0, case.edge_flow_time]).parameters[0]
        first, last = (2 * N / top_mode(network.linearise(w))[0] for w in (start[0], theta))
        factors.append([(factor(network, theta, c * last), abs(1 - 2 * c * last / first)) for c in case.shares])
        step = case.beyond * last
        run = network.descend(start, step, case.edge_steps)
        half = case.edge_steps // 6
        before, after = run.risk[-2 * half :, 0].clip(min=FLOOR).view(2, half).mean(1).tolist()
        ends.append((step / (2 * N / top_mode(network.linearise(run.parameters[0]))[0]), after / before))
    for share, measured, wrong in zip(case.shares, *np.transpose(factors), strict=True):
        yield from beside("factor_error", f"h{share:g}", measured, abs(1 - 2 * share), wrong)
    for quantity, values in zip(("hovers", "falls"), np.transpose(ends), strict=True):
        yield tidy(quantity, "edge", 0.0, values)
