"""Runs one job of `linear`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.linear import bridge, momentum, trajectories
from zeroloss.studies.running import run_kind

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]

KINDS: dict[str, Callable[[Spec], pd.DataFrame]] = {
    "follow": trajectories.follow,
    "ends": trajectories.ends,
    "portrait": trajectories.portrait,
    "stages": trajectories.stages,
    "unbalanced": trajectories.unbalanced,
    "momentum": momentum.momentum,
    "bridge": bridge.bridge,
}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
