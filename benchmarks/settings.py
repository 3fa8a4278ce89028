"""How large each work is: the sizes that are published, and small ones that show that all runs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.brute import Ladder
from benchmarks.fluctuations import Target
from benchmarks.limit_cases import LimitCase
from benchmarks.limits import Search
from benchmarks.networks import JAX
from benchmarks.peers_torch import FUNC, MODULES
from benchmarks.reference import Resolution
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
    limit_cases: tuple[LimitCase, ...]
    limit_search: Search
    limit_effort: Effort
    ladder: Ladder
    refined: Resolution | None  # None: the stored one
    target: Target


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
    limit_cases=(
        LimitCase("sine", 8, (1.0, 1.0, 1.0), (1e-3, 1e-4, 1e-5),
                  options={"max_log2_points": 17}),
        LimitCase("diabetes", 32, (2.0, 0.5, 0.5), (1e-3,), options={"max_log2_points": 12}),
    ),
    limit_search=Search(),
    limit_effort=Effort(repeats=5, seconds=0.05),
    ladder=Ladder(((16, 64, 256), (32, 128, 128), (64, 256, 64), (128, 512, 24), (256, 1024, 8),
                   (512, 2048, 4)), rtol=1e-5, budget=30.0),
    refined=None,
    target=Target(error=0.01, log2_points=(8, 9, 10, 11, 12, 13), truth_points=14,
                  scrambles=8, rtol=1e-5, rtols=(1e-3, 1e-5, 1e-7, 1e-9)),
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
    limit_cases=(
        LimitCase("sine", 4, (1.0, 1.0, 1.0), (0.2,), flow_time=0.5, depth_nodes=2,
                  options={"log2_points": 5, "max_log2_points": 5, "scrambles": 2}),
    ),
    limit_search=Search((1e-3, 1e-5), log2_points=4, most=5, fine_nodes=6),
    limit_effort=Effort(repeats=2, seconds=0.001),
    ladder=Ladder(((2, 8, 4), (4, 16, 3)), rtol=1e-3, budget=5.0),
    refined=Resolution(6, 2, 3, 1e-4),
    target=Target(0.5, (4, 5), truth_points=5, scrambles=2, rtol=1e-2, rtols=(1e-2,)),
)
