"""The controller of steps in training time s, said once: the numbers of every integrator here.

An integrator of order p compares two of its results; the scaled error e ≤ 1 accepts, and the next
step it tries is

    h · min(GROWTH, max(SHRINKAGE, SAFETY e^{−1/p}))

Before an output time the step is stretched to it, or halved if twice the step would pass it, so
that none is tiny; a step cut short so says nothing against the longer one. A value that is not
finite has e = ∞, and a step below SHORTEST (1 + s) is given up. What e measures, and its power,
each integrator states: a batch of replicates in torch (`runge_kutta`), one flow in Python
(`exponential`), one network in C (`engine.c`).
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["GROWTH", "LEAST_ERROR", "SAFETY", "SHORTEST", "SHRINKAGE", "check"]

SAFETY = 0.9
SHRINKAGE = 0.2
GROWTH = 5.0
LEAST_ERROR = 1e-10  # a smaller one counts as this
SHORTEST = 1e-12  # step that is given up, relative to 1 + s


def check(rtol: float, atol: float, outputs: Sequence[float]) -> None:
    """Raise ValueError unless tolerances are above 0 and output times increase from 0 on."""
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol and atol must be above 0, got {rtol} and {atol}; set rtol")
    if not outputs or min(outputs) < 0 or list(outputs) != sorted(set(outputs)):
        raise ValueError(f"flow_times must be increasing and at least 0, got {list(outputs)}; set flow_times")
