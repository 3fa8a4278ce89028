"""Runs one job of `size`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroloss.studies.running import run_kind
from zeroloss.studies.size import networks, predictions

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]

KINDS: dict[str, Callable[[Spec], pd.DataFrame]] = {
    "law": predictions.law,
    "theorem": predictions.theorem,
    "ensemble": networks.ensemble,
    "corollary": networks.corollary,
    "threshold": networks.threshold,
}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
