"""The names of problems and activations, and the size of a unit, once, and light to import.

Everyone else reads them here.

`problem.BUILT_IN` and `block.ACTIVATIONS` hold what the names mean; tests hold them to these.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ACTIVATIONS", "MOST_ROWS", "PROBLEMS", "REAL_DATA", "ActivationName", "ProblemName", "dim_theta"]

ProblemName = Literal["sine", "surface", "diabetes", "digits"]
ActivationName = Literal["tanh", "sigmoid", "gelu", "relu", "relu2", "regularised-relu", "identity"]

PROBLEMS: tuple[ProblemName, ...] = get_args(ProblemName)
ACTIVATIONS: tuple[ActivationName, ...] = get_args(ActivationName)
MOST_ROWS = {"diabetes": 442, "digits": 348}
"""Rows of the tables that ship with the libraries; of digits twice the rarer of its two classes."""
REAL_DATA = tuple(MOST_ROWS)
"""Problems whose rows were measured, not computed."""


def dim_theta(dim: int) -> int:
    """k = 2 d + 1, the number of parameters θ = (a, w, b) of one unit."""
    return 2 * dim + 1
