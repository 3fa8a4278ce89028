"""Small networks on real data, many at once, and the top of their Hessians: rows of theta (B, P) are networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ledger.record.streams import stream
from zeroloss.model.problem import built_in
from zeroloss.studies.stability.plan import Central, Decay, Delay, Edge

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}

FIRST = 30  # products with H that find its top vector from a random one


class Net:
    """Fully connected networks of one output, of tanh or ReLU, ½ mean square over samples (n, d) and targets (n,)."""

    def __init__(self, widths: Sequence[int], x: Tensor, y: Tensor, relu: bool = False, biases: bool = True) -> None:
        self.shapes, self.x, self.y, self.biases = list(pairwise(widths)), x, y, biases
        self.activation = torch.relu if relu else torch.tanh

    def start(self, *name: str | int) -> Tensor:
        """Weights N(0, 1/fan-in), biases 0, of a named stream: (P,) in float64."""
        rng, parts = stream("stability", *name), []
        for fan, out in self.shapes:
            parts += [rng.standard_normal(fan * out) / np.sqrt(fan), np.zeros(out * self.biases)]
        return torch.from_numpy(np.concatenate(parts))

    def outputs(self, theta: Tensor) -> Tensor:
        """f at the samples: theta (B, P) -> (B, n)."""
        parts = theta.split([size for fan, out in self.shapes for size in (fan * out, out * self.biases)], 1)
        h = self.x.to(theta.dtype).expand(len(theta), *self.x.shape)
        for i, shape in enumerate(self.shapes):
            h = (self.activation(h) if i else h) @ parts[2 * i].view(-1, *shape)
            h = h + parts[2 * i + 1][:, None] if self.biases else h
        return h[..., 0]

    def loss(self, theta: Tensor) -> Tensor:
        """(B,)."""
        return 0.5 * (self.outputs(theta) - self.y.to(theta.dtype)).square().mean(1)

    def gradient(self, theta: Tensor, *along: Tensor) -> Tensor:
        """∇L, like theta (B, P), or the gradient of its derivative along a vector, or of the second one along two."""
        theta = theta.detach().requires_grad_()
        value = self.loss(theta)
        for v in along:
            value = torch.autograd.grad(value.sum(), theta, create_graph=True)[0] * v
        return torch.autograd.grad(value.sum(), theta)[0]

    def curvature(self, theta: Tensor, v: Tensor) -> Tensor:
        """H v, like v (B, P)."""
        return self.gradient(theta, v)

    def gauss_newton(self, theta: Tensor) -> Tensor:
        """Largest eigenvalue of JJᵀ/n at theta (P,), J the Jacobian of the outputs."""
        J = torch.func.jacrev(lambda w: self.outputs(w[None])[0])(theta)
        return torch.linalg.eigvalsh(J @ J.mT / len(self.x))[-1]

    def first_top(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """S and its vector from a fixed random one."""
        u = stream("stability", "top").standard_normal(theta.shape[1])
        return self.top(theta, torch.from_numpy(u).to(theta).expand_as(theta), FIRST)

    def top(self, theta: Tensor, u: Tensor, depth: int = 5) -> tuple[Tensor, Tensor]:
        """Largest eigenvalue S (B,) of H and its vector, from the Krylov space of so many products with
        H that begins at u (B, P), the vector of a moment before: as Lanczos's method does."""
        basis, images = [torch.nn.functional.normalize(u)], []
        for _ in range(depth):
            images.append(self.curvature(theta, basis[-1]))
            v, Q = images[-1], torch.stack(basis, 1)
            for _ in range(2):
                v = v - torch.einsum("bk,bkp->bp", torch.einsum("bkp,bp->bk", Q, v), Q)
            basis.append(torch.nn.functional.normalize(v))
        Q, HQ = torch.stack(basis[:-1], 1), torch.stack(images, 1)
        small = torch.einsum("bip,bjp->bij", Q, HQ)
        values, vectors = torch.linalg.eigh((small + small.mT) / 2)
        found = torch.nn.functional.normalize(torch.einsum("bk,bkp->bp", vectors[..., -1], Q))
        return values[:, -1], found * torch.where((found * u).sum(1, keepdim=True) < 0, -1.0, 1.0)

    def steepening(self, theta: Tensor, u: Tensor) -> Tensor:
        """∇S = ∇(uᵀ H u), like theta (B, P), of the eigenvalue whose unit vector is u."""
        return self.gradient(theta, u, u)


def memorising(case: Edge | Delay | Decay | Central, times: int = 1) -> tuple[Net, Tensor]:
    """10-20-20-1, tanh, on so many patients, inputs and target standardised; its starts, so many times (…, P)."""
    data = built_in("diabetes", case.num_samples, case.data_seed)
    net = Net((data.dim, 20, 20, 1), data.inputs, data.targets)
    return net, torch.stack([net.start(case.seed, i) for i in range(times * case.replicates)])
