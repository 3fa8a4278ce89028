"""Claims and estimates to test with: the smallest that say something."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from ledger.config import yaml
from ledger.record import estimates
from ledger.record.claims import Claim

DEPTH = "toy.depth"
WIDTH = "toy.width"


def claim_entry(**changes: Any) -> dict[str, Any]:
    """A record of claims.yaml."""
    entry: dict[str, Any] = {
        "id": DEPTH,
        "title": "First order in depth",
        "statement": "the gap in $L$ is $O(1/L)$ at every flow time",
        "source": {"paper": "author2020title", "label": "thm:depth", "role": "sharp"},
        "estimator": "slope of log gap in log L",
        "predicate": [{"quantity": "slope_L", "inside": [-1.02, -0.98], "interval": "confidence"}],
        "level": 0.95,
        "tolerance": {"slope_L": {"abs": 0.01}},
        "kind": "theorem",
        "regime": {"replicates": 10, "sizes": 3},
        "history": [{"date": "2026-11-21", "changed": "stated", "text": "before any run"}],
        "negative_control": "the gap of a scheme of order 1/2",
        "budget_minutes": 1,
    }
    return entry | changes


def claim(**changes: Any) -> Claim:
    return Claim.model_validate(claim_entry(**changes))


def width_entry() -> dict[str, Any]:
    return claim_entry(
        id=WIDTH,
        title="Independent layers & 100 % of_them",
        statement=r"the standard deviation of the residuals decays like $(LM)^{-1/2}$",
        predicate=[
            {
                "quantity": "slope_M",
                "covers": -0.5,
                "max_half_width": 0.02,
                "cells": "sine.*",
                "interval": "confidence",
            },
            {"quantity": "distance", "at_most": 0.05, "interval": "confidence"},
        ],
        tolerance={"*": {"rel": 0.05}},
    )


def row(quantity: str = "slope_L", value: float = -1.0, half: float = 0.001, **changes: Any) -> dict[str, Any]:
    """A row of estimates."""
    content: dict[str, Any] = {
        "claim": DEPTH, "quantity": quantity, "cell": "sine.s4", "estimate": value,
        "lower": value - half, "upper": value + half, "interval": "95 %", "floor": 1.234e-9,
        "replicates": 100, "sizes": 4, "sources": "wide;narrow", "note": "",
    }  # fmt: skip
    return content | changes


def plain(quantity: str, value: float, **changes: Any) -> dict[str, Any]:
    """A row that no claim rests on."""
    bare: dict[str, Any] = dict.fromkeys(("lower", "upper", "floor"), math.nan)
    return row(quantity, value) | bare | {"claim": "", "interval": "", "replicates": None, "sizes": None} | changes


def rows() -> list[dict[str, Any]]:
    return [
        row("slope_L", -0.99834, 0.00123),
        row("slope_L", -1.0021, 0.0031, cell="sine.s0"),
        row("slope_M", -0.4987, 0.0081, claim=WIDTH, cell="sine.s4"),
        row("slope_M", -0.45, 0.2, claim=WIDTH, cell="digits.s4", note="no predicate, only shown"),
        row("distance", 1.31e-9, 2.1e-11, claim=WIDTH, replicates=2000, sources="wide"),
        plain("risk", 1.2345678e-5),
        plain("num_samples", 8.0, sources=""),
    ]


def frame(*entries: dict[str, Any]) -> pd.DataFrame:
    """A checked table of estimates of the study `toy`, with keys."""
    content = pd.DataFrame(list(entries), columns=list(estimates.COLUMNS))
    return estimates.with_keys(estimates.check(content, "toy"), "toy")


def write_claims(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(yaml.block(list(entries or (claim_entry(), width_entry()))))
    return path
