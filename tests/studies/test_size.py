"""The study `size` on the tiny configuration: predicted laws, ladders, four methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from judging import Run, block_of, run_case, tiny

from figures import interactive
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import clopper_pearson
from zeroloss.studies.size import plan
from zeroloss.studies.size.agreements import _hyperbolic, _steeper, likelihood_ratio
from zeroloss.studies.size.demands import demand, middle
from zeroloss.studies.size.evidence import Evidence, Ladder
from zeroloss.studies.size.plan import Block, Ensemble, Settings


@pytest.fixture(scope="module")
def ran() -> Run:
    return tiny("size")


def evidence(ran: Run) -> Evidence:
    return Evidence.of(ran.run)


# ---- jobs


def test_replicates_are_packed_once_and_the_same_in_jobs_of_any_size(ran: Run) -> None:
    size = Block(num_layers=2, num_units=4, first_replicate=0, replicates=9)

    def table(*sizes: Block) -> pd.DataFrame:
        return run_case(
            "size", ran.cases["widths-sine-path-0"].model_copy(update={"flow_times": (0.5,), "sizes": sizes})
        )

    parts = [size.model_copy(update={"replicates": 4}), size.model_copy(update={"first_replicate": 4, "replicates": 5})]
    pd.testing.assert_frame_equal(table(*parts), table(size), check_exact=True)


@pytest.mark.parametrize("most", [20_000, 10**9])
def test_every_replicate_is_in_one_job(most: int) -> None:
    block, common = block_of("size")
    assert isinstance(block, Settings)
    block = block.model_copy(update={"elements_per_job": most})
    replicates: dict[tuple[Any, ...], list[int]] = {}
    ensembles = [case for case in plan.cases(block, common).values() if isinstance(case, Ensemble)]
    for case in ensembles:
        for size in case.sizes if case.role == "ladder" else ():
            key = (case.setting, case.sampling, size.num_units)
            replicates.setdefault(key, []).extend(range(size.first_replicate, size.first_replicate + size.replicates))
    assert replicates == {
        (ladder.setting, ladder.sampling, M): list(range(ladder.replicates))
        for ladder in block.ladders
        for M in ladder.num_units
    }


def test_a_horizon_too_near_says_so(ran: Run) -> None:
    case = ran.cases["corollary-sine-independent-0"].model_copy(update={"horizon": 1.0})
    with pytest.raises(ValueError, match=r"at the horizon 1, above half .* set size.corollar"):
        run_case("size", case)


# ---- what is read off the tables


def test_the_predicted_law_is_that_of_the_limit_and_its_networks(ran: Run) -> None:
    ladder = next(one for one in evidence(ran).with_role("ladder") if one.sampling == "path")
    law = evidence(ran).predicted(ladder).law
    T = len(ladder.flow_times)
    assert law.covariance.shape[0] == T == len(law.reference)
    matrix = law.covariance.reshape(2 * (T * law.mean.shape[1],))
    assert np.linalg.eigvalsh(matrix).min() > -1e-10 * np.trace(matrix)
    M = max(ladder.risks)
    spread = ladder.risks[M].std(0) / math.sqrt(len(ladder.risks[M]))
    expected = (
        law.reference
        + law.gap
        + np.trace(np.einsum("tntm->tnm", law.covariance), axis1=1, axis2=2) / (2 * law.mean.shape[1] * M)
    )
    error = 3 * evidence(ran).predicted(ladder).mean_error
    assert (np.abs(ladder.risks[M].mean(0) - expected) < 4 * spread + error).all()


def test_failures_and_the_measured_width() -> None:
    risks = {
        M: np.array([[0.0, 0.0]] * (100 - failed) + [[0.0, 1.0]] * failed)
        for M, failed in ((4, 50), (8, 20), (16, 1), (32, 0))
    }
    ladder = Ladder("made", "independent", "ladder", 8, (1.0, 2.0), (0.5,), risks, [])
    zero = np.zeros(2)
    assert ladder.failures(8, zero, 0.5, None) == ladder.failures(8, zero, 0.5, 1) == (20, 100)
    assert ladder.failures(8, zero, 0.5, 0) == (0, 100)
    assert clopper_pearson(1, 100, CONFIDENCE).upper > 0.05 > clopper_pearson(0, 100, CONFIDENCE).upper
    assert ladder.measured(zero, 0.5, 0.05, None) == 32
    assert ladder.measured(zero, 0.5, 0.3, None) == 8
    assert ladder.measured(zero, 0.5, 0.01, None) == math.inf
    assert ladder.width(17) == 3 and ladder.count(4) == 32
    assert ladder.cell(None) == "made.independent.sup"


def test_four_methods_stand_in_their_order(ran: Run) -> None:
    for ladder in evidence(ran).with_role("ladder"):
        for time in ladder.times():
            least = demand(evidence(ran), ladder, middle(ladder), 0.2, time)
            assert least.law <= least.chebyshev <= 10 ** min(least.log10_theorem, 300.0)


def test_the_sliders_of_the_article_know_every_width_that_is_shown(ran: Run) -> None:
    sliders = interactive.sizes({}, lambda _: ran.run)["sliders"]
    for ladder in evidence(ran).with_role("ladder"):
        part = sliders[f"{ladder.setting}, {interactive.LAYERS[ladder.sampling]}"]
        times, accuracies, etas = (one["values"] for one in part["sliders"])
        assert (len(times), accuracies) == (len(ladder.times()), [f"{eps:g}" for eps in ladder.accuracies])
        for j, eta in enumerate(etas):
            least = demand(evidence(ran), ladder, ladder.accuracies[0], float(eta), ladder.times()[-1])
            assert part["curves"]["predicted law"][-1][0][j] == least.law
            shown = part["curves"]["measured"][-1][0][j]
            assert shown == least.measured if math.isfinite(least.measured) else shown is None


def test_likelihoods_know_their_own_law() -> None:
    M, total = np.array([4, 8, 16, 32, 64]), np.full(5, 2000)
    predicted = np.exp(-M / 10.0)
    for power, family in ((1.0, _hyperbolic), (1.5, _steeper)):
        for expected, sign in ((predicted, 1), (np.minimum(1.0, 3.0 / M) ** power, -1)):
            failed = np.rint(total * expected).astype(int)
            assert sign * likelihood_ratio(M, failed, total, predicted, family) > 50


def test_numbers_of_the_tiny_run(ran: Run) -> None:
    assert ran.value("size/accuracy_exponent_law/sine.path") == pytest.approx(-2.0, abs=0.3)
    assert ran.value("size/probability_exponent_law/sine.path") > -0.98  # that of the theorem is -1
    assert ran.value("size/cells_theorem/sine.independent.sup") == 0
    assert ran.value("size/cells_chebyshev/sine.independent.sup") > 0
    shares = ran.estimates[ran.estimates.quantity == "zero_share"].set_index("cell")
    assert shares.floor["sine.l2.m2"] == pytest.approx(2.5)
