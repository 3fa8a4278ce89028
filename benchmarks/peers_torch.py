"""W1 and W2 in PyTorch: as a user would write it, and with torch.func."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.timing import Method
from benchmarks.workload import Workload

__all__ = ["FUNC", "MODULES", "descent_peers", "gradient_peers"]

MODULES = "torch modules"
FUNC = "torch.func"


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

    def rows(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        """Rows (a, w, b) of the parameters, or of what ``of`` takes from them: (dim_theta, M)."""
        return torch.cat([of(self.outer.weight), of(self.inner.weight).T,
                          of(self.inner.bias)[None]])


class ResNet(nn.Module):
    """One residual network from theta (L, dim_theta, M)."""

    def __init__(self, theta: Tensor, readout: Tensor, scale: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[Block(layer, scale) for layer in theta])
        self.register_buffer("readout", readout)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions (N,) for inputs (N, d)."""
        return self.blocks(x) @ self.readout

    def stacked(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``of`` takes from the parameters, in the layout (L, dim_theta, M)."""
        blocks: Sequence[Any] = list(self.blocks)
        return torch.stack([block.rows(of) for block in blocks])


def _risk(predictions: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * torch.nn.functional.mse_loss(predictions, targets)


def _modules(load: Workload) -> list[ResNet]:
    return [ResNet(theta, load.problem.readout, load.scale) for theta in load.theta]


def _array(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()


def _gradient_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def modules_gradient(load: Workload) -> Method:
    """One nn.Module per network, a loop over them, autograd."""
    networks, problem = _modules(load), load.problem

    def run(_: None) -> list[Tensor]:
        risks = []
        for network in networks:
            network.zero_grad()
            risk = _risk(network(problem.inputs), problem.targets)
            risk.backward()
            risks.append(risk.detach())
        return risks

    def numbers(risks: list[Tensor]) -> list[np.ndarray]:
        gradients = torch.stack([network.stacked(_gradient_of) for network in networks])
        return [_array(torch.stack(risks)), _array(gradients / load.scale)]

    return Method(MODULES, run, numbers=numbers)


def modules_descent(load: Workload) -> Method:
    """The same under torch.optim.SGD, network after network; risk noted before each step."""
    problem, shape = load.problem, load.shape

    def fresh() -> list[tuple[ResNet, torch.optim.Optimizer]]:
        return [(network, torch.optim.SGD(network.parameters(), lr=shape.step / load.scale))
                for network in _modules(load)]

    def run(state: list[tuple[ResNet, torch.optim.Optimizer]]) -> Any:
        history = []
        for network, optimiser in state:
            risks = []
            for _ in range(shape.steps):
                optimiser.zero_grad()
                risk = _risk(network(problem.inputs), problem.targets)
                risk.backward()
                optimiser.step()
                risks.append(risk.detach())
            with torch.no_grad():
                risks.append(_risk(network(problem.inputs), problem.targets))
            history.append(torch.stack(risks))
        return history, [network for network, _ in state]

    def numbers(outcome: Any) -> list[np.ndarray]:
        history, networks = outcome
        final = torch.stack([network.stacked(lambda p: p) for network in networks])
        return [_array(torch.stack(history, 1)), _array(final)]

    return Method(MODULES, run, fresh, numbers)


def _functional_risk(load: Workload) -> Callable[[Tensor], Tensor]:
    """Risk of one network as a function of theta (L, dim_theta, M)."""
    problem, d = load.problem, load.problem.dim

    def risk(theta: Tensor) -> Tensor:
        z = problem.inputs
        for layer in theta.unbind(0):
            a, w, b = layer[:d], layer[d : 2 * d], layer[2 * d]
            z = z + load.scale * torch.tanh(z @ w + b) @ a.T
        return _risk(z @ problem.readout, problem.targets)

    return risk


def func_gradient(load: Workload) -> Method:
    """vmap over networks of torch.func.grad_and_value."""
    both = torch.func.vmap(torch.func.grad_and_value(_functional_risk(load)))

    def numbers(outcome: tuple[Tensor, Tensor]) -> list[np.ndarray]:
        gradient, risk = outcome
        return [_array(risk), _array(gradient / load.scale)]

    return Method(FUNC, lambda _: both(load.theta), numbers=numbers)


def func_descent(load: Workload) -> Method:
    """A loop of such gradients; risk noted before each step."""
    risk_of = _functional_risk(load)
    both = torch.func.vmap(torch.func.grad_and_value(risk_of))
    risks_of = torch.func.vmap(risk_of)
    rate = load.shape.step / load.scale

    def run(theta: Tensor) -> tuple[list[Tensor], Tensor]:
        risks = []
        for _ in range(load.shape.steps):
            gradient, risk = both(theta)
            risks.append(risk)
            theta = theta.sub_(gradient, alpha=rate)
        with torch.no_grad():
            risks.append(risks_of(theta))
        return risks, theta

    def numbers(outcome: tuple[list[Tensor], Tensor]) -> list[np.ndarray]:
        return [_array(torch.stack(outcome[0])), _array(outcome[1])]

    return Method(FUNC, run, load.theta.clone, numbers)


def gradient_peers(load: Workload) -> dict[str, Callable[[], Method]]:
    """The peers of W1 by name, each made when it is asked for."""
    return {MODULES: lambda: modules_gradient(load), FUNC: lambda: func_gradient(load)}


def descent_peers(load: Workload) -> dict[str, Callable[[], Method]]:
    """The peers of W2 by name."""
    return {MODULES: lambda: modules_descent(load), FUNC: lambda: func_descent(load)}
