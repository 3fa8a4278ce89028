"""The study `normalisation`: laws against quadrature, samples and closed limits, networks against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from zeroloss.studies.normalisation import laws
from zeroloss.studies.normalisation.jobs import edge, measured
from zeroloss.studies.normalisation.laws import MANY, Batch, crossing
from zeroloss.studies.normalisation.nets import Net, inputs, start
from zeroloss.studies.normalisation.plan import Descent

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@pytest.mark.parametrize(("q", "r"), [(1.0, 0.3), (2.5, -0.7), (0.5, 0.5)])
def test_moments_of_gelu_are_those_of_a_quadrature(q: float, r: float) -> None:
    u = np.sqrt(q) * NODES[:, None]
    v = r / q * u + np.sqrt(q - r * r / q) * NODES
    weights = WEIGHTS[:, None] * WEIGHTS / WEIGHTS.sum() ** 2

    def slope(x: np.ndarray) -> np.ndarray:
        return ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)

    expected = (weights * u * ndtr(u) * v * ndtr(v)).sum(), (weights * slope(u) * slope(v)).sum()
    assert laws.gelu(q, np.array(r)) == pytest.approx(expected, rel=1e-9)


def test_limits_of_many_inputs_are_closed() -> None:
    """γ²/2π; π/(π − 1) and half of it; the crossings."""
    batch, x = Batch("relu", MANY, 4, gamma=1.5), np.pi / (np.pi - 1) / 2
    assert batch.top("differentiated") == pytest.approx(2.25 / (2 * np.pi), rel=1e-6)
    assert batch.layers("held")[1][-1] == pytest.approx((2 * x, x), rel=1e-6)
    assert batch.top("held") == pytest.approx(2.25 / (2 * np.pi) * (1 + x + x * x), rel=1e-6)
    assert Batch("relu", MANY, 4).top("printed") == pytest.approx((1 + 1 / 3 + 1 / 9) / (2 * np.pi))
    ends = [crossing(4, kind) for kind in ("differentiated", "held", "printed")]
    assert ends == pytest.approx([3.75, 2.49, 2.88], abs=0.01)


def test_the_projection_is_that_of_samples() -> None:
    """tr P D 11ᵀ D P and the part of the last layer but one, drawn for a few inputs."""
    n = 24
    z = np.random.default_rng(0).standard_normal((100000, n))
    z -= z.mean(1, keepdims=True)
    s2 = (z**2).mean(1, keepdims=True)
    z /= np.sqrt(s2)
    d = (z > 0).astype(float)
    across = (d * d).sum(1) - d.sum(1) ** 2 / n - (d * z).sum(1) ** 2 / n
    assert (1 / s2).mean() == pytest.approx(n / (n - 3), rel=0.01)
    # c₀ = 0: two layers, the input's q̂ − q̂_xy cancels that of s²
    batch = Batch("relu", n, 2)
    hidden = batch.top("differentiated") - batch.layers("held")[0][-1] @ (1 / n, 1 - 1 / n)
    assert hidden == pytest.approx(across.mean() * n / (n - 3) / n**2, rel=0.08)  # the law is to 1/n of it


@pytest.mark.parametrize("kind", ["plain", "held", "differentiated"])
def test_kernels_are_those_of_autograd(kind: str) -> None:
    """By layers without biases, by products with them; hidden mean gradients cancel where statistics are
    differentiated."""
    net, theta = Net(inputs(12, 6, 0.2), "relu", kind), start([12, 12, 12, 1], 0)
    jacobian = torch.autograd.functional.jacobian(lambda *w: net.outputs(w)[:, 0], theta)
    kernels = [block.flatten(1) @ block.flatten(1).mT / 6 for block in jacobian]
    top, uniform, vector = net.top(theta)
    whole = torch.stack(kernels).sum(0)
    assert (top, uniform) == pytest.approx((float(torch.linalg.eigvalsh(whole)[-1]), float(whole.mean()) * 6), rel=1e-3)
    assert vector.shape == (6, 1)
    if kind == "differentiated":
        assert float(jacobian[1].sum(0).abs().max()) < 1e-9
    else:
        weights = torch.stack(kernels[::2]).sum(0)
        assert measured(net, theta)["top"] == pytest.approx(float(torch.linalg.eigvalsh(weights)[-1]))


@pytest.mark.parametrize("most", [0.9, 3.0])
def test_the_edge_is_found_outside_the_bracket_too(most: float) -> None:
    """Of one linear layer it is η*: the loss after 200 steps is that at the start, but for modes that are gone."""
    net, theta = Net(inputs(12, 6, 0.2)), start([12, 1], 0)
    case = Descent.model_construct(most=most, accuracy=1e-3)
    y = net.outputs(theta) - net.top(theta)[2]
    assert edge(net, theta, y, 0.0, 200, case) == pytest.approx(1.0, abs=0.01)
