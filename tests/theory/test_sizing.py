"""How large a network must be: the law of the risk, the answers, the command line."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
from scipy import stats

from zeroloss import cli
from zeroloss.model import problem
from zeroloss.model.law import InitialLaw
from zeroloss.theory.risk_law import RiskLaw, smallest_size
from zeroloss.theory.sizing import Sizes, required_size

ASKED = ["--accuracy", "0.05", "--failure-probability", "0.1", "--flow-time", "1"]


def made_law(mean: float = 1.0, std: float = 0.5, gap: float = 0.0, samples: int = 1) -> RiskLaw:
    """One or more residuals of the same law at two flow times, independent of each other."""
    r = np.full((2, samples), mean)
    limit = np.sqrt(r**2 - 2.0 * gap)
    covariance = std**2 * np.eye(2 * samples).reshape(2, samples, 2, samples)
    return RiskLaw(r, limit, covariance, 200_000, np.random.default_rng(0))


@pytest.mark.parametrize("count", [1, 16, 1000])
def test_failures_are_those_of_a_noncentral_chi_square(count: int) -> None:
    """½ (1 + x/√n)² is within ε of ½ exactly where x lies between two quantiles."""
    eps, std = 0.1, 0.5 / math.sqrt(count)
    low, high = (math.sqrt(1.0 + 2.0 * sign * eps) for sign in (-1.0, 1.0))
    law, inside = made_law(), stats.norm(1.0, std)
    within = inside.cdf(high) - inside.cdf(low) + inside.cdf(-low) - inside.cdf(-high)
    assert law.failure(count, eps, 0) == pytest.approx(1.0 - within, abs=0.004)
    assert law.failure(count, eps) == pytest.approx(1.0 - within**2, abs=0.006)
    assert law.above(count, 0.6, 1) == pytest.approx(inside.sf(math.sqrt(1.2)) + inside.cdf(-math.sqrt(1.2)), abs=0.004)


def test_the_law_asks_for_less_than_chebyshev_and_like_the_logarithm() -> None:
    law = made_law()
    sizes = {eta: law.required(0.02, eta, 0) for eta in (0.1, 0.01)}
    expected = {eta: (0.5 * stats.norm.isf(eta / 2) / 0.02) ** 2 for eta in sizes}
    for eta, count in sizes.items():
        assert count == pytest.approx(expected[eta], rel=0.03)
        assert law.chebyshev(0.02, eta, 0) > count
    assert law.chebyshev(0.02, 0.01, 0) == pytest.approx(10 * law.chebyshev(0.02, 0.1, 0), rel=0.01)
    assert law.required(0.01, 0.1, 0) == pytest.approx(4 * sizes[0.1], rel=0.03)


def test_a_gap_beyond_the_accuracy_is_never_enough() -> None:
    law = made_law(gap=0.05)
    assert law.required(0.04, 0.1, 0) == math.inf == law.chebyshev(0.04, 0.1, 0)
    assert math.isfinite(law.required(0.06, 0.1, 0))


def test_the_smallest_size_is_the_one_from_which_on_it_suffices() -> None:
    assert smallest_size(lambda n: 1.0 / n, 0.1) == 10
    assert smallest_size(lambda n: 0.0, 0.1) == 1
    assert smallest_size(lambda n: 1.0, 0.1) == math.inf
    bump = {1: 0.0, 2: 0.0, 4: 1.0}
    assert smallest_size(lambda n: bump.get(n, 0.0), 0.1) == 5


@pytest.fixture(scope="module")
def asked() -> Sizes:
    return required_size(oracles.lifted_cosine(), InitialLaw(), 0.05, 0.1, 1.0, check=100)


def test_four_answers_in_their_order(asked: Sizes) -> None:
    theorem, chebyshev, law = (asked.of(name) for name in ("theorem", "chebyshev", "law"))
    assert theorem.log10_units > chebyshev.log10_units > law.log10_units >= 0
    assert law.log10_seconds < chebyshev.log10_seconds < theorem.log10_seconds
    assert abs(asked.depth_gap) < asked.accuracy / 2
    assert asked.failure is not None and asked.failure.lower < 2 * asked.failure_probability
    assert asked.of("measured").log10_units < law.log10_units + 1.0
    share = asked.failure
    found = f"not refuted by .* failures of 100 at .*, 95 %: {share.lower:.2g} to {share.upper:.2g}"
    assert re.fullmatch(found, asked.of("measured").words)
    assert theorem.words == "explicit constants; vacuous: no computer holds so many weights"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": 0.0}, "accuracy must be finite and above 0, got 0"),
        ({"accuracy": math.nan}, "accuracy must be finite and above 0, got nan"),
        ({"failure_probability": 1.0}, r"failure_probability must lie in \(0, 1\), got 1"),
        ({"flow_time": -1.0}, "flow_time must be finite and at least 0, got -1"),
        ({"activation": "step"}, "activation must be one of .*, got 'step'"),
        ({"sampling": "both"}, "sampling must be independent or path, got 'both'"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"accuracy": 0.1, "failure_probability": 0.1, "flow_time": 1.0}
    mine = problem.problem("mine", [0.0, 1.0], [0.0, 1.0], lift=1)
    with pytest.raises(ValueError, match=message):
        required_size(mine, InitialLaw(), **given | change)


def table(folder: Path, text: str) -> str:
    path = folder / "mine.csv"
    path.write_text(text)
    return str(path)


def test_a_table_of_ones_own_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{i / 7},{(i % 3) / 2},{(i / 7) ** 2}" for i in range(8))
    path = table(tmp_path, f"u,v,y\n{rows}\n")
    options = ["size", "--csv", path, "--target", "y", *ASKED, "--num-layers", "4", "--num-samples", "6"]
    assert cli.main([*options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_samples"] == 6 and found["note"].startswith("6 of 8 rows")
    assert set(found["answers"]) == {"theorem", "chebyshev", "law", "measured"}
    assert found["answers"]["law"]["log10_layers"] == pytest.approx(math.log10(4))
    assert cli.main([*options, "--activation", "relu2"]) == 0
    shown = capsys.readouterr().out
    assert "relu2 has not" in shown and "\x1b" not in shown, "no certificate, and it says why"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--csv", "absent.csv", "--target", "y", *ASKED], "--csv absent.csv: no such file; set --csv"),
        (["--csv", ".", "--target", "y", *ASKED], "--csv .: a directory, not a file; set --csv"),
        (["--csv", "MINE", *ASKED], "add --target COLUMN"),
        (["--csv", "MINE", "--target", "z", *ASKED], "no column 'z'"),
        (["--csv", "MINE", "--target", "y", *ASKED], "not numeric"),
        (ASKED, "give one of --problem and --csv"),
        (["--problem", "sine", *ASKED, "--accuracy", "0"], "accuracy must be finite and above 0"),
        (["--problem", "sine", *ASKED, "--failure-probability", "1.5"], "must lie in (0, 1)"),
        (
            ["--problem", "sine", *ASKED, "--num-samples", "1"],
            "num_samples must be at least 2, got 1; set --num-samples",
        ),
    ],
)
def test_errors_are_one_line_with_a_remedy(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, "x,y\n1,2\n2,three\n")
    assert cli.main(["size", *(path if part == "MINE" else part for part in options)]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and "Traceback" not in said
