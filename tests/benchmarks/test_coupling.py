"""Halves are networks; differences are unbiased, small and linear-exact; intervals cover."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.coupling import (
    allocate,
    coupled_slope,
    differences,
    halves,
    multilevel_trace,
    squares,
    traces,
    tree,
)
from ledger.record.statistics import Estimate, log_slope, slope_of_stds, student
from ledger.record.streams import stream
from zeroloss.model.law import InitialLaw, sample_independent
from zeroloss.model.problem import built_in
from zeroloss.network.resnet import Network

PROBLEM = built_in("sine", 4, 0)
BEND = 1.0
SIZES = (64, 32, 16, 8)


def parameters(replicates: int, L: int, M: int) -> torch.Tensor:
    law = InitialLaw()
    return torch.from_numpy(np.stack([
        sample_independent(law, stream("coupling", L, M, i), L, M, PROBLEM.dim)
        for i in range(replicates)]))


def trained(theta: torch.Tensor, s: float) -> np.ndarray:
    """Residuals (…, N) of networks (…, L, k, M)."""
    network = Network(PROBLEM, theta.shape[-3], theta.shape[-1])
    r = network.train(theta.flatten(0, -4).contiguous(), [s]).residuals[0]
    return r.reshape(*theta.shape[:-3], -1).numpy()


# ---- halves ----------------------------------------------------------------------------------

def test_a_half_trains_as_the_network_of_its_units_alone() -> None:
    theta = parameters(2, 4, 6)
    by_units, by_layers = halves(theta, "units"), halves(theta, "layers")
    assert by_units.shape == (2, 2, 4, 5, 3) and by_layers.shape == (2, 2, 2, 5, 6)
    for i in range(2):
        alone = [theta[i:i + 1, ..., 3:], theta[i:i + 1, [0, 2]], theta[i:i + 1, [1, 3]]]
        parts = [by_units[i, 1], by_layers[i, 0], by_layers[i, 1]]
        for one, part in zip(alone, parts, strict=True):
            assert np.array_equal(trained(one, 1.0)[0], trained(part[None], 1.0)[0])


def test_an_untrained_layer_is_the_mean_of_its_halves() -> None:
    theta = parameters(3, 1, 8)
    assert trained(halves(theta, "units"), 0.0).mean(1) == pytest.approx(trained(theta, 0.0))


def test_a_tree_holds_every_unit_once_per_level() -> None:
    theta = parameters(2, 4, 8)
    for axis in ("units", "layers"):
        levels = tree(theta, 3, axis)
        assert [part.shape[:2] for part in levels] == [(2, 1), (2, 2), (2, 4)]
        for above, below in pairwise(levels):
            for i in range(above.shape[1]):
                assert torch.equal(halves(above[:, i], axis), below[:, 2 * i:2 * i + 2])
        assert torch.equal(levels[-1][0].flatten().sort()[0], theta[0].flatten().sort()[0])


@pytest.mark.parametrize(("shape", "axis", "words"), [
    ((1, 3, 5, 4), "layers", "even, got 3"), ((1, 2, 5, 1), "units", "even, got 1"),
    ((1, 2, 5, 4), "depth", "units or layers")])
def test_what_cannot_be_halved_is_refused(shape, axis: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        halves(torch.zeros(shape), axis)


def test_halves_of_trained_networks_predict_them() -> None:
    """Var D is far below Var(n |x|²), in width and in depth, and falls with n."""
    for axis, L, M in (("units", 4, 64), ("layers", 64, 4)):
        levels = [trained(theta, 1.0) for theta in tree(parameters(60, L, M), 3, axis)]
        shares = [differences([2, 1], [whole.reshape(-1, 1, 4), parts.reshape(-1, 2, 4)]).var()
                  / squares(2, whole.reshape(-1, 4)).var() for whole, parts in pairwise(levels)]
        assert shares[0] < 0.05 and shares[0] < shares[1] < 0.1


# ---- a model with known traces ---------------------------------------------------------------

def model(trees: int, *name: str | int, bend: float = BEND) -> list[np.ndarray]:
    """Residuals of the levels of trees: r = m + bend m² + size-dependent mean, m the mean of n
    standard normal units, in three samples."""
    m = stream("coupling-model", *name).standard_normal((trees, 8, 3)) / math.sqrt(SIZES[-1])
    levels = []
    for n in reversed(SIZES):
        levels.append(m + bend * m**2 + 5.0 / n)
        m = 0.5 * (m[:, ::2] + m[:, 1::2])
    return levels[::-1]


def exact_trace(n: float) -> float:
    """n tr Cov(m + bend m²) = 3 (1 + 2 bend²/n) for m ~ N(0, 1/n)."""
    return 3.0 * (1.0 + 2.0 * BEND**2 / n)


def exact_slope() -> float:
    n = np.array(SIZES, dtype=float)
    return float(log_slope(n, np.sqrt(np.array([exact_trace(one) for one in n]) / n)))


def covers(estimate: Estimate, value: float) -> bool:
    return estimate.lower <= value <= estimate.upper


def likely(covered: int, trials: int, level: float = 0.95) -> bool:
    """Whether so many of the intervals may cover, at odds of one to a thousand either way."""
    low, high = stats.binom.ppf([0.001, 0.999], trials, level)
    return bool(low <= covered <= high)


def test_differences_have_the_mean_that_they_stand_for() -> None:
    levels = model(20_000, "mean")
    for j, n in enumerate(SIZES[:-1]):
        whole, parts = levels[j][:, 0], levels[j + 1][:, :2]
        D = student(differences([n, n / 2], [whole[:, None], parts]), 0.999)
        assert covers(D, exact_trace(n) - exact_trace(n / 2)) and D.half_width < 0.05
        # planted: the mean of the halves taken at their own size, or their sum for their mean
        wrong = n * ((whole - whole.mean(0)) ** 2).sum(1)
        mixed = parts.mean(1) - parts.mean((0, 1))
        for factor in (n / 2, 4 * n):
            failed = student(wrong - factor * (mixed**2).sum(1), 0.999)
            assert not covers(failed, exact_trace(n) - exact_trace(n / 2))


def test_traces_are_unbiased() -> None:
    found = np.concatenate([traces(SIZES, model(4, "few", i)) for i in range(2000)])
    for column, n in zip(found.T, SIZES, strict=True):
        assert covers(student(column, 0.999), exact_trace(n))


def test_the_mean_of_trees_is_their_difference_of_traces() -> None:
    levels = model(7, "sum")
    T = traces(SIZES, levels)[0]
    assert differences(SIZES, levels).mean() == pytest.approx(T[0] - T[-1], abs=1e-12)
    assert squares(SIZES[0], levels[0][:, 0]).mean() == pytest.approx(
        SIZES[0] * np.trace(np.cov(levels[0][:, 0].T)))


def test_linear_fluctuations_have_slope_one_half_with_no_noise() -> None:
    slope = coupled_slope(SIZES, model(20, "linear", bend=0.0))
    assert slope.value == pytest.approx(-0.5, abs=1e-12)
    assert slope.half_width < 1e-12


def test_only_ratios_of_sizes_count() -> None:
    levels = model(10, "units")
    one, other = coupled_slope(SIZES, levels), coupled_slope([8 * n for n in SIZES], levels)
    assert (one.value, one.lower, one.upper) == pytest.approx(
        (other.value, other.lower, other.upper), abs=1e-12)


@pytest.mark.parametrize("trees", [32, 100])
def test_the_slope_is_covered_at_its_level(trees: int) -> None:
    found = [coupled_slope(SIZES, model(trees, "cover", trees, i)) for i in range(200)]
    assert likely(sum(covers(one, exact_slope()) for one in found), 200)
    # planted: the slope of the linear part alone
    assert not likely(sum(covers(one, -0.5) for one in found), 200)


def test_coupling_narrows_the_slope() -> None:
    levels = model(400, "narrow")
    independent = [model(400, "narrow", i)[i][:, 0] for i in range(4)]
    plain = slope_of_stds(SIZES, independent)
    assert coupled_slope(SIZES, levels).half_width < 0.2 * plain.half_width


# ---- multilevel ------------------------------------------------------------------------------

def groups(leaves: int, trees: int, *name: str | int) -> list[np.ndarray]:
    """Networks of the smallest size, and trees from there to the top."""
    return [squares(SIZES[-1], model(leaves, "leaves", *name)[-1][:, 0]),
            differences(SIZES, model(trees, "trees", *name))]


def pairs(counts: tuple[int, ...], *name: str | int) -> list[np.ndarray]:
    """Networks of the smallest size, and a group of pairs for each larger one."""
    made = [squares(SIZES[-1], model(counts[0], "leaves", *name)[-1][:, 0])]
    for j, count in enumerate(counts[1:]):
        levels = model(count, "pairs", j, *name)
        made.append(differences(SIZES[j:j + 2], [levels[j][:, :1], levels[j + 1][:, :2]]))
    return made


@pytest.mark.parametrize("form", ["trees", "pairs"])
def test_the_multilevel_trace_is_unbiased_and_covered(form: str) -> None:
    found = [multilevel_trace(groups(600, 40, i) if form == "trees" else
                              pairs((600, 30, 60, 120), i)) for i in range(200)]
    truth = exact_trace(SIZES[0])
    assert covers(student(np.array([one.value for one in found]), 0.999), truth)
    assert likely(sum(covers(one, truth) for one in found), 200)
    # planted: the smallest size's trace alone
    assert not likely(sum(covers(one, exact_trace(SIZES[-1])) for one in found), 200)


def test_one_estimate_has_the_allocation_of_giles() -> None:
    V, C, eps = np.array([2.0, 0.3, 0.05]), np.array([1.0, 4.0, 8.0]), 0.01
    made = allocate(V[None], C, np.array([eps]))
    ideal = np.sqrt(V / C) * np.sqrt(V * C).sum() / eps**2
    assert np.all(np.abs(np.array(made.replicates) - ideal) <= 1)
    assert made.cost == pytest.approx(np.sqrt(V * C).sum() ** 2 / eps**2, rel=1e-3)


def test_two_estimates_share_an_allocation() -> None:
    V = np.array([[2.0, 0.1], [1.0, 0.8]])
    C, eps = np.array([1.0, 8.0]), np.array([0.02, 0.02])
    both = allocate(V, C, eps)
    alone = [allocate(V[i:i + 1], C, eps[i:i + 1]) for i in range(2)]
    assert np.all(V / np.array(both.replicates) @ np.ones(2) <= eps**2)
    naive = np.maximum(alone[0].replicates, alone[1].replicates) @ C
    assert max(one.cost for one in alone) <= both.cost <= naive


# ---- refusals --------------------------------------------------------------------------------

def test_levels_that_are_no_tree_are_refused() -> None:
    levels = model(5, "refused")
    with pytest.raises(ValueError, match="largest first"):
        coupled_slope(SIZES[::-1], levels)
    with pytest.raises(ValueError, match="level 1 must be"):
        coupled_slope(SIZES, [levels[0], levels[0], *levels[2:]])
    with pytest.raises(ValueError, match="at least 2 trees"):
        coupled_slope(SIZES, model(1, "refused"))


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="one or two"):
        allocate(np.ones((3, 2)), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="at least 2 values"):
        multilevel_trace([np.zeros(3), np.zeros(1)])
    with pytest.raises(ValueError, match="at least 2 replicates"):
        squares(1.0, np.zeros((1, 3)))
    with pytest.raises(ValueError, match="not above 0"):
        coupled_slope([2, 1], [np.zeros((9, 1, 3)), np.repeat(model(9, "twins")[0], 2, 1)])
