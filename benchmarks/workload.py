"""The work of W1 and W2: many networks on one problem, and how much arithmetic it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ledger.record.streams import stream
from zeroloss.model.law import InitialLaw, sample_independent
from zeroloss.model.problem import Problem, built_in

__all__ = ["Shape", "Workload", "bytes_held", "bytes_moved", "flops", "tanh_evaluations", "workload"]

LAW = InitialLaw("gaussian", scale_a=1.0, scale_w=1.0, scale_b=1.0)


@dataclass(frozen=True)
class Shape:
    """How many networks of L layers and M units on N samples in d = 2; steps of descent, each of
    length ``step`` in flow time."""

    networks: int = 16
    L: int = 32
    M: int = 512
    N: int = 16
    steps: int = 50
    step: float = 0.1

    d = 2

    @property
    def particles(self) -> int:
        """networks · L · M: units of all networks."""
        return self.networks * self.L * self.M


def tanh_evaluations(shape: Shape) -> int:
    """networks · L · M · N: one per unit and sample, since tanh' = 1 − tanh² comes from it."""
    return shape.particles * shape.N


def flops(shape: Shape) -> int:
    r"""Additions and multiplications of one risk and gradient, tanh left out.

    A sum of n products is n multiplications and n − 1 additions, and one more addition where it
    is added to something. Per network, with d the dimension of the features:

        forward, each layer:   u = w·z + b            N M 2d
                               Σ_m a h                N d (2M − 1)
                               z + scale Σ            N 2d
        readout:               g·z − y                N 2d
                               (Σ r²)/(2N)            2N
                               p = (r/N) g            N (1 + d)
        adjoint, each layer:   (1 − h²) (p·a)         N M (2 + (2d − 1) + 1)
                               Σ_n p h, Σ_n z q       2 M d (2N − 1)
                               Σ_n q                  M (N − 1)
        adjoint, all but the first layer:
                               p + scale Σ_m q w      N d (2M − 1) + N 2d

    To leading order (12 d + 3) L M N.
    """
    L, M, N, d = shape.L, shape.M, shape.N, shape.d
    forward = L * (N * M * 2 * d + N * d * (2 * M - 1) + N * 2 * d)
    readout = N * 2 * d + 2 * N + N * (1 + d)
    adjoint = L * (N * M * (2 * d + 2) + 2 * M * d * (2 * N - 1) + M * (N - 1))
    adjoint += (L - 1) * (N * d * (2 * M - 1) + N * 2 * d)
    return shape.networks * (forward + readout + adjoint)


def bytes_moved(shape: Shape, item: int = 8) -> int:
    """Parameters read once and gradients written once: what no gradient can avoid.

    The stored activations of one network can stay in cache, or be computed again.
    """
    return 2 * shape.particles * (2 * shape.d + 1) * item


def bytes_held(shape: Shape, item: int = 8) -> int:
    """Parameters, gradients and one stored activation per unit and sample of all networks."""
    return shape.particles * (2 * (2 * shape.d + 1) + shape.N) * item


@dataclass(frozen=True)
class Workload:
    """Networks of a shape: the problem and theta (networks, L, dim_theta, M)."""

    shape: Shape
    problem: Problem
    theta: Tensor

    @property
    def scale(self) -> float:
        """1/(L M), in front of the sum over units."""
        return 1.0 / (self.shape.L * self.shape.M)


def workload(shape: Shape, dtype: torch.dtype = torch.float64) -> Workload:
    """Independent layers of ρ_ini = N(0, I), a stream per network, on the problem `sine`."""
    problem = built_in("sine", shape.N, 0)
    parts = {name: getattr(problem, name).to(dtype) for name in ("inputs", "targets", "readout")}
    theta = np.stack(
        [sample_independent(LAW, stream(0, "bench", i), shape.L, shape.M, shape.d) for i in range(shape.networks)]
    )
    return Workload(shape, replace(problem, **parts), torch.from_numpy(theta).to(dtype))
