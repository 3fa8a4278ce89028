"""W3, W4 and the GPU's measurement at sizes of seconds; solvers that are not installed are left."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import brute, depth_peers, draw, fluctuations, gpu, limits, networks, reference, report
from benchmarks.limit_cases import LimitCase
from benchmarks.peers_torch import FUNC
from benchmarks.roofline import Probe
from benchmarks.rows import OURS, Row, pick
from benchmarks.timing import Effort
from benchmarks.workload import Shape
from benchmarks.works import SMOKE, Settings
from ledger.record import results
from zeroloss.limit.collocation import gauss_legendre

CASE = SMOKE.limit_cases[0]
QUICK = Effort(repeats=2, seconds=1e-4)


def test_basis_is_one_at_its_own_node_only() -> None:
    nodes = gauss_legendre(4).nodes.numpy()
    powers = np.vander(nodes, 4, increasing=True)
    assert powers @ depth_peers.basis(nodes).T == pytest.approx(np.eye(4), abs=1e-12)


def test_the_interpolated_equation_has_the_gradient_of_its_risk() -> None:
    """−b_q ω ∂ of the exact slope against central differences of the exact risk."""
    case = replace(CASE, depth_nodes=3)
    theta = limits._states(case, 3)[-1]
    _, slope = limits._exact(case, theta, 12)
    rule, step = gauss_legendre(3), 1e-5

    def risk(q: int, k: int, j: int, sign: float) -> float:
        moved = theta.clone()
        moved[q, k, j] += sign * step
        return float(case.problem.risk(limits._exact(case, moved, 12)[0]))

    for q, k, j in ((0, 0, 0), (1, 3, 2), (2, 4, 7)):
        found = (risk(q, k, j, 1.0) - risk(q, k, j, -1.0)) / (2 * step)
        expected = -float(slope[q, k, j] * rule.weights[q]) / theta.shape[-1]
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-10)


def test_gradients_of_runs_are_counted() -> None:
    field, start = CASE.cloud(4, "count")
    with limits.counted(CASE.depth_nodes) as counts:
        run = field.run(start, [0.5], rtol=1e-4)
    steps = int((run.flow.accepted + run.flow.rejected)[0])
    assert counts == [16 * (1 + 6 * steps)]


def test_rows_of_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(case: LimitCase, tolerance: float) -> depth_peers.DepthPeer:
        raise ImportError("no such solver")

    monkeypatch.setitem(limits.MAKERS, "diffrax", missing)
    monkeypatch.setitem(limits.MAKERS, "torchdiffeq", own_depth_peer)
    assert SMOKE.refined is not None
    truth = reference.refine(CASE, SMOKE.refined)
    rows = limits.limits(CASE, truth, SMOKE.ladder, SMOKE.limit_search, QUICK)
    assert "not available" in pick(rows, method="diffrax")[0].note
    peer = {row.quantity: row.value for row in pick(rows, method="torchdiffeq")}
    assert peer["depth_error"] < 1e-3 and peer["run_difference"] < 0.01
    assert peer["cpu_seconds"] > 0 and peer["gradient_ratio"] > 0
    ours = {row.quantity: row.value for row in pick(rows, method=OURS)}
    assert ours["cpu_seconds"] > 0 and ours["stated_error"] > 0
    costs = report.limit_costs(rows)
    assert [row[2] for row in costs] == [OURS, "torchdiffeq", "brute force", "diffrax"]
    assert len(report.limit_gradients(rows)) == 1
    assert draw.costs(rows).axes


def own_depth_peer(case: LimitCase, tolerance: float) -> depth_peers.DepthPeer:
    """Our own collocation in the place of a general solver."""

    def evaluate(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return limits._exact(case, theta, 8)

    return depth_peers.DepthPeer("torchdiffeq", lambda theta: theta, evaluate)


def test_brute_force_recovers_bias_spread_and_cost() -> None:
    rng = np.random.default_rng(0)
    found = [
        brute.Trained(L, M, 2 * (1 + 0.5 / L + 1.5 / math.sqrt(L * M) * rng.normal(size=n)), 1e-6 * L * M)
        for L, M, n in ((8, 64, 4000), (16, 128, 2000), (32, 256, 1000))
    ]
    A, B, kappa = brute._constants(found, 2.0)
    assert pytest.approx(0.5, rel=0.05) == A
    assert pytest.approx(1.5, rel=0.05) == B
    assert kappa == pytest.approx(1e-6)


def test_brute_force_keeps_its_budget() -> None:
    ladder = brute.Ladder(((2, 4, 4), (2000, 20_000, 4)), rtol=1e-2, budget=1.0)
    found = brute._climb(CASE, ladder)
    assert [size[:2] for size in found] == [(2, 4)]
    rows = brute.brute_force(CASE, 0.1, brute.Ladder(((2, 4, 4), (4, 8, 4)), 1e-2, 10.0))
    for accuracy in CASE.accuracies:
        assert pick(rows, quantity="cpu_seconds", size=accuracy)[0].value > 0


def test_the_stored_references_are_those_of_the_published_cases() -> None:
    for case in Settings().limit_cases:
        refined = reference.known(case)
        assert 0 < refined.error < 0.01 * refined.risk
    with pytest.raises(results.ResultError, match=r"python -m benchmarks\.reference sine"):
        reference.known(replace(Settings().limit_cases[0], flow_time=5.0))


def test_rows_of_the_influence() -> None:
    rows = fluctuations.fluctuations(CASE, SMOKE.target, QUICK)
    assert pick(rows, quantity="cpu_ratio")[0].value > 1
    assert pick(rows, quantity="points")[0].value in (16, 32)
    ratios = pick(rows, quantity="memory_ratio")
    assert len(ratios) == 1 and ratios[0].size >= 1
    assert len(report.influence_costs(rows)) == 6


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    assert "no GPU" in capsys.readouterr().out


def test_the_measurement_of_a_gpu_holds_on_the_processor() -> None:
    shape = Shape(networks=2, L=3, M=8, N=4, steps=2)
    peers = FUNC, networks.JAX[0]
    rows = gpu.measure("cpu", shape, Probe(32, 256, far_bytes=1 << 12, seconds=0.001), QUICK, peers)
    ours = pick(rows, method=OURS, quantity="difference", case="float64")
    assert len(ours) == 2 and all(row.value <= gpu.AGREEMENT for row in ours)
    assert all(row.value > 0 for row in pick(rows, work="bound"))
    assert len(pick(rows, work="over bound")) == 16
    assert not gpu._disagreements(rows)
    wrong = Row("gradient", "float64", OURS, "difference", 1e-6)
    assert gpu._disagreements([*rows, wrong]) == [wrong]
    assert gpu._table(rows, "processor", shape).rows
