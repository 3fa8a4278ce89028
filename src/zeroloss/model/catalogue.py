"""The names of problems and activations, once, and light to import: everyone else reads them here.

`problem.BUILT_IN` and `block.ACTIVATIONS` hold what the names mean; tests hold them to these.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ACTIVATIONS", "MOST_ROWS", "PROBLEMS", "ActivationName", "ProblemName"]

ProblemName = Literal["sine", "surface", "diabetes", "digits"]
ActivationName = Literal["tanh", "sigmoid", "gelu", "relu", "relu2", "regularised-relu", "identity"]

PROBLEMS: tuple[ProblemName, ...] = get_args(ProblemName)
ACTIVATIONS: tuple[ActivationName, ...] = get_args(ActivationName)
MOST_ROWS = {"diabetes": 442, "digits": 348}
"""Rows of the tables that ship with the libraries; of digits twice the rarer of its two classes."""
