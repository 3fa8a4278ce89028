"""The study `aspect`: laws and recursions against direct simulation with matrices, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from zeroloss.studies.aspect import chains, gaussian, information, matrices
from zeroloss.studies.aspect.plan import CriticalName, HomogeneousName, Stack


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
def test_gaussian_means_are_those_of_quadrature(name: str) -> None:
    def mean(power: int, K: float) -> float:
        def value(x: float) -> float:
            one = float(gaussian.ACTIVATIONS[name](np.array(np.sqrt(K) * x)))
            return one**power * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)

        return quad(value, -12, 0)[0] + quad(value, 0, 12)[0]

    square, spread, slope = gaussian.mean_square(name, 1.7)
    assert square == pytest.approx(mean(2, 1.7), rel=1e-4)
    assert spread == pytest.approx(mean(4, 1.7) - mean(2, 1.7) ** 2, rel=1e-4)
    assert slope == pytest.approx((mean(2, 1.7 + 1e-4) - mean(2, 1.7 - 1e-4)) / 2e-4, rel=1e-3)


def test_critical_points_are_those_of_closed_forms() -> None:
    """GELU's K* = (3 + √17)/2; at each half-stable point K is fixed and the response is one."""
    assert pytest.approx((3 + np.sqrt(17)) / 2, rel=1e-12) == gaussian.critical("gelu").K
    for name in ("gelu", "swish"):
        at = gaussian.critical(name)
        mean, _, slope = gaussian.mean_square(name, at.K)
        assert at.C_b + at.C_W * mean == pytest.approx(at.K) and at.C_W * slope == pytest.approx(1.0)
    with pytest.raises(ValueError, match="gamma must be 0 for gelu"):
        gaussian.critical("gelu", 0.5)


@pytest.mark.parametrize("name", ["linear", "leaky", "relu"])
def test_the_law_of_a_factor_is_that_of_draws(name: str) -> None:
    n = 6
    z = np.random.default_rng(1).standard_normal((100_000, n))
    with np.errstate(divide="ignore"):
        log = np.log(gaussian.critical(name).C_W * (gaussian.ACTIVATIONS[name](z) ** 2).mean(1))
    assert np.isinf(log).mean() == pytest.approx(0.5**n if name == "relu" else 0.0, abs=2e-3)
    log = log[np.isfinite(log)]
    assert chains.log_factor(name, n) == pytest.approx((log.mean(), log.var()), rel=0.03)


def test_linear_layers_remember_as_their_own_recursion_says() -> None:
    """For σ = z, C' = (γ² + g)² C + (2K²/n)(2γ²g + g²) with g = 1 − γ² is exact: V/K² = 2g(1 + γ²)(l − 1), which is
    also the textbook's formula."""
    gamma = 0.8
    law = gaussian.laws("linear", gamma, gaussian.critical("linear", gamma), 12)
    slope = 2 * (1 - gamma**4)
    assert pytest.approx(slope * np.arange(12), rel=1e-6, abs=1e-9) == law.V / law.K**2
    assert gaussian.textbook_slope("linear", gamma) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("name", "gamma"), [("relu", 0.8), ("tanh", 0.0)])
def test_chains_are_networks(name: CriticalName | HomogeneousName, gamma: float) -> None:
    """Networks with matrices have the covariance that chains without them have, and that is predicted."""
    n, depth, count = 16, 4, 6000
    at, rng = gaussian.critical(name, gamma), np.random.default_rng(2)
    z = np.sqrt(at.K) * rng.standard_normal((count, n))
    for _ in range(depth - 1):
        W = rng.standard_normal((count, n, n)) * np.sqrt(at.C_W / n)
        z = gamma * z + (W @ gaussian.ACTIVATIONS[name](z)[:, :, None])[:, :, 0]
    square = z**2
    total = square.mean(1)
    covariance = (n * total.var() - square.var()) / (n - 1)
    whole = n * np.log1p(covariance / total.mean() ** 2)
    stack = Stack(activation=name, gamma=gamma, depths=(depth,))
    chain = chains.scaled_covariances(stack, at, n, 20_000, np.random.default_rng(3))[0]
    law = gaussian.laws(name, gamma, at, depth)
    assert whole == pytest.approx(chain, rel=0.12)
    assert chain == pytest.approx(law.V[-1] / law.K[-1] ** 2, rel=0.1)


def test_far_growth_is_growth() -> None:
    at = gaussian.critical("gelu")
    above = at._replace(K=1.1 * at.K)
    assert chains.far_growth("gelu", above, at.K, 300) == pytest.approx(chains.growth("gelu", above, 300), rel=1e-9)
    assert chains.growth("gelu", at, 300) == pytest.approx(4.904 * 299 / 300, rel=1e-3)


def test_the_information_of_a_fixed_scale_is_none_and_grows_with_its_spread() -> None:
    assert information.entropy(3, 1e-12) == pytest.approx(1.5 * np.log(2 * np.pi * np.e), rel=1e-9)
    values = [information.exact(2, v) for v in (1e-9, 0.1, 1.0, 5.0)]
    assert values[0] == pytest.approx(0.0, abs=1e-9) and np.all(np.diff(values) > 0)
    u = 1e-3
    assert information.exact(2, np.log1p(u)) == pytest.approx(information.series(2, np.array(u)), rel=1e-4)
    fine = np.linspace(0.5, 1.5, 1001) * information.optimum(2)
    assert fine[information.series(2, fine).argmax()] == pytest.approx(information.optimum(2), rel=1e-3)


def test_the_recursion_of_the_rank_is_exact_for_one_layer_and_has_its_limit() -> None:
    rng = np.random.default_rng(4)
    start = rng.standard_normal((5, 3))
    C = start @ start.T
    found = matrices.moments(start, 4, 1, 40_000, rng).mean(0)
    P2, Q = float(np.trace(C)) ** 2, float((C**2).sum())
    assert found == pytest.approx(matrices.layer(P2, Q, 4, 5), rel=0.03)
    n, t = 4000, 0.3
    limit = (np.exp(3 * t) + 2) / (np.exp(3 * t) - 1)
    assert matrices.predicted_rank(n**2, n, n, n, round(t * n)) == pytest.approx(limit, rel=2e-3)


def test_ranks_of_known_matrices() -> None:
    assert matrices.effective_rank(np.diag([1.0, 1.0, 1.0, 0.0])) == pytest.approx(3.0)
    entropy = -(2 / 3 * np.log(2 / 3) + np.log(1 / 3) / 3)
    assert matrices.effective_rank(np.diag([1.0, 0.5])) == pytest.approx(np.exp(entropy))


def test_descent_interpolates_and_leaves_what_no_sample_sees() -> None:
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.standard_normal((1, 5, 2)))[0]
    C, target = basis @ basis.swapaxes(1, 2), rng.standard_normal((1, 5, 5)) / 3
    W = rng.standard_normal((1, 1, 5, 5)) / 3
    trained = matrices.descend(W, C, target, 1e-10)
    unseen = np.eye(5) - C
    assert trained[0] @ C == pytest.approx(target @ C, abs=1e-4)
    assert trained[0] @ unseen == pytest.approx(W[0] @ unseen, abs=1e-12)
    deep = matrices.start("orthogonal", (3, 1, 5, 5), 1.0, rng)
    assert matrices.product(matrices.descend(deep, C, target, 1e-8)) @ C == pytest.approx(target @ C, abs=1e-3)
