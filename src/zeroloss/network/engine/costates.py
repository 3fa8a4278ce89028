"""Derivatives of the gradient of a cloud of particles along costates, by the compiled engine.

What `zeroloss.limit.fluctuation` says in torch, five times as fast: a block of units serves all outputs
while it is in cache.
"""

from __future__ import annotations

import ctypes
from typing import Any

from torch import Tensor

from zeroloss.network.engine import call, filled, raise_for

__all__ = ["MULTIPLE", "Costates"]

MULTIPLE = 16  # of particles, so that all vectors are full


class _Costates(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("outputs", "nodes", "N", "d", "nv")] + [
        (name, ctypes.c_void_p) for name in ("z", "p", "theta", "masses", "value", "slope", "push", "bend")
    ]


class Costates:
    """One point of a cloud's flow, for derivatives of its gradient along costates: Z and P (n, N, d),
    theta (n, k, particles), masses (particles,), and σ, σ', (a·P) σ', (a·P) σ'' (n, N, particles), all
    of one type, float32 or float64. The particles must be a multiple of 16."""

    def __init__(self, z: Tensor, p: Tensor, theta: Tensor, masses: Tensor, *values: Tensor) -> None:
        self.lanes = 64 // theta.element_size()
        packed = [part.unflatten(-1, (-1, self.lanes)).transpose(1, 2) for part in values]  # samples innermost
        self.parts = [part.contiguous() for part in (z, p, theta, masses, *packed)]

    def _struct(self, costates: Tensor) -> Any:
        z, _, theta, *_ = self.parts
        return filled(_Costates, len(costates), *z.shape, theta.shape[-1] // self.lanes, *self.parts)

    def held(self, costates: Tensor) -> tuple[Tensor, Tensor]:
        """Ḟ and J̇ᵀP (outputs, n, N, d) of costates (outputs, n, k, particles) with Z and P held."""
        force, turn = costates.new_empty((2, len(costates), *self.parts[0].shape))
        struct = self._struct(costates)
        raise_for(call("engine_held", ctypes.byref(struct), costates, force, turn), 0, 0.0)
        return force, turn

    def moved(self, costates: Tensor, zdot: Tensor, pdot: Tensor) -> Tensor:
        """Σ_n Ṗᵀf + Pᵀ∂_z f Ż (outputs, n, particles); the costates become N D[∇_θ δE/δρ] along them."""
        change = costates.new_empty((*costates.shape[:2], costates.shape[-1]))
        struct, parts = self._struct(costates), (zdot.contiguous(), pdot.contiguous(), costates, change)
        raise_for(call("engine_moved", ctypes.byref(struct), *parts), 0, 0.0)
        return change
