"""Runs one job of `limits`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.limits import networks, references
from zeroloss.studies.running import run_kind

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]

KINDS: dict[str, Callable[[Spec], pd.DataFrame]] = {
    "reference": references.reference,
    "ladder": references.ladder,
    "wide": references.wide,
    "influence": references.influence_covariances,
    "pairs": references.pairs,
    "portrait": references.portrait,
    "ensemble": networks.ensemble,
    "smooth": networks.smooth,
    "fixed-paths": networks.fixed_paths,
    "rough": networks.rough,
    "commute": networks.commute,
    "energy": networks.energy,
}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
