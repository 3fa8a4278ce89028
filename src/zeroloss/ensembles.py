"""From Python: train an ensemble of finite networks, and predict its law from the limit.

    law of the residuals of networks of L layers and M units:  N(r_L(s), Σ_L(s)/n)

with n = L M for independent layers and n = M for constant paths; r_L and Σ_L come from the wide
limit at that depth (M = ∞), with nothing fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zeroloss.law import InitialLaw, PathLaw, sample_independent, sample_paths, sobol_rule
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import MeanField
from zeroloss.limit.fluctuation import covariance_independent, covariance_of_paths, influence
from zeroloss.network import Network, Training
from zeroloss.problem import Problem
from zeroloss.statistics import draw_risks
from zeroloss.streams import stream

__all__ = ["ResidualLaw", "predict", "train"]


def _check(sampling: str, **counts: int) -> None:
    if sampling not in ("independent", "path"):
        raise ValueError(f"sampling must be independent or path, got {sampling!r}; set sampling")
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}; pass a positive {name}")


def train(problem: Problem, law: InitialLaw, num_layers: int, num_units: int, flow_time: float, *,
          replicates: int = 100, sampling: str = "independent", activation: str = "tanh",
          rtol: float = 1e-5, seed: int = 0) -> Training:
    """Gradient flow of so many networks to s = flow_time: residuals (1, replicates, samples), risk.

    ``sampling`` is ``independent`` (every layer drawn anew) or ``path`` (constant paths). Each
    replicate has its own random stream. Raises ValueError for sizes below 1.
    """
    _check(sampling, num_layers=num_layers, num_units=num_units, replicates=replicates)
    depths = np.arange(num_layers) / num_layers
    starts = []
    for i in range(replicates):
        rng = stream(seed, problem.name, sampling, num_layers, num_units, i)
        starts.append(
            sample_independent(law, rng, num_layers, num_units, problem.dim)
            if sampling == "independent"
            else sample_paths(law, PathLaw(), rng, depths, num_units, problem.dim))
    theta = torch.from_numpy(np.stack(starts)).to(problem.inputs.device)
    return Network(problem, num_layers, num_units, activation).train(theta, [flow_time], rtol=rtol)


@dataclass(frozen=True)
class ResidualLaw:
    """Predicted N(mean, covariance) of the trained residuals, (samples,) and (samples, samples).

    mean_error: standard error of the mean over the scrambles of the rule in θ, (samples,).
    """

    mean: np.ndarray
    mean_error: np.ndarray
    covariance: np.ndarray

    def risks(self, draws: int = 100_000, seed: int = 0) -> np.ndarray:
        """Draws of the trained risk ½ mean |r|² from this law."""
        return draw_risks(self.mean, self.covariance, draws, stream(seed, "residual-law"))


def predict(problem: Problem, law: InitialLaw, num_layers: int, num_units: int, flow_time: float,
            *, sampling: str = "independent", activation: str = "tanh", log2_points: int = 10,
            scrambles: int = 4, rtol: float = 1e-6, seed: int = 0) -> ResidualLaw:
    """The law that ``train`` samples from, predicted to first order in the fluctuations.

    2^log2_points particles for each of the L layers; the spread over ``scrambles`` is the error.
    """
    _check(sampling, num_layers=num_layers, num_units=num_units, scrambles=scrambles)
    covariance_of = covariance_independent if sampling == "independent" else covariance_of_paths
    means, covariances = [], []
    for scramble in range(scrambles):
        points = sobol_rule(law, problem.dim, log2_points, seed, problem.name, "predict", scramble)
        field = MeanField(problem, euler(num_layers), points.shape[-1], activation)
        run = field.run(field.start(points[None]), [flow_time], rtol=rtol, record=True)
        assert run.flow.trajectory is not None
        means.append(run.residuals[0, 0].cpu().numpy())
        covariances.append(covariance_of(influence(field, run.flow.trajectory, flow_time)))
    count = num_units * (num_layers if sampling == "independent" else 1)
    error = np.std(means, axis=0, ddof=1) / np.sqrt(scrambles) if scrambles > 1 else np.nan
    return ResidualLaw(np.mean(means, 0), np.broadcast_to(error, means[0].shape),
                       np.mean(covariances, 0) / count)
