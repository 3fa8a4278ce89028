"""The study `neighbours`: bases, graphs and rounding against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from zeroloss.studies.neighbours import jobs


def test_projecting_on_all_neurons_is_never_worse() -> None:
    orthogonal, pure = (jobs.greedy_errors(2, 1, 12, 40, kind) for kind in (True, False))
    assert (np.diff(orthogonal) < 0).all() and orthogonal[-1] < pure[-1] and orthogonal[0] == pytest.approx(pure[0])


def test_a_plate_is_met_from_above_and_buckles_as_it_swings() -> None:
    few, many = (jobs.plate_quotients(np.random.default_rng(0), units, 24) for units in (8, 40))
    assert min(*few, *many) > 1 - 1e-9 and max(many) < 1.001 < max(few)


def test_floats_are_rounded_relatively() -> None:
    g = np.random.default_rng(2).standard_normal(100000) ** 3
    assert np.abs(jobs.to_float(g, 3) / g - 1).max() <= 2.0**-3
    assert jobs.to_float(np.array([0.8125]), 3) == 0.75  # ties go to even
