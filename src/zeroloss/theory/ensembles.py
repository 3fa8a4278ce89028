"""From Python: train an ensemble of finite networks, and predict its law from the limit.

    law of the residuals of networks of L layers and M units:  N(r_L(s), Σ_L(s)/n)

with n = L M for independent layers and n = M for constant paths; r_L and Σ_L come from the wide
limit at that depth (M = ∞), with nothing fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from ledger.display import Shown, Summary
from zeroloss.model.law import InitialLaw, PathLaw, sample_independent, sample_paths, sobol_rule
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import MeanField
from zeroloss.limit.fluctuation import covariance_independent, covariance_of_paths, influence
from zeroloss.network.resnet import Network, Training
from zeroloss.model.problem import Problem
from ledger.progress import Progress, counted, reporting, silent
from ledger.record.statistics import draw_risks
from ledger.record.streams import stream

__all__ = ["ResidualLaw", "predict", "train"]

PARTS = 50  # in which an ensemble is trained where progress is shown


def _check(sampling: str, **counts: int) -> None:
    if sampling not in ("independent", "path"):
        raise ValueError(f"sampling must be independent or path, got {sampling!r}; set sampling")
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}; pass a positive {name}")


def train(problem: Problem, law: InitialLaw, num_layers: int, num_units: int,
          flow_time: float | Sequence[float], *, replicates: int = 100,
          sampling: str = "independent", activation: str = "tanh", rtol: float = 1e-5,
          seed: int = 0, progress: Progress = False) -> Training:
    """Gradient flow of so many networks to s = flow_time, or through several flow times.

    residuals (outputs, replicates, samples) and risk (outputs, replicates), outputs = 1 for a
    single flow time. ``sampling`` is ``independent`` (every layer drawn anew) or ``path`` (constant
    paths). Each replicate has its own random stream. ``progress`` shows how far it is
    (`ledger.progress`). Raises ValueError for sizes below 1, an unknown sampling and flow times
    that do not increase.

    >>> from zeroloss import problem
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> trained = train(sine, InitialLaw(), num_layers=4, num_units=16, flow_time=[0.0, 4.0],
    ...                 replicates=20)
    >>> trained.risk.shape  # flow times, networks
    torch.Size([2, 20])
    >>> bool((trained.risk[1] < trained.risk[0]).all())
    True
    """
    _check(sampling, num_layers=num_layers, num_units=num_units, replicates=replicates)
    times = np.atleast_1d(np.asarray(flow_time, dtype=np.float64)).tolist()
    depths = np.arange(num_layers) / num_layers
    drawn = []
    for i in range(replicates):
        rng = stream(seed, problem.name, sampling, num_layers, num_units, i)
        drawn.append(
            sample_independent(law, rng, num_layers, num_units, problem.dim)
            if sampling == "independent"
            else sample_paths(law, PathLaw(), rng, depths, num_units, problem.dim))
    theta = torch.from_numpy(np.stack(drawn)).to(problem.inputs.device)
    network = Network(problem, num_layers, num_units, activation)
    with reporting(progress) as report:
        # a network is the same in any batch on the processor; elsewhere they all stay together
        whole = report is silent or theta.device.type != "cpu"
        size = replicates if whole else -(-replicates // PARTS)
        starts = counted(report, f"training {replicates} networks", range(0, replicates, size))
        return _joined([_part(network, theta, i, size, times, rtol) for i in starts])


def _part(network: Network, theta: torch.Tensor, first: int, size: int, times: Sequence[float],
          rtol: float) -> Training:
    """So many of the networks, from the first on."""
    try:
        return network.train(theta[first:first + size], times, rtol=rtol)
    except FloatingPointError as error:
        if first:
            error.add_note(f"counted from replicate {first} of the ensemble on")
        raise


def _joined(parts: Sequence[Training]) -> Training:
    """The networks of all parts in their order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    along = {field.name: 0 if field.name in ("parameters", "steps") else 1
             for field in fields(first) if field.name != "flow_times"}
    return Training(first.flow_times, **{
        name: torch.cat([getattr(part, name) for part in parts], axis)
        for name, axis in along.items()})


@dataclass(frozen=True, repr=False)
class ResidualLaw(Shown):
    """Predicted N(mean, covariance) of the trained residuals, (samples,) and (samples, samples).

    mean_error: standard error of the mean over the scrambles of the rule in θ, (samples,).
    """

    mean: np.ndarray
    mean_error: np.ndarray
    covariance: np.ndarray

    def _summary(self) -> Summary:
        return Summary({
            "num_samples": len(self.mean), "risk_of_mean": 0.5 * float(np.mean(self.mean**2)),
            "root_of_trace": float(np.sqrt(np.trace(self.covariance))),
            "mean_error": float(np.max(self.mean_error))})

    def risks(self, draws: int = 100_000, seed: int = 0) -> np.ndarray:
        """Draws of the trained risk ½ mean |r|² from this law."""
        return draw_risks(self.mean, self.covariance, draws, stream(seed, "residual-law"))


def predict(problem: Problem, law: InitialLaw, num_layers: int, num_units: int, flow_time: float,
            *, sampling: str = "independent", activation: str = "tanh", log2_points: int = 10,
            scrambles: int = 4, rtol: float = 1e-6, seed: int = 0, progress: Progress = False
            ) -> ResidualLaw:
    """The law that ``train`` samples from, predicted to first order in the fluctuations.

    N(r_L(s), Σ_L(s)/n): mean (samples,), covariance (samples, samples), in units of the targets.
    2^log2_points particles for each of the L layers; the spread over ``scrambles`` is the error.
    ``progress`` shows how far it is (`ledger.progress`). Raises ValueError for sizes below 1 and
    an unknown sampling.

    >>> from zeroloss import problem
    >>> sine = problem.built_in("sine", num_samples=4, seed=0)
    >>> law = predict(sine, InitialLaw(), num_layers=4, num_units=64, flow_time=1.0, log2_points=6)
    >>> law.covariance.shape
    (4, 4)
    >>> law.risks(draws=1000).shape
    (1000,)
    """
    _check(sampling, num_layers=num_layers, num_units=num_units, scrambles=scrambles)
    covariance_of = covariance_independent if sampling == "independent" else covariance_of_paths
    means, covariances = [], []
    with reporting(progress) as report:
        for scramble in counted(report, "predicted law", range(scrambles)):
            points = sobol_rule(law, problem.dim, log2_points, seed, problem.name, "predict",
                                scramble)
            field = MeanField(problem, euler(num_layers), points.shape[-1], activation)
            run = field.run(field.start(points[None]), [flow_time], rtol=rtol, record=True)
            assert run.flow.trajectory is not None
            means.append(run.residuals[0, 0].cpu().numpy())
            covariances.append(covariance_of(influence(field, run.flow.trajectory, flow_time)))
    count = num_units * (num_layers if sampling == "independent" else 1)
    error = np.std(means, axis=0, ddof=1) / np.sqrt(scrambles) if scrambles > 1 else np.nan
    return ResidualLaw(np.mean(means, 0), np.broadcast_to(error, means[0].shape),
                       np.mean(covariances, 0) / count)
