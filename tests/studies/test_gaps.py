"""No depth rate is measured on the floor of its reference."""

from __future__ import annotations

import numpy as np
import pytest

from ledger.record.statistics import observed_orders
from zeroloss.studies.limits.rates import depth_gaps

DEPTHS = np.array([16, 32, 64, 128])


def ladder(reference_error: float) -> np.ndarray:
    """First-order networks (depths, draws, samples) under a reference that is off by so much."""
    direction = np.random.default_rng(0).normal(size=(6, 3))
    networks = direction / DEPTHS[:, None, None]
    off = reference_error * np.ones((1, 6, 3))
    return np.concatenate([2 * off, off, networks])


def order(r: np.ndarray) -> tuple[float, str]:
    gaps = depth_gaps(r)
    assert gaps.nested == (len(gaps.squares) == len(DEPTHS) - 1)
    return float(0.5 * observed_orders(gaps.squares.mean(1))[-1]), gaps.note


def test_an_exact_reference_is_used() -> None:
    value, note = order(ladder(1e-9))
    assert value == pytest.approx(1.0, abs=1e-3) and "continuous" in note


def test_the_poor_reference_of_two_depths_is_kept_and_named() -> None:
    gaps = depth_gaps(ladder(0.02)[:4])
    assert not gaps.nested and len(gaps.squares) == 2 and "too few depths" in gaps.note


def test_a_poor_reference_gives_way_to_nested_depths() -> None:
    poor = ladder(0.02)
    value, note = order(poor)
    assert value == pytest.approx(1.0, abs=1e-9) and "nested" in note
    on_the_floor = ((poor[2:] - poor[1]) ** 2).sum(-1).mean(1)
    assert abs(0.5 * observed_orders(on_the_floor)[-1] - 1.0) > 0.3
