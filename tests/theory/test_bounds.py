"""Certificates of size: every link of the chain against trained networks, and what it promises."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ledger.record.streams import stream
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.flow import MeanField
from zeroloss.model.block import ACTIVATIONS, push, split, theta_gradient
from zeroloss.model.law import InitialLaw, sample_independent, sobol_rule
from zeroloss.model.problem import Problem, built_in, problem
from zeroloss.network.resnet import Network
from zeroloss.theory import bounds
from zeroloss.theory.bounds.chain import SUP_THIRD, Chain, Domination, cumulated
from zeroloss.theory.bounds.moments import Norms, Table
from zeroloss.theory.bounds.profile import Interpolation, Profile, follow
from zeroloss.theory.bounds.size import certificate, from_profile, sizes
from zeroloss.theory.chebyshev import chebyshev_size

Array = NDArray[np.float64]
SINE = built_in("sine", 4, 0)
LAW = InitialLaw(scale_a=0.6, scale_w=0.6, scale_b=0.6)
TIMES = np.linspace(0.0, 0.2, 9)
NODES, POINTS = 3, 9


@cache
def limit() -> tuple[MeanField, Tensor]:
    """The limit that ``follow`` profiles, and its particles at TIMES."""
    points = sobol_rule(LAW, SINE.dim, POINTS, 0, "bounds")
    field = MeanField(SINE, gauss_legendre(NODES), points.shape[1], "tanh")
    run = field.run(field.start(points[None]), TIMES.tolist(), rtol=1e-6, keep=True)
    assert run.particles is not None
    return field, run.particles


@cache
def profile() -> Profile:
    return follow(SINE, LAW, "tanh", TIMES.tolist(), depth_nodes=NODES, log2_points=POINTS)


def norm(x: Tensor) -> Array:
    return x.norm(dim=-1).numpy()


def spectral(x: Tensor) -> Array:
    return torch.linalg.matrix_norm(x, 2).numpy()


@dataclasses.dataclass
class Limit:
    """Fields of the limit at depths l/L, l = 0..L, at one flow time: (L + 1, N, …)."""

    z: Tensor
    q: Tensor
    r: Tensor
    F: Tensor
    J: Tensor
    bent: Tensor

    @staticmethod
    def at(step: int, num_layers: int) -> Limit:
        field, particles = limit()
        theta = particles[step]
        linear = field.linearise(theta[0])
        state = field.cloud.forward(theta)
        a, w, b = split(theta[0])
        weights = field.cloud.weights
        curvature = ACTIVATIONS["tanh"].curvature(linear.z @ w + b)
        F = linear.sigma @ (weights * a).mT
        bent = torch.einsum("qnj,qnj,qcj,qdj,j->qncd", linear.q @ a, curvature, w, w, weights)
        grid = Interpolation.at(field.rule, np.arange(num_layers + 1) / num_layers)

        def at(matrix: Tensor, nodal: Tensor) -> Tensor:
            return torch.einsum("tq,q...->t...", matrix, nodal)

        z = SINE.inputs + at(grid.integral, F)
        q, *others = (at(grid.value, nodal) for nodal in (linear.q, F, state.jacobian[0], bent))
        return Limit(z, q, linear.residuals, *others)

    def pull(self, theta: Tensor) -> Tensor:
        """∇_θ δE/δρ at the layers' own depths: theta (L, k, M)."""
        a, w, b = split(theta)
        del a
        z, p = self.z[:-1], (self.r[:, None] * self.q)[:-1]
        u = z @ w + b
        h = torch.tanh(u)
        return theta_gradient(z, p, h, push(p, theta, 1.0 - h * h)) / len(self.r)


class Realised:
    """One network, the characteristics from its starts, and what the chain says with the sampling
    errors that this network met."""

    def __init__(self, sampling: str, num_layers: int, num_units: int, replicate: int) -> None:
        rng = stream("chain", sampling, num_layers, num_units, replicate)
        layers = num_layers if sampling == "independent" else 1
        start = torch.from_numpy(sample_independent(LAW, rng, layers, num_units, SINE.dim))
        self.start = start.expand(num_layers, -1, -1).contiguous()
        self.L = num_layers
        self.limits = [Limit.at(k, num_layers) for k in range(len(TIMES))]
        self.network = Network(SINE, num_layers, num_units)
        self.coupled = self._characteristics()
        self.trained = [self.start] + [
            self.network.train(self.start[None], [float(s)], rtol=1e-8).parameters[0] for s in TIMES[2::2]
        ]
        parts = [self._sampling(k) for k in range(0, len(TIMES), 2)]
        self.of_f, self.of_q, self.of_J, self.of_bent = (np.stack(x) for x in zip(*parts, strict=True))
        self.profile = dataclasses.replace(
            profile(), **{f.name: getattr(profile(), f.name)[::2] for f in dataclasses.fields(Profile)}
        )
        self.chain, self.distance = self._chain()

    def _characteristics(self) -> list[Tensor]:
        """Θ at every second of TIMES by RK4, the limit being known at the halves of steps."""
        theta, found = self.start, [self.start]
        h = float(TIMES[2])
        for k in range(0, len(TIMES) - 1, 2):
            left, middle, right = self.limits[k : k + 3]
            k1 = -left.pull(theta)
            k2 = -middle.pull(theta + 0.5 * h * k1)
            k3 = -middle.pull(theta + 0.5 * h * k2)
            k4 = -right.pull(theta + h * k3)
            theta = theta + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            found.append(theta)
        return found

    def _sampling(self, k: int) -> tuple[Array, Array, Array, Array]:
        """max_l |T_l| of f and of ∂_z fᵀ q, and means over l of ‖Ĵ − J‖ and of ‖∂_z²‖: (N,)."""
        now, theta = self.limits[k], self.coupled[k // 2]
        sigma, M = ACTIVATIONS["tanh"], theta.shape[-1]
        a, w, b = split(theta)
        u = now.z[:-1] @ w + b
        f = sigma.value(u) @ a.mT / M - now.F[:-1]
        J = torch.einsum("lnm,lcm,ldm->lncd", sigma.slope(u), a, w) / M - now.J[:-1]
        bent = torch.einsum("lnm,lnm,lcm,ldm->lncd", now.q[:-1] @ a, sigma.curvature(u), w, w) / M
        pulled = (J.mT @ now.q[:-1].unsqueeze(-1)).squeeze(-1)
        forward = norm(f.cumsum(0) / self.L).max(0)
        backward = norm(pulled.flip(0).cumsum(0) / self.L).max(0)
        return (forward, backward, spectral(J).mean(0), spectral(bent - now.bent[:-1]).mean(0))

    def _table(self) -> tuple[Table, float]:
        """Empirical moments of the starts; the cut is the largest ν, so that all weights are 1."""
        a, w, _ = split(self.start)
        nu, omega = (x.norm(dim=-2).numpy().ravel() for x in (a, w))
        joint = np.array([[(nu**j * omega**k).mean() for k in range(5)] for j in range(7)])
        return Table(joint, np.zeros(3), 0.0), float(nu.max())

    def _chain(self) -> tuple[Chain, float]:
        """Margins by iteration from what was met; the premises are asserted at the fixed point."""
        table, cut = self._table()
        sigma, p = ACTIVATIONS["tanh"], self.profile
        margin, near, far = 0.1, 0.02, 0.0
        turn = 0.5 * (p.jacobian_rate + p.jacobian**2 * np.exp(p.jacobian)) / self.L
        for _ in range(40):
            chain = Chain(p, sigma, Domination.of(p, sigma, margin, near), table, margin, near, cut, far)
            met = self.of_J + chain.bend * near + chain.G * far
            found = chain.consistency(self.of_f, self.of_q, 1.0 / self.L)
            extra = chain.bounds.push * self.of_bent * (chain.resolvent * chain.H) ** 2
            grown = float(cumulated(p.flow_times, extra.mean(1))[-1])
            distance = math.exp(grown + chain.log_distance(found.tau))
            needed = max(float((p.resolvent * (turn + met)).max()), float(p.jacobian.max()) / self.L)
            reach = found.features + chain.resolvent * chain.H * far
            if needed <= margin and reach.max() <= near and distance <= far:
                return chain, distance
            margin, near, far = (
                max(old, 1.02 * new) for old, new in ((margin, needed), (near, float(reach.max())), (far, distance))
            )
        raise AssertionError(f"the premises were not met: {margin=}, {near=}, {far=}")


SIZES = [("path", 8, 4000, 0), ("path", 16, 1000, 1), ("independent", 8, 1000, 0), ("independent", 32, 300, 1)]


@cache
def realised(case: int) -> Realised:
    return Realised(*SIZES[case])


@pytest.mark.parametrize("case", range(len(SIZES)))
def test_every_link_of_the_chain_holds(case: int) -> None:
    """Features, residuals, adjoints, τ and the distance of the trained network, each below its
    bound with the sampling errors that were met, at s = 0, 0.05, …, 0.2."""
    net = realised(case)
    found = net.chain.consistency(net.of_f, net.of_q, 1.0 / net.L)
    slack = 1.0 + 1e-6
    for k in range(len(net.coupled)):
        now, theta = net.limits[2 * k], net.coupled[k]
        linear = net.network.linearise(theta)
        z = net.network.features(theta[None])[:, 0]
        p = linear.residuals[:, None] * linear.q
        limit_p = (now.r[:, None] * now.q)[:-1]
        assert (norm(z - now.z).max(0) <= found.features[k] * slack).all()
        if k == 0 and case < 2:  # bounds that say nothing would pass the rest
            assert (norm(z - now.z).max(0) / found.features[k]).max() > 0.3
        assert ((linear.residuals - now.r).abs().numpy() <= found.residuals[k] * slack).all()
        assert (norm(linear.q - now.q[1:]).max(0) <= found.q[k] * slack + 1e-9).all()
        assert (norm(p - limit_p).max(0) <= found.p[k] * slack).all()
        tau = linear.pull(linear.residuals) - now.pull(theta)
        assert float(tau.square().sum(-2).mean().sqrt()) <= found.tau[k] * slack
    moved = (net.trained[-1] - net.coupled[-1]).square().sum(-2).mean().sqrt()
    assert float(moved) <= net.distance


@pytest.mark.parametrize("case", range(len(SIZES)))
def test_dominations_hold_on_the_trained_network(case: int) -> None:
    """|a| ≤ ν + a₀, |w| ≤ ω + b₁ν + b₀, H and G, for network and characteristics alike."""
    net, sigma = realised(case), ACTIVATIONS["tanh"]
    a0, w0, _ = split(net.start)
    nu, omega = a0.norm(dim=-2).numpy(), w0.norm(dim=-2).numpy()
    z = net.limits[-1].z[:-1]
    for theta in (net.trained[-1], net.coupled[-1]):
        a, w, b = split(theta)
        of_a, of_w = net.chain.bounds.a, net.chain.bounds.w
        assert (a.norm(dim=-2).numpy() <= of_a[0][-1] * nu + of_a[1][-1] + 1e-12).all()
        assert (w.norm(dim=-2).numpy() <= omega + of_w[0][-1] * nu + of_w[1][-1] + 1e-12).all()
        u = z @ w + b
        lifted = 1.0 + z.square().sum(-1, keepdim=True)
        size = sigma.value(u) ** 2 + a.square().sum(-2, keepdim=True) * sigma.slope(u) ** 2 * lifted
        assert (size.mean((0, 2)).sqrt().numpy() <= net.chain.H[-1]).all()
        mixed = sigma.curvature(u).abs() * lifted.sqrt() * w.norm(dim=-2, keepdim=True)
        mixed = (
            sigma.slope(u) ** 2 * w.square().sum(-2, keepdim=True)
            + a.square().sum(-2, keepdim=True) * (mixed + sigma.slope(u)) ** 2
        )
        assert (mixed.mean((0, 2)).sqrt().numpy() <= net.chain.G[-1]).all()


# ---- the rate of stability, where it is attained


def saddle(size: float = 1e-4) -> tuple[Problem, Tensor]:
    """Equal samples, equal labels, identity: near θ = 0 the gradient flow is linear, of rate
    |r||(z, 1)|, and a perturbation along a = −|(z, 1)|⁻¹ (w, b)·(z, 1) grows by just that."""
    data = problem("saddle", [[1.0], [1.0]], [0.0, 0.0], readout=[1.0])
    direction = torch.tensor([-math.sqrt(2.0), 1.0, 1.0], dtype=torch.float64) / 2.0
    return data, size * direction.view(1, 3, 1)


def test_the_rate_of_stability_is_attained_at_a_saddle(monkeypatch: pytest.MonkeyPatch) -> None:
    """exp(∫λ) times the distance of two networks at the start bounds the distance later, to within
    a factor 1.5; half of λ in the exponent, and the chain breaks."""
    data, start = saddle()
    times, sigma, L = np.linspace(0.0, 2.5, 51), ACTIVATIONS["identity"], 200
    law = InitialLaw("point", *start.flatten().tolist())
    p = follow(data, law, "identity", times.tolist(), depth_nodes=2, log2_points=0)
    margin = 0.01
    of = Domination.of(p, sigma, margin, margin)
    cut = Norms.of(law, 1, sigma).cuts(0.0)[0]
    table = Norms.of(law, 1, sigma).table(0.0, cut, margin, margin)
    chain = Chain(p, sigma, of, table, margin, margin, cut)
    network = Network(data, L, 1, "identity")
    theta = start.expand(L, 3, 1).contiguous()
    both = torch.stack([theta, theta * 1.01])
    end = network.train(both, [float(times[-1])], rtol=1e-10).parameters

    def distance(x: Tensor) -> float:
        return float((x[1] - x[0]).square().sum(-2).mean().sqrt())

    before, after, rate = distance(both), distance(end), chain.rate
    bound = chain.log_distance(np.zeros(len(rate)), before)
    assert math.log(after) <= bound <= math.log(after) + 0.4
    assert after > 20 * before
    monkeypatch.setattr(Chain, "rate", property(lambda _: 0.5 * rate))
    assert math.log(after) > chain.log_distance(np.zeros(len(rate)), before) + 1.0


# ---- the certificate


FLOW_TIMES = (0.0, 0.05, 0.2, 1.0, 4.0)


@cache
def found(sampling: str) -> bounds.Certificate:
    return certificate(SINE, LAW, "tanh", FLOW_TIMES, sampling=sampling, depth_nodes=3, log2_points=7, steps=16)


@pytest.mark.parametrize("sampling", ["path", "independent"])
def test_constants_grow_with_s_and_sizes_with_what_is_asked(sampling: str) -> None:
    c = found(sampling)
    for values in (c.log10_depth, c.log10_width, c.parts["growth"]):
        assert (np.diff(values) > 0).all()
    base = sizes(c, 0.1, 0.1)
    for eps, eta in ((0.01, 0.1), (0.1, 0.01), (1e-6, 1e-6)):
        for more, less in zip(sizes(c, eps, eta), base, strict=True):
            assert (more >= less - 1e-12).all()
    assert (sizes(c, 1e-9, 0.1)[0] > base[0]).all()
    L, M = sizes(c, 1e-3, 0.05)
    count = M + L if sampling == "independent" else M
    # no more than the theorem's form says
    assert (np.maximum(c.log10_depth + 3, 0) - L >= -1e-9).all()
    form = np.maximum(c.log10_width + 6 - math.log10(0.05), 0)
    needed = np.maximum(form, c.log10_units + L - math.log10(0.05))
    assert (np.maximum(needed, L) - count >= -1e-9).all()


def test_parts_add_up() -> None:
    c = found("path")
    kinds = ("parameters", "coupling", "features", "tail")
    total = sum(c.parts[f"growth_{kind}"] for kind in kinds)
    np.testing.assert_allclose(total, c.parts["growth"], rtol=1e-12)
    np.testing.assert_array_equal(c.log10_width, np.maximum(c.parts["accuracy_width"], c.parts["least_width"]))
    assert (c.parts["least_width"] >= 0).all()  # n ≥ 1/η at least


def test_at_the_start_width_is_plain_monte_carlo() -> None:
    """s = 0: ε² n η = C_M is 8 times a mean square that networks reach to within a factor 100."""
    L, M, replicates = 4, 64, 400
    rng = stream("monte-carlo", L, M)
    draws = np.stack([sample_independent(LAW, rng, 1, M, SINE.dim) for _ in range(replicates)])
    theta = torch.from_numpy(draws).expand(-1, L, -1, -1).contiguous()
    z = Network(SINE, L, M).features(theta)[-1]
    errors = SINE.risk(SINE.residuals(z)) - SINE.risk(SINE.residuals(SINE.inputs))
    measured = 8.0 * M * float(errors.square().mean())
    assert measured <= 10 ** found("path").parts["accuracy_width"][0] <= 100 * measured


def test_at_the_start_depth_is_plain_euler() -> None:
    """s = 0 and a point mass: 2 L |E_L − E| against C_L, within a factor 100."""
    law = InitialLaw("point", 0.8, 0.7, 0.3)
    c = certificate(SINE, law, "tanh", [0.0], depth_nodes=4, log2_points=0)
    theta = torch.from_numpy(law.from_normal(np.zeros((1, 5, 1)), 2))
    E = [
        float(SINE.risk(SINE.residuals(Network(SINE, L, 1).features(theta.expand(1, L, 5, 1).contiguous())[-1, 0])))
        for L in (64, 65536)
    ]
    measured = 2.0 * 64 * abs(E[0] - E[1])
    assert measured <= 10 ** c.parts["accuracy_depth"][0] <= 100 * measured
    assert c.parts["accuracy_width"][0] < -5  # nothing is sampled


@pytest.mark.parametrize(("sampling", "s"), [("path", 0.0), ("path", 0.2), ("independent", 0.2)])
def test_networks_keep_what_a_certificate_promises(sampling: str, s: float) -> None:
    """|E(Θ) − E(ρ)| ≤ ε for networks far below the certified size too: no failure among 20."""
    L, M, eps, eta = 8, 128, 0.1, 0.1
    layers = L if sampling == "independent" else 1
    rng = stream("promise", sampling)
    draws = np.stack([sample_independent(LAW, rng, layers, M, SINE.dim) for _ in range(20)])
    theta = torch.from_numpy(draws).expand(-1, L, -1, -1).contiguous()
    risk = (
        Network(SINE, L, M).train(theta, [s]).risk[0]
        if s
        else SINE.risk(SINE.residuals(Network(SINE, L, M).features(theta)[-1]))
    )
    expected = float((0.5 * profile().residual[-1 if s else 0] ** 2).mean())
    errors = (risk - expected).abs()
    assert float((errors > eps).double().mean()) <= eta
    k = FLOW_TIMES.index(s)
    depth, width = (float(x[k]) for x in sizes(found(sampling), eps, eta))
    # the accuracy it would promise at this size, were there no margins, bounds what is met
    p = found(sampling).parts
    n = L * M if sampling == "independent" else M
    promised = 10 ** p["accuracy_depth"][k] / L + math.sqrt(10 ** p["accuracy_width"][k] / n)
    assert float(errors.square().mean().sqrt()) <= promised
    assert width > math.log10(M) and depth >= 0


@pytest.mark.parametrize("activation", ["sigmoid", "gelu", "regularised-relu", "identity"])
def test_other_blocks_have_certificates(activation: str) -> None:
    c = certificate(SINE, LAW, activation, [0.0, 0.2], depth_nodes=3, log2_points=6, steps=8)
    assert np.isfinite(c.log10_depth).all() and np.isfinite(c.log10_width).all()
    uniform = certificate(
        SINE, InitialLaw("uniform", 0.6, 0.6, 0.6), activation, [0.0, 0.2], depth_nodes=3, log2_points=6, steps=8
    )
    assert (uniform.log10_width < c.log10_width).all()  # of smaller moments


def test_late_constants_are_finite() -> None:
    c = certificate(built_in("sine", 4, 0), InitialLaw(), "tanh", [50.0], depth_nodes=3, log2_points=7, steps=12)
    assert c.log10_depth[0] > 1e3 and c.log10_width[0] > 1e3  # powers of ten: no float holds them
    assert np.isfinite([*c.log10_depth, *c.log10_width]).all()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        *(
            (lambda name=name: certificate(SINE, LAW, name, [0.0]), rf"needs bounded σ' and σ'', {name} has not")
            for name in ("relu", "relu2")
        ),
        (
            lambda: certificate(SINE, LAW, "tanh", [0.0], sampling="layers"),
            "sampling must be independent or path, got 'layers'",
        ),
        (lambda: from_profile(profile(), LAW, 2, "tanh", [0.07]), r"of the profile, got 0\.07"),
        (
            lambda: from_profile(profile(), InitialLaw(scale_a=1e60), 2, "tanh", [float(TIMES[-1])]),
            r"no certificate at flow time 0\.2: moments",
        ),
        (lambda: sizes(found("path"), 0.0, 0.1), "accuracy must be above 0"),
        (lambda: sizes(found("path"), 0.1, 1.0), r"lie in \(0, 1\), got 1"),
        (lambda: chebyshev_size(np.ones(2), np.eye(2), 0, 0.1), r"got 0 and 0\.1; set accuracy"),
        (lambda: chebyshev_size(np.ones(2), np.eye(2), 0.1, 0.1, num_layers=0), "num_layers must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_certified_is_refused(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


# ---- its ingredients


@pytest.mark.parametrize(("chi", "cut"), [(0.0, 1.0), (0.3, 2.0), (1.5, 6.0)])
def test_moments_are_those_of_the_weighted_law(chi: float, cut: float) -> None:
    """E ν^j ω^k/w and E ν^j (1 − w)²/w against a plain sum on a fine grid."""
    law, d = InitialLaw(scale_a=0.8, scale_w=0.5), 4
    table = Norms.of(law, d, ACTIVATIONS["tanh"]).table(chi, cut, 0.0 + 1e-12, 1e-12)
    x = np.linspace(0.0, 30.0, 600_001)
    density = x ** (d - 1) * np.exp(-0.5 * x**2)
    density /= density.sum()
    w = np.exp(-2 * chi * np.maximum(0.8 * x - cut, 0.0))
    for j in range(7):
        assert table.joint[j, 0] == pytest.approx((density * (0.8 * x) ** j / w).sum(), rel=2e-4)
    for k in range(5):
        assert table.joint[0, k] / table.joint[0, 0] == pytest.approx((density * (0.5 * x) ** k).sum(), rel=1e-6)
    for j in range(3):
        tail = (density * (0.8 * x) ** j * (1 - w) ** 2 / w).sum()
        assert table.tail[j] == pytest.approx(tail, rel=2e-3, abs=1e-9)


def test_bounded_laws_need_no_weight() -> None:
    for kind in ("uniform", "point"):
        law = InitialLaw(kind, 0.6, 0.5, 0.4)
        norms = Norms.of(law, 2, ACTIVATIONS["tanh"])
        table = norms.table(3.0, norms.cuts(3.0)[0], 0.01, 0.01)
        draws = sample_independent(law, stream(kind), 1, 4000, 2)[0]
        nu, omega = (np.linalg.norm(part, axis=0) for part in (draws[:2], draws[2:4]))
        met = np.array([[(nu**j * omega**k).mean() for k in range(5)] for j in range(7)])
        assert (met <= table.joint * (1 + 1e-9)).all()
        assert (table.tail == 0).all() and nu.max() <= norms.nu[0] * (1 + 1e-9)
        assert (table.deviation == 0) == (kind == "point")


@pytest.mark.parametrize("name", sorted(SUP_THIRD))
def test_third_derivatives_are_bounded(name: str) -> None:
    u = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    third = ACTIVATIONS[name].curvature(u).diff() / u.diff()
    assert float(third.abs().max()) == pytest.approx(SUP_THIRD[name], rel=1e-4, abs=1e-9)


def test_the_profile_is_that_of_the_limit() -> None:
    """Adjoint, resolvent and speeds against the flow itself, one step of s apart."""
    field, particles = limit()
    p, k = profile(), 4
    linear = field.linearise(particles[k][0])
    assert (norm(linear.q).max(0) <= p.adjoint[k] * (1 + 1e-3)).all()
    assert (p.adjoint[k] <= p.resolvent[k] * (1 + 1e-9)).all()  # |g| = 1
    np.testing.assert_allclose(linear.residuals.abs().numpy(), p.residual[k], rtol=1e-9)
    # E|d/ds f|² by a difference of f along the characteristics
    h = float(TIMES[k + 1] - TIMES[k - 1])
    values = []
    for theta in (particles[k - 1][0], particles[k + 1][0]):
        a, w, b = split(theta)
        values.append(torch.tanh(field.linearise(theta).z @ w + b).unsqueeze(-2) * a.unsqueeze(-3))
    rate = ((values[1] - values[0]) / h).square().sum(-2).mean(-1).sqrt().amax(0).numpy()
    np.testing.assert_allclose(p.rate_f[k], rate, rtol=0.02)


# ---- Chebyshev with a predicted covariance


def test_chebyshev_is_the_least_over_splits() -> None:
    rng = np.random.default_rng(5)
    root = rng.standard_normal((3, 3))
    r, Sigma, A, L = rng.standard_normal(3), root @ root.T, rng.standard_normal(3), 50
    m = r + A / L
    delta = 0.1 - abs(m @ m - r @ r) / 6
    alpha = np.linspace(1e-3, 1 - 1e-3, 200_001)
    split_at = (m @ Sigma @ m / (3 * alpha * delta) ** 2 + np.trace(Sigma) / (6 * (1 - alpha) * delta)).min() / 0.05
    n = chebyshev_size(r, Sigma, 0.1, 0.05, bias=A, num_layers=L)
    assert n == pytest.approx(split_at, rel=1e-6)
    assert chebyshev_size(r, Sigma, 0.05, 0.05, bias=A, num_layers=L) > n
    assert chebyshev_size(r, Sigma, 0.1, 0.01, bias=A, num_layers=L) == pytest.approx(5 * n)
    spoilt = chebyshev_size(np.ones(2), np.eye(2), 0.01, 0.1, bias=np.ones(2), num_layers=2)
    assert spoilt == math.inf, "no width mends what depth does"


def test_chebyshev_holds_and_markov_takes_over_at_zero_residuals() -> None:
    rng = np.random.default_rng(6)
    root = rng.standard_normal((3, 3))
    Sigma, eps, eta = root @ root.T, 0.02, 0.05
    n = chebyshev_size(np.zeros(3), Sigma, eps, eta)
    assert n == pytest.approx(np.trace(Sigma) / (6 * eps * eta))
    for r in (np.zeros(3), np.array([0.5, -1.0, 0.2])):
        n = chebyshev_size(r, Sigma, eps, eta)
        x = rng.standard_normal((20_000, 3)) @ root.T / math.sqrt(n)
        errors = 0.5 * ((r + x) ** 2).mean(1) - 0.5 * (r**2).mean()
        assert (np.abs(errors) > eps).mean() <= eta
