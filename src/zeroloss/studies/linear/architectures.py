"""The networks that momentum is tried on, batched over replicates, with their exact Jacobians.

All have one output and inputs X (features, samples); f (replicates, samples). In the
parametrisation of the neural tangent kernel, with weights from N(0, 1):

    deep         f = M^{−1/2} w · M^{−1/2} W_{L−1} ⋯ M^{−1/2} W_2 · W_1 x
    resnet       h_{l+1} = h_l + c M^{−1/2} W_l h_l, h_0 = A x, f = M^{−1/2} B h_L, c = 1/L;
                 A and B stay
    resnet-root  the same with c = L^{−1/2}
    relu         f = M^{−1/2} Σ_r a_r max(w_r·x, 0), a_r = ±1 stay
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

Array = np.ndarray
Weights = list[Array]


class Architecture(ABC):
    """One shape of network on one set of inputs; weights are lists (replicates, …)."""

    @abstractmethod
    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        """f (replicates, samples), and what `pull` needs of the way."""

    @abstractmethod
    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        """Σ_i r_i ∂f_i/∂weights for r (replicates, samples): the gradient of the loss ½|f − y|²."""

    def kernel(self, weights: Weights) -> Array:
        """K_ij = ⟨∂f_i/∂weights, ∂f_j/∂weights⟩: (replicates, samples, samples)."""
        f, way = self.forward(weights)
        rows = []
        for unit in np.eye(f.shape[1]):
            pulled = self.pull(weights, way, np.broadcast_to(unit, f.shape))
            rows.append(np.concatenate([part.reshape(len(f), -1) for part in pulled], axis=1))
        J = np.stack(rows, axis=1)
        return J @ J.swapaxes(1, 2)


class Linear(Architecture):
    """Linear layers W, from the features ``first`` (replicates, d, samples) to a read-out ``last``,
    which stay; each adds to its input where there are ``skips``."""

    def __init__(self, first: Array, scales: list[float], last: Array | None, skips: bool) -> None:
        self.first, self.scales, self.last, self.skips = first, scales, last, skips

    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        """h_{l+1} = c_l W_l h_l, and h_l where there are skips."""
        way = [self.first]
        for W, scale in zip(weights, self.scales, strict=True):
            branch = scale * (W @ way[-1])
            way.append(way[-1] + branch if self.skips else branch)
        return (way[-1] if self.last is None else self.last @ way[-1])[:, 0], way

    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        """Layer by layer, from the last one."""
        back, slopes = r[:, None, :], []
        if self.last is not None:
            back = self.last.swapaxes(1, 2) @ back
        for W, scale, h in zip(reversed(weights), reversed(self.scales), reversed(way[:-1]), strict=True):
            slopes.append(scale * (back @ h.swapaxes(1, 2)))
            branch = scale * (W.swapaxes(1, 2) @ back)
            back = back + branch if self.skips else branch
        return slopes[::-1]


class Relu(Architecture):
    """Two-layer network; the signs of the second layer, (replicates, 1, M) over √M, stay."""

    def __init__(self, inputs: Array, signs: Array) -> None:
        self.X, self.signs = inputs, signs

    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        """u = W x, and its positive part read out."""
        u = weights[0] @ self.X
        return (self.signs @ np.maximum(u, 0.0))[:, 0], [u]

    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        """Through the units that are active."""
        back = (self.signs.swapaxes(1, 2) * r[:, None, :]) * (way[0] > 0)
        return [back @ self.X.T]


def build(
    name: str, inputs: Array, width: int, num_layers: int, rngs: list[np.random.Generator]
) -> tuple[Architecture, Weights]:
    """An architecture by its name, and its weights for one replicate per generator."""
    d, M, root = len(inputs), width, width**-0.5

    def drawn(*shape: int) -> Array:
        return np.stack([rng.standard_normal(shape) for rng in rngs])

    if name == "relu":
        signs = np.stack([rng.choice([-1.0, 1.0], size=(1, M)) for rng in rngs])
        return Relu(inputs, signs * root), [drawn(M, d)]
    if name == "deep":
        inner = [drawn(M, M) for _ in range(num_layers - 2)]
        first = np.broadcast_to(inputs, (len(rngs), *inputs.shape))
        scales = [1.0] + [root] * (num_layers - 1)
        return Linear(first, scales, None, skips=False), [drawn(M, d), *inner, drawn(1, M)]
    branch = 1 / num_layers if name == "resnet" else num_layers**-0.5
    A, B = drawn(M, d), drawn(1, M)
    network = Linear(A @ inputs, [branch * root] * num_layers, B * root, skips=True)
    return network, [drawn(M, M) for _ in range(num_layers)]
