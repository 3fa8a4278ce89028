"""What a flow shows at its end, as far as the numbers tell."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["RESOLVED", "at_end", "log10_end"]

Array = np.ndarray
RESOLVED = 1e5  # times the floor of the risk: there round-off is a thousandth of the residuals


def log10_end(risk: Array, floor: float) -> float:
    """log₁₀ of the last risk; of the floor where it is less, since all below is round-off."""
    return math.log10(max(risk[-1], floor))


def at_end(risk: Array, values: Array, floor: float) -> float:
    """One of the values (points,): where the risk (points,) first comes down to RESOLVED floors, or
    at the last point if it never does.

    The last bits of a processor choose the last steps, and how far below the floor they lead. At a
    stated risk, linear in its logarithm between the points about it, the value does not depend on
    them: in the tail s is linear in log E, and so is the logarithm of what is linear in the residuals.
    """
    level = RESOLVED * floor
    if risk[-1] > level:
        return float(values[-1])
    i = int(np.argmax(risk <= level))
    about = slice(max(i - 1, 0), i + 1)
    return float(np.interp(math.log(level), np.log(risk[about])[::-1], values[about][::-1]))
