"""What the figures of `limits` read: one setting's evidence, estimates by cell, legend entries."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from figures import style
from ledger.paper.drawing import Frames
from ledger.study import Run
from zeroloss.studies.limits.evidence import Evidence
from zeroloss.studies.limits.plan import Ensemble, LimitCase, Reference

Array = np.ndarray


def evidence_of(frames: Frames, setting: str) -> Evidence:
    """The evidence on one setting alone: what other settings weigh is not read."""
    cases = {name: case for name, case in frames.cases.items() if isinstance(case, LimitCase)}
    return Evidence(Run({name: case for name, case in cases.items() if case.setting == setting}, frames.tables))


def main_setting(frames: Frames) -> str:
    """The setting that was run at most sizes; the first one if no network was run."""
    cases = frames.cases.values()
    sizes: dict[str, set[tuple[int, int]]] = {case.setting: set() for case in cases if isinstance(case, Reference)}
    for case in cases:
        if isinstance(case, Ensemble):  # a size may be spread over many cases
            sizes[case.setting] |= {(z.num_layers, z.num_units) for z in case.sizes}
    return max(sizes, key=lambda name: len(sizes[name]))


def estimate(frames: Frames, claim: str, quantity: str, where: str) -> pd.Series | None:
    """The row of an estimate, None if the run has none; ``quantity`` may be the start of it."""
    table = frames.estimates
    found = table[(table.claim == claim) & table.quantity.str.startswith(quantity) & (table.cell == where)]
    return None if found.empty else found.iloc[0]


def limit_traces(evidence: Evidence, setting: str, sampling: str) -> Array | None:
    """trace Σ (flow_times,) of the limit, None where the run does not predict it."""
    try:
        sigma, _ = evidence.covariance(setting, sampling, 0)
    except ValueError:
        return None
    return np.trace(sigma, axis1=-2, axis2=-1).mean(0)


def time_entries(times: tuple[float, ...]) -> list[Line2D]:
    """Legend entries of training times."""
    return [
        *map(style.entry, map(style.time_label, times), style.colours(len(times)), ["none"] * len(times), style.MARKERS)
    ]
