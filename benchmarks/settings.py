"""How large each work is: the sizes that are published, and small ones that show that all runs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.networks import JAX
from benchmarks.peers_torch import FUNC, MODULES
from benchmarks.roofline import Probe
from benchmarks.rows import OURS
from benchmarks.scaling import Sweep
from benchmarks.timing import Effort
from benchmarks.workload import Shape

__all__ = ["FULL", "SMOKE", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Sizes of all works."""

    shape: Shape
    gradient_effort: Effort
    training_effort: Effort
    scaling_effort: Effort
    probe: Probe
    sweep: Sweep
    memory_steps: tuple[int, ...]
    memory_of: tuple[str, ...]


_SMALL = Shape(networks=2, L=3, M=16, N=4, steps=3)

FULL = Settings(
    shape=Shape(),
    gradient_effort=Effort(repeats=15, seconds=0.3),
    training_effort=Effort(repeats=9, seconds=0.1),
    scaling_effort=Effort(repeats=7, seconds=0.1),
    probe=Probe(),
    sweep=Sweep(),
    memory_steps=(5, 50, 200),
    memory_of=(OURS, MODULES, FUNC, *JAX),
)
SMOKE = Settings(
    shape=_SMALL,
    gradient_effort=Effort(repeats=2, seconds=0.002),
    training_effort=Effort(repeats=2, seconds=0.002),
    scaling_effort=Effort(repeats=2, seconds=0.002),
    probe=Probe(matrix=64, elements=1 << 10, near_bytes=1 << 16, far_bytes=1 << 22, seconds=0.01),
    sweep=Sweep(_SMALL, (1, 2, 4)),
    memory_steps=(2, 4),
    memory_of=(OURS, MODULES),
)
