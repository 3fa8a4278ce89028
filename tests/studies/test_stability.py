"""The study `stability`: its gradients, Hessians and maps against differences and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import builds
import judging
import numpy as np
import pandas as pd
import pytest
import torch

from zeroloss.studies.linear.accelerated import contraction
from zeroloss.studies.stability import edge, lastbit, plan
from zeroloss.studies.stability.layer import Layer, image, patches
from zeroloss.studies.stability.measure import ABOVE, BELOW, BITS
from zeroloss.studies.stability.nets import Net
from zeroloss.studies.stability.restrained import Checkerboard


@pytest.mark.parametrize("name", ["checkerboard", "smooth", "noise"])
def test_the_hessian_is_the_slope_of_the_gradient(name: str) -> None:
    layer = Layer(patches(image(name, 9, 0), 4), 1.0, 0.3)
    K = np.random.default_rng(0).standard_normal(16)
    step = 1e-5 * np.eye(16)
    gradients = [layer.descend(K + e, 1.0) - layer.descend(K - e, 1.0) for e in step]
    assert np.eye(16) - np.array(gradients) / 2e-5 == pytest.approx(layer.hessian(K), abs=1e-7)
    assert layer.hessian(K, gauss_newton=True) != pytest.approx(layer.hessian(K), abs=1e-3)


def test_all_weights_of_a_checkerboard_obey_the_map_of_one_number() -> None:
    layer, one = Layer(patches(image("checkerboard", 9, 0), 4), 1.0, 1.25), Checkerboard(1.25, 4)
    K = np.random.default_rng(0).standard_normal(16)
    for step in (0.1, 0.9):
        moved = layer.descend(K, step) @ layer.A[0]
        assert moved == pytest.approx(K @ layer.A[0] - step * one.pull(K @ layer.A[0])[0], rel=1e-12)
    pull, slope = (one.pull(np.array([1.0 - 1e-6, 1.0 + 1e-6]))[i] for i in (0, 1))
    assert slope.mean() == pytest.approx((pull[1] - pull[0]) / 2e-6, rel=1e-6)


def test_a_power_of_two_leaves_every_bit_of_a_step() -> None:
    layer = Layer(patches(image("noise", 9, 0), 4), 1.0, 1.25)
    K = 1e-4 * np.random.default_rng(0).standard_normal(16)  # small: the step decides every bit
    same = {k: np.array_equal(layer.descend(K, 0.37, float(k)), layer.descend(K, 0.37)) for k in (2, 4, 8, 3, 7, 11)}
    assert same == {2: True, 4: True, 8: True, 3: False, 7: False, 11: False}


# ---- the edge of stability


@pytest.fixture
def net() -> Net:
    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((12, 3), 12))
    return Net((3, 5, 5, 1), x, y)


def test_the_top_of_the_hessian_and_its_slope(net: Net) -> None:
    theta = torch.stack([net.start(0, i) for i in range(2)])
    S, u = net.first_top(theta)
    S, u = net.top(theta, u, 20)
    slopes = net.steepening(theta, u)
    for i in range(2):
        H = torch.func.hessian(lambda w: net.loss(w[None])[0])
        values, vectors = torch.linalg.eigh(H(theta[i]))
        assert float(S[i]) == pytest.approx(float(values[-1]), rel=1e-9)
        assert abs(float(u[i] @ vectors[:, -1])) == pytest.approx(1.0, abs=1e-9)
        v = torch.from_numpy(np.random.default_rng(1).standard_normal(len(u[i])))
        ahead, behind = (torch.linalg.eigvalsh(H(theta[i] + t * v))[-1] for t in (1e-5, -1e-5))
        assert float(slopes[i] @ v) == pytest.approx(float(ahead - behind) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_methods_lose_stability_at_their_threshold(momentum: float, nesterov: bool) -> None:
    method = plan.Method(step=0.1, momentum=momentum, nesterov=nesterov)
    for share, stable in ((0.99, True), (1.01, False)):
        kept = np.array(1 - method.step * edge.threshold(method) * share)
        p, q = ((1 + momentum) * kept, momentum * kept) if nesterov else (kept + momentum, momentum)
        assert (contraction(p, np.asarray(q)) < 1) == stable


def test_noise_alone_decides_when_a_slow_passage_ends() -> None:
    """x' = −e^{κt} x + ξ by simulation: the geometric mean of |x| late is x₀ e^N."""
    kappa, eps, end = 0.01, 1e-9, 60
    rng, x, growth = np.random.default_rng(0), np.zeros(4000), 0.0
    for t in range(-end, end):
        x = -np.exp(kappa * t) * x + eps * rng.standard_normal(x.shape)
        growth += kappa * max(t, 0)
    predicted = np.log(eps) + 0.25 * np.log(np.pi / kappa) + edge.GEOMETRIC + growth
    assert np.log(np.abs(x)).mean() == pytest.approx(predicted, abs=0.1)


def test_a_turn_is_looked_for_after_the_crossing() -> None:
    """A start near the edge falls from it: at the crossing of the quiet path S is still below what it began with."""
    S = np.array([1.9, 1.5, 1.2, 1.6, 1.7, 1.8, 2.4, 2.3, 1.0, 2.6])
    assert edge.turn(S, 5) == 6
    assert edge.turn(S[:7], 5) == 6 == edge.turn(S[:7], 6)  # which does not turn: the last step


# ---- the last bit


def test_an_order_is_the_same_whatever_it_is_drawn_with() -> None:
    together, alone = (list(lastbit.batches(0, orders, 1, 400)) for orders in ([0, 1], [1]))
    assert all(torch.equal(both[1], one[0]) for both, one in zip(together, alone, strict=True))
    assert sorted(torch.cat(alone, 1)[0].tolist()) == list(range(lastbit.NUM_TRAIN))


def test_two_builds_differ_in_digits_and_agree_in_what_the_last_bit_decides(tmp_path: Path) -> None:
    """Other kernels of torch, MKL and OpenBLAS, as on another processor: chaotic runs end elsewhere."""
    quiet, chaotic, names = "h0.1.r0", "h1.1.r0", ("accuracy", "restrained")
    code = "import judging, sys; cases = judging.cases_of('stability')"
    code = f"{code}; [judging.run_case('stability', cases[n]).to_pickle(sys.argv[1] + n) for n in {names}]"
    place, kernels = Path(builds.__file__).parent, os.environ | builds.KERNELS
    subprocess.run([sys.executable, "-c", code, f"{tmp_path}/"], check=True, cwd=place, env=kernels)
    cases = judging.cases_of("stability")
    pairs = {n: (judging.run_case("stability", cases[n]), pd.read_pickle(tmp_path / n)) for n in names}
    here, there = (dict(iter(table.groupby(["quantity", "cell"]).value)) for table in pairs["accuracy"])
    for values in (here, there):
        for kind, bits in BITS.items():
            assert np.ptp(values[f"factor_{kind}", quiet]) == 0 < np.ptp(values[f"factor_{kind}", chaotic])
            assert values["tangent", quiet].item() < bits * np.log(2) - BELOW
            assert values["tangent", chaotic].item() > bits * np.log(2) + ABOVE
    assert not here["factor_float32", chaotic].equals(there["factor_float32", chaotic])
    assert here["tangent", quiet].item() == pytest.approx(there["tangent", quiet].item(), rel=1e-3)
    here, there = (table.set_index(["quantity", "cell", "replicate"]).sort_index() for table in pairs["restrained"])
    assert ((here.value > -1) == (there.value > -1)).loc["log10_difference"].all()  # last bits are amplified, or kept
    for column in ("value", "predicted"):  # exponents, measured and of the map
        rates = (table.loc["rate_error", column].groupby("cell").mean().to_numpy() for table in (here, there))
        assert next(rates) == pytest.approx(next(rates), abs=0.05)  # half of what is allowed
