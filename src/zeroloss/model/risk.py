"""The risk ½ mean |r|² of random residuals; nothing heavy is imported here."""

from __future__ import annotations

import numpy as np

from zeroloss.model.arrays import Array

__all__ = ["draw_risks"]


def draw_risks(mean: Array, covariance: Array, draws: int, rng: np.random.Generator) -> Array:
    """Independent draws of ½ mean |r|² for r ~ N(mean, covariance): (draws,).

    mean (N,), covariance (N, N).
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(min=0.0))
    xi = rng.standard_normal((draws, len(values))) @ root.T
    return 0.5 * np.mean((mean + xi) ** 2, axis=1)
