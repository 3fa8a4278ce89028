"""W3 and W4: which limits are computed, and to which accuracies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import Problem, built_in

__all__ = ["LimitCase", "cloud_risks", "student_error"]


@dataclass(frozen=True)
class LimitCase:
    """E(ρ(s)) of one problem at one s, to each relative accuracy.

    scales: standard deviations of a, w, b; ``options`` go to zeroloss.limit.flow.solve.
    """

    name: str
    num_samples: int
    scales: tuple[float, float, float]
    accuracies: tuple[float, ...]
    flow_time: float = 4.0
    depth_nodes: int = 4
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """The data."""
        return built_in(self.name, self.num_samples, 0)

    @property
    def law(self) -> InitialLaw:
        """ρ_ini."""
        return InitialLaw("gaussian", *self.scales)

    def points(self, log2_points: int, *name: str | int) -> np.ndarray:
        """A scrambled Sobol rule of ρ_ini: (k, 2^log2_points)."""
        return sobol_rule(self.law, self.problem.dim, log2_points, "bench", *name)

    def field(self, particles: int, depth_nodes: int | None = None) -> MeanField:
        """The flow of one cloud of so many particles at the Gauss nodes in depth."""
        rule = gauss_legendre(self.depth_nodes if depth_nodes is None else depth_nodes)
        return MeanField(self.problem, rule, particles)


def cloud_risks(case: LimitCase, log2_points: int, scrambles: int, rtol: float,
                depth_nodes: int | None = None, name: str = "cloud") -> np.ndarray:
    """E(ρ(s)) by one cloud per scramble: (scrambles,)."""
    risks = []
    for i in range(scrambles):
        points = case.points(log2_points, name, i)
        field = case.field(points.shape[-1], depth_nodes)
        run = field.run(field.start(points[None]), [case.flow_time], rtol=rtol)
        risks.append(float(run.risk[0, 0]))
    return np.array(risks)


def student_error(values: np.ndarray) -> float:
    """Half the 95 % interval of the mean of independent values."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
