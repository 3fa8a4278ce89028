"""The study `regimes`: gradients against differences, flows against their laws, statistics against known paths."""

from __future__ import annotations

import numpy as np
import pytest

from zeroloss.studies.regimes import chains, trained
from zeroloss.studies.regimes.small import EXPONENTS, Stack


def stack(kinds: list[str], activations: list[str], L: int = 3, N: int = 5, d: int = 2) -> tuple[Stack, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, len(kinds), N, d))
    one = Stack(x, y, L, kinds, activations)
    return one, one.state(rng.standard_normal((len(kinds), L, d, d + 1)) / 2, np.full((len(kinds), L), 0.7))


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_the_velocity_is_the_gradient_of_the_parameters_that_there_are(activation: str) -> None:
    """Of each layer's numbers, of one δ for all, of one for each, and of none."""
    kinds = list(EXPONENTS)
    one, state = stack(kinds, [activation] * 4)
    risk, down = one.descend(state)
    step, first = 1e-6, one.weights
    for i in (0, 4, first - 1, first):
        moved = state.copy()
        moved[:, i] += step
        slope = (one.descend(moved)[0] - risk) / step
        if i < first:
            assert down[:, i] == pytest.approx(-slope, abs=1e-5)
        else:
            assert down[1, i] == pytest.approx(-slope[1], abs=1e-5) and not down[2:, i].any()
    moved = state.copy()
    moved[:, first:-1] += step
    assert down[0, first] == pytest.approx(-(one.descend(moved)[0] - risk)[0] / step, abs=1e-5)


def test_networks_do_not_depend_on_those_beside_them() -> None:
    one, state = stack(["own", "own", "shared"], ["tanh", "gelu", "gelu"])
    risk, down = one.descend(state)
    alone = one.descend(state[1:2])
    assert alone[0] == pytest.approx(risk[1:2]) and alone[1] == pytest.approx(down[1:2])


def test_the_flow_ends_at_the_share_that_is_asked_for_and_keeps_its_balance() -> None:
    one, state = stack(["shared", "own", "one"], ["tanh"] * 3)
    one.y = one.x + 0.3 * one.y
    start = one.descend(state)[0]
    ends = one.by_risk(state, (0.5, 0.25), 1e-8)
    for share, end in zip((0.5, 0.25), ends, strict=True):
        assert one.descend(end)[0] == pytest.approx(share * start, rel=1e-5)
    relu, state = stack(["shared", "own"], ["relu"] * 2)
    before, after = trained.invariants(relu, state), trained.invariants(relu, relu.by_risk(state, (0.9,), 1e-8)[0])
    assert after == pytest.approx(before, abs=1e-6)


def test_a_network_that_rests_above_the_share_has_no_weights() -> None:
    """Samples in one place with two targets keep their variance: the flow to it has a finite cost."""
    one, state = stack(["own", "own"], ["gelu", "gelu"])
    one.x[0], one.y[1] = one.x[0, 0], one.x[1] + 0.1 * one.y[1]
    end = one.by_risk(state, (0.5, 1e-3), 1e-6)
    assert np.isnan(end[1, 0, :-1]).all() and np.isfinite(end[:, 1]).all()


def test_a_clock_counts_flow_time() -> None:
    """To the risk that descent by small steps has at that time."""
    one, state = stack(["one"], ["tanh"])
    target = 0.5 * one.descend(state)[0]
    risk, reached = one.clocked(state, target, 2.0, 1e-8)
    y, at = state.copy(), []
    for _ in range(2000):
        y = y + reached[0] / 1000 * one.descend(y)[1]
        at.append(one.descend(y)[0][0])
    assert at[999] == pytest.approx(target[0], rel=2e-3) and at[-1] == pytest.approx(risk[0], rel=2e-3)


def test_adam_stops_at_the_share_or_says_that_it_did_not() -> None:
    one, state = stack(["one"], ["tanh"])
    end = one.adam(state, np.array([0.01]), 500, 0.5)
    share = one.descend(end)[0] / one.descend(state)[0]
    assert 0.4 < share[0] <= 0.5
    with pytest.raises(RuntimeError, match="raise most_steps"):
        one.adam(state, np.array([1e-6]), 5, 0.5)


def test_affine_maps_deviate_from_no_affine_map() -> None:
    x = np.random.default_rng(1).standard_normal((50, 3))
    bent = np.stack([x @ np.ones((3, 3)) + 1.0, x**2])
    assert trained.deviation(x, bent)[0] < 1e-12 < 0.3 < trained.deviation(x, bent)[1]
    assert trained.affine_floor(x, bent[0]) == pytest.approx(0.0, abs=1e-20)


def test_statistics_of_a_line_and_of_steps() -> None:
    L = 200
    found = chains.statistics(np.arange(L)[:, None] / L)
    assert found["increment"][0] == pytest.approx(1 / L) and found["root-sum"][0] == pytest.approx(np.sqrt(L - 1) / L)
    assert chains.statistics(np.ones((L, 1)))["sum"][0] == pytest.approx(np.sqrt((L + 1) * (2 * L + 1) / 6))
