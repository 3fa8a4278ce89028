"""Thin networks that imitate a wide one layer by layer, and thin networks from scratch.

m units of each wide layer are kept with their (w, b), and their output weights v are fitted by least squares to
the wide network's features z_{l+1}: *forced* from its features z_l, *sequential* from the thin network's own, so
that a later layer sees the errors of the earlier ones. With e_l the error of layer l's fit,

    δ(x) = Σ_l q_{l+1}·e_l(x) + O(e²)

is the error of a forced network: of variance Σ_l mean_x (q_{l+1}·e_l)² if layers are uncorrelated.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.block import preactivation, values
from zeroloss.model.problem import Problem, built_in
from zeroloss.studies.imitation.nets import NETWORKS, Net, adjoints, chosen, residuals, skip, start, thinned, train
from zeroloss.studies.imitation.plan import Layers
from zeroloss.studies.replicated import tidy

CURVE = (0, 10, 30, 100, 250, 500, 1000, 2000)  # steps at which losses are drawn


def imitate(wide: Net, theta: Tensor, thin: Net, units: Tensor, forced: bool, cutoff: float) -> tuple[Tensor, Tensor]:
    """Parameters of the thin networks (R, L, 2d + 1, m), and errors e_l (L, R, N, d) of the fits.

    theta (R, L, 2d + 1, M) are the wide networks, units (R, L, m) what is kept. Least squares of least norm
    without the singular values below ``cutoff`` times the largest.
    """
    targets, parameters = wide.features(theta), thinned(theta, units)
    z, fits = targets[0], []
    for l in range(wide.L):
        x = targets[l] if forced else z
        h = thin.scale * values(preactivation(x, parameters[:, l]), thin.activation)[0]
        gap = targets[l + 1] - skip(wide) * x
        v = torch.linalg.lstsq(h, gap, rcond=cutoff, driver="gelsd").solution
        parameters[:, l, : wide.problem.dim] = v.mT
        fits.append(h @ v - gap)
        z = skip(wide) * x + h @ v
    return parameters, torch.stack(fits)


def imitations(case: Layers, wide: Net, theta: Tensor, kept: int) -> tuple[dict[str, Tensor], Tensor]:
    """Mean square errors of thin networks three ways, (R,) each, and the parameters of the sequential ones.

    In units of what one layer alone does at the output: of forced and sequential networks, and of Σ_l q_{l+1}·e_l.
    """
    units = chosen(stream(case.seed, "kept", case.network, wide.L, kept), len(theta), wide.L, wide.M, kept)
    thin = NETWORKS[case.network](wide.problem, wide.L, kept)
    forced, fits = imitate(wide, theta, thin, units, True, case.cutoff)
    sequential, _ = imitate(wide, theta, thin, units, False, case.cutoff)
    ways = {"thinned": thinned(theta, units), "forced": forced, "sequential": sequential}
    output = residuals(wide, theta)
    found = {name: (residuals(thin, one) - output).square().mean(1) for name, one in ways.items()}
    reached = (adjoints(wide, theta) * fits).sum(-1)  # (L, R, N)
    alone = reached.square().mean(2).mean(0)
    found["aligned_layers"] = reached.sum(0).square().mean(1) / alone
    return found | {f"{name}_layers": found[name] / alone for name in ("forced", "sequential")}, sequential


@job(Layers)
def layers(case: Layers) -> Iterator[pd.DataFrame]:
    """All depths of one kind of network, on the sine: a row for each wide network, the median of its subsets."""

    def rows(quantity: str, cell: str, size: float, values: Tensor) -> pd.DataFrame:
        return tidy(quantity, cell, size, np.median(values.numpy().reshape(case.replicates, -1), axis=1))

    problem, kind = built_in("sine", case.num_samples, case.data_seed), case.network
    for L in case.num_layers:
        wide = NETWORKS[kind](problem, L, case.num_units)
        theta, seen = train(
            wide, start(wide, case.replicates, case.seed, "wide"), case.wide_steps, case.wide_rate, (case.wide_steps,)
        )
        yield rows("wide", kind, L, Problem.risk(seen[case.wide_steps]))
        theta = theta.repeat_interleave(case.subsets, 0)
        first, *others = case.kept
        found, imitated = imitations(case, wide, theta, first)
        for kept in others if case.num_layers[1] == L else ():
            yield rows(f"sequential.m{kept}", kind, L, imitations(case, wide, theta, kept)[0]["sequential"])
        for quantity, errors in found.items():
            yield rows(f"{quantity}.m{first}", kind, L, errors)
        thin, longest = NETWORKS[kind](problem, L, first), max(case.scratch_steps)
        scratch = start(thin, len(theta), case.seed, "scratch")
        for rate in case.rates:
            for name, begin, steps in (("scratch", scratch, longest), ("imitated", imitated, case.tuned_steps)):
                _, seen = train(thin, begin, steps, rate, {*CURVE, *case.scratch_steps, case.tuned_steps})
                for step, r in seen.items():
                    yield rows(name, f"{kind}.l{L}.rate{rate:g}", step, Problem.risk(r))
                if name == "scratch":
                    apart = (seen[longest] - residuals(wide, theta)).square().mean(1)
                    yield rows("distance", f"{kind}.rate{rate:g}", L, apart)
