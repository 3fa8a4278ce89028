"""Runs one job of `zero_loss`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.running import run_kind
from zeroloss.studies.zero_loss import density, descents, flows

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]

KINDS: dict[str, Callable[[Spec], pd.DataFrame]] = {
    "flow": flows.flow,
    "regularised": descents.regularised,
    "steps": descents.steps,
    "density": density.density,
    "weak-form": density.weak_form,
}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
