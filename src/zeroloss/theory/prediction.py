"""From Python: the risk of trained networks of one size, predicted to an accuracy that is asked for.

Networks of L layers and M units, n = L M for independent layers and n = M for paths, have residuals

    r_n = r_L + ξ/√n + R_n,    ξ ~ N(0, Σ_L),    E[R_n] = β/n + O(1/n²)

after training. The prediction leaves R_n out, and is of first order:

    E risk = ½ mean r_L² + tr Σ_L/(2 N n),    Var risk = (r_Lᵀ Σ_L r_L/n + tr Σ_L²/(2 n²))/N²

r_L and Σ_L are those of the wide limit at L layers itself, so no order in 1/L alone is left out. Each
has the error of its rule in θ, which more points make smaller. No rule makes smaller what R_n does to
the mean risk, r_L·β/(N n) to leading order: as large as the second term that is predicted. It is seen
on networks beside their halves. The units of a network w, cut into halves a and b, are two networks
of n/2; what is linear in the empirical law of the units agrees in m = (r_a + r_b)/2 and r_w, and

    E[½ mean m² − ½ mean r_w²] = r_L·β/(N n) + O(1/n²)

(docs/derivations.md). ξ/√n cancels draw by draw, and so a few networks tell the size of the rest.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats

from ledger.display import Shown, Summary, over_time
from ledger.progress import Progress, Report, counted, reporting
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import limit_residuals
from zeroloss.limit.prediction import ResidualLaw
from zeroloss.limit.prediction import predict as predict_on_rule
from zeroloss.model.arguments import check_subject, flow_times_of
from zeroloss.model.arrays import Array
from zeroloss.model.law import InitialLaw, check_sampling, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.network.ensembles import draw
from zeroloss.network.resnet import Network
from zeroloss.theory.risk_law import check_demand

__all__ = ["EnsemblePrediction", "predict"]

FIRST_LOG2_POINTS = 6
SCRAMBLES = 4
BESIDE_HALVES = 128  # networks, of widths at which 1/n is seen and training is cheap
LEAST_UNITS, MOST_UNITS = 8, 64


@dataclass(frozen=True, repr=False)
class EnsemblePrediction(Shown):
    """Mean and standard deviation of the risk of networks of one size, to first order in 1/√n.

    risk, std (outputs,) in units of the risk, each with the error of the rule in θ at 95 %;
    residuals r_L and their error (outputs, N), covariance Σ_L/n of the trained residuals
    (outputs, N, N); log2_points of the rule of r_L in each layer. ``shift`` (outputs,) estimates
    how far the mean risk of networks lies from ``risk`` by what is of second order, with a standard
    error; it is not added to ``risk``.
    """

    num_layers: int
    num_units: int
    sampling: str
    flow_times: tuple[float, ...]
    accuracy: float
    log2_points: int
    risk: Array
    risk_error: Array
    std: Array
    std_error: Array
    residuals: Array
    residuals_error: Array
    covariance: Array
    shift: Array
    shift_error: Array

    @property
    def error(self) -> float:
        """The largest error of mean and standard deviation of the risk: what the accuracy bounds."""
        return float(max(self.risk_error.max(), self.std_error.max()))

    @property
    def second_order(self) -> Array:
        """Size of what the mean risk leaves out, |shift| and a standard error of it: (outputs,).

        An order of magnitude, not a bound.
        """
        return np.abs(self.shift) + self.shift_error

    def law(self, output: int = -1) -> ResidualLaw:
        """The predicted law of the trained residuals at one output time."""
        return ResidualLaw(self.residuals[output], self.residuals_error[output], self.covariance[output])

    def _summary(self) -> Summary:
        facts = {
            "num_layers": self.num_layers,
            "num_units": self.num_units,
            "sampling": self.sampling,
            "log2_points": self.log2_points,
            "accuracy": self.accuracy,
            "error": self.error,
        }
        columns = {
            "mean risk": self.risk,
            "lower": self.risk - self.risk_error,
            "upper": self.risk + self.risk_error,
            "std": self.std,
            "second order": self.second_order,
        }
        return over_time(facts, self.flow_times, columns)


def predict(
    problem: Problem,
    law: InitialLaw,
    num_layers: int,
    num_units: int,
    flow_time: ArrayLike,
    *,
    accuracy: float,
    sampling: str = "independent",
    activation: str = "tanh",
    max_log2_points: int = 12,
    seed: int = 0,
    progress: Progress = False,
) -> EnsemblePrediction:
    """What `ensembles.train` will find, before a network of that size is trained.

    ``accuracy`` is absolute, in units of the risk: rules of twice as many points, up to
    2^max_log2_points for each layer, are taken until the mean and the standard deviation of the risk
    are known to it at every flow time. A rule's error is its spread over scrambles, by Student's t
    at 95 %, and the change from half of its points, which bounds its bias; steps in s, to a tolerance
    of 1e-6, are not in it. Nor is the second order, whose size stands beside it. ``progress`` shows how far it is
    (`ledger.progress`).

    Warns where the points do not suffice, and returns what it has. Raises ValueError for an
    accuracy that is not above 0, sizes below 1, fewer points than it starts with, an unknown sampling or
    activation and flow times that do not increase; TypeError for what is no problem or law.

    >>> from zeroloss.model import problem
    >>> sine = problem.built_in("sine", num_samples=4, seed=0)
    >>> predicted = predict(sine, InitialLaw(), 4, 32, flow_time=1.0, accuracy=5e-3)
    >>> predicted.error <= 5e-3
    True
    >>> predicted.law().risks(draws=1000).shape
    (1000,)
    """
    check_demand(accuracy, failure_probability=0.5)  # no probability is asked for here
    check_sampling(sampling, num_layers=num_layers, num_units=num_units)
    if max_log2_points < FIRST_LOG2_POINTS:
        raise ValueError(
            f"max_log2_points must be at least {FIRST_LOG2_POINTS}, got {max_log2_points}; pass one such as 12"
        )
    check_subject(problem, law)
    times = flow_times_of(flow_time)
    with reporting(progress) as report:
        task = _Task(problem, law, num_layers, num_units, times, sampling, activation, seed, report)
        made = task.predicted(accuracy, max_log2_points)
    if made.error > accuracy:
        warnings.warn(
            f"the error must be at most the accuracy {accuracy:g}, got {made.error:.2g} with 2^{max_log2_points} "
            "points; pass a larger max_log2_points or a larger accuracy",
            stacklevel=2,
        )
    return made


def _error(fine: Array, coarse: Array) -> Array:
    """Error of the mean over scrambles (scrambles, …) of a rule, beside the rule of half its points."""
    scrambles = len(fine)
    student = float(stats.t.ppf(0.975, scrambles - 1)) / math.sqrt(scrambles)
    return student * fine.std(0, ddof=1) + np.abs(fine.mean(0) - coarse.mean(0))


def _refined(
    on_rule: Callable[[int], Array], judged: Callable[[Array], Array], accuracy: float, most: int
) -> tuple[Array, Array, int]:
    """What rules of log₂ so many points give, (scrambles, …), on the first where what is ``judged``
    of it errs by at most the accuracy; on half of its points; and its log₂ points."""
    log2_points = FIRST_LOG2_POINTS
    coarse, fine = on_rule(log2_points - 1), on_rule(log2_points)
    while log2_points < most and float(_error(judged(fine), judged(coarse)).max()) > accuracy:
        log2_points += 1
        coarse, fine = fine, on_rule(log2_points)
    return fine, coarse, log2_points


@dataclass(frozen=True)
class _Task:
    """Networks whose risk is asked for."""

    problem: Problem
    law: InitialLaw
    num_layers: int
    num_units: int
    flow_times: tuple[float, ...]
    sampling: str
    activation: str
    seed: int
    report: Report

    def predicted(self, accuracy: float, most: int) -> EnsemblePrediction:
        """r_L, which costs less, takes a quarter of the accuracy: its part in the error of the standard
        deviation is smaller than in that of the mean, by std/(2 risk) < 1. Σ_L has the rest."""
        r, r_half, points = _refined(self.residuals, _risk, accuracy / 4, most)
        mean = r.mean(0)

        def moments(covariance: Array) -> Array:
            return _moments(mean, covariance)

        covariance, half, _ = _refined(self.covariance, moments, 3 * accuracy / 4, most)
        (added, std), error = moments(covariance).mean(0), _error(moments(covariance), moments(half))
        by_r, by_r_half = (
            np.stack([_moments(one, covariance.mean(0)[None])[0, 1] for one in scrambles]) for scrambles in (r, r_half)
        )
        shift, shift_error = self.second_order()
        return EnsemblePrediction(
            self.num_layers,
            self.num_units,
            self.sampling,
            self.flow_times,
            accuracy,
            points,
            risk=_risk(r).mean(0) + added,
            risk_error=_error(_risk(r), _risk(r_half)) + error[0],
            std=std,
            std_error=_error(by_r, by_r_half) + error[1],
            residuals=mean,
            residuals_error=_error(r, r_half),
            covariance=covariance.mean(0),
            shift=shift,
            shift_error=shift_error,
        )

    def residuals(self, log2_points: int) -> Array:
        """r_L (scrambles, T, N): each layer has points of its own, all together one Sobol net, so
        that the errors of the layers average out."""
        L, net = self.num_layers, log2_points + math.ceil(math.log2(self.num_layers))
        found = []
        for scramble in counted(self.report, f"limit, 2^{log2_points} points", range(SCRAMBLES)):
            rule = sobol_rule(self.law, self.problem.dim, net, self.seed, self.problem.name, "predict", scramble)
            points = rule.reshape(len(rule), -1, 2**log2_points)[:, :L].transpose(1, 0, 2)
            found.append(
                limit_residuals(self.problem, euler(L), points, self.flow_times, activation=self.activation, rtol=1e-6)
            )
        return np.stack(found)

    def covariance(self, log2_points: int) -> Array:
        """Σ_L/n of each flow time (scrambles, T, N, N), each layer on the same points."""
        on_rule = predict_on_rule(
            self.problem,
            self.law,
            self.num_layers,
            self.flow_times,
            activation=self.activation,
            log2_points=log2_points,
            scrambles=SCRAMBLES,
            dtype=torch.float32,
            seed=self.seed,
            progress=lambda stage, done, total: self.report(f"{stage}, 2^{log2_points} points", done, total),
        )
        T, N = len(self.flow_times), self.problem.num_samples
        joint = on_rule.covariances[self.sampling].reshape(SCRAMBLES, T, N, T, N)
        count = self.num_units * (self.num_layers if self.sampling == "independent" else 1)
        return np.einsum("atitj->atij", joint) / count

    def second_order(self) -> tuple[Array, Array]:
        """Shift of the mean risk by what is not of first order, and its standard error: (T,) each.

        From networks beside their halves, of a width at which that is cheap, scaled as 1/n.
        """
        half = min(max(self.num_units, LEAST_UNITS), MOST_UNITS) // 2
        theta = draw(
            self.problem,
            self.law,
            self.num_layers,
            2 * half,
            replicates=BESIDE_HALVES,
            sampling=self.sampling,
            seed=self.seed,
            name=["halves"],
        )
        parts = [theta, theta[..., :half].contiguous(), theta[..., half:].contiguous()]
        whole, first, second = (
            Network(self.problem, self.num_layers, part.shape[-1], self.activation)
            .train(part, self.flow_times, rtol=1e-5)
            .residuals.cpu()
            .numpy()
            for part in counted(self.report, "networks beside their halves", parts)
        )
        shifts = (_risk((first + second) / 2) - _risk(whole)) * (2 * half / self.num_units)
        return shifts.mean(1), shifts.std(1, ddof=1) / math.sqrt(BESIDE_HALVES)


def _risk(residuals: Array) -> Array:
    """½ mean r²: (…, N) -> (…)."""
    return 0.5 * np.mean(residuals**2, axis=-1)


def _moments(mean: Array, covariance: Array) -> Array:
    """What N(mean, C) adds to the mean of the risk, tr C/(2N), and its standard deviation
    √(mᵀCm + tr C²/2)/N: mean (T, N), C (scrambles, T, N, N) -> (scrambles, 2, T)."""
    N = mean.shape[-1]
    added = np.einsum("atii->at", covariance) / (2 * N)
    variance = np.einsum("ti,atij,tj->at", mean, covariance, mean) + np.sum(covariance**2, axis=(-2, -1)) / 2
    return np.stack([added, np.sqrt(variance) / N], axis=1)
