"""What every job of a study builds first, from its case."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zeroloss.model import law as laws
from zeroloss.model import problem as problems
from zeroloss.model.law import InitialLaw, PathLaw
from zeroloss.model.problem import Problem
from zeroloss.studies.case import OnLaw, OnProblem
from zeroloss.studies.settings import LawSettings
from ledger.record.streams import stream

__all__ = ["build_law", "build_problem", "chunks", "independent_parameters", "path_parameters"]

# state of one batch of networks: about 20 MB in float64
_BATCH_NUMBERS = 2_600_000


def build_problem(case: OnProblem) -> Problem:
    """The problem of a case, on its device."""
    p = case.problem
    if p.kind == "csv":
        built = problems.from_csv(str(p.path), str(p.target), p.features, p.num_samples, case.seed,
                                  p.lift)
    else:
        built = problems.built_in(p.kind, p.num_samples, case.seed)
    return built.to(case.device)


def build_law(settings: LawSettings) -> InitialLaw:
    """ρ_ini of its settings."""
    return InitialLaw(**settings.model_dump())


def chunks(first: int, count: int, numbers_each: int, most: int = 64) -> list[range]:
    """Replicates in batches that stay near the processor's caches; ``most`` of them at once.

    Narrow layers want more replicates at once: calls cost more than their arithmetic there.
    """
    size = max(1, min(most, _BATCH_NUMBERS // numbers_each))
    return [range(i, min(i + size, first + count)) for i in range(first, first + count, size)]


def _tensor(arrays: list[NDArray[np.float64]], problem: Problem) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(problem.inputs.device)


def independent_parameters(case: OnLaw, problem: Problem, replicates: range,
                           num_layers: int, num_units: int) -> Tensor:
    """Independent layers of each replicate, from its own stream: (replicates, L, k, M)."""
    law = build_law(case.initial_law)
    return _tensor([
        laws.sample_independent(
            law, stream(case.seed, case.setting, "independent", num_layers, num_units, i),
            num_layers, num_units, problem.dim)
        for i in replicates], problem)


def path_parameters(case: OnLaw, problem: Problem, path: PathLaw, replicates: range,
                    times: NDArray[np.float64], num_units: int) -> Tensor:
    """Paths at ``times``: (replicates, len(times), k, M).

    The stream does not depend on ``times``: all depths and the continuous limit share paths.
    """
    law, name = build_law(case.initial_law), (case.seed, case.setting, repr(path), num_units)
    return _tensor([
        laws.sample_paths(law, path, stream(*name, i),
                          times, num_units, problem.dim)
        for i in replicates], problem)
