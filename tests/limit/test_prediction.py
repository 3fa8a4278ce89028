"""The law predicted from the wide limit, against ensembles and against itself."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from zeroloss.limit.collocation import DepthRule, euler, gauss_legendre
from zeroloss.limit.prediction import predict, record
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.network import ensembles

LAW = InitialLaw()
MINE = oracles.lifted_cosine()


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_the_predicted_law_is_that_of_trained_networks(sampling: str) -> None:
    trained = ensembles.train(MINE, LAW, 4, 64, 1.0, sampling=sampling, replicates=400, rtol=1e-4)
    law = predict(MINE, LAW, 4, 1.0, log2_points=8).law(64, sampling)
    r = trained.residuals[0].numpy()
    ratio = np.trace(np.cov(r.T)) / np.trace(law.covariance)
    assert ratio == pytest.approx(1.0, abs=0.25)  # four standard errors of 400 replicates
    spread = np.sqrt(np.diag(law.covariance) / len(r)) + law.mean_error
    assert (np.abs(r.mean(0) - law.mean) < 5 * spread).all()


def test_refusals_name_value_and_remedy() -> None:
    with pytest.raises(ValueError, match="num_units must be at least 1, got 0; pass"):
        ensembles.train(MINE, LAW, 2, 0, 1.0)
    with pytest.raises(ValueError, match="sampling must be independent or path, got 'both'"):
        predict(MINE, LAW, 2, 1.0, log2_points=4, scrambles=2).law(2, "both")
    with pytest.raises(ValueError, match="scrambles must be at least 1, got 0"):
        predict(MINE, LAW, 2, 1.0, scrambles=0)


def test_several_flow_times_are_predicted_together() -> None:
    both = predict(MINE, LAW, 4, [0.5, 1.0], log2_points=5, scrambles=2)
    alone = predict(MINE, LAW, 4, 1.0, log2_points=5, scrambles=2)
    assert both.covariances["path"].shape == (2, 8, 8)
    for output in (1, -1):
        np.testing.assert_allclose(both.law(16, output=output).covariance, alone.law(16).covariance, atol=1e-6)
    assert both.law(16, output=0).mean == pytest.approx(both.residuals[:, 0].mean(0))


@pytest.mark.parametrize("rule", [euler(4), gauss_legendre(2)], ids=lambda rule: rule.name)
def test_the_joint_covariances_hold_those_of_each_flow_time(rule: DepthRule) -> None:
    points = sobol_rule(LAW, 2, 5, "test")
    recorded = record(MINE, points, rule, [0.5, 1.0])
    joint, N = recorded.joint_covariances(), MINE.num_samples
    for i, s in enumerate((0.5, 1.0)):
        block = slice(i * N, (i + 1) * N)
        for sampling, covariance in recorded.covariances(s).items():
            np.testing.assert_allclose(joint[sampling][block, block], covariance, atol=1e-14)
    assert recorded.residuals.shape == (2, N)
