"""W1 and W2 in JAX: jit of value_and_grad with lax.scan over the layers.

Over the networks either vmap (all at once) or lax.map (one after the other, which keeps what is
stored in cache): which is faster depends on the sizes, so both are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Method
from benchmarks.workload import Workload

__all__ = ["BATCHES", "descent", "gradient"]

BATCHES: dict[str, Callable[[Any], Any]] = {
    "JAX vmap": jax.vmap,
    "JAX map": lambda function: partial(jax.lax.map, function),
}
jax.config.update("jax_enable_x64", True)


def _risk(load: Workload) -> Callable[[Any], Any]:
    """Risk of one network as a function of theta (L, dim_theta, M)."""
    problem, d, scale = load.problem, load.problem.dim, load.scale
    x, y, g = (jnp.asarray(part.cpu().numpy()) for part in (problem.inputs, problem.targets, problem.readout))

    def layer(z: Any, theta: Any) -> tuple[Any, None]:
        a, w, b = theta[:d], theta[d : 2 * d], theta[2 * d]
        return z + scale * jnp.tanh(z @ w + b) @ a.T, None

    def risk(theta: Any) -> Any:
        z, _ = jax.lax.scan(layer, x, theta)
        return 0.5 * jnp.mean((z @ g - y) ** 2)

    return risk


def _compiled(
    name: str, load: Workload, function: Callable[[Any], Any], numbers: Callable[[Any], list[np.ndarray]]
) -> Method:
    """The function of one network on all of them; the CPU seconds of tracing and compiling."""
    theta = jnp.asarray(load.theta.cpu().numpy())
    begun = time.process_time()
    call = jax.jit(BATCHES[name](function)).lower(theta).compile()
    return Method(
        name, lambda _: jax.block_until_ready(call(theta)), numbers=numbers, compile_seconds=time.process_time() - begun
    )


def gradient(name: str, load: Workload) -> Method:
    """All risks and gradients by one compiled call."""
    return _compiled(
        name,
        load,
        jax.value_and_grad(_risk(load)),
        lambda outcome: [np.asarray(outcome[0]), np.asarray(outcome[1]) / load.scale],
    )


def descent(name: str, load: Workload) -> Method:
    """All steps by one compiled call, a scan that notes the risk before each step.

    vmap takes each step for all networks, lax.map all steps for each network.
    """
    risk_of = _risk(load)
    both, rate = jax.value_and_grad(risk_of), load.shape.step / load.scale

    def step(theta: Any, _: None) -> tuple[Any, Any]:
        risk, slope = both(theta)
        return theta - rate * slope, risk

    def descend(theta: Any) -> tuple[Any, Any]:
        final, risks = jax.lax.scan(step, theta, None, length=load.shape.steps)
        return jnp.append(risks, risk_of(final)), final

    return _compiled(name, load, descend, lambda outcome: [np.asarray(outcome[0]).T, np.asarray(outcome[1])])
