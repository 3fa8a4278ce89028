"""The predicted law of finite networks: Sobol rule of ρ_ini, wide limit, influence functions, Σ.

    law of the residuals of networks of L layers and M units:  N(r_L(s), Σ_L(s, s')/n)

with n = L M for independent layers and n = M for constant paths; r_L and Σ_L come from the wide
limit at that depth (M = ∞), with nothing fitted. Over flow times s, s' together

    Σ(s, s') = ∫ Cov[ψ_s, ψ_s'] dt  (independent),   Cov[∫ ψ_s dt, ∫ ψ_s' dt]  (paths).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from ledger.display import Shown, Summary, over_time
from ledger.progress import Progress, counted, reporting
from ledger.record.streams import stream
from zeroloss.limit.collocation import DepthRule, euler
from zeroloss.limit.flow import LimitFlow, MeanField
from zeroloss.limit.fluctuation import Influence, covariance_independent, covariance_of_paths, influence
from zeroloss.model.arguments import check_subject, flow_times_of
from zeroloss.model.arrays import Array
from zeroloss.model.law import InitialLaw, check_sampling, sobol_rule
from zeroloss.model.problem import Problem
from zeroloss.model.risk import draw_risks

__all__ = ["Prediction", "Recorded", "ResidualLaw", "predict", "record"]


@dataclass(frozen=True)
class Recorded:
    """A limit on one cloud of particles, recorded: ψ_s can be had at each of its flow times."""

    field: MeanField
    run: LimitFlow
    dtype: torch.dtype

    @property
    def residuals(self) -> Array:
        """r(s): (flow_times, samples)."""
        return self.run.residuals[:, 0].cpu().numpy()

    def influence(self, flow_time: float) -> Influence:
        """ψ_s at the particles. Raises ValueError unless s is one of the flow times."""
        assert self.run.flow.trajectory is not None
        return influence(self.field, self.run.flow.trajectory, flow_time, self.dtype)

    def covariances(self, flow_time: float) -> dict[str, Array]:
        """Σ(s) of ``independent`` layers and of constant paths, ``path``: (N, N) each."""
        psi = self.influence(flow_time)
        return {"independent": covariance_independent(psi), "path": covariance_of_paths(psi)}

    def joint_covariances(self) -> dict[str, Array]:
        """Σ(s, s') of both samplings over all flow times: (T N, T N), time before sample."""
        each = [self.influence(s) for s in self.run.flow_times]
        depth, weights = each[0].depth_weights, each[0].weights
        psi = np.concatenate([one.psi for one in each])  # (T N, n, particles)
        scaled = (psi * np.sqrt(depth[:, None] * weights)).reshape(len(psi), -1)
        path = np.einsum("iqj,q->ij", psi, depth) * np.sqrt(weights)
        return {"independent": scaled @ scaled.T, "path": path @ path.T}


def record(
    problem: Problem,
    points: Array,
    rule: DepthRule,
    flow_times: Sequence[float],
    *,
    activation: str = "tanh",
    rtol: float = 1e-6,
    dtype: torch.dtype = torch.float64,
) -> Recorded:
    """Follow the limit of the points (k, particles) under a depth rule, and keep the way.

    Costates in float32 take half of the time and err by about 1e-5, far less than scrambles of a
    rule differ by. A looser ``rtol`` than 1e-6 may be unstable on the way back.
    """
    field = MeanField(problem, rule, points.shape[-1], activation)
    run = field.run(field.start(points[None]), flow_times, record=True, rtol=rtol)
    return Recorded(field, run, dtype)


@dataclass(frozen=True, repr=False)
class ResidualLaw(Shown):
    """Predicted N(mean, covariance) of the trained residuals, (samples,) and (samples, samples).

    mean_error: standard error of the mean over the scrambles of the rule in θ, (samples,).
    """

    mean: Array
    mean_error: Array
    covariance: Array

    def _summary(self) -> Summary:
        return Summary(
            {
                "num_samples": len(self.mean),
                "risk_of_mean": 0.5 * float(np.mean(self.mean**2)),
                "root_of_trace": float(np.sqrt(np.trace(self.covariance))),
                "mean_error": float(np.max(self.mean_error)),
            }
        )

    def risks(self, draws: int = 100_000, seed: int = 0) -> Array:
        """Draws of the trained risk ½ mean |r|² from this law."""
        return draw_risks(self.mean, self.covariance, draws, stream(seed, "residual-law"))


@dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """The wide limit of L layers and its fluctuations, on each scramble of the rule in θ.

    residuals r_L (scrambles, T, N); covariances Σ(s, s') by sampling, ``independent`` and ``path``,
    (scrambles, T N, T N) each, time before sample: to be divided by n.
    """

    num_layers: int
    flow_times: tuple[float, ...]
    residuals: Array
    covariances: dict[str, Array]

    def _summary(self) -> Summary:
        scrambles, _, samples = self.residuals.shape
        facts = {"num_layers": self.num_layers, "num_samples": samples, "scrambles": scrambles}
        risk = 0.5 * np.mean(self.residuals.mean(0) ** 2, axis=-1)
        return over_time(facts, self.flow_times, {"risk": risk})

    def law(self, num_units: int, sampling: str = "independent", output: int = -1) -> ResidualLaw:
        """The law of networks of this width at one output time, to first order in 1/√n.

        Raises ValueError for a width below 1 and an unknown sampling.
        """
        check_sampling(sampling, num_units=num_units)
        scrambles, times, samples = self.residuals.shape
        r = self.residuals[:, output]
        block = slice(output % times * samples, (output % times + 1) * samples)
        count = num_units * (self.num_layers if sampling == "independent" else 1)
        error = r.std(0, ddof=1) / np.sqrt(scrambles) if scrambles > 1 else np.full(samples, np.nan)
        return ResidualLaw(r.mean(0), error, self.covariances[sampling][:, block, block].mean(0) / count)


def predict(
    problem: Problem,
    law: InitialLaw,
    num_layers: int,
    flow_time: ArrayLike,
    *,
    activation: str = "tanh",
    log2_points: int = 10,
    scrambles: int = 4,
    rtol: float = 1e-6,
    dtype: torch.dtype = torch.float64,
    name: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = False,
) -> Prediction:
    """The law of networks of so many layers and any width, at one flow time or jointly at several.

    r_L(s) (samples,) and Σ (samples, samples) in units of the targets. 2^log2_points particles for
    each of the L layers; the spread over ``scrambles`` is the error. ``name`` names the random
    streams of the rules, ``dtype`` is that of the costates (see `record`). ``progress`` shows how
    far it is (`ledger.progress`). Raises ValueError for sizes below 1 and flow times that do not
    increase; TypeError for what is no problem or law.

    >>> from zeroloss.model import problem
    >>> sine = problem.built_in("sine", num_samples=4, seed=0)
    >>> predicted = predict(sine, InitialLaw(), num_layers=4, flow_time=1.0, log2_points=6)
    >>> law = predicted.law(num_units=64)  # of independent layers
    >>> law.covariance.shape
    (4, 4)
    >>> law.risks(draws=1000).shape
    (1000,)
    """
    check_sampling("independent", num_layers=num_layers, scrambles=scrambles)
    check_subject(problem, law)
    times = flow_times_of(flow_time)
    streams = tuple(name) or (problem.name, "predict")
    residuals, covariances = [], []
    with reporting(progress) as report:
        for scramble in counted(report, "predicted law", range(scrambles)):
            points = sobol_rule(law, problem.dim, log2_points, seed, *streams, scramble)
            recorded = record(problem, points, euler(num_layers), times, activation=activation, rtol=rtol, dtype=dtype)
            residuals.append(recorded.residuals)
            covariances.append(recorded.joint_covariances())
    return Prediction(
        num_layers,
        times,
        np.stack(residuals),
        {sampling: np.stack([one[sampling] for one in covariances]) for sampling in covariances[0]},
    )
