"""The study `interpolation`: closed forms against each other, against sums and against samples."""

from __future__ import annotations

import numpy as np
import pytest
from judging import cases_of, run_case
from scipy.integrate import quad
from scipy.optimize import root_scalar

from zeroloss.studies.drawn import sphere
from zeroloss.studies.interpolation import equivalents, kernels, plan, samples
from zeroloss.studies.interpolation.benign import endless, with_flat_tail
from zeroloss.studies.interpolation.features import MU_STAR_SQUARED, ZETA, risk
from zeroloss.studies.interpolation.kernels import KERNELS, Kernel, parts


def test_isotropic_equivalents_are_closed() -> None:
    """κ = d/n − 1, bias 1 − n/d and variance n/(d − n); and the law of ridge regression is the same."""
    bias, variance = equivalents.risk_of_ridge(np.ones(80), np.full(80, 1 / 80), 40)
    assert (bias, variance) == pytest.approx((0.5, 1.0), rel=1e-9)
    bias, variance = equivalents.risk_of_ridge(np.ones(50), np.full(50, 1 / 50), 100, ridge=20.0)
    assert equivalents.ridge_law(100, 50, 0.4, noise=0.7) == pytest.approx(bias + 0.7 * variance, rel=1e-9)
    with pytest.raises(ValueError, match="num_samples must be below the rank 5"):
        equivalents.implicit_ridge(np.ones(5), 6)


@pytest.mark.parametrize("psi1", [1.0, 6.0, 12.0])
@pytest.mark.parametrize("ridge", [1e-9, 0.1, 0.5])
def test_the_formula_of_random_features_follows_from_the_equivalents(psi1: float, ridge: float) -> None:
    """Features are Gaussian with covariance μ₁²WWᵀ + μ*²; what of β·x they do not hold is noise.

    The spectrum of WWᵀ is Marchenko and Pastur's of ratio ψ₁, with 1 − 1/ψ₁ of it at zero.
    """
    psi2, noise, d, points = 3.0, 0.25, 400.0, 12000
    low, high = (1 - psi1**0.5) ** 2, (1 + psi1**0.5) ** 2
    # a rule for the density √((high − s)(s − low))/(2π ψ₁ s), whose mass is min(1, 1/ψ₁)
    angle = np.pi * np.arange(1, points + 1) / (points + 1)
    s = low + (high - low) / 2 * (1 - np.cos(angle))
    weights = np.sin(angle) ** 2 / s
    s, count = np.append(s, 0.0), np.append(d * min(psi1, 1.0) * weights / weights.sum(), d * max(psi1 - 1, 0.0))
    eigenvalues = 0.25 * s + MU_STAR_SQUARED
    left = 1 - (count * 0.25 * s / eigenvalues).sum() / d  # of |β|², by symmetry
    n = psi2 * d
    total = n * psi1 * ridge * MU_STAR_SQUARED

    def excess(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        return float((count * eigenvalues / (eigenvalues + kappa)).sum() + total / kappa - n)

    kappa = np.exp(root_scalar(excess, bracket=(-40, 20)).root)
    d2 = float((count * (eigenvalues / (eigenvalues + kappa)) ** 2).sum())
    energies = 0.25 * s / eigenvalues**2 / d  # of θ = Σ⁻¹ μ₁ Wβ
    bias = kappa**2 * float((count * eigenvalues * energies / (eigenvalues + kappa) ** 2).sum()) / (1 - d2 / n)
    expected = bias + (noise + left) * d2 / (n - d2) + left
    assert equivalents.random_features(psi1, psi2, ridge, ZETA, noise) == pytest.approx(expected, rel=2e-3)


def test_ridgeless_is_the_limit_of_small_ridges() -> None:
    for psi1 in (1.0, 6.0):
        small = equivalents.random_features(psi1, 3.0, 1e-10, ZETA, 0.25)
        assert equivalents.random_features(psi1, 3.0, 0.0, ZETA, 0.25) == pytest.approx(small, rel=1e-4)


def test_risks_given_the_inputs_are_those_of_drawn_targets() -> None:
    rng = np.random.default_rng(1)
    eigenvalues = np.array([2.0, 1.0, 0.5, 0.3, 0.1])
    X = rng.standard_normal((3, 5)) * np.sqrt(eigenvalues)
    bias, variance = samples.risks(X, eigenvalues, np.ones(5))
    signs, noise = rng.choice([-1.0, 1.0], (5, 20000)), rng.standard_normal((3, 20000))
    missed = np.linalg.pinv(X) @ (X @ signs) - signs
    assert (eigenvalues @ missed**2).mean() == pytest.approx(bias, rel=0.03)
    assert (eigenvalues @ (np.linalg.pinv(X) @ noise) ** 2).mean() == pytest.approx(variance, rel=0.03)


def test_quadrature_agrees_with_sums() -> None:
    """For k^{−2}: Σ 1/(1 + κk²) in closed form; for a log spectrum: the sum, its tail an integral."""
    n = 1000.0
    share, *_ = endless(2.0, 0.0, np.log(n))
    k = np.arange(2.0, 4e6)
    kappa = (np.pi / 2 / n) ** 2
    assert (1 / (1 + kappa * k**2) ** 2).sum() / n == pytest.approx(share, abs=2e-3)
    share, least, rest = endless(1.0, 2.0, np.log(n))
    eigenvalues = 1 / (k * np.log(k) ** 2)
    tail = 1 / np.log(k[-1])
    kappa = root_scalar(lambda c: (eigenvalues / (eigenvalues + c)).sum() + tail / c - n, bracket=(1e-9, 1e-1)).root
    assert ((eigenvalues / (eigenvalues + kappa)) ** 2).sum() / n == pytest.approx(share, abs=2e-3)
    sums = eigenvalues[::-1].cumsum()[::-1] + tail
    first = int(np.argmax(sums / eigenvalues >= n))
    assert (first + 1) / n == pytest.approx(least, rel=0.02)
    assert n * (eigenvalues[first:] ** 2).sum() / sums[first] ** 2 == pytest.approx(rest, rel=0.02)
    assert with_flat_tail(2000, 2.0, 1e-6)[0] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(("name", "ridge"), [("tangent", 1.0), ("arcsin", np.pi / 2 - 1), ("features", 1 / ZETA**2)])
def test_kernels_are_what_they_are_called(name: str, ridge: float) -> None:
    """λ in closed form, h'(0) by differences, and h by the mean over weights that it stands for."""
    kernel = KERNELS[name]
    assert kernel.ridge == pytest.approx(ridge, rel=1e-12)
    assert (kernel.value(np.array(1e-6)) - kernel.value(np.array(-1e-6))) / 2e-6 == pytest.approx(kernel.slope)
    t = 0.4
    w = np.random.default_rng(2).standard_normal((400000, 2))
    u, v = w[:, 0], t * w[:, 0] + np.sqrt(1 - t * t) * w[:, 1]
    mean = {
        "tangent": t * ((u > 0) & (v > 0)).mean(),
        "arcsin": np.pi / 2 * (np.sign(u) * np.sign(v)).mean(),
        "features": (np.maximum(u, 0) * np.maximum(v, 0)).mean(),
    }
    assert kernel.value(np.array(t)) == pytest.approx(mean[name], rel=0.02)


def test_slopes_in_the_ridge_are_those_of_differences() -> None:
    rng = np.random.default_rng(3)
    U, V = sphere(rng, 12, 10), sphere(rng, 30, 10)
    kernel = KERNELS["tangent"]

    def with_ridge(delta: float) -> np.ndarray:
        return parts(Kernel(lambda t: kernel.value(t) + delta * (t >= 1), kernel.slope), U, V)

    slopes = (with_ridge(1e-5) - with_ridge(-1e-5))[:2] / 2e-5
    assert parts(kernel, U, V)[2:] == pytest.approx(slopes, rel=1e-5)


def test_a_network_trains_to_the_interpolant_of_its_kernel() -> None:
    """Wide networks come close to it, narrow ones less so."""
    rng = np.random.default_rng(4)
    U, V = sphere(rng, 8, 6), sphere(rng, 40, 6)
    y = np.sqrt(6) * U[:, 0]
    g = KERNELS["tangent"].value(V @ U.T) @ np.linalg.solve(kernels.gram(KERNELS["tangent"], U), y)
    gaps = [np.sqrt(np.mean((kernels.train(U, y, rng.standard_normal((m // 2, 6)), V) - g) ** 2)) for m in (400, 40000)]
    assert gaps[1] < 0.03 < gaps[0] and gaps[0] / gaps[1] == pytest.approx(10, rel=0.6)


def test_the_risk_of_features_is_that_of_test_points() -> None:
    """One draw of weights and inputs, many of targets, noise and test points."""
    d, n, N, noise = 5, 12, 8, 0.5
    expected = risk(d, n, N, (0.3,), noise, np.random.default_rng(5))[0]
    rng = np.random.default_rng(5)
    U, W = sphere(rng, n, d), sphere(rng, N, d)
    Z = np.maximum(np.sqrt(d) * U @ W.T, 0)
    tests = np.sqrt(d) * sphere(rng, 20000, d)
    beta, errors = sphere(rng, 4000, d).T, rng.standard_normal((n, 4000)) * np.sqrt(noise)
    a = np.linalg.solve(Z.T @ Z + n * N * 0.3 * MU_STAR_SQUARED / d * np.eye(N), Z.T @ (np.sqrt(d) * U @ beta + errors))
    features = np.maximum(tests @ W.T, 0)
    second, cross, inner = features.T @ features, features.T @ tests, tests.T @ tests
    measured = (a * (second @ a)).sum() - 2 * (a * (cross @ beta)).sum() + (beta * (inner @ beta)).sum()
    assert measured / 20000 / 4000 == pytest.approx(expected, rel=0.03)


def test_zeta_is_the_ratio_of_hermite_coefficients() -> None:
    def mean(power: int) -> float:
        return quad(lambda u: u * u**power * np.exp(-u * u / 2) / np.sqrt(2 * np.pi), 0, 12)[0]

    mu0, mu1, square = mean(0), mean(1), mean(1)
    assert pytest.approx(mu1 / np.sqrt(square - mu0**2 - mu1**2)) == ZETA


def test_rows_of_tables_have_the_covariance_that_is_used() -> None:
    case = cases_of("interpolation")["measured"]
    assert isinstance(case, plan.Measured)
    rows = samples.rows_of_data(case, "diabetes-relu")
    second = rows.T @ rows / len(rows)
    assert np.abs(second - np.diag(np.diag(second))).max() < 1e-9 * second.max()
    table = run_case("interpolation", case)
    gaussian = table.loc[table.quantity == "gaussian-variance"]
    assert (gaussian.value / gaussian.predicted).mean() == pytest.approx(1, abs=0.1)
