"""The Hessian of three networks, by automatic differentiation: small for a linear head alone.

    linear      f = m^{−1/2} Σ_r a_r tanh(w_r·x), both layers trained
    head        tanh of it
    bottleneck  f = m^{−1/2} Σ_r a_r tanh(u_r·b), b = m^{−1/2} Σ_r v_r tanh(w_r·x) in R⁴, all layers trained

Of a linear head the Hessian parts into one block for each unit, on a_r and on w_r along x, with the norm

    max_r ½ (|b_r| + (b_r² + 4 σ'²|x|²)^{1/2})/√m,     b_r = |a_r σ''(w_r·x)| |x|².

tanh(g) adds tanh''(g) ∇g∇gᵀ, of norm |tanh''(g)| |∇g|² = O(1); so does a bottleneck of four neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.landscape.plan import Hessians
from zeroloss.studies.landscape.relu import labelled, sphere
from zeroloss.studies.replicated import tidy

KINDS = ("linear", "head", "bottleneck")
NECK = 4  # neurons of the bottleneck
POWERS = 24  # iterations of the power method, on the square of the Hessian

Net = Callable[[Tensor, Tensor], Tensor]


def network(kind: str, m: int, d: int) -> tuple[int, Net]:
    """Number of parameters, and (parameters, x) -> f."""

    def linear(p: Tensor, x: Tensor) -> Tensor:
        return p[:m] @ torch.tanh(p[m:].view(m, d) @ x) / m**0.5

    def head(p: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(linear(p, x))

    def bottleneck(p: Tensor, x: Tensor) -> Tensor:
        a, u, v, w = p.split((m, NECK * m, NECK * m, d * m))
        b = v.view(NECK, m) @ torch.tanh(w.view(m, d) @ x) / m**0.5
        return a @ torch.tanh(u.view(m, NECK) @ b) / m**0.5

    nets: dict[str, tuple[int, Net]] = {
        "linear": (m * (d + 1), linear),
        "head": (m * (d + 1), head),
        "bottleneck": (m * (d + 2 * NECK + 1), bottleneck),
    }
    return nets[kind]


def drawn(kind: str, m: int, d: int, count: int, name: tuple[str | int, ...]) -> Tensor:
    """Parameters of so many networks: outer weights ±1, inner ones from N(0, 1)."""
    size, _ = network(kind, m, d)
    rng = stream(*name)
    p = rng.standard_normal((count, size))
    p[:, :m] = rng.choice([-1.0, 1.0], (count, m))
    return torch.from_numpy(p)


def norms(net: Net, p: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """|∇²f(p_k; x)| for each of the networks p (count, size), by the power method from ``start``."""

    def apply(v: Tensor) -> Tensor:
        return vmap(lambda q, w: jvp(lambda z: grad(net)(z, x), (q,), (w,))[1])(p, v)

    v = start / start.norm(dim=1, keepdim=True)
    for _ in range(POWERS):
        v = apply(apply(v))
        v = v / v.norm(dim=1, keepdim=True)
    return apply(v).norm(dim=1)


def closed_form(p: Tensor, m: int, x: Tensor) -> Tensor:
    """The norm for the linear head."""
    u = torch.tanh(p[:, m:].view(len(p), m, -1) @ x)
    first, second = 1 - u**2, 2 * (u * (1 - u**2)).abs() * p[:, :m].abs()
    length = x.norm()
    b = second * length**2
    return ((b + (b**2 + 4 * first**2 * length**2).sqrt()) / 2).amax(1) / m**0.5


@job(Hessians)
def hessians(case: Hessians) -> Iterator[pd.DataFrame]:
    """Norms at random parameters, architecture by width; which of them come to zero loss."""
    d = case.dim
    x = torch.from_numpy(sphere(stream(case.data_seed, "hessian"), 1, d)[0])
    for kind in KINDS:
        for m in case.widths:
            size, net = network(kind, m, d)
            p = drawn(kind, m, d, case.replicates, (case.seed, kind, m))
            start = torch.from_numpy(stream(case.seed, kind, m, "power").standard_normal((case.replicates, size)))
            found = norms(net, p, x, start).numpy()
            yield tidy("norm", kind, m, found, closed_form(p, m, x).numpy() if kind == "linear" else 1.0)
        yield tidy("left", kind, case.trained_width, left(case, kind))


def left(case: Hessians, kind: str) -> np.ndarray:
    """Loss at the end of descent on labels ±½, over that at the start, network by network."""
    X, y = (torch.from_numpy(part) for part in labelled(case.data_seed, case.num_samples, case.dim))
    _, net = network(kind, case.trained_width, case.dim)
    p = drawn(kind, case.trained_width, case.dim, case.trained_replicates, (case.seed, kind, "trained"))

    def loss(q: Tensor) -> Tensor:
        return 0.5 * ((vmap(lambda x: net(q, x))(X) - y / 2) ** 2).sum()

    first = vmap(loss)(p)
    descent, velocity = vmap(grad(loss)), torch.zeros_like(p)
    for _ in range(case.steps):
        velocity = 0.9 * velocity - case.step * descent(p)
        p = p + velocity
    return (vmap(loss)(p) / first).numpy()
