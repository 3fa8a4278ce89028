"""Interpolating kernels on the sphere with n ∝ d: how much ridge they bring along.

With inputs √d u, |u| = 1, and a kernel h(u·u'), the entries off the diagonal are small and
h(t) ≈ h(0) + h'(0) t, while on it stands h(1). So interpolation acts like linear ridge regression with

    XXᵀ/d + λ I,       λ = (h(1) − h(0) − h'(0))/h'(0).

Targets are y = β·x + noise with |β| = 1. Given the inputs the means over directions of β and over
noise are computed: with A = (K + δ)⁻¹ and k = k(x), the risk at x is

    B = |x − Xᵀ A k|²/d,   V = |A k|²,   and by A' = −A²,
    B' = 2 (x − Xᵀ A k)·Xᵀ A² k/d,   V' = −2 kᵀ A³ k

at δ = 0. An explicit ridge lowers the risk iff B' + V'/SNR < 0, hence iff SNR < −V'/B', which for linear ridge is
1/λ: the best ridge on isotropic inputs is 1/SNR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ledger.study import job
from zeroloss.model.arrays import Array
from zeroloss.studies.drawn import sphere, streams
from zeroloss.studies.interpolation.equivalents import ridge_law
from zeroloss.studies.interpolation.plan import Kernels, Snr, Spike, Trained
from zeroloss.studies.replicated import tidy
from zeroloss.studies.two_layer import angle, descended, paired, tangent

STEPS = 400  # of training, at most
STOP = 1e-6  # residual, over that at the start, at which training is left


@dataclass(frozen=True)
class Kernel:
    """h on [−1, 1], its slope at 0 and the λ that it acts as."""

    value: Callable[[Array], Array]
    slope: float

    @property
    def ridge(self) -> float:
        """λ = (h(1) − h(0) − h'(0))/h'(0)."""
        ends = self.value(np.array([0.0, 1.0]))
        return float((ends[1] - ends[0] - self.slope) / self.slope)


KERNELS = {
    # of a two-layer ReLU network whose first layer is trained; λ = 1
    "tangent": Kernel(tangent, 0.25),
    # of random features sign(w·x), times π/2; λ = π/2 − 1
    "arcsin": Kernel(lambda t: np.arcsin(np.clip(t, -1.0, 1.0)), 1.0),
    # of random ReLU features; λ = 1 − 2/π = 1/ζ²
    "features": Kernel(lambda t: (np.sqrt(np.clip(1 - t * t, 0.0, None)) + t * angle(t)) / (2 * np.pi), 0.25),
}


def gram(kernel: Kernel, U: Array, ridge: float = 0.0) -> Array:
    """h(u_i·u_j) with an exact diagonal."""
    K = kernel.value(U @ U.T)
    np.fill_diagonal(K, float(kernel.value(np.array([1.0]))[0]) + ridge)
    return K


def parts(kernel: Kernel, U: Array, V: Array) -> Array:
    """Means over the test points V of B, V, B' and V' for training inputs √d U: (4,)."""
    k = kernel.value(U @ V.T)
    Ak = np.linalg.solve(gram(kernel, U), np.eye(len(U)))
    A = 0.5 * (Ak + Ak.T)
    c = A @ k
    c2 = A @ c
    left = V.T - U.T @ c  # over √d
    return np.array(
        [(left**2).sum(0).mean(), (c**2).sum(0).mean(), 2 * (left * (U.T @ c2)).sum(0).mean(),
         -2 * (c * c2).sum(0).mean()]
    )  # fmt: skip


def drawn(kernel: Kernel, n: int, d: int, case: Kernels | Snr, rngs: Iterable[np.random.Generator]) -> Array:
    """The same of samples that are drawn: (4, replicates)."""
    return np.transpose([parts(kernel, sphere(rng, n, d), sphere(rng, case.test_points, d)) for rng in rngs])


@job(Kernels)
def kernels(case: Kernels) -> Iterator[pd.DataFrame]:
    """Risk of interpolation over that of linear ridge regression, kernels × n/d × dimensions; and
    the risk with explicit ridges δ h'(0), for a figure, at the largest dimension."""
    for name, kernel in KERNELS.items():
        for share in case.shares:
            for d, replicates in zip(case.dims, case.replicates, strict=True):
                n = round(share * d)
                rngs = streams(replicates, case.seed, "kernel", name, d, n)
                bias, variance, _, _ = drawn(kernel, n, d, case, rngs)
                law = ridge_law(n, d, kernel.ridge, case.noise)
                yield tidy("risk", f"{name}.n{share:g}", d, bias + case.noise * variance, law)


@job(Snr)
def snr(case: Snr) -> Iterator[pd.DataFrame]:
    """B' and V' at n = d, dimension by dimension, to be averaged before their ratio is taken."""
    for name, kernel in KERNELS.items():
        for d, replicates in zip(case.dims, case.replicates, strict=True):
            _, _, bias, variance = drawn(kernel, d, d, case, streams(replicates, case.seed, "snr", name, d))
            yield tidy("bias-slope", name, d, bias, 1 / kernel.ridge)
            yield tidy("variance-slope", name, d, variance, 1 / kernel.ridge)
    yield from risk_curves(case)


def risk_curves(case: Snr) -> Iterator[pd.DataFrame]:
    """Risk of the tangent kernel against explicit ridges δ h'(0) at several SNR, n = d the least."""
    kernel, d = KERNELS["tangent"], case.dims[0]
    for ridge in case.curve:
        added = Kernel(lambda t, extra=ridge * kernel.slope: kernel.value(t) + extra * (t >= 1), kernel.slope)
        rngs = streams(case.curve_replicates, case.seed, "risk-curve", d)
        bias, variance, _, _ = drawn(added, d, d, case, rngs)
        for ratio in case.curve_snr:
            law = ridge_law(d, d, kernel.ridge + ridge, 1 / ratio)
            yield tidy("curve", f"snr{ratio:g}", ridge, bias + variance / ratio, law)


@job(Spike)
def spike(case: Spike) -> Iterator[pd.DataFrame]:
    """Root mean square of interpolant minus ridge regressor, off the sample and on it, n = d.

    With E yyᵀ = UUᵀ + noise and c = A k − A_ridge U v it is (cᵀ (UUᵀ + noise) c)^{1/2} at v, and
    λ A_ridge y on the sample, where the interpolant is y.
    """
    for name in ("tangent", "arcsin"):  # h''(0) is not zero, and h is odd
        kernel = KERNELS[name]
        for d, replicates in zip(case.dims, case.replicates, strict=True):
            off, on = [], []
            for rng in streams(replicates, case.seed, "spike", name, d):
                U, V = sphere(rng, d, d), sphere(rng, case.test_points, d)
                second = U @ U.T + case.noise * np.eye(d)
                linear = np.linalg.inv(U @ U.T + kernel.ridge * np.eye(d))
                c = np.linalg.solve(gram(kernel, U), kernel.value(U @ V.T)) - linear @ (U @ V.T)
                off.append(np.sqrt((c * (second @ c)).sum(0).mean()))
                inner = kernel.ridge * linear
                on.append(np.sqrt(np.trace(inner @ second @ inner) / d))
            yield tidy("off", name, d, off)
            yield tidy("on", name, d, on)


@job(Trained)
def trained(case: Trained) -> Iterator[pd.DataFrame]:
    """Test errors of a trained two-layer ReLU network over those of the interpolating tangent kernel
    on the same data, by √m.

    f = m^{−1/2} Σ a_r max(w_r·x, 0), only the w_r trained, in pairs ±a of equal w: f = 0 at the start. A share m^{−1/2}
    of gates is crossed, and the residual of a sample felt on one side of its gate: the kernel drifts by m^{−1/2}.
    """
    d = case.dim
    for share in case.shares:
        n = round(share * d)
        for m in case.widths:
            found = []
            data = streams(case.replicates, case.seed, "trained", d, n)  # the same at every width
            starts = streams(case.replicates, case.seed, "trained-weights", d, n, m)
            for rng, start in zip(data, starts, strict=True):
                U, V, beta = sphere(rng, n, d), sphere(rng, case.test_points, d), sphere(rng, 1, d)[0]
                y = np.sqrt(d) * (U @ beta) + np.sqrt(case.noise) * rng.standard_normal(n)
                truth = np.sqrt(d) * (V @ beta)
                f = train(U, y, start.standard_normal((m // 2, d)), V)
                g = KERNELS["tangent"].value(V @ U.T) @ np.linalg.solve(gram(KERNELS["tangent"], U), y)
                found.append([((values - truth) ** 2).mean() for values in (f, g)])
            yield tidy("trained", f"n{share:g}", np.sqrt(m), *np.transpose(found))


def train(U: Array, y: Array, start: Array, V: Array) -> Array:
    """Values at V of the network trained on (U, y) by heavy ball to a residual of STOP; RuntimeError
    if it is not reached. ``start`` (m/2, d) are the weights that each pair shares."""
    spectrum = np.linalg.eigvalsh(gram(KERNELS["tangent"], U))
    low, high = np.sqrt(0.8 * spectrum[0]), np.sqrt(1.2 * spectrum[-1])
    step, momentum = 4 / (low + high) ** 2, ((high - low) / (high + low)) ** 2
    W, signs = paired(start)
    W, left = descended(U, y, W, signs, step, STOP, STEPS, momentum=momentum)
    if not left <= STOP:
        raise RuntimeError(f"training must end within {STEPS} steps, got a residual of {left:.3g} of that at the start")
    return signs @ np.maximum(W @ V.T, 0.0)
