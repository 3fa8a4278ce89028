"""The density by finite volumes: what it keeps, its order, and that the particles agree with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from zeroloss.limit.collocation import Cloud, euler, gauss_legendre
from zeroloss.limit.density import Density, DensityFlow
from zeroloss.limit.distance import deposit, wasserstein
from zeroloss.limit.finite_volumes import LIMITERS, Grid, divergence, positive_step
from zeroloss.limit.flow import LimitFlow, MeanField
from zeroloss.limit.shifts import Shifts, lattice
from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import Problem, problem

Array = oracles.Array
LAW = InitialLaw("gaussian", 0.4, 1.0, 0.4)
TIMES = (0.0, 1.0, 4.0)
WAVES = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2)], dtype=np.float64)
RULE = gauss_legendre(3)


def data(num_samples: int = 6, low: float = -1.0) -> Problem:
    """A monotone target; odd on a symmetric range, neither odd nor even on another."""
    x = np.linspace(low, 1.5, num_samples)
    return problem("monotone", x, x + 0.3 * x**3)


def orders(errors: Any) -> Array:
    """log₂ of the ratio on the finest pair, for errors (grids, …) on cells that double."""
    return np.log2(np.asarray(errors)[-2] / np.asarray(errors)[-1])


def grid(cells: int) -> Grid:
    return Grid((-2.4, 3.2), (-2.8, 2.8), (cells, cells))


@cache
def run(cells: int) -> DensityFlow:
    scheme = Density(data(), RULE, grid(cells), waves=WAVES)
    return scheme.run(scheme.start(grid(cells).averages(LAW)), TIMES)


@cache
def particles(cells: int) -> tuple[LimitFlow, Array]:
    points, weights = lattice(LAW, grid(cells))
    field = Shifts(data(), RULE, torch.from_numpy(weights))
    return field.run(field.start(points[None]), TIMES, rtol=1e-8, keep=True), weights


# ---- finite volumes


@pytest.mark.parametrize("law", [LAW, InitialLaw("uniform", 1.0, 1.0, 0.7)], ids=lambda x: x.kind)
def test_cell_averages_are_those_of_the_law(law: InitialLaw) -> None:
    cells = Grid((-3.0, 3.0), (-3.0, 3.0), (150, 120))
    rho = cells.averages(law)
    assert rho.sum() * cells.area == pytest.approx(1, abs=1e-14)
    points, weights = lattice(law, cells)
    for i, scale in ((0, law.scale_a), (1, law.scale_b)):
        variance = scale**2 / (1 if law.kind == "gaussian" else 3)
        x = cells.centres(i) ** 2
        mean = rho.sum(1 - i) @ x * cells.area
        # averages blur by a variance of h²/12 at most
        assert mean == pytest.approx(variance, abs=cells.width(i) ** 2)
        assert weights @ points[2 * i] ** 2 == pytest.approx(variance, abs=cells.width(i) ** 2)


def naive_divergence(rho: Array, v: Array, width: float, limiter: str) -> Array:
    """Along the rows of one array (A, B), cell by cell, v (A − 1, B)."""
    A, B = rho.shape

    def slope(i: int, j: int) -> float:
        if i in (0, A - 1) or limiter == "first-order":
            return 0.0
        left, right = rho[i, j] - rho[i - 1, j], rho[i + 1, j] - rho[i, j]
        return 2 / (1 / left + 1 / right) if left * right > 0 else 0.0

    out = np.zeros_like(rho)
    for i in range(A - 1):
        for j in range(B):
            speed = v[i, j]
            edge = rho[i, j] + slope(i, j) / 2 if speed > 0 else rho[i + 1, j] - slope(i + 1, j) / 2
            out[i, j] += speed * edge / width
            out[i + 1, j] -= speed * edge / width
    return out


@pytest.mark.parametrize("limiter", LIMITERS)
def test_divergence_is_that_of_a_loop(limiter: str) -> None:
    numbers = np.random.default_rng(3)
    rho = numbers.exponential(size=(2, 7, 6)) * (numbers.uniform(size=(2, 7, 6)) > 0.3)
    v_a, v_b = numbers.normal(size=(2, 6, 6)), numbers.normal(size=(2, 7, 5))
    for q in range(2):
        along_a = divergence(rho, v_a, 1, 0.3, LIMITERS[limiter])[q]
        along_b = divergence(rho, v_b, 2, 0.2, LIMITERS[limiter])[q]
        np.testing.assert_allclose(along_a, naive_divergence(rho[q], v_a[q], 0.3, limiter), rtol=0, atol=1e-13)
        np.testing.assert_allclose(along_b, naive_divergence(rho[q].T, v_b[q].T, 0.2, limiter).T, rtol=0, atol=1e-13)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(list(LIMITERS)))
def test_an_euler_step_within_the_bound_stays_positive(seed: int, limiter: str) -> None:
    numbers, cells = np.random.default_rng(seed), Grid((0.0, 1.0), (0.0, 2.0), (9, 8))
    rho = numbers.exponential(size=(2, 9, 8)) ** 3 * (numbers.uniform(size=(2, 9, 8)) > 0.5)
    v_a, v_b = numbers.normal(size=(2, 8, 8)), numbers.normal(size=(2, 9, 7))
    total = divergence(rho, v_a, 1, cells.width(0), LIMITERS[limiter]) + divergence(
        rho, v_b, 2, cells.width(1), LIMITERS[limiter]
    )
    new = rho - positive_step(v_a, v_b, cells) * total
    assert new.min() >= -1e-14 * rho.max()
    np.testing.assert_allclose(new.sum((1, 2)), rho.sum((1, 2)), rtol=1e-14)


def test_the_bound_is_not_idle() -> None:
    """A cell that loses through two opposite sides is empty after a step of the bound."""
    cells = Grid((0.0, 1.0), (0.0, 1.0), (9, 4))
    rho = np.zeros((1, 9, 4))
    rho[0, 4] = 1.0
    v_a, v_b = np.zeros((1, 8, 4)), np.zeros((1, 9, 3))
    v_a[0, :4], v_a[0, 4:] = -1.0, 1.0
    out = divergence(rho, v_a, 1, cells.width(0), LIMITERS["van-leer"])
    step = positive_step(v_a, v_b, cells)
    assert (rho - step * out).min() >= 0 > (rho - 1.01 * step * out).min()


# ---- depth, energy, conservation


def test_depth_is_that_of_a_cloud_at_the_centres() -> None:
    cells = grid(24)
    scheme = Density(data(), RULE, cells)
    numbers = np.random.default_rng(1)
    rho = numbers.exponential(size=(3, 24, 24))
    rho /= rho.sum((1, 2), keepdims=True) * cells.area
    found = scheme.solve_depth(rho)
    x, y = (part.ravel() for part in np.meshgrid(cells.centres(0), cells.centres(1), indexing="ij"))
    theta = torch.from_numpy(np.stack([x, np.ones(x.size), y])).expand(1, 3, 3, -1).clone()
    # a cloud shares its weights between nodes: the mass goes into a
    theta[0, :, 0] *= torch.from_numpy(rho.reshape(3, -1) * cells.area * x.size)
    cloud = Cloud(data().inputs, RULE, torch.full((x.size,), 1.0 / x.size, dtype=torch.float64), scheme.activation)
    state = cloud.forward(theta)
    v = cloud.adjoint(state, data().readout.expand(1, 6, 1))
    np.testing.assert_allclose(found.z, state.features[0, :, :, 0].numpy(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.v, v[0, :, :, 0].numpy(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.residuals, data().residuals(state.end)[0].numpy(), rtol=0, atol=1e-11)


def test_the_discrete_risk_falls_by_its_own_first_variation() -> None:
    """dE along a change of ρ is ∫∫ G dδρ dt exactly: G at the centres is the discrete gradient."""
    scheme, cells = Density(data(), RULE, grid(32)), grid(32)
    rho = scheme.start(cells.averages(LAW))
    depth = scheme.solve_depth(rho)
    change = scheme.slope(rho, *scheme.velocity(depth))
    G = cells.centres(0)[:, None] * depth.phi[:, None, :]
    predicted = scheme.weights @ (G * change).sum((1, 2)) * cells.area

    def risk(step: float) -> float:
        return 0.5 * float(np.mean(scheme.solve_depth(rho + step * change).residuals ** 2))

    assert predicted < -0.01
    assert (risk(1e-4) - risk(-1e-4)) / 2e-4 == pytest.approx(predicted, rel=1e-6)


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("law", [LAW, InitialLaw("uniform", 1.0, 1.0, 1.0)], ids=lambda x: x.kind)
def test_mass_stays_and_nothing_is_negative(law: InitialLaw, limiter: str) -> None:
    """Also for a law with jumps, held in a rectangle that it pushes against."""
    cells = Grid((-1.1, 1.1), (-1.1, 1.1), (30, 40))
    scheme = Density(data(), RULE, cells, limiter=limiter)
    flow = scheme.run(scheme.start(cells.averages(law)), np.linspace(0, 6, 13).tolist())
    assert flow.mass_defect[-1] <= 1e-12
    assert flow.minimum[-1] >= -1e-15, "round-off of an emptied cell, and no more"
    assert flow.edge_mass[-1] > 1e-3
    assert np.all(np.diff(flow.risk) <= 0)


@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_symmetric_problem_keeps_its_symmetry(limiter: str) -> None:
    """Odd data: ρ(a, b) = ρ(a, −b) for ever."""
    odd, cells = data(low=-1.5), Grid((-2.4, 2.4), (-2.4, 2.4), (24, 24))
    scheme = Density(odd, RULE, cells, limiter=limiter)
    flow = scheme.run(scheme.start(cells.averages(LAW)), [0.0, 2.0])
    rho = flow.rho[-1]
    assert np.abs(rho - flow.rho[0]).max() > 0.1
    np.testing.assert_allclose(rho, rho[:, :, ::-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(flow.residuals[-1], -flow.residuals[-1][::-1], rtol=0, atol=1e-13)


def test_output_times_do_not_change_the_answer_beyond_the_step() -> None:
    cells, scheme = grid(32), Density(data(), RULE, grid(32))
    rho = scheme.start(cells.averages(LAW))
    once = scheme.run(rho, [2.0])
    often = scheme.run(rho, np.linspace(0, 2, 33).tolist())
    np.testing.assert_allclose(often.residuals[-1], once.residuals[-1], rtol=0, atol=1e-5)
    assert often.flow_times[-1] == 2.0 and often.steps >= 32


# ---- particles


def test_particles_follow_the_gradient_in_a_and_b_alone() -> None:
    points, weights = lattice(LAW, grid(8))
    field = Shifts(data(), RULE, torch.from_numpy(weights))
    theta = field.start(points[None]) + 0.1 * oracles.normals(5, 1, 3 * 3 * 64)
    full = MeanField(data(), RULE, torch.from_numpy(weights), compiled=False)
    out, whole = torch.empty_like(theta), torch.empty_like(theta)
    seen = field.vector_field(theta, torch.zeros(1), out)
    full.vector_field(theta, torch.zeros(1), whole)
    ours, theirs = field.shape(out), full.shape(whole)
    torch.testing.assert_close(ours[:, :, [0, 2]], theirs[:, :, [0, 2]], rtol=1e-14, atol=1e-15)
    assert bool((ours[:, :, 1] == 0).all()) and bool((theirs[:, :, 1] != 0).any())
    expected = torch.einsum("rqkj,q,j->r", ours.square(), RULE.weights, field.cloud.weights)
    torch.testing.assert_close(seen.rate, expected, rtol=1e-14, atol=0)


def test_particles_keep_w_and_their_energy() -> None:
    flow, _ = particles(64)
    assert flow.particles is not None
    assert bool((flow.particles[:, :, :, 1] == 1).all())
    lost = flow.risk[0] - flow.risk
    torch.testing.assert_close(flow.dissipated, lost, rtol=0, atol=1e-8)


def energy(flow: DensityFlow) -> Array:
    """Dissipated over lost risk, less one, at the output times."""
    lost = flow.risk[0] - flow.risk[1:]
    assert np.all(lost > 0.02)
    return np.abs(flow.dissipated[1:] / lost - 1)


def gap(flow: DensityFlow) -> Array:
    """Root mean square over samples of the distance to the particles' residuals."""
    exact = particles(96)[0].residuals[:, 0].numpy()
    gaps = np.sqrt(np.mean((flow.residuals - exact) ** 2, axis=1))
    assert gaps[0] < 1e-10, "at the start both are exact by symmetry"
    return gaps[1:]


def transport(flow: DensityFlow) -> Array:
    """∫ W₁(ρ, particles) dt at the output times."""
    coarse, cells = grid(16), grid(flow.rho.shape[-1])
    x, y = (part.ravel() for part in np.meshgrid(cells.centres(0), cells.centres(1), indexing="ij"))
    cloud, weights = particles(96)
    assert cloud.particles is not None
    theta = cloud.particles[:, 0].numpy()
    found = np.empty((len(TIMES), RULE.num_nodes))
    for s, q in np.ndindex(*found.shape):
        of_cells = deposit(x, y, flow.rho[s, q].ravel() * cells.area, coarse)
        of_particles = deposit(theta[s, q, 0], theta[s, q, 2], weights, coarse)
        found[s, q] = wasserstein(of_cells, of_particles, coarse)
    return found @ RULE.weights.numpy()


def weak_defect(flow: DensityFlow) -> Array:
    moved = flow.waves[1:] - flow.waves[0]
    return np.array([np.abs(moved - flow.balance[1:]).max() / np.abs(moved).max()])


@pytest.mark.parametrize(
    ("error", "least", "most", "finest"),
    [
        (energy, 1.7, np.inf, 2e-4),
        (gap, 1.8, 2.4, 5e-5),
        (transport, 1.85, 2.3, 1e-3),
        (weak_defect, 1.8, np.inf, 2e-3),
    ],
)
def test_errors_fall_by_second_order(
    error: Callable[[DensityFlow], Array], least: float, most: float, finest: float
) -> None:
    """Of energy, residuals, distance to the particles and weak form."""
    errors = [error(run(cells)) for cells in (32, 64, 128)]
    order = orders(errors)
    assert np.all((order > least) & (order < most)), order
    assert np.all(errors[-1] < finest)


# ---- distance


def test_distance_of_points_is_that_of_the_plane() -> None:
    coarse = Grid((0.0, 2.0), (0.0, 3.0), (8, 10))
    numbers = np.random.default_rng(2)
    for _ in range(5):
        (a, b), (c, d) = numbers.uniform(0, 2, 2), numbers.uniform(0, 3, 2)
        one, other = (deposit(np.array([x]), np.array([y]), np.ones(1), coarse) for x, y in ((a, c), (b, d)))
        assert wasserstein(one, other, coarse) == pytest.approx(abs(a - b) + abs(c - d), rel=1e-9)
        assert wasserstein(one, one, coarse) == 0


def test_distance_is_that_of_the_plan_between_all_pairs() -> None:
    """The transport problem as it is defined, with a mass for each pair of points."""
    coarse, numbers = Grid((0.0, 2.0), (0.0, 3.0), (4, 5)), np.random.default_rng(4)
    (a, b), (c, d) = numbers.uniform(0, 2, (2, 2, 9))
    one, other = (deposit(x, y, numbers.dirichlet(np.ones(9)), coarse) for x, y in ((a, b), (c, d)))
    points = np.argwhere(np.ones_like(one)) * [coarse.width(0), coarse.width(1)]
    cost, unit = np.abs(points[:, None] - points[None]).sum(-1), np.eye(len(points))
    marginals = np.concatenate([np.kron(unit, np.ones(len(points))), np.kron(np.ones(len(points)), unit)])
    plan = linprog(cost.ravel(), A_eq=marginals, b_eq=np.concatenate([one.ravel(), other.ravel()]))
    assert wasserstein(one, other, coarse) == pytest.approx(plan.fun, rel=1e-9)


def test_deposits_keep_mass_and_means() -> None:
    coarse, numbers = Grid((0.0, 2.0), (0.0, 3.0), (8, 10)), np.random.default_rng(3)
    a, b = numbers.uniform(0, 2, 50), numbers.uniform(0, 3, 50)
    mass = numbers.dirichlet(np.ones(50))
    made = deposit(a, b, mass, coarse)
    nodes = [(np.arange(cells + 2) - 0.5) * coarse.width(i) for i, cells in enumerate((8, 10))]
    assert made.sum() == pytest.approx(1, abs=1e-14)
    assert made.sum(1) @ nodes[0] == pytest.approx(mass @ a, abs=1e-13)
    assert made.sum(0) @ nodes[1] == pytest.approx(mass @ b, abs=1e-13)
    beyond = deposit(np.array([9.0]), np.array([-9.0]), np.ones(1), coarse)
    assert beyond.sum() == pytest.approx(1) and beyond[-3:, :3].sum() == pytest.approx(1)


# ---- errors


def start_of(scheme: Density) -> Array:
    return scheme.start(scheme.grid.averages(LAW))


SCHEME = Density(data(), RULE, grid(8))
FLAT = oracles.small_problem(4, 2)


UNIFORM, UP, NOTHING = InitialLaw("uniform"), (-1.0, 1.0), np.zeros(1)
IMPOSSIBLE: list[tuple[Callable[[], object], str]] = [
    (lambda: Grid((1.0, 1.0), UP, (8, 8)), r"range of a must be finite and increasing, got \(1.0, 1.0\); set box_a"),
    (lambda: Grid(UP, (0.0, np.inf), (8, 8)), "the range of b must be finite"),
    (lambda: Grid(UP, UP, (3, 8)), r"cells must be at least 4 per axis, got \(3, 8\); set cells"),
    (lambda: grid(8).averages(InitialLaw("point")), "the initial law must have a density, got point"),
    (lambda: lattice(UNIFORM, Grid(UP, (2.0, 3.0), (8, 8))), "mass of the uniform law, got none; widen box_b"),
    (lambda: Density(FLAT, RULE, grid(8)), r"dimension 1 for .*, got 2; choose"),
    (lambda: Shifts(FLAT, RULE, torch.full((4,), 0.25)), "dimension 1 for .*, got 2"),
    (lambda: Density(data(), euler(4), grid(8)), "the depth rule must be implicit, got euler-4"),
    (lambda: Density(data(), RULE, grid(8), limiter="no"), r"limiter must be one of van-leer, .*, got 'no'"),
    (lambda: SCHEME.run(start_of(SCHEME), [1.0, 0.5]), "flow_times must be increasing"),
    (lambda: deposit(NOTHING, NOTHING, NOTHING, grid(48)), "the support must have at most 1500 points, got 2500"),
]


@pytest.mark.parametrize(("attempt", "message"), IMPOSSIBLE)
def test_what_cannot_be_is_refused(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


def test_what_comes_to_no_end_is_named() -> None:
    with pytest.raises(RuntimeError, match="more than 2 steps to reach flow time 50"):
        SCHEME.run(start_of(SCHEME), [50.0], max_steps=2)
    with pytest.raises(FloatingPointError, match="collocation in depth did not converge"):
        SCHEME.solve_depth(np.full((3, 8, 8), np.nan))
