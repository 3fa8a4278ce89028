"""The influence function against differences in mass, and Σ against closed forms and ensembles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor

from ledger.record.streams import stream
from zeroloss.limit import fluctuation
from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.limit.fluctuation import (
    Influence,
    covariance_independent,
    covariance_of_paths,
    influence,
    pair_covariances,
)
from zeroloss.model.law import (
    InitialLaw,
    PathLaw,
    SmoothPath,
    correlated_sobol,
    sample_independent,
    sample_paths,
    sobol_rule,
)
from zeroloss.model.problem import Problem
from zeroloss.network.resnet import Network

SCALES = (0.8, 1.1, 0.6)
LAW = InitialLaw("gaussian", *SCALES)
A, W, B = np.array([0.4, -0.3]), np.array([0.5, 0.2]), 0.3


def influence_of(field: MeanField, start: Tensor, flow_time: float, rtol: float = 1e-9) -> Influence:
    times = sorted({0.0, flow_time})
    trajectory = field.run(start, times, rtol=rtol, record=True).flow.trajectory
    assert trajectory is not None
    return influence(field, trajectory, flow_time)


# ---- ψ


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["tanh", "gelu", "relu2"])
@pytest.mark.parametrize(
    ("samples", "dim", "particles"), [(2, 1, 16), (5, 2, 48), (7, 3, 32), (70, 10, 720), (3, 17, 16)]
)
def test_the_engine_moves_costates_as_torch_does(
    samples: int, dim: int, particles: int, name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles and blocks that are full, and such that are not: samples in fours, units in vectors, blocks of both."""
    field = MeanField(oracles.small_problem(samples, dim), euler(2), particles, name)
    theta = 0.8 * oracles.normals(particles, 2, 2 * dim + 1, particles)
    costates = oracles.normals(9, 3, 2, 2 * dim + 1, particles).to(dtype)
    found = []
    for served in (True, False):
        monkeypatch.setattr(fluctuation.engine, "serves", lambda *_, served=served: served)
        operator, moved = fluctuation._Linearised(field, theta, dtype), costates.clone()
        assert (operator.engine is not None) == served
        found.append((operator.along(moved), moved))
    rounding = 2e-5 if dtype == torch.float32 else 1e-13
    for made, expected in zip(*found, strict=True):
        torch.testing.assert_close(made, expected, rtol=0, atol=rounding * float(expected.abs().max()))


@pytest.mark.parametrize("rule", [gauss_legendre(2), euler(3)], ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", ["tanh", "gelu"])
@pytest.mark.parametrize("flow_time", [0.0, 2.0])
def test_psi_is_the_derivative_in_the_mass_of_a_particle(rule: DepthRule, name: str, flow_time: float) -> None:
    """Every ψ_i at every node and particle, by running the whole training with more and with less
    of that mass. The oracle shares no code: fixed point in depth, autograd, fixed steps."""
    data = oracles.small_problem(3, 2)
    shares = oracles.tensor([0.2, 0.3, 0.5])
    theta = 0.8 * oracles.normals(6, rule.num_nodes, 5, 3)
    psi = influence_of(MeanField(data, rule, shares, name), theta.reshape(1, -1), flow_time)
    slow = oracles.influence_by_mass(theta, shares, data, rule.matrix, rule.weights, name, flow_time)
    centred = slow - (slow @ shares.numpy())[..., None]
    assert np.abs(centred).max() > 0.1
    np.testing.assert_allclose(psi.psi, centred, rtol=0, atol=1e-6)
    assert psi.flow_time == flow_time
    np.testing.assert_allclose(psi.psi @ psi.weights, 0, atol=1e-13)


def test_psi_is_that_derivative_when_a_thousandth_of_the_risk_is_left() -> None:
    data, rule, flow_time = oracles.small_problem(3, 2), euler(2), 44.0
    shares = oracles.tensor([0.1, 0.2, 0.3, 0.4])
    theta = oracles.normals(6, rule.num_nodes, 5, 4)
    field = MeanField(data, rule, shares)
    risk = field.run(theta.reshape(1, -1), [0.0, flow_time], rtol=1e-9).risk[:, 0]
    assert risk[1] < 1e-3 * risk[0]
    psi = influence_of(field, theta.reshape(1, -1), flow_time).psi
    slow = oracles.influence_by_mass(theta, shares, data, rule.matrix, rule.weights, "tanh", flow_time, 220)
    centred = slow - (slow @ shares.numpy())[..., None]
    np.testing.assert_allclose(psi, centred, rtol=0, atol=1e-4 * np.abs(centred).max())


def test_costates_in_single_precision_are_good_for_covariances() -> None:
    data = oracles.small_problem(4, 2)
    points = sobol_rule(LAW, 2, 7, "single precision")
    field = MeanField(data, gauss_legendre(3), points.shape[-1])
    trajectory = field.run(field.start(points[None]), (0.0, 4.0), rtol=1e-5, record=True).flow.trajectory
    assert trajectory is not None
    double, single = (influence(field, trajectory, 4.0, dtype) for dtype in (torch.float64, torch.float32))
    assert double.psi.dtype == single.psi.dtype == np.float64
    assert np.abs(single.psi - double.psi).max() > 0
    for covariance in (covariance_independent, covariance_of_paths):
        np.testing.assert_allclose(
            covariance(single), covariance(double), rtol=0, atol=1e-5 * float(np.trace(covariance(double)))
        )


def test_psi_at_the_start_is_its_definition() -> None:
    """s = 0: ψ = Qᵀ f(Z, θ) − mean, with Q of an identity cloud in closed form."""
    psi, data, points, times = drifting()
    rate = float(W @ A)
    for q, t in enumerate(times):
        growth, left = math.expm1(rate * t) / rate, math.expm1(rate * (1 - t)) / rate
        x = data.inputs.numpy()
        z = x + np.outer(x @ W + B, A) * growth
        adjoint = data.readout.numpy() + W * (A @ data.readout.numpy()) * left
        f = (adjoint @ points[:2]) * (z @ points[2:4] + points[4])
        np.testing.assert_allclose(psi.psi[:, q], f - (f @ psi.weights)[:, None], atol=1e-9)


def drifting(nodes: int = 7) -> tuple[Influence, Problem, np.ndarray, list[float]]:
    """σ(u) = u, Gaussians with means: 2 points per axis are exact for all second moments of ψ."""
    data, rule = oracles.small_problem(3, 2), gauss_legendre(nodes)
    points, weights = oracles.gauss_rule(LAW.scales(2), 2)
    points = points + np.array([*A, *W, B])[:, None]
    field = MeanField(data, rule, torch.from_numpy(weights), "identity")
    return (influence_of(field, field.start(points[None]), 0.0), data, points, rule.nodes.tolist())


def test_a_step_that_was_not_an_output_is_refused() -> None:
    field = MeanField(oracles.small_problem(3, 2), gauss_legendre(2), 4)
    run = field.run(field.start(sobol_rule(LAW, 2, 2, 0)[None]), [1.0], record=True)
    assert run.flow.trajectory is not None
    with pytest.raises(ValueError, match=r"no accepted point at s = 0\.123.* output time"):
        influence(field, run.flow.trajectory, 0.123)


@pytest.mark.parametrize("flow_time", [0.5, 6.0])
def test_psi_converges_with_the_tolerance_of_the_run(flow_time: float) -> None:
    """The backward pass loses nothing that the forward run had: looser runs stay close."""
    field = MeanField(oracles.small_problem(4, 2), gauss_legendre(3), 16)
    start = field.start(sobol_rule(LAW, 2, 4, "tolerance")[None])
    fine = influence_of(field, start, flow_time, 1e-10).psi
    for rtol, error in ((1e-5, 5e-3), (1e-7, 1e-4)):
        psi = influence_of(field, start, flow_time, rtol).psi
        assert np.abs(psi - fine).max() < error * np.abs(fine).max(), rtol


# ---- Σ in closed form


@pytest.mark.parametrize("rule", [gauss_legendre(3), euler(5)], ids=lambda rule: rule.name)
def test_covariance_of_centred_linear_units_is_v(rule: DepthRule) -> None:
    """Independent layers and constant paths have the same Σ = V at s = 0."""
    data = oracles.small_problem(4, 2)
    points, weights = oracles.gauss_rule(LAW.scales(2), 2)
    field = MeanField(data, rule, torch.from_numpy(weights), "identity")
    psi = influence_of(field, field.start(points[None]), 0.0)
    V = oracles.linear_fluctuation(data, *SCALES)
    np.testing.assert_allclose(covariance_independent(psi), V, rtol=1e-11)
    np.testing.assert_allclose(covariance_of_paths(psi), V, rtol=1e-11)


DEPTHS, WEIGHTS = (part.numpy() for part in (gauss_legendre(24).nodes, gauss_legendre(24).weights))


def double_integral(data: Problem, kappa: Any, means: Any = (A, W, B)) -> np.ndarray:
    """∫∫ G_{tt'}(κ(t − t')) dt dt' of the linear law with these means."""
    total = np.zeros((3, 3))
    for i, j in np.ndindex(24, 24):
        s, t = float(DEPTHS[i]), float(DEPTHS[j])
        total += WEIGHTS[i] * WEIGHTS[j] * oracles.linear_pairs(data, means, SCALES, (s, t), float(kappa(s - t)))
    return total


def test_covariances_of_drifting_linear_units() -> None:
    """With means the two differ: ∫G_tt(1) dt for independent layers, ∫∫G_tt'(1) for paths."""
    psi, data, _, _ = drifting()
    at_each = [oracles.linear_pairs(data, (A, W, B), SCALES, (t, t), 1.0) for t in DEPTHS.tolist()]
    independent = np.tensordot(WEIGHTS, at_each, axes=1)
    paths = double_integral(data, lambda lag: 1.0)
    assert np.abs(independent - paths).max() > 1e-3 * np.abs(paths).max()
    np.testing.assert_allclose(covariance_independent(psi), independent, rtol=1e-8)
    np.testing.assert_allclose(covariance_of_paths(psi), paths, rtol=1e-8)


def exact_pairs(kappas: list[float]) -> tuple[np.ndarray, int]:
    """The 2-point Gauss rule of pairs, as ``correlated_sobol`` orders them: equal weights."""
    xi, _ = oracles.gauss_rule(np.ones(5), 2)  # 5 coordinates; pairs need 10
    x = np.repeat(xi, xi.shape[1], axis=1)
    fresh = np.tile(xi, (1, xi.shape[1]))
    blocks = [x] + [kappa * x + math.sqrt(1 - kappa**2) * fresh for kappa in kappas]
    means = np.array([*A, *W, B])[:, None]
    return LAW.from_normal(np.concatenate(blocks, axis=1), 2) + means, len(blocks)


def test_pair_covariances_of_drifting_linear_units() -> None:
    """trace G_{tt'}(κ) at every pair of nodes, exact to round-off and depth error."""
    kappas = [0.0, 0.35, -0.6, 1.0]
    data, rule = oracles.small_problem(3, 2), gauss_legendre(5)
    points, blocks = exact_pairs(kappas)
    field = MeanField(data, rule, points.shape[1], "identity")
    pairs = pair_covariances(influence_of(field, field.start(points[None]), 0.0), blocks)
    assert pairs.shape == (4, 5, 5)
    t = rule.nodes.tolist()
    for i, kappa in enumerate(kappas):
        exact = np.array(
            [[np.trace(oracles.linear_pairs(data, (A, W, B), SCALES, (one, other), kappa)) for other in t] for one in t]
        )
        np.testing.assert_allclose(pairs[i], exact, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rule", [gauss_legendre(3), euler(4)], ids=lambda rule: rule.name)
@pytest.mark.parametrize("flow_time", [0.0, 1.5])
def test_pairs_at_full_correlation_are_constant_paths(rule: DepthRule, flow_time: float) -> None:
    """bᵀ G(1) b is the trace of the paths' Σ; G(0) vanishes: tanh, trained and untrained."""
    data = oracles.small_problem(4, 2)
    points = correlated_sobol(InitialLaw(), 2, 9, np.array([1.0, 0.0]), "pairs")
    field = MeanField(data, rule, points.shape[1])
    psi = influence_of(field, field.start(points[None]), flow_time, 1e-7)
    pairs, b = pair_covariances(psi, 3), psi.depth_weights
    size = 2**9
    first = psi.psi[..., :size] - psi.psi[..., :size].mean(-1, keepdims=True)
    block = Influence(flow_time, first, b, np.full(size, 1 / size))
    assert b @ pairs[0] @ b == pytest.approx(np.trace(covariance_of_paths(block)), rel=1e-10)
    assert float(b @ np.diag(pairs[0])) == pytest.approx(float(np.trace(covariance_independent(block))), rel=1e-10)
    assert abs(b @ pairs[1] @ b) < 0.1 * (b @ pairs[0] @ b)


def test_smooth_paths_interpolate_in_closed_form() -> None:
    """Σ_ℓ from G(κ_ℓ) on a rule is ∫∫ of the closed form, and between the two ends."""
    ell, data = 0.4, oracles.small_problem(3, 2)
    path = SmoothPath(ell)

    def correlation(lag: float) -> np.ndarray:
        return path.correlation(np.array(lag))

    V = oracles.linear_fluctuation(data, *SCALES)
    closed = math.sqrt(math.pi) * ell * math.erf(1 / ell) - ell**2 * (1 - math.exp(-(ell**-2)))
    centred = double_integral(data, correlation, (0 * A, 0 * W, 0.0))
    np.testing.assert_allclose(centred, closed * V, rtol=1e-7)
    assert np.trace(double_integral(data, correlation)) < np.trace(double_integral(data, lambda lag: 1.0))


# ---- Σ against networks


def residuals_of(network: Network, theta: np.ndarray, flow_time: float) -> np.ndarray:
    start = torch.from_numpy(theta)
    if not flow_time:
        return network.problem.residuals(network.features(start)[-1]).numpy()
    return network.train(start, [flow_time], rtol=1e-6).residuals[0].numpy()


def check_trace(residuals: np.ndarray, mean: np.ndarray, predicted: np.ndarray) -> None:
    """Traces within 4 standard errors, from the spread of |r − mean|² over the networks."""
    squares = np.square(residuals - mean).sum(axis=1)
    error = squares.std() / math.sqrt(len(squares))
    assert error < 0.12 * np.trace(predicted)
    assert abs(squares.mean() - np.trace(predicted)) < 4 * error


def test_linear_networks_have_the_exact_covariance_at_any_size() -> None:
    """L = 2, M = 3: 4,000 networks; each entry within 5 standard errors, and far from V/(LM)
    itself, which is only the first order."""
    data, scales = oracles.small_problem(3, 2), (1.6, 1.5, 0.8)
    theta = np.stack(
        [sample_independent(InitialLaw("gaussian", *scales), stream("small", i), 2, 3, 2) for i in range(4000)]
    )
    r = residuals_of(Network(data, 2, 3, "identity"), theta, 0.0)
    mean = (data.inputs @ data.readout - data.targets).numpy()
    exact = oracles.linear_covariance(data, *scales, 2, 3)
    products = np.einsum("ri,rj->rij", r - mean, r - mean)
    error = products.std(axis=0) / math.sqrt(4000)
    assert np.all(np.abs(products.mean(axis=0) - exact) < 5 * error)
    assert np.all(np.abs(r.mean(axis=0) - mean) < 5 * r.std(axis=0) / math.sqrt(4000))
    first_order = oracles.linear_fluctuation(data, *scales) / 6
    assert np.trace(exact) > 1.2 * np.trace(first_order)


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_linear_networks_have_the_predicted_covariance(sampling: str) -> None:
    """600 networks at s = 0, Σ from ψ: Σ/(LM) for independent layers, Σ/M for constant paths."""
    L, M, data = 8, 64, oracles.small_problem(4, 2)
    points, weights = oracles.gauss_rule(LAW.scales(2), 2)
    field = MeanField(data, euler(L), torch.from_numpy(weights), "identity")
    psi = influence_of(field, field.start(points[None]), 0.0)
    if sampling == "independent":
        draws = [sample_independent(LAW, stream("i", i), L, M, 2) for i in range(600)]
        predicted = covariance_independent(psi) / (L * M)
    else:
        times = np.arange(L) / L
        draws = [sample_paths(LAW, PathLaw(), stream("p", i), times, M, 2) for i in range(600)]
        predicted = covariance_of_paths(psi) / M
    r = residuals_of(Network(data, L, M, "identity"), np.stack(draws), 0.0)
    check_trace(r, (data.inputs @ data.readout - data.targets).numpy(), predicted)


def test_trained_networks_have_the_predicted_covariance() -> None:
    """400 tanh networks at s = 2 against ψ of the wide limit at their depth: no fitted number.
    Σ of s = 0 would be wrong by far more than the sampling error."""
    L, M, data = 4, 96, oracles.small_problem(4, 2)
    points = sobol_rule(LAW, 2, 9, "trained")
    field = MeanField(data, euler(L), points.shape[1])
    start = field.start(points[None])
    wide = field.run(start, [2.0]).residuals[0, 0].numpy()
    draws = np.stack([sample_independent(LAW, stream("t", i), L, M, 2) for i in range(400)])
    r = residuals_of(Network(data, L, M), draws, 2.0)
    predicted = covariance_independent(influence_of(field, start, 2.0, 1e-7)) / (L * M)
    check_trace(r, wide, predicted)
    untrained = covariance_independent(influence_of(field, start, 0.0)) / (L * M)
    with pytest.raises(AssertionError):
        check_trace(r, wide, untrained)
