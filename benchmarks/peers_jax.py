"""W1 and W2 in JAX: jit of value_and_grad with lax.scan over the layers.

Over the networks either vmap (all at once) or lax.map (one after the other, which keeps what is
stored in cache): which is faster depends on the sizes, so both are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Method
from benchmarks.workload import Workload

__all__ = ["MAP", "VMAP", "compiled", "descent", "gradient"]

VMAP, MAP = "JAX vmap", "JAX map"
Batch = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]
jax.config.update("jax_enable_x64", True)


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The function compiled for these arguments, and the CPU seconds of tracing and compiling."""
    begun = time.process_time()
    done = jax.jit(function).lower(*arguments).compile()
    return done, time.process_time() - begun


def _risk(load: Workload) -> Callable[[Any], Any]:
    """Risk of one network as a function of theta (L, dim_theta, M)."""
    problem, d, scale = load.problem, load.problem.dim, load.scale
    x, y, g = (jnp.asarray(part.cpu().numpy())
               for part in (problem.inputs, problem.targets, problem.readout))

    def layer(z: Any, theta: Any) -> tuple[Any, None]:
        a, w, b = theta[:d], theta[d : 2 * d], theta[2 * d]
        return z + scale * jnp.tanh(z @ w + b) @ a.T, None

    def risk(theta: Any) -> Any:
        z, _ = jax.lax.scan(layer, x, theta)
        return 0.5 * jnp.mean((z @ g - y) ** 2)

    return risk


def _map(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda theta: jax.lax.map(function, theta)


def _batch(name: str) -> Batch:
    return jax.vmap if name == VMAP else _map


def gradient(load: Workload, name: str) -> Method:
    """All risks and gradients by one compiled call."""
    theta = jnp.asarray(load.theta.cpu().numpy())
    call, seconds = compiled(_batch(name)(jax.value_and_grad(_risk(load))), theta)

    def numbers(outcome: Any) -> list[np.ndarray]:
        return [np.asarray(outcome[0]), np.asarray(outcome[1]) / load.scale]

    return Method(name, lambda _: jax.block_until_ready(call(theta)), numbers=numbers,
                  compile_seconds=seconds)


def descent(load: Workload, name: str) -> Method:
    """All steps by one compiled call, a scan that notes the risk before each step.

    vmap takes each step for all networks, lax.map all steps for each network.
    """
    theta = jnp.asarray(load.theta.cpu().numpy())
    risk_of = _risk(load)
    both, rate = jax.value_and_grad(risk_of), load.shape.step / load.scale

    def step(theta: Any, _: None) -> tuple[Any, Any]:
        risk, slope = both(theta)
        return theta - rate * slope, risk

    def descend(theta: Any) -> tuple[Any, Any]:
        final, risks = jax.lax.scan(step, theta, None, length=load.shape.steps)
        return jnp.append(risks, risk_of(final)), final

    call, seconds = compiled(_batch(name)(descend), theta)

    def numbers(outcome: Any) -> list[np.ndarray]:
        return [np.asarray(outcome[0]).T, np.asarray(outcome[1])]

    return Method(name, lambda _: jax.block_until_ready(call(theta)), numbers=numbers,
                  compile_seconds=seconds)
