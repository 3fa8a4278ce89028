"""The mean-field gradient flow: dθ/ds = −∇_θ δE/δρ(θ, t) for particles of ρ at the depth nodes.

δE/δρ(θ, t) = mean over samples of P(t)ᵀ f(Z(t), θ). Three limits differ by depth rule and cloud:

- mean-field limit: Gauss–Legendre nodes, a Sobol rule of ρ_ini (L = M = ∞);
- wide limit at finite depth: the Euler rule with L nodes, a Sobol rule (M = ∞);
- continuous limit at finite width: Gauss–Legendre nodes, M sampled paths (L = ∞).

Every number from ``solve`` carries an estimate of its own error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ledger.display import Shown, Summary, over_time, quantiles
from ledger.progress import Progress, Report, counted, reporting
from zeroloss.integrate.runge_kutta import Evaluation, Flow, integrate
from zeroloss.limit.collocation import Cloud, DepthRule, DepthState, gauss_legendre
from zeroloss.model.arguments import check_subject, flow_times_of
from zeroloss.model.block import ACTIVATIONS, push, theta_gradient
from zeroloss.model.kernel import Linearised
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.network import engine

__all__ = ["LimitFlow", "LimitNumbers", "MeanField", "limit_residuals", "solve"]


MOST_NODES = 16  # in depth, where `solve` chooses


@dataclass(repr=False)
class LimitFlow(Shown):
    """A limit at the output times: residuals (outputs, R, N), risk and dissipated (outputs, R),
    particles (outputs, R, n, k, particles) if kept."""

    flow_times: tuple[float, ...]
    residuals: Tensor
    risk: Tensor
    dissipated: Tensor
    particles: Tensor | None
    flow: Flow

    def _summary(self) -> Summary:
        kept = "not kept" if self.particles is None else tuple(self.particles.shape)
        facts = {"clouds": self.risk.shape[1], "num_samples": self.residuals.shape[-1], "particles": kept}
        return over_time(facts, self.flow_times, quantiles("risk", self.risk.cpu()))


class MeanField:
    """Gradient flow of R clouds on one problem under one depth rule; on the processor by the
    compiled engine, unless ``compiled`` is False or states are kept on the way.

    >>> from zeroloss.model import law, problem
    >>> from zeroloss.limit.collocation import gauss_legendre
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> field = MeanField(sine, gauss_legendre(3), 64)
    >>> cloud = law.sobol_rule(law.InitialLaw(), sine.dim, 6, "example")  # 2^6 particles
    >>> run = field.run(field.start(cloud[None]), [0.0, 4.0])
    >>> [round(float(risk), 3) for risk in run.risk[:, 0]]
    [0.134, 0.077]
    """

    def __init__(
        self,
        problem: Problem,
        rule: DepthRule,
        weights: Tensor | int,
        activation: str = "tanh",
        *,
        compiled: bool = True,
    ) -> None:
        self.problem = problem
        if isinstance(weights, int):
            weights = problem.inputs.new_full((weights,), 1.0 / weights)
        self.cloud = Cloud(problem.inputs, rule, weights, ACTIVATIONS[activation])
        self.rule = self.cloud.rule
        # an Euler rule of equal masses is a network
        equal = bool((weights == weights[0]).all())
        self._compiled = compiled and (equal or not rule.explicit) and engine.serves(problem, activation)

    def _by_engine(self, start: Tensor, flow_times: Sequence[float], rtol: float) -> Flow:
        """The same by the compiled engine, one cloud after the other."""
        rule, cloud = self.rule, self.cloud
        theta, explicit = self.shape(start), rule.explicit
        matrices = rule.matrix, rule.weights, rule.adjoint_matrix
        depth = None if explicit else engine.Depth(*matrices, cloud.weights, cloud.tolerance)
        nodes, particles = rule.num_nodes, len(cloud.weights)
        shape = engine.Shape(
            self.problem,
            nodes,
            particles,
            cloud.activation.name,
            1.0 / (nodes * particles),
            recompute=engine.recomputes(nodes, particles, self.problem.num_samples),
            depth=depth,
        )
        return engine.flow(shape, theta, flow_times, rtol=rtol, atol=rtol)

    def shape(self, flat: Tensor) -> Tensor:
        """The particles (R, n, k, particles) of a flat state (R, …)."""
        return flat.view(flat.shape[0], self.rule.num_nodes, -1, len(self.cloud.weights))

    def start(self, particles: np.ndarray) -> Tensor:
        """Flat state of a cloud (R, k, particles) that is the same at all nodes (constant
        paths), or (R, n, k, particles) given node by node."""
        theta = torch.from_numpy(np.ascontiguousarray(particles)).to(self.problem.inputs.device)
        if theta.ndim == 3:
            theta = theta.unsqueeze(1).expand(-1, self.rule.num_nodes, -1, -1)
        return theta.reshape(theta.shape[0], -1).contiguous()

    def solve_depth(self, theta: Tensor) -> tuple[DepthState, Tensor, Tensor]:
        """State, residuals (R, N) and adjoint P (R, n, N, d) of the risk (p(1) = r ∇g)."""
        state = self.cloud.forward(theta)
        r = self.problem.residuals(state.end)
        return state, r, self.cloud.adjoint(state, r.unsqueeze(-1) * self.problem.readout)

    def _slope(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """−∇_θ δE/δρ, like theta (R, n, k, particles), and the residuals (R, N)."""
        state, r, p = self.solve_depth(theta)
        slope = theta_gradient(state.features, p, state.sigma, push(p, theta, state.slope))
        return slope.mul_(-1.0 / self.problem.num_samples), r

    def vector_field(self, flat: Tensor, s: Tensor, out: Tensor) -> Evaluation:
        """−∇_θ δE/δρ at the particles; residuals, and ∫∫|∇_θ δE/δρ|² dρ dt = −dE/ds."""
        del s
        slope, r = self._slope(self.shape(flat))
        rate = torch.einsum("rqkj,q,j->r", slope.square(), self.rule.weights, self.cloud.weights)
        out.copy_(slope.flatten(1))
        return Evaluation(r, rate)

    def linearise(self, theta: Tensor) -> Linearised:
        """Residuals, and their derivatives through q(t) = ∂g(Z(1))/∂Z(t), of one cloud:
        theta (n, k, particles)."""
        state = self.cloud.forward(theta.unsqueeze(0), polish=True)
        ones = self.problem.readout.expand(1, *self.problem.inputs.shape)
        q = self.cloud.adjoint(state, ones)[0]
        mass = self.rule.weights[:, None] * self.cloud.weights
        return Linearised(
            self.problem.residuals(state.end)[0],
            state.features[0],
            q,
            state.sigma[0],
            push(q, theta, state.slope[0]),
            mass,
        )

    def run(
        self,
        start: Tensor,
        flow_times: Sequence[float],
        *,
        rtol: float = 1e-7,
        keep: bool = False,
        record: bool = False,
    ) -> LimitFlow:
        """Follow the flow from ``start`` (flat) through the flow times."""
        flow = (
            self._by_engine(start, flow_times, rtol)
            if self._compiled and not (keep or record)
            else integrate(self.vector_field, start, flow_times, rtol=rtol, keep_states=keep, record=record)
        )
        states = flow.states
        particles = None if states is None else torch.stack([self.shape(y) for y in states])
        return LimitFlow(tuple(flow_times), flow.observed, Problem.risk(flow.observed), flow.integral, particles, flow)


@dataclass(frozen=True, repr=False)
class LimitNumbers(Shown):
    """E(ρ(s)) and r(s) of the mean-field limit, each with an estimate of its error.

    risk, risk_error (outputs,); residuals, residuals_error (outputs, N). The error adds the parts
    of the rule in θ (standard error over scrambles, by Student's t at 95 %), of the depth nodes
    (against one node less) and of the step in s (against 100 times the tolerance).
    """

    flow_times: tuple[float, ...]
    risk: np.ndarray
    risk_error: np.ndarray
    residuals: np.ndarray
    residuals_error: np.ndarray
    parts: dict[str, np.ndarray]
    log2_points: int

    def _summary(self) -> Summary:
        facts = {"num_samples": self.residuals.shape[-1], "log2_points": self.log2_points}
        return over_time(facts, self.flow_times, {"risk": self.risk, "error": self.risk_error})


def limit_residuals(
    problem: Problem, rule: DepthRule, points: np.ndarray, flow_times: Sequence[float], *, activation: str, rtol: float
) -> np.ndarray:
    """r(s) (flow_times, samples) of the limit of a cloud, (k, particles) or node by node."""
    field = MeanField(problem, rule, points.shape[-1], activation)
    return field.run(field.start(points[None]), flow_times, rtol=rtol).residuals[:, 0].cpu().numpy()


def solve(
    problem: Problem,
    law: InitialLaw,
    flow_time: ArrayLike,
    *,
    activation: str = "tanh",
    accuracy: float = 1e-3,
    depth_nodes: int | None = None,
    log2_points: int = 10,
    max_log2_points: int = 15,
    scrambles: int = 8,
    rtol: float = 1e-7,
    seed: int = 0,
    progress: Progress = False,
) -> LimitNumbers:
    """The mean-field limit with the risk known to a relative ``accuracy`` at one flow time or several.

    Takes more Sobol points until the estimated error allows it, at most 2^max_log2_points, and
    then returns what it has: the error says how far it got. Without ``depth_nodes``, as many nodes
    as leave a quarter of the error to the depth on a coarse rule. Each node has points of its own,
    all together one Sobol net: the law is the same at every depth, and so errors average over it.
    ``progress`` shows how far it is (`ledger.progress`). Raises ValueError for an accuracy,
    an activation or flow times that cannot be, TypeError for what is no problem or law.

    >>> from zeroloss.model import law, problem
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> limit = solve(sine, law.InitialLaw(), [0.0, 4.0], accuracy=1e-2, log2_points=7)
    >>> limit.risk.round(3).tolist()
    [0.14, 0.076]
    >>> bool((limit.risk_error <= 1e-2 * limit.risk).all())
    True
    """
    if not accuracy > 0:
        raise ValueError(f"accuracy must be above 0, got {accuracy}; pass a relative error")
    check_subject(problem, law)
    times = flow_times_of(flow_time)
    with reporting(progress) as report:
        nodes = depth_nodes or _enough_nodes(problem, law, times, activation, accuracy, rtol, seed)
        while True:
            numbers = _solve_once(problem, law, times, activation, nodes, log2_points, scrambles, rtol, seed, report)
            allowed = accuracy * numbers.risk
            if log2_points >= max_log2_points or bool((numbers.risk_error <= allowed).all()):
                return numbers
            # the error falls like 2^{−0.8 log₂ points} or faster; half of the way is safe
            excess = float(np.max(numbers.parts["rule"] / allowed))
            jump = max(1, math.floor(math.log2(max(excess, 1.0)) / 1.6) + 1)
            log2_points = min(log2_points + jump, max_log2_points)


def _enough_nodes(
    problem: Problem,
    law: InitialLaw,
    flow_times: tuple[float, ...],
    activation: str,
    accuracy: float,
    rtol: float,
    seed: int,
) -> int:
    """The least number of nodes, from 3 on, whose risk moves by a quarter of the accuracy at most
    against one node less."""
    points = sobol_rule(law, problem.dim, 8, seed, 0)

    def risk(nodes: int) -> np.ndarray:
        r = limit_residuals(problem, gauss_legendre(nodes), points, flow_times, activation=activation, rtol=rtol)
        return 0.5 * np.mean(r**2, axis=-1)

    before = risk(2)
    for nodes in range(3, MOST_NODES):
        now = risk(nodes)
        if bool((np.abs(now - before) <= 0.25 * accuracy * now).all()):
            return nodes
        before = now
    return MOST_NODES


def _net(law: InitialLaw, dim: int, log2_points: int, nodes: int, seed: int, scramble: int) -> np.ndarray:
    """Points of each node, (nodes, k, 2^log2_points): successive parts of one Sobol sequence."""
    more = math.ceil(math.log2(nodes))
    points = sobol_rule(law, dim, log2_points + more, seed, scramble)
    parts = points.reshape(len(points), 2**more, 2**log2_points)[:, :nodes]
    return parts.transpose(1, 0, 2)


def _solve_once(
    problem: Problem,
    law: InitialLaw,
    flow_times: tuple[float, ...],
    activation: str,
    nodes: int,
    log2_points: int,
    scrambles: int,
    rtol: float,
    seed: int,
    report: Report,
) -> LimitNumbers:
    from scipy import stats

    rules = [_net(law, problem.dim, log2_points, nodes, seed, i) for i in range(scrambles)]

    def one(points: np.ndarray, nodes: int, rtol: float) -> np.ndarray:
        return limit_residuals(problem, gauss_legendre(nodes), points, flow_times, activation=activation, rtol=rtol)

    r = np.stack([one(rule, nodes, rtol) for rule in counted(report, f"limit, 2^{log2_points} points", rules)])
    coarse = sobol_rule(law, problem.dim, min(log2_points, 9), seed, 0)
    base = one(coarse, nodes, rtol)
    # one node less (three against one), and a looser step: the difference bounds the finer error
    fewer = one(coarse, nodes - 1 if nodes > 1 else 3, rtol)
    looser = one(coarse, nodes, 100 * rtol)
    student = float(stats.t.ppf(0.975, scrambles - 1)) / math.sqrt(scrambles)

    def risk(residuals: np.ndarray) -> np.ndarray:
        return 0.5 * np.mean(residuals**2, axis=-1)

    parts = {
        "rule": student * risk(r).std(0, ddof=1),
        "depth": np.abs(risk(fewer) - risk(base)),
        "step": np.abs(risk(looser) - risk(base)),
    }
    mean = r.mean(0)
    error = student * r.std(0, ddof=1) + np.abs(fewer - base) + np.abs(looser - base)
    return LimitNumbers(
        flow_times, risk(r).mean(0), sum(parts.values(), np.zeros(len(flow_times))), mean, error, parts, log2_points
    )
