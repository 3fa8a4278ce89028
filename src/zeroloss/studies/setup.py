"""What every job of a study builds first, from its specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zeroloss import law as laws
from zeroloss import problem as problems
from zeroloss.law import InitialLaw, PathLaw
from zeroloss.problem import Problem
from zeroloss.streams import stream

__all__ = ["build_law", "build_problem", "chunks", "independent_parameters", "path_parameters"]

# state of one batch of networks: about 20 MB in float64
_BATCH_NUMBERS = 2_600_000


def build_problem(spec: dict[str, Any]) -> Problem:
    """The problem of a specification, on its device."""
    p = spec["problem"]
    if p["kind"] == "csv":
        made = problems.from_csv(p["path"], p["target"], p["features"], p["num_samples"],
                                 spec["seed"], p["lift"])
    else:
        made = problems.built_in(p["kind"], p["num_samples"], spec["seed"])
    return made.to(spec["device"])


def build_law(spec: dict[str, Any]) -> InitialLaw:
    """ρ_ini of a specification."""
    return InitialLaw(**spec["initial_law"])


def chunks(first: int, count: int, numbers_each: int, most: int = 64) -> list[range]:
    """Replicates in batches that stay near the processor's caches; ``most`` of them at once.

    Narrow layers want more replicates at once: calls cost more than their arithmetic there.
    """
    size = max(1, min(most, _BATCH_NUMBERS // numbers_each))
    return [range(i, min(i + size, first + count)) for i in range(first, first + count, size)]


def _tensor(arrays: list[NDArray[np.float64]], problem: Problem) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(problem.inputs.device)


def independent_parameters(spec: dict[str, Any], problem: Problem, replicates: range,
                           num_layers: int, num_units: int) -> Tensor:
    """Independent layers of each replicate, from its own stream: (replicates, L, k, M)."""
    law = build_law(spec)
    return _tensor([
        laws.sample_independent(
            law, stream(spec["seed"], spec["setting"], "independent", num_layers, num_units, i),
            num_layers, num_units, problem.dim)
        for i in replicates], problem)


def path_parameters(spec: dict[str, Any], problem: Problem, path: PathLaw, replicates: range,
                    times: NDArray[np.float64], num_units: int) -> Tensor:
    """Paths at ``times``: (replicates, len(times), k, M).

    The stream does not depend on ``times``: all depths and the continuous limit share paths.
    """
    law, name = build_law(spec), (spec["seed"], spec["setting"], repr(path), num_units)
    return _tensor([
        laws.sample_paths(law, path, stream(*name, i),
                          times, num_units, problem.dim)
        for i in replicates], problem)
