"""Job `Thresholds`: where linear modes begin to grow, by simulation, beside where von Neumann's analysis says so."""

from __future__ import annotations

from functools import partial

import numpy as np

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.layer import IMAGES, Array, Layer, Parts, beside, image, onset, patches
from zeroloss.studies.stability.plan import Thresholds

SMALL = 1e-4  # of a kernel whose growth is measured: r' is ½ + v/2 up to the cube of it


@job(Thresholds)
def thresholds(case: Thresholds) -> Parts:
    """Thresholds measured and predicted of the heat equation and of each image; delays by rounding."""
    yield from _heat(case)
    for name in IMAGES:
        yield from _layer(case, name)


def heat_step(u: Array, step: float) -> Array:
    """One explicit step of u (…, J + 1) with ends at zero: u_j + Δt (u_{j+1} − 2 u_j + u_{j−1})."""
    out = u.copy()
    out[..., 1:-1] += u.dtype.type(step) * (u[..., 2:] - 2 * u[..., 1:-1] + u[..., :-2])
    return out


def delay(start: Array, step: float) -> Array:
    """First step at which max |u| is above one, for starts (R, J + 1) of mode 1 alone: (R,)."""
    u, left = start, np.zeros(len(start))
    for n in range(1, 400):
        u = heat_step(u, step)
        left[(left == 0) & (np.abs(u).max(1) > 1)] = n
        if left.all():
            break
    return left


def _heat(case: Thresholds) -> Parts:
    J, rng = case.heat_intervals, stream(case.seed, "stability", "heat")
    highest = np.sin(np.pi * (J - 1) / (2 * J)) ** 2  # of modes sin(π m j/J), m < J
    start = np.pad(rng.standard_normal((1, J - 1)), ((0, 0), (1, 1)))
    found = onset(heat_step, start, 12 * case.threshold_steps, 0.5 / highest)
    yield tidy("threshold", "heat", 0.0, found, 0.5 / highest)
    gap = np.log(2.0**29) / np.log(4 * case.heat_step * highest - 1)
    mode, top = (np.sin(np.pi * m * np.arange(J + 1) / J) for m in (1, J - 1))
    sizes = rng.uniform(0.5, 1.0, (case.heat_starts, 1))
    for quantity, seed in (("delay_error", 0.0), ("delay_error_wrong", 1e-3)):  # seeded, nothing depends on rounding
        begin = sizes * (mode + seed * top)
        early, late = (delay(begin.astype(kind), case.heat_step) for kind in ("float32", "float64"))
        yield tidy(quantity, "heat", 0.0, late - early, gap)


def _layer(case: Thresholds, name: str) -> Parts:
    """With a frozen, K ↦ (1 − Δt α) K − Δt (a/2P) AᵀA K: stable if 0 ≤ α + (a/2P) λ ≤ 2/Δt for the
    eigenvalues λ of AᵀA. On a torus they would be the squares of the image's Fourier transform."""
    pixels = image(name, case.pixels, case.data_seed)
    A = patches(pixels, case.kernel_width)
    values, spectrum = np.linalg.eigvalsh(A.T @ A), np.abs(np.fft.fft2(pixels)) ** 2
    ends = (values[0], values[-1]), (spectrum.min(), spectrum.max())
    start = stream(case.seed, "stability", name).standard_normal((1, A.shape[1]))
    layer = Layer(A, 0.0, 0.0)
    at_rest = {a: layer.loss_gradient(np.zeros_like(start), a) for a in (-0.5, 0.5)}

    def advance(v: Array, step: float, decay: float, a: float) -> Array:
        return (1 - step * decay) * v - step * (layer.loss_gradient(v, a) - at_rest[a])

    least, wrong = (0.25 / len(A) * high for _, high in ends)  # α below it: the flow grows
    found = onset(lambda v, decay: advance(v, 1 / least, decay, -0.5), start, case.threshold_steps, least, SMALL)
    yield from beside("threshold", f"{name}.decay", found, least, wrong)
    for a, decay, side in ((-0.5, 1.5 * least, "negative"), (0.5, least, "positive")):
        top, wrong = (2 / (decay + a / (2 * len(A)) * pair[a > 0]) for pair in ends)
        found = onset(partial(advance, decay=decay, a=a), start, case.threshold_steps, top, SMALL)
        yield from beside("threshold", f"{name}.step-{side}", found, top, wrong)
