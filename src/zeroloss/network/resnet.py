"""The finite ResNet: forward, hand-written adjoint, gradient flow and gradient descent.

z_{l+1} = z_l + (1/(L M)) Σ_m f(z_l, θ_{l,m}),  E = mean ½ r²,  dθ_{l,m}/ds = −L M ∇_{θ_{l,m}} E.
Batched over replicates: theta (replicates, layers, dim_theta, units). No autograd: memory is one
stored activation per unit and sample, whatever the number of steps. On the processor the compiled
engine does the work, on a GPU Triton with ZEROLOSS_ENGINE=triton; the torch code below says the
same and serves all else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ledger.display import Shown, Summary, over_time, quantiles, span
from zeroloss.integrate.runge_kutta import Evaluation, Flow, integrate
from zeroloss.model.block import ACTIVATIONS, Activation, dim_theta, preactivation, push, split, values
from zeroloss.model.kernel import Linearised
from zeroloss.model.problem import Problem
from zeroloss.network import engine

__all__ = ["Network", "Training"]


def _runner(problem: Problem, activation: str) -> Any:
    """What does the work in place of torch: the engine, on a GPU Triton where it is asked for, or None."""
    if engine.serves(problem, activation):
        return engine
    if not problem.inputs.is_cuda or os.environ.get(engine.SWITCH) != "triton":
        return None
    try:
        from zeroloss.network import gpu
    except ImportError as error:
        engine.say_once(str(error))
        return None
    return gpu if gpu.serves(problem, activation) else None


@dataclass(repr=False)
class Training(Shown):
    """Trained networks at the output times s.

    residuals (outputs, replicates, samples); risk (outputs, replicates), E_s if regularised
    is in ``objective``; dissipated: ∫_0^s of the dissipation of the objective, the same shape.
    """

    flow_times: tuple[float, ...]
    residuals: Tensor
    risk: Tensor
    objective: Tensor
    dissipated: Tensor
    parameters: Tensor
    steps: Tensor

    def _summary(self) -> Summary:
        replicates, layers, _, units = self.parameters.shape
        facts = {
            "replicates": replicates,
            "num_layers": layers,
            "num_units": units,
            "num_samples": self.residuals.shape[-1],
            "steps": span(self.steps.cpu()),
        }
        return over_time(facts, self.flow_times, quantiles("risk", self.risk.cpu()))


class Network:
    """Residual networks of one shape on one problem; see the module's equations.

    ``branch_scale`` replaces 1/(L M) in front of the sum over units (a wrong scaling is a negative
    control); ``regularised`` adds e^{−s} (1/(L M)) Σ |θ|² to the risk; ``recompute`` computes
    activations a second time instead of keeping L layers of them; ``threads`` share replicates;
    ``compiled`` False keeps to torch.

    >>> import torch
    >>> from zeroloss.model import law, problem
    >>> from ledger.record.streams import stream
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> network = Network(sine, num_layers=4, num_units=16)
    >>> start = law.sample_independent(law.InitialLaw(), stream("example"), 4, 16, sine.dim)
    >>> trained = network.train(torch.from_numpy(start[None]), flow_times=[0.0, 4.0])
    >>> [round(float(risk), 3) for risk in trained.risk[:, 0]]
    [0.143, 0.081]

    What the risk has lost was dissipated on the way:

    >>> lost = trained.risk[0] - trained.risk[1]
    >>> torch.allclose(lost, trained.dissipated[1], rtol=1e-4)
    True
    """

    def __init__(
        self,
        problem: Problem,
        num_layers: int,
        num_units: int,
        activation: str = "tanh",
        *,
        branch_scale: float | None = None,
        regularised: bool = False,
        recompute: bool = False,
        threads: int = 1,
        compiled: bool = True,
    ) -> None:
        for name, value in (("num_layers", num_layers), ("num_units", num_units)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}; set it in sizes")
        self.problem, self.L, self.M = problem, num_layers, num_units
        self.activation: Activation = ACTIVATIONS[activation]
        self.scale = 1.0 / (num_layers * num_units) if branch_scale is None else branch_scale
        self.regularised = regularised
        self.threads = threads
        self._engine = None
        self._runner: Any = _runner(problem, activation) if compiled else None
        if self._runner is not None:
            self._engine = engine.Shape(problem, num_layers, num_units, activation, self.scale, regularised, recompute)
        self._buffers: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def parameter_shape(self) -> tuple[int, int, int]:
        """(layers, dim_theta, units)."""
        return self.L, dim_theta(self.problem.dim), self.M

    def _workspace(self, replicates: int) -> tuple[Tensor, Tensor, Tensor]:
        """z with a column of ones (L+1, R, N, d+1), stored activations (L, R, N, M), scratch."""
        if replicates not in self._buffers:
            x = self.problem.inputs
            N, d = x.shape
            z = x.new_ones((self.L + 1, replicates, N, d + 1))
            stored = x.new_empty((self.L, replicates, N, self.M))
            self._buffers = {replicates: (z, stored, x.new_empty((replicates, N, self.M)))}
        return self._buffers[replicates]

    def features(self, theta: Tensor) -> Tensor:
        """z_l(x) for all layers: (replicates, L, k, M) -> (L+1, replicates, samples, dim)."""
        z, _ = self._forward(theta)
        return z[..., :-1].clone()

    def _forward(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        d, sigma = self.problem.dim, self.activation
        z, stored, _ = self._workspace(theta.shape[0])
        z[0, ..., :d] = self.problem.inputs
        current = z[0, ..., :d]
        for l in range(self.L):
            u = torch.bmm(z[l], theta[:, l, d:], out=stored[l])  # w·z + b, b against the ones
            h = torch.tanh_(u) if sigma.name == "tanh" else sigma.value(u)
            if sigma.slope_of_value is not None:
                stored[l] = h
            current = torch.baddbmm(current, h, theta[:, l, :d].mT, alpha=self.scale)
            z[l + 1, ..., :d] = current
        return z, stored

    def velocity(self, theta: Tensor, out: Tensor) -> Tensor:
        """Write −L M ∇_θ E, like theta (replicates, L, k, M), to ``out``; return residuals.

        Adjoint: p_L = r ∇g, p_l = p_{l+1} + scale Σ_m ∂_z f(z_l, θ_{l,m})ᵀ p_{l+1}, and
        ∇_{θ_{l,m}} E = scale · mean over samples of p_{l+1}ᵀ ∂_θ f(z_l, θ_{l,m}). The adjoint is
        linear: it carries the factor −L M scale/N from the start.
        """
        if self._engine is not None:
            return self._runner.velocity(self._engine, theta, out, self.threads)
        d, sigma = self.problem.dim, self.activation
        z, stored = self._forward(theta)
        scratch = self._workspace(theta.shape[0])[2]
        r = self.problem.residuals(z[self.L, ..., :d])
        factor = -self.L * self.M * self.scale / self.problem.num_samples
        p = (factor * r).unsqueeze(-1) * self.problem.readout
        for l in reversed(range(self.L)):
            if sigma.slope_of_value is not None:
                h, slope = stored[l], sigma.slope_of_value(stored[l])
            else:
                h, slope = values(stored[l], sigma)
            out[:, l, :d] = torch.bmm(p.mT, h)
            q = torch.bmm(p, theta[:, l, :d], out=scratch).mul_(slope)  # (p·a) σ'
            out[:, l, d:] = torch.bmm(z[l].mT, q)
            p = torch.baddbmm(p, q, theta[:, l, d : 2 * d].mT, alpha=self.scale)
        return r

    def gradient(self, theta: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """L M ∇_θ E like theta (replicates, L, k, M), and residuals (replicates, samples).

        ``out`` takes the gradient: memory that is new to a process costs as much as a third of it.
        """
        out = torch.empty_like(theta) if out is None else out
        if self._engine is not None:
            return out, self._runner.velocity(self._engine, theta, out, self.threads, sign=-1.0)
        r = self.velocity(theta, out)
        return out.neg_(), r

    def linearise(self, theta: Tensor) -> Linearised:
        """Residuals, and their derivatives through q_{l+1} = ∂g(z_L)/∂z_{l+1}, of one network:
        theta (L, k, M)."""
        d, sigma = self.problem.dim, self.activation
        z, _ = self._forward(theta.unsqueeze(0))
        z = z[:, 0, :, :d]
        _, w, _ = split(theta)
        h, slope = values(preactivation(z[:-1], theta), sigma)
        q = torch.empty_like(z[:-1])
        pushed = torch.empty_like(h)
        p = self.problem.readout.expand_as(z[0])
        for l in reversed(range(self.L)):
            q[l] = p
            pushed[l] = push(p, theta[l], slope[l])
            p = p + self.scale * (pushed[l] @ w[l].mT)
        particles = self.L * self.M
        mass = theta.new_full((self.L, self.M), 1.0 / particles)
        return Linearised(self.problem.residuals(z[-1]), z[:-1].clone(), q, h, pushed, mass, self.scale * particles)

    def vector_field(self, flat: Tensor, s: Tensor, out: Tensor) -> Evaluation:
        """−L M ∇E (or of E_s) at flat (replicates, L k M), residuals and dissipation."""
        shape = (flat.shape[0], *self.parameter_shape)
        r = self.velocity(flat.view(shape), out.view(shape))
        particles = self.L * self.M
        if not self.regularised:
            rate = torch.linalg.vector_norm(out, dim=1).square() / particles
            return Evaluation(r, rate)
        # dE_s/ds = −mean |∇δE_s|² − e^{−s} mean |θ|²
        decay = torch.exp(-s)
        out.sub_(flat * (2.0 * decay)[:, None])
        size = flat.square().sum(1) / particles
        rate = out.square().sum(1) / particles + decay * size
        return Evaluation(torch.cat([r, size.unsqueeze(1)], 1), rate)

    def train(self, theta: Tensor, flow_times: Sequence[float], *, rtol: float = 1e-6) -> Training:
        """Gradient flow from theta (replicates, L, k, M) through the flow times.

        Each replicate steps by its own error estimate (atol = rtol). Of float32 the compiled engine
        trains in float32, all else in the type of the problem.
        """
        theta = theta if self._runner is engine else theta.to(self.problem.inputs.dtype)
        if self._engine is not None:
            flow = self._runner.flow(self._engine, theta, flow_times, rtol=rtol, atol=rtol, threads=self.threads)
        else:
            flow = integrate(self.vector_field, theta.flatten(1), flow_times, rtol=rtol)
        return self._training(flow, flow_times)

    def descend(self, theta: Tensor, step: float, num_steps: int, record_every: int = 1) -> Training:
        """Plain gradient descent, θ ← θ − h L M ∇E: a learning rate of h·L·M for each unit.

        ``step`` h is in units of flow time s. Records every ``record_every`` steps, and the start.
        """
        if not step > 0 or num_steps < 0:
            raise ValueError(f"step must be above 0 and num_steps at least 0, got {step} and {num_steps}; set step")
        if record_every < 1:
            raise ValueError(f"record_every must be at least 1, got {record_every}")
        recorded = sorted({*range(0, num_steps + 1, record_every), num_steps})
        if self._engine is not None:
            flow = self._runner.descend(self._engine, theta, step, num_steps, record_every, self.threads)
        else:
            flow = self._descend(theta.flatten(1).clone(), step, recorded)
        return self._training(flow, [n * step for n in recorded])

    def _descend(self, flat: Tensor, step: float, recorded: Sequence[int]) -> Flow:
        """Descent in torch, in place, through the last of the steps at which it is recorded."""
        slope = torch.empty_like(flat)
        observed, integrals = [], []
        integral = flat.new_zeros(flat.shape[0])
        for n in range(recorded[-1] + 1):
            now = self.vector_field(flat, torch.full_like(integral, n * step), slope)
            if n == recorded[len(observed)]:
                if not bool(torch.isfinite(now.observed).all()):
                    raise FloatingPointError(f"gradient descent is not finite at step {n}; reduce step (now {step})")
                observed.append(now.observed)
                integrals.append(integral)
            if n < recorded[-1]:
                flat.add_(slope, alpha=step)
                integral = integral + step * now.rate
        steps = torch.full((flat.shape[0],), recorded[-1])
        return Flow(torch.stack(observed), torch.stack(integrals), None, flat, steps, torch.zeros_like(steps), None)

    def _training(self, flow: Flow, flow_times: Sequence[float]) -> Training:
        r = flow.observed[..., : self.problem.num_samples]
        objective = risk = Problem.risk(r)
        if self.regularised:
            times = torch.tensor(list(flow_times), dtype=risk.dtype, device=risk.device)
            objective = risk + torch.exp(-times)[:, None] * flow.observed[..., -1]
        return Training(
            tuple(flow_times),
            r,
            risk,
            objective,
            flow.integral,
            flow.final.view(-1, *self.parameter_shape),
            flow.accepted + flow.rejected,
        )
