"""W3 and W4: which limits are computed, and to which accuracies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import Problem, built_in

__all__ = ["LimitCase", "cloud_risks"]


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

    def field(self, particles: int, depth_nodes: int | None = None) -> MeanField:
        """The flow of one cloud of so many particles at the Gauss nodes in depth."""
        return MeanField(self.problem, gauss_legendre(depth_nodes or self.depth_nodes), particles)

    def cloud(self, log2_points: int, *name: str | int, depth_nodes: int | None = None) -> tuple[MeanField, Tensor]:
        """The flow of a scrambled Sobol rule of ρ_ini with 2^log2_points points; its start."""
        points = sobol_rule(self.law, self.problem.dim, log2_points, "bench", *name)
        flow = self.field(points.shape[-1], depth_nodes)
        return flow, flow.start(points[None])


def cloud_risks(case: LimitCase, log2_points: int, scrambles: int, rtol: float, depth_nodes: int) -> np.ndarray:
    """E(ρ(s)) by one cloud per scramble: (scrambles,)."""
    risks = []
    for i in range(scrambles):
        flow, start = case.cloud(log2_points, "reference", i, depth_nodes=depth_nodes)
        risks.append(float(flow.run(start, [case.flow_time], rtol=rtol).risk[0, 0]))
    return np.array(risks)
