"""Initial laws: moments, rules and paths, each against what it is the law of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ledger.record.streams import stream
from zeroloss.model.law import (
    FractionalBrownian,
    InitialLaw,
    PathLaw,
    SmoothPath,
    correlated_sobol,
    sample_independent,
    sample_paths,
    sobol_rule,
)

GAUSSIAN = InitialLaw("gaussian", 0.7, 1.3, 0.4)
UNIFORM = InitialLaw("uniform", 0.7, 1.3, 0.4)
SCALES = [0.7, 0.7, 1.3, 1.3, 0.4]  # d = 2
COORDINATE = {"gaussian": stats.norm(), "uniform": stats.uniform(-1.0, 2.0)}  # of scale one
LAWS = pytest.mark.parametrize("law", [GAUSSIAN, UNIFORM], ids=lambda law: law.kind)


# ---- samples


@LAWS
def test_samples_have_the_moments_of_the_law(law: InitialLaw) -> None:
    """Within 4.5 standard errors, coordinate by coordinate."""
    theta, moment = sample_independent(law, stream("moments"), 8, 5000, 2), COORDINATE[law.kind].moment
    assert theta.shape == (8, 5, 5000)
    for row, scale in enumerate(SCALES):
        x = theta[:, row].ravel() / scale
        for power in (1, 2, 3, 4):
            spread = math.sqrt(moment(2 * power) - moment(power) ** 2)
            assert abs(np.mean(x**power) - moment(power)) < 4.5 * spread / math.sqrt(x.size)


def test_units_layers_and_coordinates_are_independent() -> None:
    theta = sample_independent(GAUSSIAN, stream("independent"), 3, 20_000, 1)
    columns = theta.reshape(9, -1)
    correlations = np.asarray(np.corrcoef(columns))[np.triu_indices(9, 1)]
    assert np.abs(correlations).max() * math.sqrt(20_000) < 4.5


def test_a_point_law_is_one_point() -> None:
    law = InitialLaw("point", -0.3, 0.5, 0.0)
    theta = sample_independent(law, stream("point"), 2, 3, 2)
    assert np.array_equal(theta, np.broadcast_to(np.array([-0.3, -0.3, 0.5, 0.5, 0.0])[:, None], (2, 5, 3)))
    assert np.array_equal(sobol_rule(law, 2, 3, 0), np.repeat(theta[0, :, :1], 8, axis=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normal",), r"initial law must be gaussian, uniform or point, got 'normal'; set "),
        (("gaussian", -1.0), r"scale_a must be finite and at least 0, got -1.0; set initial"),
        (("uniform", 1.0, math.nan), r"scale_w must be finite .* got nan"),
        (("point", 1.0, 1.0, math.inf), r"scale_b must be finite .* got inf"),
    ],
)
def test_impossible_laws_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InitialLaw(*arguments)


# ---- deterministic rules


@LAWS
def test_sobol_rule_converges_faster_than_samples(law: InitialLaw) -> None:
    """Root mean square error over scrambles of a smooth mean: beyond order 1 in the points, where
    samples have ½."""

    def error(log2_points: int) -> float:
        values = []
        for scramble in range(16):
            theta = sobol_rule(law, 1, log2_points, "rate", scramble)
            values.append(np.cos(theta[0] + theta[1]).mean())
        exact = (
            math.exp(-(0.7**2 + 1.3**2) / 2) if law.kind == "gaussian" else math.sin(0.7) / 0.7 * math.sin(1.3) / 1.3
        )
        return float(np.sqrt(np.mean((np.array(values) - exact) ** 2)))

    assert math.log2(error(6) / error(12)) / 6 > 1.0
    assert error(12) < 1e-3


@LAWS
def test_every_sobol_column_is_stratified(law: InitialLaw) -> None:
    """2^m points put exactly one in each of 2^m cells of equal probability, in every coordinate."""
    u = COORDINATE[law.kind].cdf(sobol_rule(law, 2, 8, "strata") / np.array(SCALES)[:, None])
    assert np.array_equal(np.sort(np.floor(u * 256), axis=1), np.tile(np.arange(256.0), (5, 1)))


def test_scrambles_have_names() -> None:
    one = sobol_rule(GAUSSIAN, 2, 6, 3, "a")
    assert np.array_equal(one, sobol_rule(GAUSSIAN, 2, 6, 3, "a"))
    assert not np.array_equal(one, sobol_rule(GAUSSIAN, 2, 6, 3, "b"))


def test_correlated_blocks_have_law_and_correlation() -> None:
    kappas = np.array([0.0, 0.4, -0.7, 1.0])
    theta = correlated_sobol(GAUSSIAN, 2, 12, kappas, "pairs") / np.array(SCALES)[:, None]
    blocks = theta.reshape(5, 5, 4096)
    for j, kappa in enumerate([1.0, *kappas]):
        assert np.abs(blocks[:, j].mean(1)).max() < 5e-3
        products = blocks[:, 0] @ blocks[:, j].T / 4096
        np.testing.assert_allclose(products, kappa * np.eye(5), atol=0.03)
        np.testing.assert_allclose(np.mean(blocks[:, j] ** 2, axis=1), 1, atol=0.02)
    assert np.array_equal(blocks[:, 0], blocks[:, 4])  # κ = 1 is the same point


# ---- paths


def test_constant_paths_keep_one_draw() -> None:
    theta = sample_paths(GAUSSIAN, PathLaw(), stream("c"), np.linspace(0, 1, 5), 7, 2)
    assert theta.shape == (5, 5, 7)
    assert np.array_equal(theta, np.broadcast_to(theta[0], theta.shape))
    once = sample_paths(GAUSSIAN, PathLaw(), stream("c"), np.array([0.3]), 7, 2)
    assert np.array_equal(once[0], theta[0])


@settings(max_examples=25)
@given(st.floats(0.02, 5.0))
def test_smooth_paths_have_the_stated_covariance(ell: float) -> None:
    """Exactly, from the amplitudes: Σ c_k² cos(k ω τ) = exp(−τ²/2ℓ²) on [−1, 1]."""
    path = SmoothPath(ell)
    amplitude, omega = path.spectrum()
    lag = np.linspace(-1, 1, 401)
    series = np.cos(omega * np.outer(lag, np.arange(len(amplitude)))) @ amplitude**2
    np.testing.assert_allclose(series, np.exp(-(lag**2) / (2 * ell**2)), atol=1e-11)
    np.testing.assert_allclose(path.correlation(lag), series, atol=1e-11)


@pytest.mark.parametrize(
    "path",
    [SmoothPath(0.3), FractionalBrownian(0.25, 16), FractionalBrownian(0.5, 8)],
    ids=["smooth", "rough", "brownian"],
)
def test_sampled_paths_have_the_covariance(path: PathLaw) -> None:
    """20,000 paths at five depths; entries within 5 standard errors √(C_ii C_jj + C_ij²)/√n."""
    times = np.array([0.0, 0.125, 0.25, 0.625, 1.0])
    drawn = path.normals(stream("covariance"), times, (20_000,))
    exact = covariance(path, times)
    spread = np.sqrt(np.outer(np.diag(exact), np.diag(exact)) + exact**2) / math.sqrt(20_000)
    assert np.abs((drawn @ drawn.T / 20_000 - exact) / spread).max() < 5
    assert np.abs(drawn.mean(1) / np.sqrt(np.diag(exact) / 20_000)).max() < 4.5


def covariance(path: PathLaw, times: np.ndarray) -> np.ndarray:
    lag = np.abs(times[:, None] - times)
    if isinstance(path, SmoothPath):
        return np.exp(-(lag**2) / (2 * path.correlation_length**2))
    assert isinstance(path, FractionalBrownian)
    two_h = 2 * path.hurst
    return 1 + 0.5 * (times[:, None] ** two_h + times**two_h - lag**two_h)


@pytest.mark.parametrize("hurst", [0.1, 0.25, 0.5, 0.75])
def test_increments_of_rough_paths_scale_with_the_hurst_index(hurst: float) -> None:
    """E|B(t + τ) − B(t)|² = τ^{2H}, within 5 standard errors of the sample of paths."""
    drawn = FractionalBrownian(hurst, 64).normals(stream("hurst", hurst), np.arange(65) / 64, (4000,))
    np.testing.assert_allclose(drawn[0].std(), 1, atol=0.06)
    for cells in (1, 4, 16, 64):
        squares = ((drawn[cells:] - drawn[:-cells]) ** 2).mean(0)
        error = 5 * squares.std() / math.sqrt(4000)
        assert abs(squares.mean() - (cells / 64) ** (2 * hurst)) < error


@pytest.mark.parametrize(
    "path", [PathLaw(), SmoothPath(0.1), FractionalBrownian(0.3, 64)], ids=["constant", "smooth", "rough"]
)
def test_depths_of_any_grid_see_the_same_path(path: PathLaw) -> None:
    """Coupling of L and 2L: a finer grid only adds depths in between."""
    fine = path.normals(stream("nested"), np.arange(32) / 32, (5, 3))
    coarse = path.normals(stream("nested"), np.arange(8) / 8, (5, 3))
    np.testing.assert_allclose(fine[::4], coarse, rtol=0, atol=1e-12)
    single = path.normals(stream("nested"), np.array([0.75]), (5, 3))
    np.testing.assert_allclose(single[0], fine[24], rtol=0, atol=1e-12)


def test_uniform_paths_keep_the_marginal_law() -> None:
    theta = sample_paths(UNIFORM, SmoothPath(0.2), stream("uniform"), np.array([0.0, 0.6]), 4000, 1)
    for layer in theta:
        assert stats.kstest(layer[1] / 1.3, COORDINATE["uniform"].cdf).pvalue > 1e-3


def test_a_rough_path_knows_its_grid_only() -> None:
    path = FractionalBrownian(0.3, 64)
    with pytest.raises(ValueError, match=r"multiples of 1/64 .* choose num_layers that divide"):
        path.normals(stream(0), np.array([0.01]), (1,))


@pytest.mark.parametrize("hurst", [0.0, 1.0, -0.2, math.nan])
def test_impossible_paths_are_refused(hurst: float) -> None:
    with pytest.raises(ValueError, match=r"hurst must lie in \(0, 1\), got .*; set hurst"):
        FractionalBrownian(hurst)
    with pytest.raises(ValueError, match="correlation_length must be above 0"):
        SmoothPath(min(hurst, 0.0))
