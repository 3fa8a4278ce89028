"""The study `sampling`: laws against their own dynamics, closed forms against sums and simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from judging import FILES, block_of
from pydantic import ValidationError

from zeroloss.studies.sampling import ensembles, langevin

RNG = np.random.default_rng


def test_without_derivatives_the_drift_is_the_same_on_linear_maps() -> None:
    """−(1/J) Σ_k ⟨G(u_k) − Ḡ, G(u_j) − y⟩ (u_k − ū) − C u_j is −C ∇Φ, which a small step without noise shows."""
    rng = RNG(1)
    G, y, u, h = rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal((7, 3)), 1e-8
    e, B = ensembles.deviations(u), G.T @ G + np.eye(3)
    drift = -((e @ G.T) @ (u @ G.T - y).T).T @ e / 7 - u @ (e.T @ e) / 7
    w = u - np.linalg.solve(B, G.T @ y)
    for root in (ensembles.triangular, ensembles.symmetric):
        assert root(e).T @ root(e) == pytest.approx(e.T @ e)
        assert (ensembles.move(w, np.zeros((7, 3)), h, B, root=root) - w) / h == pytest.approx(drift, abs=1e-4)


def test_the_law_is_drawn_as_it_is_derived() -> None:
    """Mean of the first particle's deviation, covariance of a particle, and mean of the determinant."""
    w = ensembles.from_the_law(RNG(3), 20000, 9, np.diag([4.0, 1.0]), independent=False)
    assert ensembles.deviations(w)[:, 0].mean(0) == pytest.approx(0.0, abs=0.02)
    assert np.einsum("rja,rjb->ab", w, w) / 180000 == pytest.approx((1 - 3 / 9) * np.diag([0.25, 1.0]), abs=0.01)
    expected = np.log(RNG(4).chisquare([5, 4], (20000, 2))).sum(1).mean()
    assert ensembles.spread(w, np.diag([4.0, 1.0]))[1].mean() == pytest.approx(expected, abs=0.03)


def test_a_gaussian_shows_its_known_bias() -> None:
    assert langevin.derived_bias("gaussian")[1] == pytest.approx(0.25, rel=1e-6)
    assert langevin.distance("gaussian", 0.1) == pytest.approx(1 / np.sqrt(1 - 0.1 / 2) - 1, rel=1e-5)
    assert langevin.coupled(1e-3) / 1e-3 == pytest.approx(np.sqrt(5 / 24), rel=1e-3)


def test_distances_after_steps_and_the_least_number_of_them() -> None:
    """Mean and variance step by step; no step size reaches the accuracy with fewer steps."""
    mean, variance, h = 1.0, 1.0, 0.2
    for _ in range(5):
        mean, variance = (1 - h) * mean, (1 - h) ** 2 * variance + 2 * h
    assert langevin.error_after(5, h, 3) == pytest.approx(np.sqrt(3 * (mean**2 + (np.sqrt(variance) - 1) ** 2)))
    least, steps = langevin.least_steps(16, 0.1), np.linspace(1e-3, 0.9, 20000)
    fewer, enough = (min(langevin.error_after(k, h, 16) for h in steps) for k in (least - 1, least))
    assert enough < 0.1001 and fewer > 0.1


@pytest.mark.parametrize(
    ("part", "message"),
    [("finite: {pairs: [[2, 5]]}", "2 d \\+ 2"), ("collapse: {pairs: [[2, 2]]}", "above d"),
     ("chaos: {since: 50.0}", "a step beyond since")],
)  # fmt: skip
def test_ensembles_without_what_is_asked_are_refused(tmp_path: Path, part: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"sampling: {{{part}}}\n")
    with pytest.raises(ValidationError, match=message):
        block_of("sampling", *FILES, tmp_path / "mine.yaml")
