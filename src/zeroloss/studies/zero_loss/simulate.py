"""Runs one job of `zero_loss`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.running import run_kind
from zeroloss.studies.zero_loss import conditions, controls, density, descents, flows, line

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]

KINDS: dict[str, Callable[[Spec], pd.DataFrame]] = {
    "flow": flows.flow,
    "regularised": descents.regularised,
    "steps": descents.steps,
    "density": density.density,
    "weak-form": density.weak_form,
    "identity": controls.identity,
    "labels": controls.labels,
    "line": line.line,
    "parameters": controls.parameters,
    "origin": controls.origin,
    "root-scaling": controls.root_scaling,
    "conditions": conditions.conditions,
}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
