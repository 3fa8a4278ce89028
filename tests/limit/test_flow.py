"""The mean-field flow: what it may not break, and errors that it states about itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.record.streams import stream
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import LimitNumbers, MeanField, solve
from zeroloss.model.kernel import Linearised
from zeroloss.model.law import InitialLaw, SmoothPath, sample_paths, sobol_rule
from zeroloss.model.problem import Problem, built_in

LAW = InitialLaw()
RULES = pytest.mark.parametrize("rule", [gauss_legendre(3), euler(4)], ids=lambda rule: rule.name)


@RULES
@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_lost_risk_is_the_dissipated_energy(rule: DepthRule, name: str) -> None:
    """Exact in depth and in θ: only the step in s is left, and it is driven below 1e-8."""
    field = MeanField(oracles.small_problem(4, 2), rule, 16, name)
    start = field.start(sobol_rule(LAW, 2, 4, "energy")[None])
    run = field.run(start, [0.0, 0.5, 2.0, 8.0], rtol=1e-11)
    lost = run.risk[0] - run.risk
    assert float(lost[-1]) > 0.01
    torch.testing.assert_close(run.dissipated[1:], lost[1:], rtol=1e-8, atol=0)


@settings(max_examples=6)
@given(st.integers(0, 10**6), st.sampled_from(oracles.SMOOTH), st.sampled_from([1, 2, 4]))
def test_risk_never_rises(seed: int, name: str, nodes: int) -> None:
    data = oracles.small_problem(4, 2, seed % 5)
    field = MeanField(data, gauss_legendre(nodes), 8, name)
    run = field.run(field.start(sobol_rule(LAW, 2, 3, seed)[None]), np.linspace(0, 4, 21).tolist())
    assert bool((run.risk.diff(dim=0) <= 1e-12).all())


@RULES
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_splitting_a_particle_changes_nothing(rule: DepthRule, share: float) -> None:
    """Two particles at one place that share its mass move as the one did, and so do the others."""
    data, weights = oracles.small_problem(4, 2), oracles.shares(6)
    theta = oracles.normals(4, 1, rule.num_nodes, 5, 6)
    split = torch.cat([theta, theta[..., 2:3]], dim=-1)
    parts = torch.cat([weights, weights[2:3] * (1 - share)])
    parts[2] *= share
    one, other = MeanField(data, rule, weights), MeanField(data, rule, parts)
    first = one.run(theta.flatten(1), [0.0, 2.0], rtol=1e-10, keep=True)
    second = other.run(split.flatten(1), [0.0, 2.0], rtol=1e-10, keep=True)
    torch.testing.assert_close(second.residuals, first.residuals, rtol=0, atol=1e-8)
    torch.testing.assert_close(second.dissipated, first.dissipated, rtol=0, atol=1e-8)
    assert first.particles is not None and second.particles is not None
    torch.testing.assert_close(second.particles[..., :6], first.particles, rtol=0, atol=1e-7)
    assert torch.equal(second.particles[..., 2], second.particles[..., 6])


@RULES
@settings(max_examples=6)
@given(samples=st.permutations(range(4)), order=st.permutations(range(6)))
def test_order_of_particles_and_samples_does_not_matter(rule: DepthRule, samples: list[int], order: list[int]) -> None:
    data, weights = oracles.small_problem(4, 2), oracles.shares(6)
    mixed = Problem("mixed", data.inputs[samples], data.targets[samples], data.readout)
    theta = oracles.normals(4, 1, rule.num_nodes, 5, 6)
    one = MeanField(data, rule, weights).run(theta.flatten(1), [1.0], rtol=1e-9)
    other = MeanField(mixed, rule, weights[order]).run(theta[..., order].flatten(1), [1.0], rtol=1e-9)
    torch.testing.assert_close(other.residuals, one.residuals[..., samples], rtol=1e-8, atol=1e-10)


def test_a_start_may_be_given_once_or_node_by_node() -> None:
    field = MeanField(oracles.small_problem(4, 2), gauss_legendre(3), 8)
    points = sobol_rule(LAW, 2, 3, "start")
    once = field.start(points[None])
    each = field.start(np.broadcast_to(points, (1, 3, 5, 8)))
    assert torch.equal(once, each)
    assert field.shape(once).shape == (1, 3, 5, 8)


def test_euler_tends_to_gauss_with_order_one_before_and_after_training() -> None:
    """The depth bias A/L of the layers, by one cloud at both: slope 1 on the finest pair."""
    data = built_in("sine", 6, 0)
    points = sobol_rule(LAW, 2, 5, "depth")[None]

    def residuals(rule: DepthRule) -> np.ndarray:
        field = MeanField(data, rule, 32)
        return field.run(field.start(points), [0.0, 2.0], rtol=1e-9).residuals[:, 0].numpy()

    exact = residuals(gauss_legendre(6))
    gaps = [np.abs(residuals(euler(L)) - exact).max(axis=1) for L in (16, 32, 64)]
    for s in range(2):
        assert oracles.observed_orders([gap[s] for gap in gaps])[-1] == pytest.approx(1, abs=0.05)


def test_depth_bias_before_training_is_its_closed_expression() -> None:
    """A_i(0) = −½ ∫ q_i·Z_i'' dt with Z'' = J Z' on constant paths, against layers extrapolated."""
    data = oracles.small_problem(4, 2)
    theta = 0.5 + torch.from_numpy(sobol_rule(LAW, 2, 3, "bias"))  # a mean branch that is not zero

    def seen(rule: DepthRule) -> Linearised:
        return MeanField(data, rule, 8).linearise(theta.expand(rule.num_nodes, -1, -1))

    rule = gauss_legendre(8)
    exact, a, w = seen(rule), theta[:2], theta[2:4]
    velocity = exact.sigma @ a.T / 8
    second = torch.einsum("qnj,kj,qnk->qn", exact.push, w, velocity) / 8  # q·J Z'
    bias = -0.5 * torch.einsum("q,qn->n", rule.weights, second)
    layers = [seen(euler(L)).residuals for L in (64, 128, 256)]
    coarse, fine = 128 * (layers[0] - layers[1]), 256 * (layers[1] - layers[2])
    torch.testing.assert_close(2 * fine - coarse, bias, rtol=0, atol=1e-3 * float(bias.abs().max()))


def test_continuous_limit_takes_paths() -> None:
    """M smooth paths at the nodes: more nodes converge to one answer, before and after training."""
    data = oracles.small_problem(4, 2)

    def residuals(nodes: int) -> np.ndarray:
        rule = gauss_legendre(nodes)
        paths = sample_paths(LAW, SmoothPath(1.0), stream("paths"), rule.nodes.numpy(), 8, 2)
        field = MeanField(data, rule, 8)
        return field.run(field.start(paths[None]), [0.0, 1.0], rtol=1e-8).residuals[:, 0].numpy()

    fine = residuals(12)
    first, second, third = (np.abs(residuals(nodes) - fine).max(axis=1) for nodes in (2, 4, 8))
    assert np.all(second < first / 10) and np.all(third < second / 10)
    assert third[0] < 1e-7 and third[1] < 1e-4


# ---- numbers with their errors


def covered(numbers: LimitNumbers, fine: LimitNumbers) -> tuple[float, float]:
    """The shares of risks and of residuals that lie within their errors."""
    risk = np.abs(numbers.risk - fine.risk) <= numbers.risk_error + fine.risk_error
    residuals = np.abs(numbers.residuals - fine.residuals) <= numbers.residuals_error + fine.residuals_error
    return float(risk.mean()), float(residuals.mean())


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_stated_error_covers_a_refined_run(name: str) -> None:
    data = oracles.small_problem(4, 2)

    def solved(log2_points: int, depth_nodes: int, seed: int) -> LimitNumbers:
        sizes: dict[str, Any] = {"log2_points": log2_points, "max_log2_points": log2_points}
        sizes |= {"depth_nodes": depth_nodes, "seed": seed}
        return solve(data, LAW, [0.0, 2.0], activation=name, accuracy=1e-9, **sizes)

    fine = solved(9, 6, 99)
    assert fine.log2_points == 9
    shares = []
    for seed in range(20):
        rough = solved(5, 3, seed)
        shares.append(covered(rough, fine))
        assert bool((rough.risk_error > 2 * fine.risk_error).all())  # it does see the difference
    assert np.mean(shares, axis=0).min() >= 0.85  # each holds at 95 %


@pytest.mark.parametrize(
    ("part", "s", "fine", "rough"),
    [
        *(("depth", 1.0, {"depth_nodes": 8}, {"depth_nodes": nodes}) for nodes in (1, 2, 3)),
        ("step", 3.0, {"rtol": 1e-11}, {"rtol": 1e-5}),
    ],
)
def test_stated_error_covers_too_few_nodes_and_loose_steps(
    part: str, s: float, fine: dict[str, Any], rough: dict[str, Any]
) -> None:
    """Strong weights: the part of depth, or of the step, must carry the error."""
    data, law = oracles.small_problem(4, 2), InitialLaw("point", 1.5, 1.2, 0.3)
    exact, numbers = (
        solve(data, law, [0.0, s], accuracy=1e-9, log2_points=2, max_log2_points=2, scrambles=2, **options)
        for options in (fine, rough)
    )
    gap = np.abs(numbers.risk - exact.risk)
    assert bool((gap <= 1.05 * numbers.parts[part] + 1e-12).all())
    assert bool((numbers.parts["rule"] < 1e-12).all())  # a point law has no error of a rule


def test_points_double_until_the_accuracy_is_met() -> None:
    data = oracles.small_problem(3, 1)
    numbers = solve(data, LAW, [0.5], accuracy=0.02, log2_points=3, scrambles=4)
    assert 3 < numbers.log2_points < 15
    assert bool((numbers.risk_error <= 0.02 * numbers.risk).all())
    exact = oracles.gauss_rule(LAW.scales(1), 14)
    field = MeanField(data, gauss_legendre(4), torch.from_numpy(exact[1]))
    risk = float(field.run(field.start(exact[0][None]), [0.5]).risk)
    assert abs(risk - numbers.risk[0]) <= numbers.risk_error[0] + 1e-4


def test_accuracy_must_be_positive() -> None:
    with pytest.raises(ValueError, match="accuracy must be above 0, got 0; pass a relative error"):
        solve(oracles.small_problem(), LAW, [1.0], accuracy=0)
