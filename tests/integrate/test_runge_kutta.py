"""The pair has the order it states, no less and no more, and keeps replicates apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from scipy.integrate import RK45, quad
from torch import Tensor

from zeroloss.integrate import runge_kutta
from zeroloss.integrate.runge_kutta import DORMAND_PRINCE, Evaluation, Flow, integrate

ORDER = DORMAND_PRINCE.order


def test_the_coefficients_are_those_of_scipy() -> None:
    """Written once more: the last stage is the first of the next step, b its row of a."""
    *stages, last = DORMAND_PRINCE.a
    for row, expected in zip(stages, RK45.A, strict=True):
        np.testing.assert_allclose(row, expected[: len(row)], rtol=1e-15)
    np.testing.assert_allclose(last, RK45.B, rtol=1e-15)
    assert DORMAND_PRINCE.b == (*last, 0.0)
    np.testing.assert_allclose(DORMAND_PRINCE.c, [*RK45.C, 1.0], rtol=1e-15)
    np.testing.assert_allclose(DORMAND_PRINCE.error, -RK45.E, rtol=1e-14)


# ---- orders measured

Slope = Callable[[Tensor, Tensor], Tensor]


def forced(y: Tensor, s: Tensor) -> Tensor:
    """Two equations with known solutions: y = e^{sin s} and the logistic curve."""
    return torch.stack([y[:, 0] * torch.cos(s), y[:, 1] * (1 - y[:, 1])], dim=1)


def solution(s: float) -> Tensor:
    return oracles.tensor([[math.exp(math.sin(s)), 1 / (1 + 3 * math.exp(-s))]])


def run(slope: Slope, y0: Tensor, outputs: list[float], **options: Any) -> Flow:
    """Observes (s, y), and integrates the first component of y."""

    def vector_field(y: Tensor, s: Tensor, out: Tensor) -> Evaluation:
        out.copy_(slope(y, s))
        return Evaluation(torch.cat([s[:, None], y], 1), y[:, 0].clone())

    return integrate(vector_field, y0, outputs, **options)


def fixed_steps(count: int, **options: Any) -> Flow:
    """Outputs closer than any step that a huge tolerance would choose: steps of 6/count."""
    outputs = [6 * (i + 1) / count for i in range(count)]
    flow = run(forced, solution(0.0), outputs, rtol=1e6, **options)
    assert flow.accepted.tolist() == [count] and flow.rejected.tolist() == [0]
    return flow


def test_solution_and_integral_of_the_rate_have_the_stated_order() -> None:
    """y at s = 6, and ∫_0^6 e^{sin s} ds, by scipy's adaptive quadrature."""
    exact = quad(lambda s: math.exp(math.sin(s)), 0, 6, epsabs=1e-13)[0]
    flows = [fixed_steps(count) for count in (64, 128, 256)]
    for errors, within in (
        ([float((flow.final - solution(6.0)).abs().max()) for flow in flows], 0.05),
        ([abs(float(flow.integral[-1, 0]) - exact) for flow in flows], 0.1),
    ):
        assert errors[-1] > 1e-12  # above round-off
        assert oracles.observed_orders(errors)[-1] == pytest.approx(ORDER, abs=within)


def test_interpolation_in_a_step_is_of_fourth_order() -> None:
    errors = []
    for count in (32, 64, 128):
        trajectory = fixed_steps(count, record=True).trajectory
        assert trajectory is not None and len(trajectory.s) == count + 1
        s = [(trajectory.s[i] + trajectory.s[i + 1]) / 2 for i in range(count)]
        errors.append(max(float((trajectory.at(i, 0.5) - solution(s[i])[0]).abs().max()) for i in range(count)))
    assert oracles.observed_orders(errors)[-1] == pytest.approx(4, abs=0.1)


def test_interpolation_passes_through_its_points() -> None:
    trajectory = fixed_steps(32, record=True).trajectory
    assert trajectory is not None
    assert torch.equal(trajectory.at(2, 0.0), trajectory.point(2)[0])
    assert torch.equal(trajectory.at(2, 1.0), trajectory.point(3)[0])
    near = trajectory.at(2, 1 - 1e-9) - trajectory.point(3)[0]
    assert float(near.abs().max()) < 1e-8


@pytest.mark.parametrize("order", [1, -1])
def test_points_that_were_not_kept_are_computed_again(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit, with rejected steps between, and from a bounded number of kept states."""
    flows = []
    for most in (10**6, 3):
        monkeypatch.setattr(runge_kutta, "KEPT_STATES", most)
        flows.append(run(forced, solution(0.0), [1.0, 6.0], rtol=1e-9, record=True))
    whole, few = (flow.trajectory for flow in flows)
    assert whole is not None and few is not None
    assert len(whole.s) == len(few.s) > 30 and whole.s == few.s
    assert len(few._kept) <= 6 < len(whole._kept) == len(whole.s)
    for i in range(len(whole.s))[::order]:
        for one, other in zip(few.point(i), whole.point(i), strict=True):
            assert torch.equal(one, other), i
        assert len(few._between) < len(whole.s) / 2


def test_error_follows_the_tolerance() -> None:
    """Error per tolerance stays of order one over six decades."""
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        flow = run(forced, solution(0.0), [2.0], rtol=rtol)
        error = float((flow.final - solution(2.0)).abs().max())
        assert 1e-3 * rtol < error < 20 * rtol, rtol


def test_steps_grow_and_shrink_with_the_solution() -> None:
    """A narrow rise: steps are rejected at it, and few are spent away from it."""

    def rise(y: Tensor, s: Tensor) -> Tensor:
        return (1 / (1 + ((s - 50.0) / 0.05) ** 2))[:, None].expand_as(y)

    flow = run(rise, torch.zeros(1, 1, dtype=torch.float64), [100.0], rtol=1e-8)
    assert float(flow.final) == pytest.approx(0.1 * math.atan(1000), rel=1e-6)
    assert int(flow.rejected) >= 1
    assert int(flow.accepted) < 300


# ---- outputs


def test_output_times_are_hit_exactly() -> None:
    outputs = [0.0, 0.1, 0.1 + 1e-9, 1 / 3, 0.7, 2.0, 7.7]
    flow = run(forced, solution(0.0).expand(3, 2), outputs, rtol=1e-7, keep_states=True)
    assert flow.observed[:, :, 0].tolist() == [[s] * 3 for s in outputs]
    assert flow.states is not None
    assert torch.equal(flow.states, flow.observed[:, :, 1:])
    assert torch.equal(flow.states[-1], flow.final)
    for s, state in zip(outputs, flow.states[:, 0], strict=True):
        torch.testing.assert_close(state, solution(s)[0], rtol=0, atol=1e-5)


def test_an_output_does_not_shorten_the_steps_after_it() -> None:
    alone = run(forced, solution(0.0), [20.0], rtol=1e-6)
    stops = run(forced, solution(0.0), [3.0, 3.0 + 1e-7, 20.0], rtol=1e-6)
    assert int(stops.accepted) <= int(alone.accepted) + 5


# ---- replicates


def stiff(y: Tensor, s: Tensor) -> Tensor:
    """Rows of very different speed: each needs steps of its own."""
    return -y * (1 + 40 * y[:, :1].abs()) + torch.sin(s)[:, None]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_replicate_does_not_depend_on_its_batch(size: int) -> None:
    start = oracles.normals(3, 64, 11)
    whole = run(stiff, start, [0.5, 2.0], rtol=1e-7)
    assert len(set(whole.accepted.tolist())) > 5  # they do step apart
    for first in range(0, 64, 13):
        part = run(stiff, start[first : first + size], [0.5, 2.0], rtol=1e-7)
        rows = slice(first, first + size)
        assert torch.equal(part.observed, whole.observed[:, rows])
        assert torch.equal(part.integral, whole.integral[:, rows])
        assert torch.equal(part.accepted, whole.accepted[rows])


# ---- errors


def test_a_value_that_is_not_finite_names_replicate_and_time() -> None:
    start = oracles.tensor([[0.5], [2.0], [0.5]])

    def blow_up(y: Tensor, s: Tensor) -> Tensor:
        return torch.where(y > 3, torch.nan, y * y)

    with pytest.raises(FloatingPointError, match=r"replicate 1 .* flow time 0\.\d+; reduce rtol"):
        run(blow_up, start, [5.0])


@pytest.mark.parametrize("outputs", [[0.0], [0.0, 1.0], [1.0]])
def test_a_start_that_is_not_finite_is_refused_at_time_zero(outputs: list[float]) -> None:
    with pytest.raises(FloatingPointError, match="replicate 1 is not finite at flow time 0"):
        run(forced, torch.cat([solution(0.0), torch.full((1, 2), torch.nan)]), outputs)


@pytest.mark.parametrize(
    ("outputs", "rtol", "message"),
    [
        ([1.0, 0.5], 1e-6, r"flow_times must be increasing .* got \[1.0, 0.5\]; set flow_times"),
        ([1.0, 1.0], 1e-6, "flow_times must be increasing"),
        ([-1.0], 1e-6, "at least 0"),
        ([], 1e-6, "flow_times must be increasing"),
        ([1.0], 0.0, "rtol and atol must be above 0, got 0.0 and 0.0; set rtol"),
    ],
)
def test_wrong_settings_are_refused(outputs: list[float], rtol: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(forced, solution(0.0), outputs, rtol=rtol)


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(RuntimeError, match="more than 5 steps to reach flow time 100"):
        run(forced, solution(0.0), [100.0], max_steps=5)
