"""Jobs on the edge of stability: where methods hover, when the edge is entered, and whether decay prevents it.

Descent, heavy ball (Polyak) and Nesterov's method in one line, for step η, momentum β and decay λ:

    w' = w + β (w − w₋) − η (∇L + λ ·)(w or, Nesterov, w + β (w − w₋))

On an eigenvalue S + λ they lose stability at 2/η, (2 + 2β)/η and (2 + 2β)/((1 + 2β) η).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import Tensor

from ledger.record.streams import stream
from ledger.study import job
from zeroloss.studies.replicated import tidy
from zeroloss.studies.stability.layer import Array, Parts, beside
from zeroloss.studies.stability.nets import PRECISIONS, Net, memorising
from zeroloss.studies.stability.plan import Decay, Delay, Edge, Method

GEOMETRIC = -0.5 * (np.euler_gamma + np.log(2))  # mean of ln |ξ|, ξ standard normal
FALL = 0.02  # of S from its peak: by so much it has turned


def threshold(method: Method) -> float:
    """The curvature at which a method loses stability: its companion block has a root −1."""
    swing = 2 + 2 * method.momentum
    return swing / method.step / (1 + 2 * method.momentum if method.nesterov else 1)


def sharpness(net: Net, methods: list[Method], theta: Tensor, num_steps: int, every: int) -> Array:
    """S + λ at every so many steps, of a method for each start, theta (B, P): (times, B)."""
    settings = ([m.step, m.momentum, m.decay, m.nesterov] for m in methods)
    eta, beta, decay, ahead = (torch.tensor(each)[:, None] for each in zip(*settings, strict=True))
    w = before = theta
    (_, u), found = net.first_top(w), []
    for t in range(num_steps):
        if t % every == 0:
            S, u = net.top(w, u)
            found.append(S + decay[:, 0])
        moved = w + beta * (w - before)
        at = torch.where(ahead, moved, w)
        w, before = moved - eta * (net.gradient(at) + decay * at), w
    return torch.stack(found).numpy()


@job(Edge)
def edge(case: Edge) -> Parts:
    """Mean of S + λ over the last third of the steps beside the threshold of the method, and beside 2/η."""
    net, theta = memorising(case, max(method.times for method in case.methods.values()))
    for name, method in case.methods.items():
        starts = theta[: method.times * case.replicates]
        seen = sharpness(net, [method] * len(starts), starts.float() if method.single else starts, case.num_steps, 40)
        late = seen[-len(seen) // 3 :].mean(0)
        yield from beside("single" if method.single else "hovers", name, late, threshold(method), 2 / method.step)


@job(Decay)
def decay(case: Decay) -> Parts:
    """Peaks of S + λ over 2/η, of descent and of the flow with the same decay or none, over the same training time."""
    net, theta = memorising(case)
    flows = _peaks_of_flows(net, case, theta)
    for step in case.steps:
        each = [Method(step=step, decay=decay) for decay in case.decays for _ in theta]
        every = theta.repeat(len(case.decays), 1)
        peaks = sharpness(net, each, every, round(case.flow_time / step), 5).max(0).reshape(flows.shape) * step / 2
        for decay, peak, flow in zip(case.decays, peaks, flows, strict=True):
            yield from beside("descent", f"h{step:g}.l{decay:g}", peak, flow * step / 2, flows[0] * step / 2)
    yield from _homogeneous(net, case)


def _peaks_of_flows(net: Net, case: Decay, theta: Tensor) -> Array:
    """Largest S + λ on the gradient flow of L + ½ λ |w|²: (decays, starts), by Runge and Kutta's method."""
    h = case.flow_step
    decay = torch.tensor(case.decays).repeat_interleave(len(theta))[:, None]
    w = theta.repeat(len(case.decays), 1)
    S, u = net.first_top(w)
    peak = S + decay[:, 0]
    for t in range(round(case.flow_time / h)):
        k1 = net.gradient(w) + decay * w
        k2, k3, k4 = k1, k1, k1
        for part in (0.5, 0.5, 1.0):
            at = w - part * h * k4
            k2, k3, k4 = k3, k4, net.gradient(at) + decay * at
        w = w - h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if t % 5 == 0:
            S, u = net.top(w, u)
            peak = torch.maximum(peak, S + decay[:, 0])
    return peak.view(len(case.decays), -1).numpy()


def _homogeneous(data: Net, case: Decay) -> Parts:
    """w·∇S over 2 (D − 1) S for the largest eigenvalue S of JJᵀ/n, of ReLU networks of D layers."""
    for biases, depth in product((False, True), (2, 3, 4)):
        net = Net((data.x.shape[1], *[20] * (depth - 1), 1), data.x, data.y, relu=True, biases=biases)
        starts = [net.start(case.seed, "homogeneous", depth, i) for i in range(case.replicates)]
        starts = [w + 0.1 * (w == 0) for w in starts]  # biases, where there are any
        top = net.gauss_newton
        slopes = [float(torch.func.grad(top)(w) @ w / (2 * (depth - 1) * top(w))) for w in starts]
        yield tidy("homogeneous_error" + "_wrong" * biases, f"d{depth}", 0.0, slopes)


@job(Delay)
def delay(case: Delay) -> Parts:
    """Step at which S turns, which is where x reaches δ, and S there, by size of the noise; both predicted. The sum
    that has grown by then, beside ln 1/ε."""
    net, theta = memorising(case)
    path, noises = _quiet(net, theta, case), (0.0, *case.noises)
    names = ["float64", *(f"noise{noise:g}" for noise in case.noises), "float32"]
    seen = [*_noisy(net, theta, case, noises), *_noisy(net, theta.float(), case, (0.0,))]
    for name, noise, S in zip(names, (*noises, 0.0), seen, strict=True):
        eps = [noise or one.rounding[name] for one in path]
        exits, peaks = np.transpose([one.exit(size) for one, size in zip(path, eps, strict=True)])
        left = [turn(S[:, i], one.crossing) for i, one in enumerate(path)]
        height = S[left, range(len(path))]
        yield from beside("exit_error", name, left, exits, [one.crossing for one in path])
        yield tidy("overshoot", name, 0.0, height * case.step / 2, peaks * case.step / 2)
        grown = [one.growth[t] for one, t in zip(path, left, strict=True)]
        yield tidy("growth", name, 0.0, grown, np.log(1 / np.array(eps)))


def turn(S: Array, crossing: int) -> int:
    """Step of the first peak of S (t,) after it has crossed 2/η; the last step if S does not fall by FALL."""
    after = S[crossing:]
    fallen = (1 - FALL) * np.maximum.accumulate(after) > after
    return crossing + int(after[: fallen.argmax()].argmax()) if fallen.any() else len(S) - 1


class Quiet:
    """The path without oscillation of one start: S, δ (t,), and the error of rounding at the edge."""

    def __init__(self, step: float, S: Array, delta: Array, *bits: Array) -> None:
        self.S, self.delta = S, delta
        above = step * S > 2
        self.crossing = int(above.argmax()) if above.any() else len(S) - 1  # which is measured as no turn
        self.rounding = {name: float(bit[self.crossing]) for name, bit in zip(PRECISIONS, bits, strict=True)}
        near = S[max(self.crossing - 5, 0) : self.crossing + 6]
        self.kappa = max(step * float(near[-1] - near[0]) / (len(near) - 1), 1e-12)
        self.growth = np.cumsum(np.where(step * S > 2, np.log(np.maximum(step * S - 1, 1.0)), 0.0))

    def exit(self, eps: float) -> tuple[float, float]:
        """When x₀ e^N reaches δ, N(t) = Σ ln(η S − 1) from the edge on, x₀ = ε (π/κ)^¼ e^(−0.635), and S there."""
        x = np.log(eps) + 0.25 * np.log(np.pi / self.kappa) + GEOMETRIC + self.growth - np.log(self.delta)
        at = float(np.interp(0.0, x[self.crossing :], np.arange(self.crossing, len(x))))
        return at, float(np.interp(at, np.arange(len(x)), self.S))


def _quiet(net: Net, theta: Tensor, case: Delay) -> list[Quiet]:
    """The same descent, but along the top vector u with the step 1/S, which nothing makes oscillate.

    δ² = 2α/β, α = −∇L·∇S, β = |∇S|² across the top vector u; a last bit is ulp(w)/√12 along u.
    """
    w, (_, u), found = theta, net.first_top(theta), []
    for _ in range(case.num_steps):
        S, u = net.top(w, u)
        g = net.gradient(w)
        slope = net.steepening(w, u)
        across = slope.square().sum(1) - (slope * u).sum(1).square()
        delta = (-2 * (g * slope).sum(1) / across).clamp(min=1e-30).sqrt()
        ulps = (np.spacing(np.abs(w.numpy()).astype(name)).astype(float) for name in PRECISIONS)
        bits = [(u * torch.from_numpy(ulp / np.sqrt(12))).norm(dim=1) for ulp in ulps]  # rounding to the nearest
        found.append(torch.stack([S, delta, *bits]))
        w = w - case.step * g + (case.step - 1 / S).clamp(min=0.0)[:, None] * (g * u).sum(1, keepdim=True) * u
    return [Quiet(case.step, *seen) for seen in torch.stack(found).permute(2, 1, 0).numpy()]


def _noisy(net: Net, theta: Tensor, case: Delay, noises: tuple[float, ...]) -> Array:
    """S of descent in the precision of theta with noise of each size in each weight: (noises, t, starts)."""
    rng, found = stream(case.seed, "stability", "noise"), []
    sizes = torch.tensor(noises, dtype=theta.dtype).repeat_interleave(len(theta))[:, None]
    w = theta.repeat(len(noises), 1)
    _, u = net.first_top(w.double())
    for _ in range(case.num_steps):
        S, u = net.top(w.double(), u, 3)
        found.append(S)
        w = w - case.step * net.gradient(w)
        w = w + sizes * torch.from_numpy(rng.standard_normal(w.shape)).to(w) if max(noises) else w
    return torch.stack(found).view(len(found), len(noises), -1).transpose(0, 1).numpy()
