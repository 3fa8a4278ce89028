"""Wide and thin networks: residual ones are `Network`, plain ones are `Plain`, and both train alike.

    z_{l+1} = a z_l + (s/M) Σ_i v_i σ(w_i·z_l + b_i),   residual a = 1, s = 1/L;   plain a = 0, s = 1

All layers have the dimension d of the features; a unit is θ_i = (v_i, w_i, b_i), where v is the a of
`zeroloss.model.block`, and σ is tanh. Batches are replicates: theta (R, L, 2d + 1, M).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ledger.record.streams import stream
from zeroloss.model.block import ACTIVATIONS, dim_theta, field, preactivation, split, values
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network
from zeroloss.studies.imitation.plan import Kind

SPREAD = 0.5  # of w and b of plain networks: tanh is then nearly linear, and 16 layers nearly the identity
NOISE = 0.3  # of v of plain networks, about what makes a layer the identity


class Plain:
    """Networks without a skip, with what this study needs of `Network`."""

    def __init__(self, problem: Problem, num_layers: int, num_units: int) -> None:
        self.problem, self.L, self.M, self.scale = problem, num_layers, num_units, 1.0 / num_units
        self.activation = ACTIVATIONS["tanh"]

    def features(self, theta: Tensor) -> Tensor:
        """z_l(x) of all layers: (L + 1, R, N, d)."""
        z = [self.problem.inputs.expand(len(theta), -1, -1)]
        for units in theta.unbind(1):
            z.append(layer(self, z[-1], units))
        return torch.stack(z)

    def gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """L M ∇_θ E like theta, and residuals (R, N)."""
        theta = theta.detach().requires_grad_()
        r = self.problem.residuals(self.features(theta)[-1])
        (gradient,) = torch.autograd.grad(Problem.risk(r).sum(), theta)
        return self.L * self.M * gradient, r.detach()


Net = Network | Plain
NETWORKS: dict[Kind, type[Net]] = {"plain": Plain, "residual": Network}


def skip(net: Net) -> float:
    """a."""
    return 0.0 if isinstance(net, Plain) else 1.0


def layer(net: Net, z: Tensor, units: Tensor) -> Tensor:
    """z_{l+1} of z_l (R, N, d), by the units (R, 2d + 1, M) of a layer."""
    weights = units.new_full((net.M,), net.scale)
    return skip(net) * z + field(net.activation.value(preactivation(z, units)), units, weights)


def start(net: Net, replicates: int, *name: str | int) -> Tensor:
    """Independent random units (R, L, 2d + 1, M), of a named stream each.

    Residual: all coordinates N(0, 1). Plain: w and b are N(0, SPREAD²) and v = κ w + NOISE ξ with
    κ = 1/(SPREAD² mean σ'(w·x + b)), so that a layer of many units is about the identity on the
    inputs: with v independent of w its mean would be 0, and the signal lost after one layer.
    """
    shape = net.L, dim_theta(net.problem.dim), net.M
    drawn = [stream(*name, *shape, i).standard_normal(shape) for i in range(replicates)]
    theta = torch.from_numpy(np.stack(drawn))
    if isinstance(net, Plain):
        v, w, b = split(theta)
        w *= SPREAD
        b *= SPREAD
        slope = values(preactivation(net.problem.inputs, theta), net.activation)[1].mean()
        v.mul_(NOISE).add_(w / (SPREAD**2 * slope))
    return theta


def train(
    net: Net, theta: Tensor, num_steps: int, rate: float, record: Collection[int] = ()
) -> tuple[Tensor, dict[int, Tensor]]:
    """Adam (β = 0.9, 0.999) on L M ∇E: parameters, and residuals (R, N) after so many steps."""
    parameters, found = theta.clone(), {}
    optimiser = torch.optim.Adam([parameters], lr=rate)
    for step in range(num_steps + 1):
        parameters.grad, r = net.gradient(parameters)
        if step in record:
            found[step] = r.clone()
        if step < num_steps:
            optimiser.step()
    return parameters, found


def adjoints(net: Net, theta: Tensor) -> Tensor:
    """q_{l+1} = ∂g(z_L)/∂z_{l+1} after every layer l: (L, R, N, d).

    q_L = ∇g, and q_l = J_lᵀ q_{l+1} with the Jacobian J_l of layer l at z_l.
    """
    z = net.features(theta)
    q = [net.problem.readout.expand_as(z[0])]
    for l in reversed(range(1, net.L)):
        q += torch.func.vjp(partial(layer, net, units=theta[:, l]), z[l])[1](q[-1])
    return torch.stack(q[::-1])


def residuals(net: Net, theta: Tensor) -> Tensor:
    """g·z_L − y: (R, N)."""
    return net.problem.residuals(net.features(theta)[-1])


def chosen(rng: np.random.Generator, replicates: int, num_layers: int, num_units: int, kept: int) -> Tensor:
    """Which units of each layer are kept, without replacement: (R, L, m)."""
    order = rng.random((replicates, num_layers, num_units))
    return torch.from_numpy(np.ascontiguousarray(np.argpartition(order, kept - 1)[..., :kept]))


def thinned(theta: Tensor, units: Tensor) -> Tensor:
    """The parameters of the units that are kept: (R, L, 2d + 1, m)."""
    return torch.take_along_dim(theta, units.unsqueeze(2), -1)
