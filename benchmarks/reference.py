"""E(ρ(s)) to far more digits than W3 asks for: what its errors are measured against.

`python -m benchmarks.reference sine diabetes` computes them once, in minutes, into reference.json;
the rule in θ has scrambles of its own, more points, more nodes in depth and smaller steps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.limit_cases import LimitCase, cloud_risks
from benchmarks.machine import describe
from ledger.record import results
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import student

__all__ = ["FILE", "Refined", "Resolution", "known", "refine"]

FILE = Path(__file__).resolve().parent / "reference.json"
PROBE_POINTS = 9  # errors of depth and step hardly depend on the rule in θ


@dataclass(frozen=True)
class Resolution:
    """Points, scrambles, nodes in depth and tolerance in s of a refined run."""

    log2_points: int
    scrambles: int
    depth_nodes: int
    rtol: float


RESOLUTIONS = {"sine": Resolution(18, 16, 5, 1e-6), "diabetes": Resolution(15, 16, 5, 1e-5)}


class Refined(NamedTuple):
    """E(ρ(s)) and the sum of what is known of its error."""

    risk: float
    error: float


def refine(case: LimitCase, resolution: Resolution) -> Refined:
    """The mean over scrambles; error of rule (Student), depth (one node less), step (100 rtol)."""
    r, n = resolution, resolution.depth_nodes
    mean = student(cloud_risks(case, r.log2_points, r.scrambles, r.rtol, n), CONFIDENCE)
    base, fewer, looser = (
        float(cloud_risks(case, min(PROBE_POINTS, r.log2_points), 1, rtol, nodes)[0])
        for nodes, rtol in ((n, r.rtol), (n - 1, r.rtol), (n, 100 * r.rtol))
    )
    return Refined(mean.value, mean.half_width + abs(fewer - base) + abs(looser - base))


def known(case: LimitCase) -> Refined:
    """The stored number of a case; raises ResultError when none was computed for it."""
    stored = results.read_json(FILE).get(case.name)
    if stored is None or stored["case"] != _key(case):
        raise results.ResultError(
            f"{FILE.name} holds no E(ρ(s)) of {case.name} as it is now; run python -m benchmarks.reference {case.name}"
        )
    return Refined(stored["risk"], stored["error"])


def _key(case: LimitCase) -> dict[str, Any]:
    return {"num_samples": case.num_samples, "scales": list(case.scales), "flow_time": case.flow_time}


def main(names: Sequence[str]) -> None:
    """Compute and store the cases of these names."""
    from benchmarks.works import Settings

    torch.set_num_threads(1)
    for case in [case for case in Settings().limit_cases if case.name in names]:
        begun = time.process_time()
        resolution = RESOLUTIONS[case.name]
        found = refine(case, resolution)
        stored = results.read_json(FILE) if FILE.exists() else {}
        stored[case.name] = {
            **found._asdict(),
            "case": _key(case),
            "resolution": asdict(resolution),
            "cpu_seconds": round(time.process_time() - begun, 1),
            **describe(),
        }
        results.write_json(FILE, stored)
        print(f"{case.name}: {found.risk:.9f} +- {found.error:.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])
