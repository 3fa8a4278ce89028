"""Fully connected networks with and without BatchNorm, their kernels, and descent on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.func import jvp, vjp
from torch.nn import functional

from ledger.record.streams import stream
from zeroloss.studies.normalisation.laws import BIAS, WEIGHT

PHI = {"relu": functional.relu, "gelu": functional.gelu}
Theta = tuple[Tensor, ...]


def inputs(width: int, num_samples: int, correlation: float) -> Tensor:
    """x_a·x_b = N c₀, |x|² = N (n, N): along axes, since the law of the weights is that of any rotation of them."""
    x = torch.zeros(num_samples, width, dtype=torch.float64)
    x[:, 0] = correlation**0.5
    x[range(num_samples), range(1, num_samples + 1)] = (1 - correlation) ** 0.5
    return x * width**0.5


def start(widths: Sequence[int], *name: str | int) -> Theta:
    """Weights N(0, σ_w²/fan-in) and biases N(0, σ_b²) of a named stream: (W, b) of each layer in turn."""
    rng, found = stream("normalisation", *name), []
    for fan, out in pairwise(widths):
        found.append(torch.from_numpy(rng.standard_normal((out, fan)) * (WEIGHT / fan) ** 0.5))
        found.append(torch.from_numpy(rng.standard_normal(out) * BIAS**0.5))
    return tuple(found)


@dataclass(frozen=True)
class Net:
    """Layers u = h Wᵀ + b on a batch x (n, N₀), φ(u) or φ(γ(u − ū)/s) between them.

    ``statistics``: ``plain`` without normalisation; ū and s taken for constants (``held``) where the network is
    differentiated, or ``differentiated`` too; ``gammas``: γ of hidden layers by their number, of others 1.
    """

    x: Tensor
    activation: str = "relu"
    statistics: str = "plain"
    gammas: Mapping[int, float] = field(default_factory=dict)

    def layers(self, theta: Theta) -> tuple[list[Tensor], list[Tensor]]:
        """h^{l−1} and u^l, each (n, N_l)."""
        values, before = [self.x], []
        for i, (w, b) in enumerate(zip(theta[::2], theta[1::2], strict=True)):
            u = values[-1] @ w.mT + b
            before.append(u)
            if self.statistics != "plain" and 2 * i + 2 < len(theta):
                mean, s = u.mean(0), u.std(0, correction=0)
                if self.statistics == "held":
                    mean, s = mean.detach(), s.detach()
                u = self.gammas.get(i, 1.0) * (u - mean) / s
            values.append(PHI[self.activation](u))
        return values[:-1], before

    def outputs(self, theta: Theta) -> Tensor:
        """f (n, outputs)."""
        return self.layers(theta)[1][-1]

    def parts(self, theta: Theta) -> tuple[Tensor, list[Tensor]]:
        """K (n, n) of the weights, for one output; Σ_i ∂f_a/∂u_i ∂f_b/∂u_i of each layer. Not for statistics that are
        differentiated, with which f_a depends on all inputs."""
        values, before = self.layers(tuple(w.requires_grad_() for w in theta))
        slopes = [d @ d.mT for d in torch.autograd.grad(before[-1].sum(), before)]
        kernel = sum((h @ h.mT * s for h, s in zip(values, slopes, strict=True)), torch.zeros(()))
        return kernel.detach(), slopes

    def top(self, theta: Theta) -> tuple[float, float, Tensor]:
        """λ of JJᵀ/n, its quotient of the uniform vector, its vector like f, by products with J and Jᵀ."""
        f, pull = vjp(self.outputs, theta)[:2]

        def product(v: np.ndarray) -> np.ndarray:
            (g,) = pull(torch.from_numpy(v).reshape(f.shape))
            return jvp(self.outputs, (theta,), (g,))[1].flatten().numpy() / len(self.x)

        ones = np.ones(f.numel())
        operator = LinearOperator((len(ones),) * 2, matvec=product, dtype=np.float64)  # pyright: ignore
        values, vectors = eigsh(operator, k=1, v0=ones, ncv=min(8, len(ones)), tol=1e-4)  # pyright: ignore
        return float(values[0]), float(ones @ product(ones) / len(ones)), torch.from_numpy(vectors).reshape(f.shape)

    def descend(self, theta: Theta, y: Tensor, rate: float, momentum: float, num_steps: int) -> tuple[Theta, Tensor]:
        """Heavy ball on ½ Σ|f − y|²/n: weights, and the residuals (num_steps + 1, n, outputs), not finite in the end
        where it diverges."""
        theta, found = tuple(w.detach().clone().requires_grad_() for w in theta), []
        optimiser = torch.optim.SGD(theta, rate, momentum)
        for _ in range(num_steps):
            found.append(self.outputs(theta) - y)
            optimiser.zero_grad()
            (found[-1].square().sum() / (2 * len(y))).backward()
            optimiser.step()
        return theta, torch.stack([*found, self.outputs(theta) - y]).detach()
