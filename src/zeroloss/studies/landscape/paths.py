"""Deep networks as paths of maps: energies of training, least energies, and what each layer carries.

z' = A(t) φ(z)/√M with M random features φ(z) = tanh(Bz + c) that stay, in L layers of size 1/L; the
complexity of a path is its energy ∫ |A|² dt. This is this paper's reading of an essay without a formula,
and close to matching landmarks by a flow of least energy.

With P_{l+1} = ∂Z(1)/∂z_{l+1} the derivative D of the ends has the rows P_{l+1} ⊗ φ_l/√M, and DDᵀ is the
kernel K = (1/L) Σ_l (P_{l+1}P_{l+1}ᵀ)(φ_l·φ_l')/M. Gradient flow of ½|Z(1) − Y|² from A = 0 is A' = −Dᵀ(Z(1) − Y);
at given ends the path of least energy is the fixed point of A ← Dᵀ(DDᵀ)⁻¹(DA − (Z(1) − Y)). On it |A(t)|² is
constant, as a Hamiltonian is; the energy of gradient flow exceeds it by a share of the order displacement².

To first order the energy of a displacement u is uᵀK_M⁻¹u, and for Gaussian features, by the inverse Wishart
law, its mean is M/(M − N − 1) times that of M = ∞: the limit is approached from above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.landscape.plan import Geodesics, Short
from zeroloss.studies.replicated import tidy

RADIUS = 1.5  # of the circle of points: near ones would make energies large
STOP = 1e-2  # of the displacement: where flow is left, for steps of least norm
GROWTH = 1.2  # of steps along the flow
BLOCK = 1000  # replicates that are held at a time
ENDS = 1e-10  # largest distance of Z(1) to Y that is accepted


@dataclass
class Maps:
    """Networks of one shape on points X (replicates, N, d) with features B (replicates, M, d), c (replicates, 1, M)."""

    X: Array
    B: Array
    c: Array
    num_layers: int

    @classmethod
    def drawn(cls, name: tuple[str | int, ...], replicates: int, N: int, d: int, M: int, L: int) -> Maps:
        """Points that part a circle of radius RADIUS evenly (other coordinates 0), from a random angle on;
        standard normal weights and biases."""
        parts = []
        for r in range(replicates):
            rng = stream(*name, r)
            angles = 2 * np.pi * (rng.random() + np.arange(N) / N)
            points = np.zeros((N, d))
            points[:, 0], points[:, 1] = RADIUS * np.cos(angles), RADIUS * np.sin(angles)
            parts.append((points, rng.standard_normal((M, d)), rng.standard_normal((1, M))))
        X, B, c = (np.stack(part) for part in zip(*parts, strict=True))
        return cls(X, B, c, L)

    @property
    def zero(self) -> Array:
        """A = 0: (replicates, L, d, M)."""
        R, M, d = self.B.shape
        return np.zeros((R, self.num_layers, d, M))

    def ends(self, A: Array) -> Array:
        """Z(1) (replicates, N, d)."""
        return self.forward(A)[0]

    def forward(self, A: Array) -> tuple[Array, list[Array]]:
        """Z(1), and the features of each layer (replicates, N, M)."""
        z, features = self.X, []
        scale = 1 / (np.sqrt(self.B.shape[1]) * self.num_layers)
        for l in range(self.num_layers):
            features.append(np.tanh(z @ self.B.mT + self.c))
            z = z + scale * features[-1] @ A[:, l].mT
        return z, features

    def derivative(self, A: Array) -> tuple[Array, list[Array], list[Array]]:
        """Z(1), features φ_l and P_{l+1} (replicates, N, d, d) of each layer."""
        end, features = self.forward(A)
        R, N, d = end.shape
        scale = 1 / (np.sqrt(self.B.shape[1]) * self.num_layers)
        P, found = np.broadcast_to(np.eye(d), (R, N, d, d)), []
        for l in reversed(range(self.num_layers)):
            found.append(P)
            inner = (A[:, l, None] * (1 - features[l] ** 2)[:, :, None]) @ self.B[:, None]
            P = P + scale * P @ inner
        return end, features, found[::-1]

    def kernel(self, features: list[Array], P: list[Array]) -> Array:
        """K (replicates, N d, N d)."""
        R, N, d, _ = P[0].shape
        K = np.zeros((R, N, d, N, d))
        for phi, p in zip(features, P, strict=True):
            flat = p.reshape(R, N * d, d)
            K += (flat @ flat.mT).reshape(R, N, d, N, d) * (phi @ phi.mT)[:, :, None, :, None]
        return K.reshape(R, N * d, N * d) / (self.num_layers * self.B.shape[1])

    def adjoint(self, features: list[Array], P: list[Array], c: Array) -> Array:
        """Dᵀc (replicates, L, d, M) for c (replicates, N, d)."""
        rows = [((c[:, :, None] @ p)[:, :, 0]).mT @ phi for phi, p in zip(features, P, strict=True)]
        return np.stack(rows, axis=1) / np.sqrt(self.B.shape[1])

    def pushed(self, features: list[Array], P: list[Array], A: Array) -> Array:
        """DA (replicates, N, d)."""
        total = sum(
            (p @ (phi @ A[:, l].mT)[..., None])[..., 0] for l, (phi, p) in enumerate(zip(features, P, strict=True))
        )
        return np.asarray(total) / (np.sqrt(self.B.shape[1]) * self.num_layers)


def energy(A: Array) -> Array:
    """(1/L) Σ |A_l|²: (replicates,)."""
    squares = (A * A).reshape(len(A), -1).sum(1)
    return squares / A.shape[1]


def solved(K: Array, c: Array) -> Array:
    """K⁻¹c for c (replicates, N, d)."""
    return np.asarray(np.linalg.solve(K, c.reshape(len(c), -1, 1)), dtype=np.float64).reshape(c.shape)


def flow(maps: Maps, Y: Array) -> Array:
    """The end of gradient flow from A = 0, by exponential midpoint steps until STOP, then steps of least norm.

    Where K stays, A(s + h) = A − Dᵀ (1 − e^{−hK})/K (Z(1) − Y) is exact, whatever the condition of K;
    D and K are taken in the middle of a step, whose length grows by GROWTH.
    """
    A = maps.zero
    size = np.linalg.norm(Y - maps.X, axis=(1, 2)).max()
    end, features, P = maps.derivative(A)
    h = 0.2 / np.linalg.eigvalsh(maps.kernel(features, P))[:, -1].max()
    while np.linalg.norm(end - Y, axis=(1, 2)).max() > STOP * size:
        middle = A + maps.adjoint(features, P, _relaxed(maps.kernel(features, P), Y - end, h / 2))
        _, features, P = maps.derivative(middle)
        A = A + maps.adjoint(features, P, _relaxed(maps.kernel(features, P), Y - end, h))
        end, features, P = maps.derivative(A)
        h *= GROWTH
    for _ in range(4):
        A = A + maps.adjoint(features, P, solved(maps.kernel(features, P), Y - end))
        end, features, P = maps.derivative(A)
    return _checked(maps, A, Y)


def _relaxed(K: Array, r: Array, h: float) -> Array:
    """(1 − e^{−hK})/K r."""
    values, vectors = np.linalg.eigh(K)
    modes = vectors.mT @ r.reshape(len(r), -1, 1)
    return (vectors @ ((-np.expm1(-h * values) / values)[..., None] * modes)).reshape(r.shape)


def least(maps: Maps, Y: Array, A: Array) -> Array:
    """The path of least energy to the same ends, from a path A that has them."""
    for _ in range(200):
        end, features, P = maps.derivative(A)
        c = solved(maps.kernel(features, P), maps.pushed(features, P, A) - (end - Y))
        new = maps.adjoint(features, P, c)
        change = np.abs(new - A).max()
        A = new
        if change < 1e-12 * np.abs(A).max():
            break
    return _checked(maps, A, Y)


def _checked(maps: Maps, A: Array, Y: Array) -> Array:
    gap = float(np.abs(maps.ends(A) - Y).max())
    if not gap < ENDS:
        raise RuntimeError(f"a path must end within {ENDS:g} of its targets, got {gap:.3g}; lower the displacement")
    return A


def excess(maps: Maps, Y: Array) -> Array:
    """Energy of gradient flow over the least at the same ends, minus one: (replicates,)."""
    A = flow(maps, Y)
    return energy(A) / energy(least(maps, Y, A)) - 1


def displaced(maps: Maps, size: float, name: tuple[str | int, ...]) -> Array:
    """Targets at a root mean square distance of ``size`` from the points."""
    directions = np.stack([stream(*name, r).standard_normal(maps.X.shape[1:]) for r in range(len(maps.X))])
    length = np.sqrt((directions**2).sum(2).mean(1))[:, None, None]
    return maps.X + size * directions / length


def spread(A: Array) -> Array:
    """Standard deviation of |A_l|² over layers, over its mean: (replicates,)."""
    squares = (A**2).sum((2, 3))
    return squares.std(1) / squares.mean(1)


def profile(maps: Maps, A: Array, Y: Array) -> Array:
    """Loss ½|Z(1) − Y|² when one layer is put back to A_l = 0: (replicates, L)."""
    losses = []
    for l in range(maps.num_layers):
        reset = A.copy()
        reset[:, l] = 0.0
        losses.append(0.5 * ((maps.ends(reset) - Y) ** 2).sum((1, 2)))
    return np.stack(losses, axis=1)


def bottom_over_top(values: Array) -> Array:
    """Log of the mean over the first quarter of layers over that of the last: (replicates, L) -> (replicates,)."""
    quarter = max(1, values.shape[1] // 4)
    return np.log(values[:, :quarter].mean(1) / values[:, -quarter:].mean(1))


@job(Geodesics)
def geodesics(case: Geodesics) -> Iterator[pd.DataFrame]:
    """Excess energies of flow in the displacement, spreads of |A(t)|² in L, and layers put back to zero; shares of
    the kernel at the bottom for maps that stretch, shrink and turn."""
    R, N, d, M = case.replicates, case.num_points, case.dim, case.num_features
    seed = case.seed
    for size in case.displacements:
        maps = Maps.drawn((seed, "paths"), R, N, d, M, case.layers[0])
        yield tidy("excess", "flow", size, excess(maps, displaced(maps, size, (seed, "targets"))))
    for L in case.layers:
        maps = Maps.drawn((seed, "paths"), R, N, d, M, L)
        Y = displaced(maps, case.far, (seed, "targets"))
        A = flow(maps, Y)
        shortest = least(maps, Y, A)
        yield tidy("spread", "flow", L, spread(A))
        yield tidy("spread", "least", L, spread(shortest))
        if case.layers[-1] == L:
            losses = profile(maps, shortest, Y)
            yield tidy("reset", "least", L, bottom_over_top(losses))
            for l, mean in enumerate(losses.mean(0)):
                yield tidy("profile", "least", l, mean, losses.mean())
    yield from shares(case)


def shares(case: Geodesics) -> Iterator[pd.DataFrame]:
    """Log of the kernel's trace at the bottom over that at the top, for linear targets."""
    maps = Maps.drawn(
        (case.seed, "shares"), case.replicates, case.num_points, case.dim, case.num_features, case.layers[0]
    )
    angle = case.turn
    turn = np.eye(case.dim)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    grown = np.exp(case.stretch) * np.eye(case.dim)
    for kind, matrix in (("expanding", grown), ("contracting", np.linalg.inv(grown)), ("turning", turn)):
        A = flow(maps, maps.X @ matrix.T)
        _, features, P = maps.derivative(A)
        traces = [((p**2).sum((2, 3)) * (phi**2).sum(2)).sum(1) for phi, p in zip(features, P, strict=True)]
        sign = -1.0 if kind == "contracting" else 1.0
        yield tidy("share", kind, case.layers[0], sign * bottom_over_top(np.stack(traces, axis=1)))


def blocks(replicates: int) -> list[int]:
    """Replicates in blocks of at most BLOCK, which is what memory has to hold."""
    return [min(BLOCK, replicates - done) for done in range(0, replicates, BLOCK)]


def first_order_energy(phi: Array, u: Array) -> Array:
    """uᵀ(ΦΦᵀ/M)⁻¹u for features Φ (replicates, N, M): (replicates,)."""
    kernel = phi @ phi.mT / phi.shape[-1]
    return np.asarray(np.linalg.solve(kernel, np.broadcast_to(u[:, None], (len(phi), len(u), 1)))[..., 0] @ u)


@job(Short)
def short(case: Short) -> Iterator[pd.DataFrame]:
    """Energies to first order at finite width over those at M = ∞; excess of flow at growing width."""
    N = case.num_points
    points = stream(case.data_seed, "points").standard_normal((N, case.dim))
    distances = ((points[:, None] - points) ** 2).sum(2)
    K = np.exp(-distances / 2) + 0.1 * np.eye(N)
    root = np.linalg.cholesky(K)
    u = stream(case.data_seed, "displacement").standard_normal(N)
    for M in case.widths:
        rng = stream(case.seed, "gaussian", M)
        found = [first_order_energy(root @ rng.standard_normal((count, N, M)), u) for count in blocks(case.replicates)]
        yield tidy("gaussian", f"m{M}", M, np.concatenate(found) / (u @ np.linalg.solve(K, u)), M / (M - N - 1))
    rng = stream(case.seed, "tanh")
    wide = np.tanh(
        points @ rng.standard_normal((case.dim, case.limit_features)) + rng.standard_normal(case.limit_features)
    )
    limit = u @ np.linalg.solve(wide @ wide.T / case.limit_features, u)
    for M in case.widths:
        found = []
        for count in blocks(case.replicates):
            weights, biases = rng.standard_normal((count, case.dim, M)), rng.standard_normal((count, 1, M))
            found.append(first_order_energy(np.tanh(points @ weights + biases), u))
        yield tidy("tanh", f"m{M}", M, M * (np.concatenate(found) / limit - 1))
    for M in case.path_widths:
        maps = Maps.drawn((case.seed, "wide", M), case.path_replicates, case.path_points, case.dim, M, case.path_layers)
        yield tidy("excess", "flow", M, excess(maps, displaced(maps, case.displacement, (case.seed, "wide-targets"))))
