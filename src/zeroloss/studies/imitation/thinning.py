"""A wide network thinned to m of its M units in each layer, drawn without replacement.

To first order in the deviations of the layers' means the output moves by

    δ₁(x) = Σ_l [mean over the m units − mean over all M] c_{l,i}(x),   c_{l,i} = q_{l+1}·s v_i σ(w_i·z_l + b_i)

and layers are drawn independently, so that E mean_x δ₁² = (1/m)(1 − m/M) Σ_l mean_x Var_i c_{l,i}, with the
variance over M − 1: exactly, at every m. δ² differs from δ₁² by terms of order m^{−2}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.block import preactivation, push
from zeroloss.model.problem import built_in
from zeroloss.studies.imitation.nets import NETWORKS, Net, adjoints, chosen, residuals, start, thinned, train
from zeroloss.studies.imitation.plan import KINDS, Kind, Thinning
from zeroloss.studies.replicated import tidy
from zeroloss.studies.setup import chunks


def effects(net: Net, theta: Tensor) -> Tensor:
    """c_{l,i}(x) of every unit, of one network theta (1, L, 2d + 1, M): (L, N, M)."""
    z, q = net.features(theta)[:-1, 0], adjoints(net, theta)[:, 0]
    return net.scale * net.M * push(q, theta[0], net.activation.value(preactivation(z, theta[0])))


def law(c: Tensor, kept: int) -> float:
    """(1/m)(1 − m/M) Σ_l mean_x Var_i c_{l,i}."""
    return float((1 / kept - 1 / c.shape[-1]) * c.var(-1).mean(-1).sum())


def errors(net: Net, theta: Tensor, c: Tensor, kind: Kind, units: Tensor) -> tuple[Tensor, Tensor]:
    """mean_x δ² and mean_x δ₁² of networks thinned to ``units`` (R, L, m): (R,) each."""
    R, L, m = units.shape
    thin = NETWORKS[kind](net.problem, L, m)
    delta = residuals(thin, thinned(theta.expand(R, -1, -1, -1), units)) - residuals(net, theta)
    share = theta.new_zeros(R, L, net.M).scatter_(-1, units, 1.0 / m) - 1.0 / net.M
    first = share.flatten(1) @ c.mT.flatten(0, 1)  # sums over layers and units
    return delta.square().mean(1), first.square().mean(1)


@job(Thinning)
def thinning(case: Thinning) -> Iterator[pd.DataFrame]:
    """δ², and δ₁², whose mean is known, of subsets of trained networks; of size 1/(1/m − 1/M), as the law has it."""
    for one, kind, L in product(case.problems, KINDS, case.num_layers):
        width = case.plain if kind == "plain" else case.residual
        net = NETWORKS[kind](built_in(one.problem, one.num_samples, case.data_seed), L, width.num_units)
        theta, _ = train(net, start(net, 1, case.seed, one.problem), one.steps, case.rate)
        c = effects(net, theta)
        for m in width.kept:
            rng, found = stream(case.seed, "thinned", one.problem, kind, L, m), []
            for batch in chunks(0, width.replicates, L * m * one.num_samples):
                found.append(torch.stack(errors(net, theta, c, kind, chosen(rng, len(batch), L, net.M, m))))
            for quantity, values in zip(("error", "first_order"), torch.cat(found, 1).numpy(), strict=True):
                yield tidy(quantity, f"{one.problem}.{kind}.l{L}", 1 / (1 / m - 1 / net.M), values, law(c, m))
