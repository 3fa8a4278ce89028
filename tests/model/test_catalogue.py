"""One list of problems and one of activations: whatever says what the names mean has just these."""

from __future__ import annotations

import re
from pathlib import Path

from zeroloss.model import block, catalogue, problem
from zeroloss.network import engine
from zeroloss.theory import sizing_report


def test_the_names_are_those_that_mean_something() -> None:
    assert tuple(problem.BUILT_IN) == catalogue.PROBLEMS
    assert tuple(block.ACTIVATIONS) == catalogue.ACTIVATIONS
    assert set(catalogue.MOST_ROWS) < set(catalogue.PROBLEMS)
    assert tuple(sizing_report.SAMPLES) == catalogue.PROBLEMS


def test_the_engine_counts_activations_in_the_same_order() -> None:
    source = Path(engine.__file__).with_name("engine.c").read_text(encoding="utf-8")
    names = re.search(r"enum \{ (TANH[^}]*) \}", source)
    assert names is not None
    counted = names.group(1).lower().replace("_", "-").split(", ")
    assert tuple(counted) == catalogue.ACTIVATIONS
