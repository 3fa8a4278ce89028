"""W1 and W2 in PyTorch: as a user would write it, with torch.func, and that by torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.timing import Method
from benchmarks.workload import Workload

__all__ = ["COMPILED", "FUNC", "MODULES", "PEERS", "compiled"]

MODULES = "torch modules"
FUNC = "torch.func"
COMPILED = "torch.compile"


class Block(nn.Module):
    """z + (1/(L M)) Σ_m a_m tanh(w_m·z + b_m), of theta (dim_theta, M)."""

    def __init__(self, theta: Tensor, scale: float) -> None:
        super().__init__()
        k, M = theta.shape
        d = (k - 1) // 2
        self.inner = nn.Linear(d, M, dtype=theta.dtype)
        self.outer = nn.Linear(M, d, bias=False, dtype=theta.dtype)
        self.scale = scale
        with torch.no_grad():
            self.outer.weight.copy_(theta[:d])
            self.inner.weight.copy_(theta[d : 2 * d].T)
            self.inner.bias.copy_(theta[2 * d])

    def forward(self, z: Tensor) -> Tensor:
        """Features (N, d) one layer on."""
        return z + self.scale * self.outer(torch.tanh(self.inner(z)))


def _networks(load: Workload) -> list[nn.Sequential]:
    return [nn.Sequential(*(Block(layer, load.scale) for layer in theta)) for theta in load.theta]


def _stacked(networks: list[nn.Sequential], of: Callable[[Tensor], Any]) -> Tensor:
    """What ``of`` takes from the parameters, in the layout (networks, L, dim_theta, M)."""

    def rows(block: Any) -> Tensor:
        return torch.cat([of(block.outer.weight), of(block.inner.weight).T, of(block.inner.bias)[None]])

    return torch.stack([torch.stack([rows(block) for block in one]) for one in networks])


def _risk(features: Tensor, load: Workload) -> Tensor:
    return 0.5 * nn.functional.mse_loss(features @ load.problem.readout, load.problem.targets)


def _backward(network: nn.Sequential, load: Workload) -> Tensor:
    """Risk of a network; its gradient is left with the parameters."""
    network.zero_grad()
    risk = _risk(network(load.problem.inputs), load)
    risk.backward()
    return risk.detach()


def _arrays(*parts: Tensor) -> list[np.ndarray]:
    return [part.detach().cpu().numpy() for part in parts]


def modules_gradient(load: Workload) -> Method:
    """One nn.Module per network, a loop over them, autograd."""
    networks = _networks(load)
    return Method(
        MODULES,
        lambda _: [_backward(network, load) for network in networks],
        numbers=lambda risks: _arrays(torch.stack(risks), _stacked(networks, lambda p: p.grad) / load.scale),
    )


def modules_descent(load: Workload) -> Method:
    """The same under torch.optim.SGD, network after network; risk noted before each step."""
    shape = load.shape

    def fresh() -> list[tuple[nn.Sequential, torch.optim.Optimizer]]:
        rate = shape.step / load.scale
        return [(network, torch.optim.SGD(network.parameters(), lr=rate)) for network in _networks(load)]

    def run(state: list[tuple[nn.Sequential, torch.optim.Optimizer]]) -> Any:
        history = []
        for network, optimiser in state:
            risks = []
            for _ in range(shape.steps):
                risks.append(_backward(network, load))
                optimiser.step()
            with torch.no_grad():
                risks.append(_risk(network(load.problem.inputs), load))
            history.append(torch.stack(risks))
        return torch.stack(history, 1), [network for network, _ in state]

    return Method(MODULES, run, fresh, lambda outcome: _arrays(outcome[0], _stacked(outcome[1], lambda p: p)))


def _functional_risk(load: Workload) -> Callable[[Tensor], Tensor]:
    """Risk of one network as a function of theta (L, dim_theta, M)."""
    d = load.problem.dim

    def risk(theta: Tensor) -> Tensor:
        z = load.problem.inputs
        for layer in theta.unbind(0):
            a, w, b = layer[:d], layer[d : 2 * d], layer[2 * d]
            z = z + load.scale * torch.tanh(z @ w + b) @ a.T
        return _risk(z, load)

    return risk


def func_gradient(load: Workload, name: str = FUNC, made: Callable[[Any], Any] = lambda both: both) -> Method:
    """vmap over networks of torch.func.grad_and_value, as ``made`` makes it."""
    both = made(torch.func.vmap(torch.func.grad_and_value(_functional_risk(load))))
    return Method(name, lambda _: both(load.theta), numbers=lambda out: _arrays(out[1], out[0] / load.scale))


def func_descent(load: Workload, name: str = FUNC, made: Callable[[Any], Any] = lambda both: both) -> Method:
    """A loop of such gradients; risk noted before each step."""
    risk_of = _functional_risk(load)
    both = made(torch.func.vmap(torch.func.grad_and_value(risk_of)))
    risks_of = torch.func.vmap(risk_of)
    rate = load.shape.step / load.scale

    def run(theta: Tensor) -> tuple[Tensor, Tensor]:
        risks = []
        for _ in range(load.shape.steps):
            gradient, risk = both(theta)
            risks.append(risk)
            theta = theta.sub_(gradient, alpha=rate)
        with torch.no_grad():
            risks.append(risks_of(theta))
        return torch.stack(risks), theta

    return Method(name, run, load.theta.clone, lambda outcome: _arrays(*outcome))


def compiled(work: str, load: Workload) -> Method:
    """The same with torch.compile; it is compiled when it first runs, which is not timed."""
    return (func_gradient if work == "gradient" else func_descent)(load, COMPILED, torch.compile)


PEERS: dict[str, dict[str, Callable[[Workload], Method]]] = {
    "gradient": {MODULES: modules_gradient, FUNC: func_gradient},
    "training": {MODULES: modules_descent, FUNC: func_descent},
}
