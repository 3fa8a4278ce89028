"""Certificates of size: explicit C_L(s) and C_M(s) of DCLW2 Thm 5.1, in log10.

For L ≥ C_L/ε and n ≥ C_M/(ε² η), ε ≤ 1, with n = M for ``path`` and n = L M for ``independent``
layers (which also need M ≥ C_U/η), P(|E(Θ_{L,M}(s)) − E(ρ(s))| ≤ ε) ≥ 1 − η.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from zeroloss.model.arrays import Array
from zeroloss.model.block import ACTIVATIONS, Activation
from zeroloss.model.law import InitialLaw, check_sampling
from zeroloss.model.problem import Problem
from zeroloss.theory.bounds.chain import Chain, Domination, cumulated
from zeroloss.theory.bounds.moments import Norms
from zeroloss.theory.bounds.profile import Profile, follow

__all__ = ["Certificate", "certificate", "from_profile", "sizes"]

MARGINS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4)
_LOG10 = math.log(10.0)


@dataclass(frozen=True)
class Certificate:
    """log10 of the constants at flow_times (times,); see the module's inequality.

    log10_depth C_L; log10_width C_M; log10_units C_U (−inf for ``path``). parts, all (times,):
    ``accuracy_depth``, ``accuracy_width``: what ε asks for; ``least_depth``, ``least_width``: what
    the margins ask for, L ≥ and n ≥ …/η, whatever ε; ``growth``: log10 exp(∫λ), the sum of
    ``growth_parameters``, ``growth_coupling``, ``growth_features`` and ``growth_tail``;
    ``resolvent``, ``H``, ``G``, largest on the way, log10; ``margin`` μ and ``cut`` K as chosen.
    """

    flow_times: Array
    sampling: str
    log10_depth: Array
    log10_width: Array
    log10_units: Array
    parts: dict[str, Array]


def certificate(
    problem: Problem,
    law: InitialLaw,
    activation: str,
    flow_times: Sequence[float],
    *,
    sampling: str = "path",
    depth_nodes: int = 4,
    log2_points: int = 10,
    steps: int = 48,
    seed: int = 0,
) -> Certificate:
    """Constants of size along the limit, computed with 2^log2_points particles.

    Integrals in s are taken on ``steps`` intervals, finer near 0, besides the flow times. Raises
    ValueError for an unknown sampling and for blocks without bounded σ' and σ'' (relu, relu2).
    """
    _check(activation, sampling)
    last = float(flow_times[-1])
    grid = last * np.linspace(0.0, 1.0, steps + 1) ** 2
    times = np.unique(np.concatenate([grid, np.asarray(flow_times, dtype=np.float64)]))
    profile = follow(
        problem, law, activation, times.tolist(), depth_nodes=depth_nodes, log2_points=log2_points, seed=seed
    )
    return from_profile(profile, law, problem.dim, activation, flow_times, sampling)


def from_profile(
    profile: Profile, law: InitialLaw, dim: int, activation: str, flow_times: Sequence[float], sampling: str = "path"
) -> Certificate:
    """The same from the profile of a limit, whose flow times hold those asked for.

    Raises ValueError as ``certificate``, and for a flow time that the profile does not hold.
    """
    sigma = _check(activation, sampling)
    norms = Norms.of(law, dim, sigma)
    rows = []
    for s in flow_times:
        upto = int(np.searchsorted(profile.flow_times, s))
        if upto == len(profile.flow_times) or profile.flow_times[upto] != s:
            raise ValueError(f"flow_times must be among those of the profile, got {s}; follow the limit through it")
        shorter = replace(
            profile, **{field.name: getattr(profile, field.name)[: upto + 1] for field in fields(profile)}
        )
        rows.append(_best(shorter, norms, sigma, sampling))
    parts = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    depth, width, units = (parts.pop(key) for key in ("depth", "width", "units"))
    return Certificate(np.asarray(flow_times, dtype=np.float64), sampling, depth, width, units, parts)


def sizes(found: Certificate, accuracy: float, failure_probability: float) -> tuple[Array, Array]:
    """log10 of the least L and M that the certificate allows, at each flow time: (times,) each.

    Finer than C_L/ε and C_M/(ε² η): ε and margins are asked for separately, and ε may exceed 1.
    Raises ValueError unless ε > 0 and 0 < η < 1.
    """
    if not accuracy > 0:
        raise ValueError(f"accuracy must be above 0, got {accuracy}; set accuracy")
    if not 0 < failure_probability < 1:
        raise ValueError(f"failure_probability must lie in (0, 1), got {failure_probability}; set failure_probability")
    eps, eta, p = math.log10(accuracy), math.log10(failure_probability), found.parts
    depth = np.maximum(np.maximum(p["accuracy_depth"] - eps, p["least_depth"]), 0.0)
    count = np.maximum(p["accuracy_width"] - 2.0 * eps, p["least_width"]) - eta
    if found.sampling == "independent":
        count = np.maximum(count - depth, found.log10_units - eta)
    return depth, np.maximum(count, 0.0)


def _check(activation: str, sampling: str) -> Activation:
    check_sampling(sampling)
    sigma = ACTIVATIONS[activation]
    if not (math.isfinite(sigma.sup_slope) and math.isfinite(sigma.sup_curvature)):
        raise ValueError(
            f"a certificate needs bounded σ' and σ'', {activation} has not; choose "
            "tanh, sigmoid, gelu, regularised-relu or identity"
        )
    return sigma


def _best(profile: Profile, norms: Norms, sigma: Activation, sampling: str) -> dict[str, float]:
    """The least C_M over margins and cuts: each choice is a certificate."""
    found = []
    for margin in MARGINS:
        first = Domination.of(profile, sigma, margin, margin)
        for cut in norms.cuts(float(first.chi[-1, 0])):
            row = _evaluate(profile, norms, sigma, sampling, margin, cut)
            if math.isfinite(row["width"]):
                found.append(row)
    if not found:
        raise ValueError(
            f"no certificate at flow time {profile.flow_times[-1]:.6g}: moments are "
            "too large; lower the scales of the initial law"
        )
    return min(found, key=lambda row: row["width"])


def _chain(profile: Profile, norms: Norms, sigma: Activation, margin: float, cut: float) -> tuple[Chain, float]:
    """The chain with the margin of features that μ leaves, and the deviation of its table.

    A further pass with the smaller margin keeps every condition, since all bounds grow with it.
    """

    def build(feature_margin: float) -> tuple[Chain, float]:
        bounds = Domination.of(profile, sigma, margin, feature_margin)
        table = norms.table(float(bounds.chi[-1, 0]), cut, margin, tail_slack)
        return Chain(profile, sigma, bounds, table, margin, feature_margin, cut), table.deviation

    def allowed(chain: Chain) -> float:
        with np.errstate(divide="ignore"):
            most = margin / (4.0 * profile.resolvent * chain.bend)
        return min(chain.feature_margin, float(most.min()))

    tail_slack = margin / (1.0 + profile.flow_times[-1])
    return build(allowed(build(allowed(build(margin)[0]))[0]))


def _log(value: float | np.floating) -> float:
    return math.log(value) if value > 0 else -math.inf


def _evaluate(
    profile: Profile, norms: Norms, sigma: Activation, sampling: str, margin: float, cut: float
) -> dict[str, float]:
    """All constants for one margin and one cut, log10."""
    with np.errstate(over="ignore", invalid="ignore"):
        chain, deviation = _chain(profile, norms, sigma, margin, cut)
    near = chain.feature_margin
    if not (near > 0 and np.isfinite(chain.rate).all() and math.isfinite(deviation)):
        return {"width": math.inf}
    p, last, R = profile, -1, chain.resolvent
    doob = 2.0 if sampling == "independent" else 1.0
    zero = np.zeros_like(p.residual)
    sampled = chain.consistency(doob * p.spread_f, doob * p.spread_q, 0.0)
    euler = chain.consistency(zero, zero, 1.0)
    distance = [margin + chain.log_distance(part.tau) for part in (sampled, euler)]
    # the risk: mean |r Δr| + ½ Δr²
    lever = (p.residual + 0.5 * (chain.bounds.push - p.residual))[last]
    through = _log((lever * chain.bounds.adjoint * chain.H)[last].mean())
    both = zip(distance, (sampled, euler), strict=True)
    risk = [np.logaddexp(through + far, _log((lever * part.residuals[last]).mean())) for far, part in both]
    # the tube: V^½ ≤ near_theta, |z − Z| ≤ near, R j ≤ μ
    near_theta = _log(chain.distance_margin)
    sup_f = doob * (p.spread_f[0] + cumulated(p.flow_times, p.rate_f)[last])
    sup_J = p.spread_jacobian[0] + cumulated(p.flow_times, p.rate_jacobian)[last]
    features = float(((3.0 * (R * chain.amplified).max(0) * sup_f / near) ** 2).sum())
    jacobians = float(((4.0 * p.resolvent.max(0) * sup_J / margin) ** 2).sum())
    jacobians += (chain.sampled_curvature() / margin) ** 2
    turn = 0.5 * (p.jacobian_rate + p.jacobian**2 * np.exp(p.jacobian))
    least_depth = max(
        math.log(2.0) + distance[1] - near_theta,
        _log(max(4.0 * (turn * p.resolvent).max(), p.jacobian.max()) / margin),
        _log(1.5 * (R * p.bend).max() / near),
    )
    tube = math.log(4.0) + 2.0 * (distance[0] - near_theta)
    least_width = math.log(4.0) + np.logaddexp(tube, _log(features + deviation))
    units = math.log(4.0) + _log(jacobians)
    if sampling == "path":
        least_width, units = max(least_width, units), -math.inf
    accuracy = math.log(2.0) + risk[1], math.log(8.0) + 2.0 * risk[0]
    growth = {f"growth_{key}": float(cumulated(p.flow_times, rate)[-1]) for key, rate in chain.rates.items()}
    logs = {
        "depth": max(accuracy[0], least_depth),
        "width": max(accuracy[1], least_width),
        "units": units,
        "accuracy_depth": accuracy[0],
        "accuracy_width": accuracy[1],
        "least_depth": least_depth,
        "least_width": least_width,
        "growth": sum(growth.values()),
        **growth,
        "resolvent": _log(R.max()),
        "H": _log(chain.H.max()),
        "G": _log(chain.G.max()),
    }
    return {key: float(value) / _LOG10 for key, value in logs.items()} | {"margin": margin, "cut": cut}
