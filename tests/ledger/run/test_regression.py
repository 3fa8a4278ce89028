"""What nobody has run is priced by what was: sums of products of sizes, and how they miss."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ledger.config.case import Case
from ledger.config.closed import Closed
from ledger.run import regression
from ledger.run.costs import Cost, digest_of


class Rule(Closed):
    """Points of a rule, in a mapping of a case."""

    log2_points: int
    scrambles: int


class Size(Closed):
    """Networks of one size."""

    num_layers: int
    num_units: int
    replicates: int


class Ensemble(Case):
    """Networks of several sizes."""

    num_samples: int
    sizes: list[Size]
    depth_nodes: int = 4
    first_replicate: int = 7
    setting: str = "units"


class Limit(Case):
    """A limit by a rule."""

    num_samples: int
    depths: list[int]
    rule: Rule


def ensemble(samples: int, *sizes: tuple[int, int, int]) -> Ensemble:
    return Ensemble(num_samples=samples, sizes=[Size(num_layers=L, num_units=M, replicates=R) for L, M, R in sizes])


def test_sizes_are_read_by_the_names_of_fields() -> None:
    """An entry of a list replaces what its case says; lists of numbers and rules count in total."""
    networks = regression.networks(ensemble(5, (16, 8, 100), (32, 4, 10)).spec())
    assert networks == [(16, 8, 5, 100), (32, 4, 5, 10)]
    limit = Limit(num_samples=5, depths=[8, 16], rule=Rule(log2_points=6, scrambles=3))
    assert regression.networks(limit.spec()) == [(24, 64, 5, 3)]
    assert regression.networks({"kind": "ends", "seed": 3, "values": [2.0], "parts": [{"num_layers": 0}]}) == [
        (1, 1, 1, 1)
    ]


def test_terms_are_totals_but_arrays_are_those_of_the_largest_network() -> None:
    terms = regression.terms_of(ensemble(5, (16, 8, 100), (32, 4, 10)).spec())
    assert terms["1"] == 1
    assert terms["L M N R"] == 16 * 8 * 5 * 100 + 32 * 4 * 5 * 10
    assert terms["L N R"] == 16 * 5 * 100 + 32 * 5 * 10
    assert terms["L M N² R"] == 5 * terms["L M N R"] and terms["N² R"] == 25 * 110
    assert terms["pairs"] == 32 * 4 + 4 * 5 + 32 * 5 and terms["triples"] == 640


SIZES = [(16, 8, 100), (16, 64, 50), (64, 8, 30), (64, 64, 20), (8, 4, 900), (128, 32, 10)]
CASES = {f"case-{i}": ensemble(4 * (i + 1), size) for i, size in enumerate(SIZES)}
NEW = ensemble(10_000, (1000, 1000, 16))


def measured(noise: float = 0.0, start: float = 3.0, exponent: str = "L N R") -> dict[tuple[str, str], Cost]:
    """Costs by a sum of terms, every second job dearer by a factor and the others cheaper."""
    costs = {}
    for i, (name, case) in enumerate(CASES.items()):
        terms, factor = regression.terms_of(case.spec()), math.exp(noise * (-1) ** i)
        costs["toy", name] = Cost(
            factor * (start + 1e-5 * terms["L M N R"] + 1e-4 * terms[exponent]),
            300 + 0.05 * terms["triples"],
            round(1000 + 20 * terms["N R"]),
            spec=digest_of(case.spec()),
        )
    return costs


def laws(costs: dict[tuple[str, str], Cost]) -> regression.Law:
    return regression.laws({"toy": CASES}, costs)["toy", "ensemble"]


@pytest.mark.parametrize("term", ["L N R", "L M N² R"])
def test_a_sum_that_is_there_is_found_and_holds_for_larger_jobs(term: str) -> None:
    law = laws(measured(exponent=term))
    terms = regression.terms_of(NEW.spec())
    cost = law.predict(NEW.spec())
    assert law.jobs == len(CASES)
    assert cost.cpu_seconds == pytest.approx(3 + 1e-5 * terms["L M N R"] + 1e-4 * terms[term], rel=1e-6)
    assert cost.peak_memory_mb == pytest.approx(300 + 0.05 * terms["triples"], rel=1e-6)
    assert cost.bytes == pytest.approx(1000 + 20 * terms["N R"], rel=1e-3)
    assert cost.errors == pytest.approx((1.0, 1.0), abs=1e-6)


def test_an_error_is_that_of_each_job_from_the_others() -> None:
    """Written out: leave one out, fit, predict it; seconds in one term, so that b = Σ a / Σ a²."""
    values = {(16, 8, 100): 1.0, (16, 64, 50): 3.0, (64, 8, 30): 2.0}
    jobs = [({"work": float(L * M * R)}, seconds) for (L, M, R), seconds in values.items()]
    logs = []
    for i, (terms, seconds) in enumerate(jobs):
        rates = [other["work"] / value for j, (other, value) in enumerate(jobs) if j != i]
        b = sum(rates) / sum(rate**2 for rate in rates)
        logs.append(abs(math.log(b * terms["work"] / seconds)))
    fit = regression.fit(["work"], jobs)
    assert fit.typical == pytest.approx(math.exp(math.sqrt(sum(x * x for x in logs) / 3)))
    assert fit.worst == pytest.approx(math.exp(max(logs)))


def test_no_coefficient_is_negative_and_noise_adds_no_term() -> None:
    law = laws(measured(noise=0.3, start=0.0))
    for fit in (law.seconds, law.memory, law.size):
        assert all(b >= 0 for b in fit.coefficients.values())
    assert 1.1 < law.seconds.typical <= law.seconds.worst < 2
    low, high = law.predict(NEW.spec()).seconds_between
    assert low < law.predict(NEW.spec()).cpu_seconds < high


def price(mode: str, by_mode: dict[str, Any], **more: Case) -> dict[tuple[str, str], Cost]:
    return regression.priced(mode, {"toy": {**CASES, **more}}, by_mode)


def test_a_mode_that_is_run_takes_what_was_measured_under_the_same_specification() -> None:
    costs = measured()
    assert price("full", {"full": costs}, new=NEW) == costs
    other = costs | {("toy", "case-0"): Cost(1.0, 1.0, 1, spec="of another")}
    assert ("toy", "case-0") not in price("full", {"full": other})


def test_a_planned_mode_is_measured_where_it_was_else_as_published_else_predicted() -> None:
    published = measured() | {("toy", "estimates"): Cost(10.0, 500.0, 100)}
    read = sum(cost.bytes for key, cost in published.items() if key[1] != "estimates")
    found = price("large", {"full": published}, new=NEW, renamed=CASES["case-1"])
    assert found["toy", "case-1"] == found["toy", "renamed"] == published["toy", "case-1"]
    new = found["toy", "new"]
    assert new.errors and new.cpu_seconds > 1000
    more = (read + new.bytes + published["toy", "case-1"].bytes) / read
    assert found["toy", "estimates"].cpu_seconds == pytest.approx(10 * more)
    assert found["toy", "estimates"].errors, "a guess is marked"
    own = Cost(7.0, 400.0, 50, spec=digest_of(NEW.spec()))
    again = price("large", {"full": published, "large": {("toy", "new"): own}}, new=NEW)
    assert again["toy", "new"] == own
    alone = price("large", {"full": published})
    assert alone["toy", "estimates"] == published["toy", "estimates"], "it reads the same"


def test_few_jobs_make_no_law() -> None:
    few = dict(list(measured().items())[: regression.FEWEST - 1])
    assert ("toy", "new") not in price("large", {"full": few}, new=NEW)
