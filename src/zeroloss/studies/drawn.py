"""Random numbers of replicates, each of which has its own stream."""

from __future__ import annotations

import numpy as np

from ledger.record.streams import stream
from zeroloss.model.arrays import Array

__all__ = ["normals", "sphere", "streams"]


def streams(count: int, *name: str | int) -> list[np.random.Generator]:
    """The streams of replicates 0 … count − 1 of what is named."""
    return [stream(*name, replicate) for replicate in range(count)]


def normals(count: int, shape: tuple[int, ...], *name: str | int) -> Array:
    """Standard normal numbers of each replicate from its stream: (count, *shape)."""
    return np.stack([rng.standard_normal(shape) for rng in streams(count, *name)])


def sphere(rng: np.random.Generator, rows: int, d: int) -> Array:
    """Uniform unit vectors (rows, d)."""
    g = rng.standard_normal((rows, d))
    return g / np.linalg.norm(g, axis=1, keepdims=True)
