"""The residual network of this paper, trained to zero loss: which layers matter when one is put back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model import law
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network
from zeroloss.studies.landscape.paths import bottom_over_top
from zeroloss.studies.landscape.plan import Reset
from zeroloss.studies.replicated import tidy
from zeroloss.studies.setup import followed


@job(Reset)
def reset(case: Reset) -> Iterator[pd.DataFrame]:
    """Rise of the risk when one layer is put back to its start, layer by layer, at zero loss.

    Both initialisations: each layer drawn anew, and all layers alike (a constant path). To first order the rise is
    ½|J_l(θ_l − θ_l(0))|², so the squared movement of layers is written beside it.
    """
    for problem_name in case.problems:
        problem = built_in(problem_name, case.num_samples, case.data_seed)
        network = Network(problem, case.num_layers, case.num_units, case.activation)
        for kind in ("independent", "path"):
            profiles, moved, left = [], [], []
            for r in range(case.replicates):
                rng = stream(case.seed, "reset", problem_name, kind, r)
                layers = case.num_layers if kind == "independent" else 1
                drawn = law.sample_independent(law.InitialLaw(), rng, layers, case.num_units, problem.dim)
                start = torch.from_numpy(np.repeat(drawn, case.num_layers // layers, axis=0))
                end = followed(network, start, case.flow_time, case.rtol, case.accuracy)[-1].theta
                risks = [_risk(network, theta) for theta in (start, end, *_put_back(end, start))]
                left.append(risks[1] / risks[0])
                profiles.append(risks[2:])
                moved.append((end - start).square().flatten(1).sum(1).numpy())
            where = f"{problem_name}.{kind}"
            yield tidy("left", where, case.num_layers, left)
            yield tidy("reset", where, case.num_layers, bottom_over_top(np.array(profiles)))
            yield tidy("moved", where, case.num_layers, bottom_over_top(np.array(moved)))
            for l, mean in enumerate(np.mean(profiles, axis=0)):
                yield tidy("profile", where, l, mean, np.mean(profiles))


def _put_back(end: Tensor, start: Tensor) -> Iterator[Tensor]:
    """The trained parameters with one layer of the start, layer by layer."""
    for l in range(len(end)):
        theta = end.clone()
        theta[l] = start[l]
        yield theta


def _risk(network: Network, theta: Tensor) -> float:
    return float(network.linearise(theta).residuals.square().mean() / 2)
