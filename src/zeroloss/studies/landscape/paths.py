"""Deep networks as paths of maps: energies of training, least energies, and what each layer carries.

z' = A(t) φ(z)/√M with M random features φ(z) = tanh(Bz + c) that stay, in L layers of size 1/L; the
complexity of a path is its energy ∫ |A|² dt. This is this paper's reading of an essay without a formula,
and close to matching landmarks by a flow of least energy.

All that follows holds a = A/√L, whose square |a|² is the energy. With P_{l+1} = ∂Z(1)/∂z_{l+1} the derivative
D = ∂Z(1)/∂a has the rows P_{l+1} ⊗ φ_l/√(LM), and DDᵀ is the kernel K = (1/L) Σ_l (P_{l+1}P_{l+1}ᵀ)(φ_l·φ_l')/M.
Gradient flow of ½|Z(1) − Y|² from a = 0 is a' = −Dᵀ(Z(1) − Y); at given ends the path of least energy is the fixed
point of a ← Dᵀ(DDᵀ)⁻¹(Da − (Z(1) − Y)). On it |A(t)|² is constant, as a Hamiltonian is; the energy of gradient flow
exceeds it by a share of the order displacement².

To first order the energy of a displacement u is uᵀK_M⁻¹u, and for Gaussian features, by the inverse Wishart
law, its mean is M/(M − N − 1) times that of M = ∞: the limit is approached from above.

The residual networks of this paper are trained to zero loss, and their layers put back to their start as well. To
first order the risk then rises by ½|J_l(θ_l − θ_l(0))|², so the squared movement of layers is written beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.model import law
from zeroloss.model.arrays import Array
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network
from zeroloss.studies.drawn import normals, streams
from zeroloss.studies.landscape.plan import Geodesics, Reset, Short
from zeroloss.studies.replicated import tidy
from zeroloss.studies.setup import followed

RADIUS = 1.5  # of the circle of points: near ones would make energies large
STOP = 1e-2  # of the displacement: where flow is left, for steps of least norm
GROWTH = 1.2  # of steps along the flow
BLOCK = 1000  # replicates that are held at a time
ENDS = 1e-10  # largest distance of Z(1) to Y that is accepted


@dataclass
class Maps:
    """Networks of one shape on points X (replicates, N, d) with features B (replicates, M, d), c (replicates, 1, M).
    Their parameters a (replicates, L d M) and ends (replicates, N d) are flat."""

    X: Array
    B: Array
    c: Array
    num_layers: int

    @classmethod
    def drawn(cls, name: tuple[str | int, ...], replicates: int, N: int, d: int, M: int, L: int) -> Maps:
        """Points that part a circle of radius RADIUS evenly (other coordinates 0), from a random angle on;
        standard normal weights and biases."""
        rngs = streams(replicates, *name)
        angles = 2 * np.pi * np.array([rng.random() + np.arange(N) / N for rng in rngs])
        X = np.zeros((replicates, N, d))
        X[..., 0], X[..., 1] = RADIUS * np.cos(angles), RADIUS * np.sin(angles)
        B, c = (np.stack([rng.standard_normal(shape) for rng in rngs]) for shape in ((M, d), (1, M)))
        return cls(X, B, c, L)

    @property
    def zero(self) -> Array:
        """a = 0."""
        return np.zeros((len(self.B), self.num_layers * self.B[0].size))

    @property
    def scale(self) -> float:
        """1/√(LM)."""
        return float((self.num_layers * self.B.shape[1]) ** -0.5)

    def forward(self, a: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        """Z(1), and of each layer a_l (replicates, d, M) with its features φ_l (replicates, N, M)."""
        R, M, d = self.B.shape
        z, passed = self.X, []
        for layer in a.reshape(R, self.num_layers, d, M).swapaxes(0, 1):
            phi = np.tanh(z @ self.B.mT + self.c)
            z = z + self.scale * phi @ layer.mT
            passed.append((layer, phi))
        return z.reshape(R, -1), passed

    def derivative(self, a: Array) -> tuple[Array, Array]:
        """Z(1) and D (replicates, N d, L d M)."""
        end, passed = self.forward(a)
        P, rows = np.eye(self.X.shape[2])[None, None], []
        for layer, phi in reversed(passed):
            rows.append(P[..., None] * self.scale * phi[:, :, None, None])
            P = P + self.scale * P @ (layer[:, None] * (1 - phi**2)[:, :, None]) @ self.B[:, None]
        return end, np.stack(rows[::-1], axis=3).reshape(*end.shape, -1)


def energy(a: Array) -> Array:
    """(1/L) Σ |A_l|²: (replicates,)."""
    return (a**2).sum(1)


def step(D: Array, r: Array, h: float = np.inf) -> Array:
    """Dᵀ (1 − e^{−hK})/K r with K = DDᵀ: how flow moves towards r in a time h where D stays, whatever the condition
    of K; for h = ∞ the least a with Da = r."""
    values, vectors = np.linalg.eigh(D @ D.mT)
    modes = (-np.expm1(-h * values) / values)[..., None] * (vectors.mT @ r[..., None])
    return (D.mT @ (vectors @ modes))[..., 0]


def flow(maps: Maps, Y: Array) -> Array:
    """The end of gradient flow from a = 0, by exponential midpoint steps until STOP, then steps of least norm.

    D and K are taken in the middle of a step, whose length grows by GROWTH.
    """
    a = maps.zero
    end, D = maps.derivative(a)
    size = np.linalg.norm(Y - end, axis=1).max()
    h = 0.2 / np.linalg.eigvalsh(D @ D.mT).max()
    while np.linalg.norm(Y - end, axis=1).max() > STOP * size:
        _, middle = maps.derivative(a + step(D, Y - end, h / 2))
        a = a + step(middle, Y - end, h)
        end, D = maps.derivative(a)
        h *= GROWTH
    for _ in range(4):
        a = a + step(D, Y - end)
        end, D = maps.derivative(a)
    return _checked(maps, a, Y)


def least(maps: Maps, Y: Array, a: Array) -> Array:
    """The path of least energy to the same ends, from a path a that has them."""
    for _ in range(200):
        end, D = maps.derivative(a)
        before, a = a, step(D, (D @ a[..., None])[..., 0] - (end - Y))
        if np.abs(a - before).max() < 1e-12 * np.abs(a).max():
            break
    return _checked(maps, a, Y)


def _checked(maps: Maps, a: Array, Y: Array) -> Array:
    gap = float(np.abs(maps.forward(a)[0] - Y).max())
    if not gap < ENDS:
        raise RuntimeError(f"a path must end within {ENDS:g} of its targets, got {gap:.3g}; lower the displacement")
    return a


def excess(maps: Maps, Y: Array) -> Array:
    """Energy of gradient flow over the least at the same ends, minus one: (replicates,)."""
    a = flow(maps, Y)
    return energy(a) / energy(least(maps, Y, a)) - 1


def displaced(maps: Maps, size: float, name: tuple[str | int, ...]) -> Array:
    """Targets at a root mean square distance of ``size`` from the points."""
    directions = normals(len(maps.X), maps.X.shape[1:], *name)
    length = np.sqrt((directions**2).sum(2).mean(1))[:, None, None]
    return (maps.X + size * directions / length).reshape(len(length), -1)


def spread(maps: Maps, a: Array) -> Array:
    """Standard deviation of |A_l|² over layers, over its mean: (replicates,)."""
    squares = (a**2).reshape(len(a), maps.num_layers, -1).sum(2)
    return squares.std(1) / squares.mean(1)


def profile(maps: Maps, a: Array, Y: Array) -> Array:
    """Loss ½|Z(1) − Y|² when one layer is put back to A_l = 0: (replicates, L)."""
    kept = np.repeat(1 - np.eye(maps.num_layers), a.shape[1] // maps.num_layers, axis=1)
    return np.stack([0.5 * ((maps.forward(a * rest)[0] - Y) ** 2).sum(1) for rest in kept], axis=1)


def bottom_over_top(values: Array) -> Array:
    """Log of the mean over the first quarter of layers over that of the last: (replicates, L) -> (replicates,)."""
    quarter = max(1, values.shape[1] // 4)
    return np.log(values[:, :quarter].mean(1) / values[:, -quarter:].mean(1))


@job(Geodesics)
def geodesics(case: Geodesics) -> Iterator[pd.DataFrame]:
    """Excess energies of flow in the displacement, spreads of |A(t)|² in L, and layers put back to zero; shares of
    the kernel at the bottom for maps that stretch, shrink and turn."""
    shape = case.replicates, case.num_points, case.dim, case.num_features
    maps = Maps.drawn((case.seed, "paths"), *shape, case.layers[0])
    for size in case.displacements:
        yield tidy("excess", "flow", size, excess(maps, displaced(maps, size, (case.seed, "targets"))))
    for L in case.layers:
        maps = Maps.drawn((case.seed, "paths"), *shape, L)
        Y = displaced(maps, case.far, (case.seed, "targets"))
        flowed = flow(maps, Y)
        shortest = least(maps, Y, flowed)
        yield tidy("spread", "flow", L, spread(maps, flowed))
        yield tidy("spread", "least", L, spread(maps, shortest))
        if case.layers[-1] == L:
            losses = profile(maps, shortest, Y)
            yield tidy("reset", "least", L, bottom_over_top(losses))
            for l, mean in enumerate(losses.mean(0)):
                yield tidy("profile", "least", l, mean, losses.mean())
    yield from shares(case, Maps.drawn((case.seed, "shares"), *shape, case.layers[0]))


def shares(case: Geodesics, maps: Maps) -> Iterator[pd.DataFrame]:
    """Log of the kernel's trace at the bottom over that at the top, for linear targets."""
    cos, sin = np.cos(case.turn), np.sin(case.turn)
    turn = np.eye(case.dim)
    turn[:2, :2] = [[cos, -sin], [sin, cos]]
    grown = np.exp(case.stretch) * np.eye(case.dim)
    for kind, matrix in (("expanding", grown), ("contracting", np.linalg.inv(grown)), ("turning", turn)):
        _, D = maps.derivative(flow(maps, (maps.X @ matrix.T).reshape(len(maps.X), -1)))
        traces = (D**2).sum(1).reshape(len(D), maps.num_layers, -1).sum(2)
        yield tidy("share", kind, maps.num_layers, bottom_over_top(traces) * (-1.0 if kind == "contracting" else 1.0))


def blocks(replicates: int) -> list[int]:
    """Replicates in blocks of at most BLOCK, which is what memory has to hold."""
    return [min(BLOCK, replicates - done) for done in range(0, replicates, BLOCK)]


def first_order_energy(phi: Array, u: Array) -> Array:
    """uᵀ(ΦΦᵀ/M)⁻¹u for features Φ (replicates, N, M): (replicates,)."""
    kernel = phi @ phi.mT / phi.shape[-1]
    return np.asarray(np.linalg.solve(kernel, u[:, None])[..., 0] @ u)


@job(Short)
def short(case: Short) -> Iterator[pd.DataFrame]:
    """Energies to first order at finite width over those at M = ∞; excess of flow at growing width."""
    N = case.num_points
    points = stream(case.data_seed, "points").standard_normal((N, case.dim))
    K = np.exp(-cdist(points, points, "sqeuclidean") / 2) + 0.1 * np.eye(N)
    root = np.linalg.cholesky(K)
    u = stream(case.data_seed, "displacement").standard_normal(N)
    for M in case.widths:
        rng = stream(case.seed, "gaussian", M)
        found = [first_order_energy(root @ rng.standard_normal((count, N, M)), u) for count in blocks(case.replicates)]
        yield tidy("gaussian", f"m{M}", M, np.concatenate(found) / (u @ np.linalg.solve(K, u)), M / (M - N - 1))
    rng = stream(case.seed, "tanh")

    def features(count: int, M: int) -> Array:
        return np.tanh(points @ rng.standard_normal((count, case.dim, M)) + rng.standard_normal((count, 1, M)))

    limit = first_order_energy(features(1, case.limit_features), u)
    for M in case.widths:
        found = [first_order_energy(features(count, M), u) for count in blocks(case.replicates)]
        yield tidy("tanh", f"m{M}", M, M * (np.concatenate(found) / limit - 1))
    for M in case.path_widths:
        maps = Maps.drawn((case.seed, "wide", M), case.path_replicates, case.path_points, case.dim, M, case.path_layers)
        yield tidy("excess", "flow", M, excess(maps, displaced(maps, case.displacement, (case.seed, "wide-targets"))))


@job(Reset)
def reset(case: Reset) -> Iterator[pd.DataFrame]:
    """Rise of the risk when one layer is put back to its start, layer by layer, at zero loss.

    Both initialisations: each layer drawn anew, and all layers alike (a constant path).
    """
    for problem_name in case.problems:
        problem = built_in(problem_name, case.num_samples, case.data_seed)
        network = Network(problem, case.num_layers, case.num_units, case.activation)
        for kind in ("independent", "path"):
            profiles, moved, left = [], [], []
            for rng in streams(case.replicates, case.seed, "reset", problem_name, kind):
                layers = case.num_layers if kind == "independent" else 1
                drawn = law.sample_independent(law.InitialLaw(), rng, layers, case.num_units, problem.dim)
                start = torch.from_numpy(np.repeat(drawn, case.num_layers // layers, axis=0))
                end = followed(network, start, case.flow_time, case.rtol, case.accuracy)[-1].theta
                put_back = torch.where(torch.eye(len(end), dtype=torch.bool)[..., None, None], start, end)
                risks = [_risk(network, theta) for theta in (start, end, *put_back)]
                left.append(risks[1] / risks[0])
                profiles.append(risks[2:])
                moved.append((end - start).square().flatten(1).sum(1).numpy())
            where = f"{problem_name}.{kind}"
            yield tidy("left", where, case.num_layers, left)
            yield tidy("reset", where, case.num_layers, bottom_over_top(np.array(profiles)))
            yield tidy("moved", where, case.num_layers, bottom_over_top(np.array(moved)))
            for l, mean in enumerate(np.mean(profiles, axis=0)):
                yield tidy("profile", where, l, mean, np.mean(profiles))


def _risk(network: Network, theta: Tensor) -> float:
    return float(network.linearise(theta).residuals.square().mean() / 2)
