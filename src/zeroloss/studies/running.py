"""How a study runs one job by its kind: on one thread, and nothing that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import torch

__all__ = ["run_kind"]

Spec = dict[str, Any]


def run_kind(kinds: Mapping[str, Callable[[Spec], pd.DataFrame]], spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs.

    Raises ValueError for an unknown kind, FloatingPointError for a value that is not finite.
    """
    if spec["kind"] not in kinds:
        raise ValueError(f"unknown kind {spec['kind']!r}; choose one of {', '.join(kinds)}")
    if spec["device"] == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds none; set device: cpu")
    torch.set_num_threads(1)
    table = kinds[spec["kind"]](spec)
    values = table.select_dtypes("number")
    if not bool((values.abs() < float("inf")).all().all()):
        column = next(c for c in values if not bool((values[c].abs() < float("inf")).all()))
        raise FloatingPointError(f"{column} is not finite in a job of kind {spec['kind']}; "
                                 "reduce the scales of the law or rtol")
    return table
