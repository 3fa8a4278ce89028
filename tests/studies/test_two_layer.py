"""Two-layer networks and replicates, which several studies share: kernel, descent, limits and slopes."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd
import pytest
import torch

from zeroloss.studies.drawn import normals, sphere
from zeroloss.studies.replicated import at_infinity, slope_row, tidy
from zeroloss.studies.two_layer import descended, descent, kernel, paired, tangent

RNG = np.random.default_rng


def labelled(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    return sphere(RNG(1), n, d), RNG(2).choice([-1.0, 1.0], n)


def test_the_kernel_is_that_of_wide_networks() -> None:
    X, _ = labelled(4, 3)
    gates = (RNG(3).standard_normal((400000, 3)) @ X.T > 0).astype(float)
    assert kernel(X) == pytest.approx(gates.T @ gates / len(gates) * (X @ X.T), abs=3e-3)
    assert tangent(np.array([-1.0, 1.0])) == pytest.approx([0.0, 0.5])


def test_steps_are_along_gradients() -> None:
    """Natural ones lower all residuals alike, and a heavy ball adds a share of its last step."""
    X, y = labelled(6, 4)
    W, signs = paired(RNG(4).standard_normal((10, 4)))
    step = 1e-6
    (_, residual, change), (then, *_), *_ = islice(descent(X, y, W, signs, step), 2)
    leaf, inputs = torch.tensor(W, requires_grad=True), torch.from_numpy(X)
    loss = 0.5 * ((torch.relu(inputs @ leaf.T) @ torch.from_numpy(signs) - torch.from_numpy(y)) ** 2).sum()
    loss.backward()
    assert residual == pytest.approx(-y) and (W - then == pytest.approx(change))
    assert leaf.grad is not None and change == pytest.approx(step * leaf.grad.numpy(), rel=1e-9)
    (_, before, _), (_, after, _) = islice(descent(X, y, W, signs, step, natural=True), 2)
    assert before - after == pytest.approx(step * before, rel=1e-4)
    (_, _, first), (heavy, _, second), (end, *_) = islice(descent(X, y, W, signs, step, momentum=0.9), 3)
    assert heavy - end == pytest.approx(second + 0.9 * first, abs=1e-12)


def test_training_ends_where_all_networks_have_arrived() -> None:
    X, y = labelled(4, 6)
    start = paired(normals(3, (32, 6), "test"))
    early, first, last = (descended(X, y, *start, 1.0, 1e-2, steps)[1] for steps in (2, 2000, 4000))
    assert (first <= 1e-2).all() and (first == last).all()
    assert first.max() > 3e-3, "the last to arrive has just done so"
    assert (early > 1e-2).all()


def test_limits_and_slopes_of_replicates() -> None:
    """1 + 2/n + 3/n² is extrapolated exactly; a power has its slope."""
    noise = np.array([-1e-9, 1e-9])
    sizes = (10, 20, 40)
    assert at_infinity(sizes, [1 + 2 / n + 3 / n**2 + noise for n in sizes]).value == pytest.approx(1)
    table = pd.concat([tidy("q", "c", n, 5 * n**-0.5 * (1 + noise)) for n in sizes])
    assert slope_row("", "slope", "c", table, "case")["estimate"] == pytest.approx(-0.5)
