"""What the functions for one's own problems are given, checked before anything is computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import Problem

__all__ = ["check_subject", "flow_times_of"]


def check_subject(problem: Problem, law: InitialLaw) -> None:
    """Raise TypeError unless these are a problem and an initial law, with how to make one."""
    if not isinstance(problem, Problem):
        raise TypeError(
            f"problem must be a Problem, got {problem!r:.80}; make one by problem, built_in or from_csv of "
            "zeroloss.model.problem"
        )
    if not isinstance(law, InitialLaw):
        raise TypeError(f"law must be an InitialLaw, got {law!r:.80}; pass zeroloss.model.law.InitialLaw('gaussian')")


def flow_times_of(flow_time: ArrayLike) -> tuple[float, ...]:
    """One flow time or several: a number, or a list, array or series of numbers.

    Raises ValueError unless they are finite, at least 0 and increase.

    >>> flow_times_of(2), flow_times_of(np.array([0.0, 0.5]))
    ((2.0,), (0.0, 0.5))
    """
    times = np.atleast_1d(np.asarray(flow_time, dtype=np.float64))
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(
            f"flow_time must be a number, or numbers that increase, finite and at least 0, got {times.tolist()}; "
            "pass training times such as [0, 10]"
        )
    return tuple(times.tolist())
