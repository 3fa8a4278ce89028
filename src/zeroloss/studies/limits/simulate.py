"""Runs one job of `limits`: a kind of simulation by name, to a tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import torch

from zeroloss.studies.limits import networks, references

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
    """The rows of one job; deterministic, on one thread, whatever else runs.

    Raises ValueError for an unknown kind, FloatingPointError for a value that is not finite.
    """
    if spec["kind"] not in KINDS:
        raise ValueError(f"unknown kind {spec['kind']!r}; choose one of {', '.join(KINDS)}")
    if spec["device"] == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds none; set device: cpu")
    torch.set_num_threads(1)
    table = KINDS[spec["kind"]](spec)
    values = table.select_dtypes("number")
    if not bool((values.abs() < float("inf")).all().all()):
        column = next(c for c in values if not bool((values[c].abs() < float("inf")).all()))
        raise FloatingPointError(f"{column} is not finite in a job of kind {spec['kind']}; "
                                 "reduce the scales of the law or rtol")
    return table
