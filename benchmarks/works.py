"""The works by name, each from settings to rows; one runs in a process of its own.

`python -m benchmarks.works NAME OUT [--smoke]` writes the rows as JSON to OUT.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import (
    fluctuations,
    limits,
    memory,
    networks,
    pipeline,
    reference,
    roofline,
    scaling,
)
from benchmarks.rows import Row
from benchmarks.settings import FULL, SMOKE, Settings
from ledger.record import results

__all__ = ["WORKS"]


def _gradient(settings: Settings) -> list[Row]:
    """W1, and in the same run what the machine can do at most."""
    measured = roofline.rates(settings.probe)
    rows = networks.gradient(settings.shape, settings.gradient_effort)
    return [*rows, *measured, *roofline.bounds(settings.shape, [*rows, *measured])]


def _training(settings: Settings) -> list[Row]:
    return networks.training(settings.shape, settings.training_effort)


def _scaling(settings: Settings) -> list[Row]:
    return [*scaling.exponents(settings.sweep, settings.scaling_effort),
            *scaling.threads(settings.shape, settings.gradient_effort)]


def _memory(settings: Settings) -> list[Row]:
    return memory.descent_memory(settings.shape, settings.memory_steps, settings.memory_of)


def _limit(settings: Settings) -> list[Row]:
    """W3: each case against its stored reference (in a smoke test, against one made on the way)."""
    rows = []
    for case in settings.limit_cases:
        refined = settings.refined
        truth = reference.known(case) if refined is None else reference.refine(case, refined)
        rows += limits.limits(case, truth, settings.ladder, settings.limit_search,
                              settings.limit_effort)
    return rows


def _influence(settings: Settings) -> list[Row]:
    """W4: on the first of the limits."""
    return fluctuations.fluctuations(settings.limit_cases[0], settings.target,
                                     settings.limit_effort)


def _pipeline(settings: Settings) -> list[Row]:
    """The same whatever the sizes of the others."""
    del settings
    return pipeline.pipeline()


WORKS: dict[str, Callable[[Settings], list[Row]]] = {
    "w1": _gradient, "w2": _training, "scaling": _scaling, "memory": _memory,
    "w3": _limit,
    "w4": _influence, "pipeline": _pipeline,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one work and write its rows."""
    parser = argparse.ArgumentParser(description="one work of the benchmark")
    parser.add_argument("name", choices=WORKS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--smoke", action="store_true")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settings = SMOKE if asked.smoke else FULL
    rows = [row.plain() for row in WORKS[asked.name](settings)]
    results.write_json(asked.out, {"rows": rows, "settings": asdict(settings)})


if __name__ == "__main__":
    main()
