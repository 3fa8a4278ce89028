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

__all__ = ["Architecture", "build"]

Array = np.ndarray
Weights = list[Array]


class Architecture(ABC):
    """One shape of network on one set of inputs; weights are lists (replicates, …)."""

    def __init__(self, inputs: Array, width: int) -> None:
        self.X, self.M = inputs, width

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


class Deep(Architecture):
    """Fully connected linear network."""

    def __init__(self, inputs: Array, width: int, num_layers: int) -> None:
        super().__init__(inputs, width)
        self.scales = [1.0] + [width**-0.5] * (num_layers - 1)

    def start(self, rng: np.random.Generator) -> Weights:
        """Weights of one replicate."""
        d, M = len(self.X), self.M
        inner = [rng.standard_normal((M, M)) for _ in self.scales[2:]]
        return [rng.standard_normal((M, d)), *inner, rng.standard_normal((1, M))]

    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        way = [np.broadcast_to(self.X, (len(weights[0]), *self.X.shape))]
        for W, scale in zip(weights, self.scales, strict=True):
            way.append(scale * (W @ way[-1]))
        return way[-1][:, 0], way

    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        back, slopes = r[:, None, :], []
        for W, scale, h in zip(reversed(weights), reversed(self.scales), reversed(way[:-1]),
                               strict=True):
            slopes.append(scale * (back @ h.swapaxes(1, 2)))
            back = scale * (W.swapaxes(1, 2) @ back)
        return slopes[::-1]


class ResNet(Architecture):
    """Linear residual network between fixed random embeddings A and B."""

    def __init__(self, inputs: Array, width: int, num_layers: int, branch: float,
                 embeddings: list[tuple[Array, Array]]) -> None:
        super().__init__(inputs, width)
        self.L, self.scale = num_layers, branch * width**-0.5
        self.first = np.stack([A for A, _ in embeddings]) @ inputs
        self.last = np.stack([B for _, B in embeddings]) * width**-0.5

    def start(self, rng: np.random.Generator) -> Weights:
        """Weights of one replicate."""
        return [rng.standard_normal((self.M, self.M)) for _ in range(self.L)]

    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        way = [self.first]
        for W in weights:
            way.append(way[-1] + self.scale * (W @ way[-1]))
        return (self.last @ way[-1])[:, 0], way

    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        back, slopes = self.last.swapaxes(1, 2) @ r[:, None, :], []
        for W, h in zip(reversed(weights), reversed(way[:-1]), strict=True):
            slopes.append(self.scale * (back @ h.swapaxes(1, 2)))
            back = back + self.scale * (W.swapaxes(1, 2) @ back)
        return slopes[::-1]


class Relu(Architecture):
    """Two-layer network; the signs of the second layer stay."""

    def __init__(self, inputs: Array, width: int, signs: list[Array]) -> None:
        super().__init__(inputs, width)
        self.signs = np.stack(signs) * width**-0.5  # (replicates, 1, M)

    def start(self, rng: np.random.Generator) -> Weights:
        """Weights of one replicate."""
        return [rng.standard_normal((self.M, len(self.X)))]

    def forward(self, weights: Weights) -> tuple[Array, list[Array]]:
        u = weights[0] @ self.X
        return (self.signs @ np.maximum(u, 0.0))[:, 0], [u]

    def pull(self, weights: Weights, way: list[Array], r: Array) -> Weights:
        del weights
        back = (self.signs.swapaxes(1, 2) * r[:, None, :]) * (way[0] > 0)
        return [back @ self.X.T]


def build(name: str, inputs: Array, width: int, num_layers: int, rngs: list[np.random.Generator]
          ) -> tuple[Architecture, Weights]:
    """An architecture by its name, and its weights for one replicate per generator."""
    network: Deep | ResNet | Relu
    if name == "deep":
        network = Deep(inputs, width, num_layers)
    elif name == "relu":
        network = Relu(inputs, width, [rng.choice([-1.0, 1.0], size=(1, width)) for rng in rngs])
    else:
        branch = 1 / num_layers if name == "resnet" else num_layers**-0.5
        network = ResNet(inputs, width, num_layers, branch,
                      [(rng.standard_normal((width, len(inputs))), rng.standard_normal((1, width)))
                       for rng in rngs])
    starts = [network.start(rng) for rng in rngs]
    return network, [np.stack(parts) for parts in zip(*starts, strict=True)]
