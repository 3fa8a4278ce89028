"""The works by name, each from settings to rows, and how large each is: the sizes that are
published, and small ones that show that all runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from benchmarks import memory, networks, reference, roofline, scaling
from benchmarks.brute import Ladder
from benchmarks.fluctuations import Target, fluctuations
from benchmarks.limit_cases import LimitCase
from benchmarks.limits import Search, limits
from benchmarks.pipeline import pipeline
from benchmarks.rows import OURS, Row
from benchmarks.timing import Effort
from benchmarks.workload import Shape

__all__ = ["SMOKE", "WORKS", "Settings", "measure"]


@dataclass(frozen=True)
class Settings:
    """Sizes of all works."""

    shape: Shape = field(default_factory=Shape)
    gradient_effort: Effort = field(default_factory=lambda: Effort(repeats=15, seconds=0.3))
    training_effort: Effort = field(default_factory=lambda: Effort(repeats=9, seconds=0.1))
    scaling_effort: Effort = field(default_factory=lambda: Effort(repeats=7, seconds=0.1))
    probe: roofline.Probe = field(default_factory=roofline.Probe)
    sweep: scaling.Sweep = field(default_factory=scaling.Sweep)
    memory_steps: tuple[int, ...] = (5, 50, 200)
    memory_of: tuple[str, ...] = (OURS, *networks.PEERS["training"], *networks.JAX)
    limit_cases: tuple[LimitCase, ...] = (
        LimitCase("sine", 8, (1.0, 1.0, 1.0), (1e-3, 1e-4, 1e-5), options={"max_log2_points": 17}),
        LimitCase("diabetes", 32, (2.0, 0.5, 0.5), (1e-3,), options={"max_log2_points": 12}),
    )
    limit_search: Search = field(default_factory=Search)
    limit_effort: Effort = field(default_factory=lambda: Effort(repeats=5, seconds=0.05))
    ladder: Ladder = field(default_factory=Ladder)
    refined: reference.Resolution | None = None  # None: the stored one
    target: Target = field(default_factory=Target)


_SHAPE, _EFFORT = Shape(networks=2, L=3, M=16, N=4, steps=3), Effort(repeats=2, seconds=0.002)
SMOKE = Settings(
    _SHAPE,
    _EFFORT,
    _EFFORT,
    _EFFORT,
    roofline.Probe(matrix=64, elements=1 << 10, near_bytes=1 << 16, far_bytes=1 << 22, seconds=0.01),
    scaling.Sweep(_SHAPE, (1, 2, 4)),
    memory_steps=(2, 4),
    limit_cases=(
        LimitCase("sine", 4, (1.0, 1.0, 1.0), (0.2,), 0.5, 2, {"log2_points": 5, "max_log2_points": 5, "scrambles": 2}),
    ),
    limit_search=Search((1e-3, 1e-5), log2_points=4, most=5, fine_nodes=6),
    limit_effort=_EFFORT,
    ladder=Ladder(((2, 8, 4), (4, 16, 3)), rtol=1e-3, budget=5.0),
    refined=reference.Resolution(6, 2, 3, 1e-4),
    target=Target(0.5, (4, 5), truth_points=5, scrambles=2, rtol=1e-2, rtols=(1e-2,)),
)


def _gradient(settings: Settings) -> list[Row]:
    """W1, and in the same run what the machine can do at most."""
    rows = [*networks.measure("gradient", settings.shape, settings.gradient_effort), *roofline.rates(settings.probe)]
    return [*rows, *roofline.bounds(settings.shape, rows)]


def _limit(settings: Settings) -> list[Row]:
    """W3: each case against its stored reference (in a smoke test, against one made on the way)."""
    rows = []
    for case in settings.limit_cases:
        refined = settings.refined
        truth = reference.known(case) if refined is None else reference.refine(case, refined)
        rows += limits(case, truth, settings.ladder, settings.limit_search, settings.limit_effort)
    return rows


WORKS: dict[str, Callable[[Settings], list[Row]]] = {
    "w1": _gradient,
    "w2": lambda s: networks.measure("training", s.shape, s.training_effort),
    "scaling": lambda s: [*scaling.exponents(s.sweep, s.scaling_effort), *scaling.threads(s.shape, s.gradient_effort)],
    "memory": lambda s: memory.descent_memory(s.shape, s.memory_steps, s.memory_of),
    "w3": _limit,
    "w4": lambda s: fluctuations(s.limit_cases[0], s.target, s.limit_effort),
    "pipeline": lambda _: pipeline(),  # the same whatever the sizes of the others
}


def measure(name: str, settings: Settings) -> list[Row]:
    """The rows of one work, on one thread."""
    torch.set_num_threads(1)
    return WORKS[name](settings)
