"""What the figures of `limits` read: one setting's evidence, estimates by cell, legend entries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from figures import style
from ledger.paper.drawing import Frames
from ledger.study import Run
from zeroloss.studies.limits.evidence import Evidence
from zeroloss.studies.limits.plan import Ensemble, LimitCase, Reference
from zeroloss.theory.covariance import Trace

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


def traces(evidence: Evidence, setting: str, sampling: str, depths: Sequence[int]) -> Array | None:
    """tr Σ_L (depths, flow_times) at the networks' own depths, None where the run predicts no Σ.

    At a depth that is not predicted: the polynomial in 1/L through those that were for the slope in L,
    and without these the limit.
    """
    known = {L: _trace(evidence, setting, sampling, L) for L in {0, *depths}}
    nodes, in_depth, _ = evidence.traces_in_depth(setting, sampling)
    if known[0] is None:
        return None
    if len(nodes):
        inverse = np.divide(1.0, nodes, where=nodes > 0, out=np.zeros(len(nodes)))
        powers = np.polynomial.polynomial.polyfit(inverse, in_depth.mean(0), len(nodes) - 1)
        between = {L: np.polynomial.polynomial.polyval(1.0 / L, powers) for L in depths}
    else:
        between = dict.fromkeys(depths, known[0])
    return np.array([between[L] if known[L] is None else known[L] for L in depths])


def _trace(evidence: Evidence, setting: str, sampling: str, num_layers: int) -> Array | None:
    """tr Σ_L (flow_times,) as it is judged, of the limit for num_layers 0; None where not predicted."""
    try:
        sigma, _ = evidence.covariance(setting, sampling, num_layers)
    except ValueError:
        return None
    return np.array([Trace.of(found).value for found in np.trace(sigma, axis1=-2, axis2=-1).T])


def time_entries(times: tuple[float, ...]) -> list[Line2D]:
    """Legend entries of training times."""
    return [
        *map(style.entry, map(style.time_label, times), style.colours(len(times)), ["none"] * len(times), style.MARKERS)
    ]
