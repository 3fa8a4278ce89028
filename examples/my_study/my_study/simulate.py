"""Runs one job of `my_study`: trains networks of one width."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zeroloss.network.resnet import Network
from zeroloss.studies.my_study import activation  # noqa: F401  (registers softplus)
from zeroloss.studies.running import run_kind
from zeroloss.studies.setup import build_problem, chunks, independent_parameters
from ledger.record.tidy import tidy

__all__ = ["KINDS", "run"]

Spec = dict[str, Any]


def ensemble(spec: Spec) -> pd.DataFrame:
    """Residuals of each network at the flow time."""
    problem, L, M = build_problem(spec), spec["num_layers"], spec["num_units"]
    network, frames = Network(problem, L, M, spec["activation"]), []
    for part in chunks(0, spec["replicates"], L * M * problem.num_samples):
        theta = independent_parameters(spec, problem, part, L, M)
        r = network.train(theta, [spec["flow_time"]], rtol=spec["rtol"]).residuals[0].numpy()
        frames.append(tidy(r, {"replicate": part, "sample": range(problem.num_samples)},
                           "residual", num_units=M))
    return pd.concat(frames, ignore_index=True)


KINDS = {"ensemble": ensemble}


def run(spec: Spec) -> pd.DataFrame:
    """The rows of one job; deterministic, on one thread, whatever else runs."""
    return run_kind(KINDS, spec)
