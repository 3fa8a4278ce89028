"""The study `linear`: closed forms against factors, momentum against its recursions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from judging import cases_of

from zeroloss.studies.linear import accelerated, architectures, balanced, plan
from zeroloss.studies.linear.balanced import ORIGIN, Start, Target
from zeroloss.studies.linear.chain import Chain, rank_one_start
from zeroloss.studies.linear.momentum import inputs_of

Z = Target(np.eye(4)[:, :3], np.array([2.0, 1.0, 0.5]), np.eye(3))


# ---- deep linear networks


def chain_and_start(widths: tuple[int, ...], norms: list[float]) -> tuple[Chain, np.ndarray, Start]:
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal(widths[-1]), rng.standard_normal(widths[0])
    start = Start(u / np.linalg.norm(u), v / np.linalg.norm(v), float(np.prod(norms)))
    state = rank_one_start(widths, start.u[None], start.v[None], np.array([norms]), rng)
    return Chain(widths, Z.matrix), state, start


@pytest.mark.parametrize("widths", [(3, 1, 4), (3, 2, 1, 4), (3, 2, 1, 5, 4)])
def test_the_velocity_is_minus_the_gradient_of_the_loss(widths: tuple[int, ...]) -> None:
    chain, _, _ = chain_and_start(widths, [1.0] * (len(widths) - 1))
    state = np.random.default_rng(2).standard_normal((2, sum(a * b for a, b in pairwise(widths))))

    def loss(flat: np.ndarray) -> np.ndarray:
        return 0.5 * ((chain.product(flat) - Z.matrix) ** 2).sum((1, 2))

    step = 1e-6 * np.eye(state.shape[1])
    differences = np.array([(loss(state + e) - loss(state - e)) / 2e-6 for e in step]).T
    assert chain.velocity(state) == pytest.approx(-differences, abs=1e-7)


@pytest.mark.parametrize("num_layers", [2, 3, 5])
def test_the_closed_form_solves_its_equations(num_layers: int) -> None:
    """σ', u' and v' as they stand in the paper, by central differences of the trajectory."""
    _, _, start = chain_and_start((3, 1, 4), [1.0, 0.4])
    at, h = 0.7, 1e-4
    W = balanced.trajectory([start], Z, num_layers, [0.0, at - h, at, at + h])[1:, 0]
    sigma = np.linalg.norm(W, axis=(1, 2))
    left, _, right = np.linalg.svd(W[1])
    u = left[:, 0] * np.sign(left[:, 0] @ W[1] @ right[0])
    v, pace = right[0], sigma[1] ** (1 - 2 / num_layers)
    M, N = Z.matrix, num_layers
    across = pace * ((M @ v - u * (u @ M @ v))[:, None] * v + u[:, None] * (M.T @ u - v * (u @ M @ v)))
    expected = N * sigma[1] * pace * (u @ M @ v - sigma[1]) * np.outer(u, v) + sigma[1] * across
    assert (W[2] - W[0]) / (2 * h) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("u", "v", "end"),
    [
        ([1, 0, 0, 0], [1, 0, 0], 1),
        ([0.6, 0.8, 0, 0], [-0.6, 0.8, 0], 2),
        ([0.6, 0, 0.8, 0], [-0.6, 0, 0.8], 3),
        ([0.6, 0.8, 0, 0], [-0.6, -0.8, 0], ORIGIN),
        ([0, 0, 0, 1], [0, 0, 1], 3),
        ([0, 0.6, 0, 0.8], [0, 0, 1], 2),
    ],
)
def test_the_end_is_read_off_the_overlaps(u: list[float], v: list[float], end: int) -> None:
    start = Start(np.array(u, float), np.array(v, float), 0.5)
    assert balanced.end_of(start, Z) == end
    last = balanced.trajectory([start], Z, 3, [0.0, 400.0])[-1, 0]
    assert last == pytest.approx(Z.mode(end), abs=1e-3)


def test_escape_asks_for_three_layers_and_a_start_that_leaves() -> None:
    start = Start(np.array([0.6, 0.8, 0, 0]), np.array([-0.6, -0.8, 0]), 0.1)
    with pytest.raises(ValueError, match="at least 3"):
        balanced.escape_constant(start, Z, 3)
    # aligned: G = e^{s_1 τ}, so that C = 1/((N − 2) s_1)
    aligned = Start(np.eye(4)[0], np.eye(3)[0], 0.1)
    assert balanced.escape_constant(aligned, Z, 5) == pytest.approx(1 / 6, rel=1e-9)


def test_rates_of_balanced_factors_are_a_case_of_the_unbalanced() -> None:
    for N in (2, 3, 6):
        norms = balanced.norms_at_the_end(np.full(N, 0.3), 2.0)
        assert norms == pytest.approx(np.full(N, 2.0 ** (1 / N)))
        assert balanced.unbalanced_rate(norms, Z.values) == pytest.approx(balanced.final_rates(Z.values, N)[1])
    assert np.prod(balanced.norms_at_the_end(np.array([0.5, 1.0, 2.0]), 2.0)) == pytest.approx(2.0)


# ---- momentum


def network(name: str, width: int = 6) -> tuple[architectures.Architecture, list[np.ndarray]]:
    X = np.random.default_rng(3).standard_normal((3, 3))
    return architectures.build(name, X, width, 3, [np.random.default_rng(i) for i in range(2)])


@pytest.mark.parametrize("name", ["deep", "resnet", "resnet-root", "relu"])
def test_the_pull_is_the_derivative_of_the_outputs(name: str) -> None:
    model, weights = network(name)
    f, way = model.forward(weights)
    r = np.random.default_rng(4).standard_normal(f.shape)
    pulled = model.pull(weights, way, r)
    for k, W in enumerate(weights):
        direction = np.random.default_rng(5).standard_normal(W.shape)
        ends = [
            model.forward([V + sign * 1e-6 * direction if j == k else V for j, V in enumerate(weights)])[0]
            for sign in (1, -1)
        ]
        slope = ((ends[0] - ends[1]) / 2e-6 * r).sum(1)
        assert (pulled[k] * direction).reshape(2, -1).sum(1) == pytest.approx(slope, rel=1e-6)


def test_tuned_methods_contract_as_their_textbooks_say() -> None:
    low, high = np.array([0.01]), np.array([1.0])
    grid = np.linspace(0.01, 1.0, 2001)[None]
    for method, rate in (("descent", 99 / 101), ("heavy-ball", 9 / 11), ("nesterov", 1 - 2 / np.sqrt(301))):
        p, q = accelerated.recursion(method, *accelerated.tuned(method, low, high), grid)
        assert accelerated.contraction(p, q).max() == pytest.approx(rate, rel=1e-6)
    with pytest.raises(ValueError, match="unknown method"):
        accelerated.tuned("adam", low, high)


@pytest.mark.parametrize("method", accelerated.METHODS)
def test_a_linear_model_obeys_the_recursion(method: str) -> None:
    """One layer of fixed signs and units that stay active is linear: nothing is approximated."""
    model, weights = network("relu")
    assert isinstance(model, architectures.Relu)
    weights = [np.abs(weights[0]) + 50.0]
    model.X = np.abs(model.X)
    values, vectors = np.linalg.eigh(model.kernel(weights))
    targets = model.forward(weights)[0] - 1e-3 * vectors.sum(2)
    step, beta = accelerated.tuned(method, values[:, 0], values[:, -1])
    seen, _ = accelerated.run(method, model, weights, targets, step, beta, 6)
    x = np.einsum("trn,rnk->trk", seen, vectors)
    p, q = accelerated.recursion(method, step, beta, values)
    assert x[2:] == pytest.approx(p * x[1:-1] - q * x[:-2], abs=1e-10)


def test_a_contraction_is_measured_without_knowing_the_method() -> None:
    t = np.arange(400)
    assert accelerated.measured_contraction(0.97**t, momentum=False) == pytest.approx(0.97)
    for x in (0.97**t * np.cos(0.003 * t + 0.2), 0.97**t * (1 + 0.03 * t), 0.97**t - 0.8**t):
        assert accelerated.measured_contraction(x, momentum=True) == pytest.approx(0.97, rel=1e-4)


@pytest.mark.parametrize("architecture", ["deep", "relu"])
def test_inputs_have_the_condition_number_of_their_case(architecture: str) -> None:
    case = cases_of("linear")[f"momentum-{architecture}"]
    assert isinstance(case, plan.Momentum)
    for condition in (10.0, 1e4):
        X = inputs_of(case, condition)
        assert np.linalg.cond(X) ** 2 == pytest.approx(condition, rel=1e-8)
        assert np.linalg.norm(X, 2) == pytest.approx(1.0)
    if architecture == "relu":
        with pytest.raises(ValueError, match="below that of the directions"):
            inputs_of(case, 1.0001)
