"""The exponential integrator: its order, its tail, its errors."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import oracles
import pytest
import torch

from zeroloss.integrate.exponential import STAGES, Point, _Stepper, follow
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.kernel import Linearised
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network


def small_field() -> tuple[MeanField, torch.Tensor]:
    field = MeanField(built_in("sine", 4, 0), gauss_legendre(3), 32)
    start = field.start(sobol_rule(InitialLaw(), 2, 5, "exponential")[None])
    return field, field.shape(start)[0]


def linear(theta: torch.Tensor) -> Linearised:
    """r = a σ with σ fixed and a = θ: K is constant, the flow is linear."""
    sigma = torch.linspace(1.0, 1e-4, 3).double().diag().reshape(1, 3, 3)
    a = theta[0, 0]
    return Linearised(
        sigma[0] @ a - 1.0,
        torch.zeros(1, 3, 1).double(),
        torch.ones(1, 3, 1).double(),
        sigma,
        torch.zeros(1, 3, 3).double(),
        torch.ones(1, 3).double(),
    )


def test_a_linear_flow_is_exact_whatever_the_step() -> None:
    """Rates of eight magnitudes, one step."""
    start, s = torch.zeros(1, 3, 3).double(), 50.0
    (end,) = follow(linear, start, [s], rtol=1e-6)
    rates = torch.linspace(1.0, 1e-4, 3).double().square() / 3
    torch.testing.assert_close(end.now.residuals, -torch.exp(-rates * s), rtol=1e-9, atol=1e-13)


def test_order_from_both_sides() -> None:
    field, theta = small_field()
    (exact,) = follow(field.linearise, theta, [4.0], rtol=1e-10)
    errors = []
    for count in (8, 16, 32):
        stepper = _Stepper(field.linearise)
        now, vectors = stepper.point(theta, 0.0)
        for i in range(count):
            new, _ = stepper.attempt(now, vectors, 4.0 / count)
            now, vectors = stepper.point(new, (i + 1) * 4.0 / count)
        errors.append(float((now.theta - exact.theta).norm()))
    observed = math.log2(errors[-2] / errors[-1])
    assert STAGES - 0.3 < observed < STAGES + 0.5


def test_agrees_with_the_explicit_pair_early_and_late() -> None:
    field, theta = small_field()
    times = [0.0, 1.0, 20.0, 60.0]
    exact = field.run(field.start(theta[None].numpy()), times, rtol=1e-11)
    points = follow(field.linearise, theta, times, rtol=1e-7)
    assert [p.s for p in points] == times
    for t, point in enumerate(points):
        # relative to itself: the risk falls by seven orders of magnitude
        assert point.risk == pytest.approx(float(exact.risk[t, 0]), rel=2e-5)


def test_a_network_reaches_the_floor_of_its_numbers_in_few_steps() -> None:
    data = built_in("sine", 4, 0)
    network = Network(data, 8, 16)
    seen: list[Point] = []
    follow(network.linearise, oracles.normals(3, 8, 5, 16), [1e5], rtol=1e-4, floor=1e-27, each=seen.append)
    assert seen[-1].risk < 1e-27 < seen[-2].risk
    assert len(seen) < 200
    # the late rate comes down to the slowest mode's
    rates = [
        math.log(a.risk / b.risk) / (b.s - a.s) / (2 * float(b.spectrum[0]) / 4)
        for a, b in pairwise(p for p in seen if 1e-25 < p.risk < 1e-9)
    ]
    assert 1.0 < rates[-1] < 1.05 and rates[-1] == min(rates)


def test_risk_never_rises_and_every_point_is_seen() -> None:
    field, theta = small_field()
    seen: list[Point] = []
    points = follow(field.linearise, theta, [5.0, 300.0], rtol=1e-4, each=seen.append)
    assert bool((np.diff([p.risk for p in seen]) < 0).all())
    assert [p.s for p in points] == [5.0, 300.0] and seen[-1] is points[-1]


def test_a_point_that_does_not_move_is_followed_too() -> None:
    network = Network(built_in("sine", 4, 0), 3, 2)
    start = torch.zeros(3, 5, 2).double()
    (end,) = follow(network.linearise, start, [100.0])
    assert torch.equal(end.theta, start) and float(end.spectrum[-1]) == 0


def test_says_what_is_wrong() -> None:
    field, theta = small_field()
    with pytest.raises(ValueError, match="rtol and atol must be above 0, got 0"):
        follow(field.linearise, theta, [1.0], rtol=0.0)
    with pytest.raises(ValueError, match="flow_times must be increasing"):
        follow(field.linearise, theta, [1.0, 0.5])
    with pytest.raises(RuntimeError, match="more than 2 steps to reach flow time"):
        follow(field.linearise, theta, [9.0], max_steps=2)

    def broken(theta: torch.Tensor) -> Linearised:
        made = field.linearise(theta)
        wrong = made.residuals if float(theta.sum()) == total else made.residuals * math.nan
        return Linearised(wrong, made.z, made.q, made.sigma, made.push, made.mass)

    total = float(theta.sum())
    with pytest.raises(FloatingPointError, match="not finite at flow time 0; reduce rtol"):
        follow(broken, theta, [1.0])
