"""The least risk that a negative control can reach, from its data alone."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression

from zeroloss.model.arrays import Array


def _risk(residuals: Array) -> float:
    return float(0.5 * np.mean(residuals**2))


def affine_floor(inputs: Array, targets: Array) -> float:
    """Risk of the best affine predictor of targets (N,) from inputs (N, d): least squares."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    coefficients = np.linalg.lstsq(design, targets, rcond=None)[0]
    return _risk(targets - design @ coefficients)


def constant_floor(targets: Array) -> float:
    """Risk of the best constant: half the variance of the targets (N,)."""
    return _risk(targets - targets.mean())


def monotone_floor(inputs: Array, targets: Array) -> float:
    """Least risk of the non-decreasing functions of inputs (N,): isotonic regression.

    An increasing function, such as a flow on a line gives, comes as near as one likes and never
    below. Raises ValueError for equal inputs, whose order is not defined.
    """
    if len(np.unique(inputs)) < len(inputs):
        raise ValueError(
            f"inputs must differ, got {len(inputs) - len(np.unique(inputs))} repeated; drop them, or use grouped_floor"
        )
    y = targets[np.argsort(inputs)]
    return _risk(y - isotonic_regression(y).x)


def grouped_floor(inputs: Array, targets: Array) -> float:
    """Risk of the means over groups of equal inputs (N, d): half the variance within groups."""
    _, group = np.unique(inputs, axis=0, return_inverse=True)
    group = group.ravel()
    means = np.bincount(group, targets) / np.bincount(group)
    return _risk(targets - means[group])
