"""Job `Central`: descent at the edge beside the central flow (Cohen et al. 2024), and tangents along it.

    ẇ = −[∇L + ½ σ² ∇S],  σ² ≥ 0, S ≤ 2/η, one of them with equality;  mean L(w_t) = L(w) + σ²/η

where S is the one eigenvalue at the edge and σ² the variance of the oscillation along its vector u.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.layer import Parts, beside
from zeroloss.studies.stability.nets import Net, memorising
from zeroloss.studies.stability.plan import Central

SUBSTEPS = 2  # of the flows in one step of descent
RETURN = 4  # substeps in which S comes back to 2/η, as e^{−1}
CYCLES = 60  # steps that are averaged at the end: some whole oscillations of S
PASSED = 15  # steps from where S turns to where it is below 2/η again
AFTER = 20  # steps from the fastest growth to where the tangent has turned


@job(Central)
def central(case: Central) -> Parts:
    """Variance, loss and path of descent over those of the central flow; tangents; a series to be drawn."""
    net, theta = memorising(case)
    path, S, pairs = descend(net, theta, case)
    middle, tops, variance = _flow(net, theta, case, central=True)
    plain, _, _ = _flow(net, theta, case, central=False)
    x2 = ((path - middle) * tops).sum(2).square()
    loss, loss_middle = (torch.stack([net.loss(w) for w in way]) for way in (path, middle))
    expected = loss_middle + variance / case.step
    ends = [way[-CYCLES:].mean(0) for way in (path, middle, plain)]
    yield tidy("variance", "diabetes", 0.0, x2.sum(0), variance.sum(0))
    yield from beside("loss", "diabetes", loss.sum(0), expected.sum(0), loss_middle.sum(0))
    yield tidy("path", "diabetes", 0.0, (ends[0] - ends[1]).norm(dim=1), (ends[2] - ends[1]).norm(dim=1))
    yield tidy("drawn_S", "first", 0.0, S[:, 0] * case.step / 2)
    yield tidy("drawn_variance", "first", 0.0, x2[:, 0], variance[:, 0])
    yield from tangents(case, S, pairs)


def descend(net: Net, theta: Tensor, case: Central) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (t, B, P) and S (t, B) of descent; at each step a tangent and u: (2, t, B, P). The tangent
    starts in a random direction where S crosses 2/η: what was along u before is damped to rounding."""
    w, (S, u) = theta, net.first_top(theta)
    seed = torch.from_numpy(stream(case.seed, "stability", "tangent").standard_normal(w.shape))
    seed = v = torch.nn.functional.normalize(seed)
    crossed, path, found, pairs = torch.zeros_like(S, dtype=torch.bool), [], [], []
    for _ in range(case.num_steps):
        S, u = net.top(w, u, 4)
        above = case.step * S > 2
        v, crossed = torch.where((above & ~crossed)[:, None], seed, v), crossed | above
        path.append(w)
        found.append(S)
        pairs.append(torch.stack([v, u]))
        v = v - case.step * net.curvature(w, v)
        w = w - case.step * net.gradient(w)
    return torch.stack(path), torch.stack(found), torch.stack(pairs, 1)


def tangents(case: Central, S: Tensor, pairs: Tensor) -> Parts:
    """Where the tangent grows fastest: its angle to u there and later, its rate, its spread over weights;
    the share of its growth in the first passage of the edge."""
    v, u = pairs
    norms = v.norm(dim=2)
    rates = (norms[1:] / norms[:-1]).log().numpy()
    cosines = ((v * u).sum(2).abs() / norms).numpy()
    found = []
    for i in range(v.shape[1]):
        start, turn = int((case.step * S[:, i] > 2).int().argmax()), int(S[:, i].argmax())
        t = start + int(rates[start:-AFTER, i].argmax())
        rises = rates[start:, i].clip(min=0.0)
        spread, own = (float(w.pow(4).sum() / w.square().sum() ** 2) for w in (v[t + 1, i], u[t, i]))
        values = {
            "cosine": cosines[t + 1, i],
            "cosine_after": cosines[t + AFTER, i],
            "rate": rates[t, i] / np.log(abs(case.step * float(S[t, i]) - 1)),
            "passage": rises[: turn - start + PASSED].sum() / rises.sum(),
            "participation": spread / own,
            "growth": np.log(float(norms[-1, i] / norms[start, i])),
        }
        found.append(values)
    yield from (tidy(str(quantity), "diabetes", 0.0, values) for quantity, values in pd.DataFrame(found).items())


def _flow(net: Net, theta: Tensor, case: Central, central: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Weights and u (t, B, P) and σ² (t, B) at the steps of descent, of the central flow or the plain one."""
    h = case.step / SUBSTEPS
    w, (_, u) = theta, net.first_top(theta)
    variance, found = torch.zeros(len(theta), dtype=theta.dtype), []
    for n in range(case.num_steps * SUBSTEPS):
        g = force = net.gradient(w)
        if central:
            S, u = net.top(w, u, 3)
            slope = net.steepening(w, u)
            rise = -(g * slope).sum(1) + (S - 2 / case.step) / (RETURN * h)
            variance = (2 * rise / slope.square().sum(1)).clamp(min=0.0)
            force = g + 0.5 * variance[:, None] * slope
        if n % SUBSTEPS == 0:
            found.append((w, u, variance))
        w = w - h * force
    path, tops, variances = (torch.stack(each) for each in zip(*found, strict=True))
    return path, tops, variances
