"""From Python: how deep and wide a network must be on one's own problem, by four answers.

For P(|E(Θ_{L,M}(s)) − E(ρ(s))| ≤ ε) ≥ 1 − η: the theorem with explicit constants, Chebyshev's
inequality with the predicted Σ, the predicted law, and the failures of networks trained at the size
that the law asks for. The continuous limit is extrapolated from wide limits of L, 2L and 4L layers.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ledger.display import Shown, Summary
from ledger.progress import Progress, Report, counted, reporting
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import Estimate, clopper_pearson
from ledger.record.streams import stream
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import limit_residuals
from zeroloss.limit.prediction import predict
from zeroloss.model.arguments import check_subject
from zeroloss.model.arrays import Array
from zeroloss.model.block import dim_theta
from zeroloss.model.law import InitialLaw, check_sampling, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.network.ensembles import train
from zeroloss.theory.bounds import certificate, sizes
from zeroloss.theory.risk_law import RiskLaw, check_demand

__all__ = ["HEADINGS", "Answer", "Sizes", "required_size"]

DEPTHS = (4, 8, 16, 32)  # the first whose gap takes at most half of ε, unless a depth is given
CHECKED = 200  # networks trained at the size that the law asks for
CHECK_SECONDS = 12.0
SCRAMBLES = 2
HEADINGS = ("answer", "layers", "units", "weights", "seconds", "says")
LARGEST_PLAIN, MOST_WEIGHTS = 6.0, 18.0  # log10 of the largest number written out; no computer holds more
# layers × particles × samples² of an influence function, × samples of a limit: a few seconds each
_INFLUENCE, _LIMIT = 2**21, 2**20


@dataclass(frozen=True)
class Answer:
    """The least size by one method. Sizes are log10 (∞: no size will do); seconds of one training
    on one core of this machine, log10; ``words`` say what stands behind or in the way."""

    method: str
    log10_layers: float
    log10_units: float
    log10_seconds: float
    words: str


@dataclass(frozen=True, repr=False)
class Sizes(Shown):
    """What ``required_size`` found: risks in the problem's units, four answers, and the measured
    frequency of failure at the predicted size (None where training it takes too long)."""

    problem: str
    num_samples: int
    dim: int
    sampling: str
    accuracy: float
    failure_probability: float
    flow_time: float
    limit_risk: float
    limit_risk_error: float
    depth_gap: float
    answers: tuple[Answer, ...]
    failure: Estimate | None

    def of(self, method: str) -> Answer:
        """The answer of ``theorem``, ``chebyshev``, ``law`` or ``measured``."""
        return next(answer for answer in self.answers if answer.method == method)

    def log10_weights(self, method: str) -> float:
        """log10 of the number of weights L M k that an answer asks for."""
        answer = self.of(method)
        return answer.log10_layers + answer.log10_units + math.log10(dim_theta(self.dim))

    def lines(self) -> list[tuple[str, ...]]:
        """One line of cells per answer, in the order of HEADINGS."""
        lines = []
        for one in self.answers:
            sizes = one.log10_layers, one.log10_units, self.log10_weights(one.method), one.log10_seconds
            lines.append((one.method, *map(_power, sizes), one.words))
        return lines

    def facts(self) -> dict[str, Any]:
        """All but answers and failure, by name."""
        return {name: value for name, value in vars(self).items() if name not in ("answers", "failure")}

    def _summary(self) -> Summary:
        return Summary(self.facts(), HEADINGS, self.lines(), words=("answer", "says"))


def _power(log10: float) -> str:
    """A number from its log10: `96`, `0.5`, `10^60.8`, `none` for infinity."""
    if math.isinf(log10):
        return "none"
    if log10 > LARGEST_PLAIN or log10 < -3:
        return f"10^{log10:.1f}"
    value = 10.0**log10
    return f"{round(value)}" if value >= 100 or abs(value - round(value)) < 1e-6 else f"{value:.2g}"


def _log2_points(work: int, num_layers: int) -> int:
    """log₂ of about ``work`` / num_layers points, 5 to 11."""
    return min(11, max(5, math.floor(math.log2(max(work / num_layers, 1.0)))))


@dataclass(frozen=True)
class _Task:
    """What is asked, and the wide limits that answer it."""

    problem: Problem
    law: InitialLaw
    activation: str
    flow_time: float
    sampling: str
    seed: int
    report: Report
    accuracy: float
    failure_probability: float

    def points(self, num_layers: int, scramble: int = 0) -> Array:
        """A Sobol rule for limits of up to so many layers."""
        count = _log2_points(_LIMIT // self.problem.num_samples, num_layers)
        return sobol_rule(self.law, self.problem.dim, count, self.seed, "sizing", scramble)

    def wide(self, num_layers: int, points: Array) -> Array:
        """r_L(s) (N,) at M = ∞."""
        return limit_residuals(
            self.problem, euler(num_layers), points, [self.flow_time], activation=self.activation, rtol=1e-5
        )[0]

    def predicted(self, num_layers: int) -> tuple[RiskLaw, list[RiskLaw], float]:
        """The law of the risk at this depth, those of each scramble, and the error of E(ρ(s))."""
        N = self.problem.num_samples
        points, depths = self.points(4 * num_layers), (num_layers, 2 * num_layers, 4 * num_layers)
        one, two, four = [self.wide(L, points) for L in counted(self.report, "limit", depths)]
        second, third = 2 * four - two, (8 * four - 6 * two + one) / 3
        sigmas = predict(
            self.problem,
            self.law,
            num_layers,
            self.flow_time,
            activation=self.activation,
            log2_points=_log2_points(_INFLUENCE // N**2, num_layers),
            scrambles=SCRAMBLES,
            name=["sizing"],
            dtype=torch.float32,
            seed=self.seed,
            progress=self.report,
        ).covariances[self.sampling]
        rule = self.wide(num_layers, self.points(4 * num_layers, scramble=1))
        risks = [0.5 * float(np.mean(x**2)) for x in (second, third, one, rule)]
        law, *each = (
            RiskLaw(one[None], third[None], sigma.reshape(1, N, 1, N), draws, stream(self.seed, "sizing", "draws"))
            for sigma, draws in [(np.mean(sigmas, axis=0), 100_000), *((sigma, 20_000) for sigma in sigmas)]
        )
        return law, each, abs(risks[1] - risks[0]) + abs(risks[3] - risks[2])

    def depth(self) -> int:
        """The first of DEPTHS whose gap takes at most half of ε; the last if none does."""
        points, depths = self.points(2 * DEPTHS[-1]), (*DEPTHS, 2 * DEPTHS[-1])
        risks = [0.5 * float(np.mean(self.wide(L, points) ** 2)) for L in counted(self.report, "depth", depths)]
        limit = 2 * risks[-1] - risks[-2]
        near = (L for L, risk in zip(DEPTHS, risks, strict=False) if abs(risk - limit) <= self.accuracy / 2)
        return next(near, DEPTHS[-1])

    def train(self, num_layers: int, num_units: int, replicates: int) -> Array:
        """Trained risks (replicates,)."""
        run = train(
            self.problem,
            self.law,
            num_layers,
            num_units,
            self.flow_time,
            replicates=replicates,
            sampling=self.sampling,
            activation=self.activation,
            seed=self.seed,
            progress=self.report,
        )
        return run.risk[0].cpu().numpy()

    def seconds_per_unit(self, num_layers: int) -> float:
        """Seconds of training for each unit of each layer, from a small run."""
        units, replicates = 32, 4
        self.train(num_layers, units, 1)  # the first call loads the engine
        start = time.perf_counter()
        self.train(num_layers, units, replicates)
        return (time.perf_counter() - start) / (replicates * num_layers * units)


def required_size(
    problem: Problem,
    law: InitialLaw,
    accuracy: float,
    failure_probability: float,
    flow_time: float,
    *,
    activation: str = "tanh",
    sampling: str = "independent",
    num_layers: int | None = None,
    check: int = CHECKED,
    seed: int = 0,
    progress: Progress = False,
) -> Sizes:
    """Least depth and width for accuracy ε of the risk at flow time s, with probability 1 − η.

    ``num_layers`` fixes the depth of all answers but the theorem's; by default it is the first of
    DEPTHS whose own gap takes at most half of ε. ``check`` networks are trained at the predicted
    size, if that takes seconds, and at doubled widths while too many fail. The law is of first
    order: below some tens of units its size is a guide. ``progress`` shows how far it is
    (`ledger.progress`). Raises ValueError for ε ≤ 0, η outside (0, 1), unknown names.

    >>> from zeroloss.model import law, problem
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> sizes = required_size(sine, law.InitialLaw(), accuracy=0.05, failure_probability=0.1,
    ...                       flow_time=1.0, num_layers=8, check=20)
    >>> [answer.method for answer in sizes.answers]
    ['theorem', 'chebyshev', 'law', 'measured']
    >>> round(sizes.limit_risk, 2)
    0.11
    >>> round(10 ** sizes.of("chebyshev").log10_units)  # units for any law with this Σ
    14
    >>> sizes.of("theorem").log10_units > 10  # the theorem asks for far more
    True
    """
    check_subject(problem, law)
    check_demand(accuracy, failure_probability)
    check_sampling(sampling, num_layers=1 if num_layers is None else num_layers)
    if not (math.isfinite(flow_time) and flow_time >= 0):
        raise ValueError(f"flow_time must be finite and at least 0, got {flow_time}; pass a training time such as 10")
    with reporting(progress) as report:
        task = _Task(problem, law, activation, flow_time, sampling, seed, report, accuracy, failure_probability)
        return _answered(task, task.depth() if num_layers is None else num_layers, check)


def _answered(task: _Task, depth: int, check: int) -> Sizes:
    """All four answers, three of them at this depth."""
    problem, demand = task.problem, (task.accuracy, task.failure_probability)
    predicted, scrambles, error = task.predicted(depth)
    each = task.seconds_per_unit(depth)
    per_unit = depth if task.sampling == "independent" else 1

    def sized(method: str, count: float, words: str) -> Answer:
        """The answer for n draws."""
        if not math.isfinite(count):
            return _none(method, depth, "the depth alone errs by more than the accuracy: ask for more layers")
        units = math.ceil(count / per_unit)
        return Answer(method, math.log10(depth), math.log10(units), math.log10(each * depth * units), words)

    spread = _range([law.required(*demand) / per_unit for law in scrambles])
    least = sized("law", predicted.required(*demand), "predicted law" + spread)
    failure, measured = _measured(task, predicted, depth, least, check)
    chebyshev = sized("chebyshev", predicted.chebyshev(*demand), "any law of this covariance")
    return Sizes(
        problem.name,
        problem.num_samples,
        problem.dim,
        task.sampling,
        *demand,
        task.flow_time,
        float(predicted.reference[0]),
        error,
        float(predicted.gap[0]),
        (_theorem(task, each), chebyshev, least, measured),
        failure,
    )


def _none(method: str, depth: float, words: str) -> Answer:
    """The answer that no size will do, and why."""
    return Answer(method, math.log10(depth), math.inf, math.inf, words)


def _range(units: list[float]) -> str:
    """The widths that single scrambles of the rule in θ give: how far Σ is known."""
    if not all(map(math.isfinite, units)):
        return ""
    low, high = math.ceil(min(units)), math.ceil(max(units))
    doubt = ", not resolved: take fewer samples" if high > 4 * low else ""
    return f"; {low} to {high} units by half of the points{doubt}"


def _theorem(task: _Task, each: float) -> Answer:
    """Sizes by explicit constants, where the activation allows them."""
    task.report("theorem", 0, 1)
    try:
        options = {"depth_nodes": 3, "log2_points": 6, "steps": 24, "seed": task.seed}
        found = certificate(
            task.problem, task.law, task.activation, [task.flow_time], sampling=task.sampling, **options
        )
    except (ValueError, FloatingPointError) as error:
        return _none("theorem", math.inf, str(error))
    depth, width = (float(part[0]) for part in sizes(found, task.accuracy, task.failure_probability))
    weights = depth + width + math.log10(dim_theta(task.problem.dim))
    words = "explicit constants" + "; vacuous: no computer holds so many weights" * (weights > MOST_WEIGHTS)
    return Answer("theorem", depth, width, math.log10(each) + depth + width, words)


def _measured(task: _Task, predicted: RiskLaw, depth: int, least: Answer, check: int) -> tuple[Estimate | None, Answer]:
    """Failures among trained networks of the size that the law asks for, if it is cheap; of
    doubled widths, while those fail too often and the time allows."""
    if not math.isfinite(least.log10_units):
        return None, _none("measured", depth, "no size to train")
    seconds, units = check * 10**least.log10_seconds, round(10**least.log10_units)
    if seconds > CHECK_SECONDS:
        return None, _none("measured", depth, f"not trained: {check} networks of that size take {seconds:.0f} s")
    first, seen, spent = None, [], 0.0
    while spent + seconds <= CHECK_SECONDS:
        risks = task.train(depth, units, check)
        failed = int((np.abs(risks - predicted.reference[0]) > task.accuracy).sum())
        share = clopper_pearson(failed, check, CONFIDENCE)
        first = first or share
        word = "refuted" if share.lower > task.failure_probability else "not refuted"
        seen.append(f"{word} by {failed} failures of {check} at {units}, 95 %: {share.lower:.2g} to {share.upper:.2g}")
        if word == "not refuted":
            size = math.log10(depth), math.log10(units), math.log10(seconds / check)
            return first, Answer("measured", *size, "; ".join(seen))
        spent, seconds, units = spent + seconds, 2 * seconds, 2 * units
    return first, _none("measured", depth, "; ".join(seen))
