"""Ensembles from Python: what is trained, and the law predicted for it."""

from __future__ import annotations

import numpy as np
import pytest

from zeroloss.model import problem
from zeroloss.theory import ensembles
from zeroloss.model.law import InitialLaw
from ledger.record.statistics import draw_risks
from ledger.record.streams import stream

LAW = InitialLaw()


def mine() -> problem.Problem:
    x = np.linspace(-1.0, 1.0, 4)
    return problem.problem("mine", x, np.cos(2.0 * x), lift=1)


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_the_predicted_law_is_that_of_trained_networks(sampling: str) -> None:
    size = {"num_layers": 4, "num_units": 64, "flow_time": 1.0, "sampling": sampling}
    trained = ensembles.train(mine(), LAW, replicates=400, rtol=1e-4, **size)
    law = ensembles.predict(mine(), LAW, log2_points=8, **size)
    r = trained.residuals[0].numpy()
    ratio = np.trace(np.cov(r.T)) / np.trace(law.covariance)
    assert ratio == pytest.approx(1.0, abs=0.25)  # four standard errors of 400 replicates
    spread = np.sqrt(np.diag(law.covariance) / len(r)) + law.mean_error
    assert (np.abs(r.mean(0) - law.mean) < 5 * spread).all()


def test_draws_of_the_risk_have_its_mean() -> None:
    mean, covariance = np.array([1.0, -2.0]), np.array([[0.5, 0.2], [0.2, 0.3]])
    draws = draw_risks(mean, covariance, 200_000, stream("test"))
    expected = 0.25 * (mean @ mean + np.trace(covariance))
    assert draws.mean() == pytest.approx(expected, rel=0.01)


def test_refusals_name_value_and_remedy() -> None:
    with pytest.raises(ValueError, match="num_units must be at least 1, got 0; pass"):
        ensembles.train(mine(), LAW, 2, 0, 1.0)
    with pytest.raises(ValueError, match="sampling must be independent or path, got 'both'"):
        ensembles.predict(mine(), LAW, 2, 2, 1.0, sampling="both")
