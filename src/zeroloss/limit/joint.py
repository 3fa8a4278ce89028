"""The fluctuations at several flow times together: Σ(s, s') from influence functions.

    r_network(s) = r(s) + A(s)/L + ξ(s)/√n,   E[ξ(s) ξ(s')ᵀ] = Σ(s, s') = ∫ Cov[ψ_s, ψ_s'] dt

for independent layers (n = L M), Cov[∫ψ_s dt, ∫ψ_s' dt] for constant paths (n = M): what the
largest deviation over training needs. All ψ live on the same particles of one rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from zeroloss.limit.flow import MeanField
from zeroloss.limit.fluctuation import influence
from zeroloss.integrate.runge_kutta import Trajectory

__all__ = ["joint_covariances"]

Array = NDArray[np.float64]


def joint_covariances(field: MeanField, trajectory: Trajectory, flow_times: Sequence[float],
                      dtype: torch.dtype = torch.float64) -> dict[str, Array]:
    """Σ(s, s') for ``independent`` layers and for ``path``: (T N, T N) each, time before sample.

    One influence function per flow time, on the trajectory of a recorded limit run. Raises
    ValueError for a flow time at which the trajectory does not stop.
    """
    found = [influence(field, trajectory, s, dtype) for s in flow_times]
    depth, weights = found[0].depth_weights, found[0].weights
    psi = np.concatenate([one.psi for one in found])  # (T N, n, particles)
    scaled = (psi * np.sqrt(depth[:, None] * weights)).reshape(len(psi), -1)
    path = np.einsum("iqj,q->ij", psi, depth) * np.sqrt(weights)
    return {"independent": scaled @ scaled.T, "path": path @ path.T}
