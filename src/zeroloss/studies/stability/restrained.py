"""Job `Restrained`: the one-layer network with all its weights beside the map of one number that it obeys.

On a checkerboard A has rank one, A K = ±c with c = χ·K, and for an even number of patches

    c ↦ G(c) = (1 − Δt α) c − Δt k² a z',   z = (c/2) tanh(c/2),   a = s(z) − 1
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.layer import Array, Layer, Parts, beside, image, onset, patches, swish_slopes
from zeroloss.studies.stability.plan import Restrained

TINY = 1e-7  # of the differences whose growth is followed
LAST_BIT = 3.0  # the factor that the step is multiplied and the gradient divided by
BURN = 300  # steps that bring a start to the attractor
SHOWN = 40  # points of each orbit that are drawn


class Checkerboard:
    """G and its slope for all weights of a checkerboard together: c of any shape."""

    def __init__(self, decay: float, kernel_width: int) -> None:
        self.decay, self.area = decay, kernel_width**2

    def pull(self, c: Array | float) -> tuple[Array, Array]:
        """(c − G)/Δt = α c + k² a z', and its slope α + k² (s' z'² + a z'')."""
        h, q = np.tanh(np.asarray(c) / 2), np.cosh(np.asarray(c) / 2) ** -2
        z, slope, curvature = c * h / 2, h / 2 + c * q / 4, q * (1 - c * h / 2) / 2
        a = -expit(-z)
        bend = expit(z) * expit(-z) * slope**2 + a * curvature
        return self.decay * c + self.area * a * slope, self.decay + self.area * bend

    @property
    def equilibrium(self) -> float:
        """c* > 0."""
        return float(brentq(lambda c: self.pull(c)[0], 0.5, 50.0, xtol=1e-13))  # pyright: ignore

    @property
    def onset(self) -> float:
        """Δt_c = 2/(α + k² (s' z'² + a z'')) at c*."""
        return float(2 / self.pull(self.equilibrium)[1])

    def amplitude(self, step: float, h: float = 1e-3) -> float:
        """√(μ/χ) of the oscillation beyond the flip: μ = 2 (Δt/Δt_c − 1) is −1 − G', and
        χ = (G''/2)² + G'''/6, at c* and Δt_c."""
        below, here, above = (1 - self.onset * self.pull(self.equilibrium + x)[1] for x in (-h, 0.0, h))
        second, third = (above - below) / (2 * h), (above - 2 * here + below) / h**2
        return float(np.sqrt(2 * (step / self.onset - 1) / (second**2 / 4 + third / 6)))

    def orbit(self, c: Array, step: Array | float, num_steps: int) -> tuple[Array, Array]:
        """c after BURN steps and more, and ln |G'| there: (num_steps, …) each."""
        seen = []
        for _ in range(BURN + num_steps):
            pull, slope = self.pull(c)
            seen.append((c, np.log(np.abs(1 - step * slope))))
            c = c - step * pull
        orbit, logs = zip(*seen[BURN:], strict=True)
        return np.stack(orbit), np.stack(logs)


@job(Restrained)
def restrained(case: Restrained) -> Parts:
    """Onset and amplitude, norms and growth at the ends of the band, exponents and last bits."""
    checkerboard, one = on("checkerboard", case, case.decay), Checkerboard(case.decay, case.kernel_width)
    yield from _onset("checkerboard", checkerboard, _starts(case))
    yield from _onset("smooth", on("smooth", case, case.decay, label=0.0), _starts(case))
    yield from _amplitude(case, checkerboard, one)
    yield from band(case, case.decay)
    yield from _windows(case, checkerboard, one)
    yield from _diagram(case, one)


def on(name: str, case: Restrained, decay: float, label: float = 1.0) -> Layer:
    """The network on an image."""
    return Layer(patches(image(name, case.pixels, 0), case.kernel_width), label, decay)


def _onset(name: str, layer: Layer, starts: Array) -> Parts:
    K = layer.descend(starts[0], 1.0 / layer.decay / 20, num_steps=4000)  # to the equilibrium, by small steps
    exact, wrong = (float(2 / np.linalg.eigvalsh(layer.hessian(K, part))[-1]) for part in (False, True))
    found = onset(lambda v, step: layer.descend(K + v, step) - K, starts[1:2], 600, exact, 1e-6)
    yield from beside("onset", name, found, exact, wrong)


def _amplitude(case: Restrained, layer: Layer, one: Checkerboard) -> Parts:
    pattern = layer.A[0]
    for beyond in case.beyond:
        step = one.onset * (1 + beyond)
        K = layer.descend(1.01 * one.equilibrium * pattern / len(pattern), step, num_steps=int(10 / beyond))
        swing = float(np.abs((layer.descend(K, step) - K) @ pattern)) / 2
        yield tidy("amplitude", f"checkerboard.e{beyond:g}", beyond, swing, one.amplitude(step))


def _starts(case: Restrained) -> Array:
    return stream(case.seed, "stability", "kernels").standard_normal((case.starts, case.kernel_width**2))


def band(case: Restrained, decay: float) -> Parts:
    """Norms over their bound, and growth over that of a bounded force, with a decay in the update.

    |∇ℓ| ≤ sup|r'| · the mean norm of a row, so limsup |K| ≤ Δt sup|∇ℓ|/(1 − |1 − Δt α|) if Δt < 2/α.
    """
    layer = on("checkerboard", case, decay)
    steepest = float(swish_slopes(np.linspace(0, 10, 10001))[0].max()) * np.linalg.norm(layer.A, axis=1).mean()
    for share in (*case.inside, *case.outside):
        step, K, norms = share * 2 / case.decay, _starts(case), []
        for _ in range(case.band_steps):
            K = layer.descend(K, step)
            norms.append(np.linalg.norm(K, axis=1))
        norms = norms[(case.band_steps + 1) // 2 :]
        factor = abs(1 - step * case.decay)
        if share < 1:
            yield tidy("norm", f"f{share:g}", 0.0, np.max(norms, axis=0) * (1 - factor), step * steepest)
        else:
            rates = np.log(norms[-1] / norms[0]) / (len(norms) - 1)
            yield tidy("growth", f"f{share:g}", 0.0, rates, np.log(factor))


def _windows(case: Restrained, layer: Layer, one: Checkerboard) -> Parts:
    rng = stream(case.seed, "stability", "windows")
    first = one.equilibrium * np.abs(rng.standard_normal(case.starts))
    multiplier = one.pull(one.equilibrium)[1]
    for share in case.windows:
        step, where = share * 2 / case.decay, f"f{share:g}"
        exponents = one.orbit(first, step, 10 * case.window_steps)[1].mean(0)
        K = layer.descend(rng.standard_normal((case.starts, layer.A.shape[1])), step, num_steps=BURN)
        near, bit = K + TINY * rng.standard_normal(K.shape), K
        total, largest, seen = np.zeros(case.starts), np.zeros(case.starts), []
        for n in range(case.window_steps):
            K, near, bit = layer.descend(K, step), layer.descend(near, step), layer.descend(bit, step, LAST_BIT)
            apart = np.linalg.norm(near - K, axis=1)
            near = K + (near - K) * (TINY / apart)[:, None]
            total += np.log(apart / TINY) if n >= 20 else 0.0  # the first steps find the direction
            both = np.linalg.norm(K, axis=1) + np.linalg.norm(bit, axis=1)
            largest = np.maximum(largest, 2 * np.linalg.norm(bit - K, axis=1) / both)
            seen.append(float(np.abs(K[0] @ layer.A[0])))
        # the wrong reading: whatever oscillates amplifies, at the rate at which the equilibrium is left
        left = np.log(np.abs(1 - step * multiplier))
        yield from beside("rate_error", where, total / (case.window_steps - 20), exponents, left)
        yield tidy("log10_difference", where, 0.0, np.log10(largest + 1e-20))
        yield tidy("network", where, share, seen[-SHOWN:])


def _diagram(case: Restrained, one: Checkerboard) -> Parts:
    """The attractor of G and its exponent over the band, to be drawn."""
    shares = np.linspace(0.2, 0.99, case.drawn)
    c, logs = one.orbit(np.full(case.drawn, one.equilibrium * 1.1), shares * 2 / case.decay, 400)
    for i, share in enumerate(shares):
        yield tidy("drawn", "map", share, np.abs(c[-SHOWN:, i]))
        yield tidy("drawn_exponent", "map", share, logs[:, i].mean())
