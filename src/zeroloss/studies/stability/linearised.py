"""Job `Thresholds`: where linear modes begin to grow, by simulation, beside where von Neumann's analysis says so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.stability.layer import IMAGES, Layer, Row, crossing, growth, image, patches, table
from zeroloss.studies.stability.plan import Thresholds

Array = np.ndarray
SMALL = 1e-4  # of a kernel whose growth is measured: r' is ½ + v/2 up to the cube of it
PRECISIONS = {"float32": np.float32, "float64": np.float64}
PAPER = (256, 32)  # pixels and kernel of the source's demonstration


@job(Thresholds)
def thresholds(case: Thresholds) -> pd.DataFrame:
    """Thresholds measured and predicted of the heat equation and of each image; delays by rounding."""
    return table([*_heat(case), *_layers(case)])


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


def _heat(case: Thresholds) -> Iterator[Row]:
    J, rng = case.heat_intervals, stream(case.seed, "stability", "heat")
    highest = np.sin(np.pi * (J - 1) / (2 * J)) ** 2  # of modes sin(π m j/J), m < J
    start = np.pad(rng.standard_normal((1, J - 1)), ((0, 0), (1, 1)))

    def rate(step: float) -> float:
        return float(growth(lambda u: heat_step(u, step), start, 12 * case.threshold_steps)[0])

    yield "measured", "heat", 0, crossing(rate, 0.5 / highest)
    yield "predicted", "heat", 0, 0.5 / highest
    gap = np.log(2.0**29) / np.log(4 * case.heat_step * highest - 1)
    mode = np.sin(np.pi * np.arange(J + 1) / J)
    top = np.sin(np.pi * (J - 1) * np.arange(J + 1) / J)
    sizes = rng.uniform(0.5, 1.0, (case.heat_starts, 1))
    for seeded in (False, True):  # with the unstable mode in it, nothing depends on rounding
        begin = sizes * (mode + 1e-3 * top if seeded else mode)
        left = {name: delay(begin.astype(kind), case.heat_step) for name, kind in PRECISIONS.items()}
        for i in range(case.heat_starts):
            error = float(left["float64"][i] - left["float32"][i] - gap)
            yield "delay_error_seeded" if seeded else "delay_error", "heat", i, error
            yield from ((f"delay_{name}", "heat.seeded" if seeded else "heat", i, left[name][i]) for name in left)


def _layers(case: Thresholds) -> Iterator[Row]:
    """With a frozen, K ↦ (1 − Δt α) K − Δt (a/2P) AᵀA K: stable if 0 ≤ α + (a/2P) λ ≤ 2/Δt for the
    eigenvalues λ of AᵀA. On a torus they would be the squares of the image's Fourier transform."""
    for name in IMAGES:
        yield from _image(case, name)
    pixels, width = PAPER
    yield "fourier_over_exact", "source", 0, pixels**4 / (width * (pixels - width + 1)) ** 2


def _image(case: Thresholds, name: str) -> Iterator[Row]:
    pixels = image(name, case.pixels, case.data_seed)
    A = patches(pixels, case.kernel_width)
    values, spectrum = np.linalg.eigvalsh(A.T @ A), np.abs(np.fft.fft2(pixels)) ** 2
    ends = {"predicted": (values[0], values[-1]), "fourier": (spectrum.min(), spectrum.max())}
    start = stream(case.seed, "stability", name).standard_normal((1, A.shape[1]))

    def rate(step: float, decay: float, a: float) -> float:
        layer = Layer(A, 0.0, decay)
        at_rest = layer.loss_gradient(np.zeros_like(start), a)

        def advance(v: Array) -> Array:
            return (1 - step * decay) * v - step * (layer.loss_gradient(v, a) - at_rest)

        return float(growth(advance, start, case.threshold_steps, SMALL)[0])

    low = {kind: 0.25 / len(A) * high for kind, (_, high) in ends.items()}  # α below it: the flow grows
    least = low["predicted"]
    yield "measured", f"{name}.decay", 0, crossing(lambda decay: rate(1 / least, decay, -0.5), least)
    yield from ((kind, f"{name}.decay", 0, value) for kind, value in low.items())
    for a, decay, side in ((-0.5, 1.5 * least, "negative"), (0.5, least, "positive")):
        top = {kind: 2 / (decay + a / (2 * len(A)) * pair[a > 0]) for kind, pair in ends.items()}
        found = crossing(partial(rate, decay=decay, a=a), top["predicted"])
        yield "measured", f"{name}.step-{side}", 0, found
        yield from ((kind, f"{name}.step-{side}", 0, value) for kind, value in top.items())
