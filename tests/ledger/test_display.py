"""How results show themselves: short, without a dump of arrays, and escaped in HTML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import oracles
import pytest

from ledger.display import Shown, over_time
from ledger.record.verify import Comparison, Difference
from zeroloss.limit import flow, predict
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.fluctuation import influence
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.network import ensembles
from zeroloss.theory import prediction
from zeroloss.theory.sizing import Answer, Sizes

LAW = InitialLaw()
HOSTILE = "<script>alert(1)</script> & co"
MINE = oracles.lifted_cosine(HOSTILE)


def answered() -> Sizes:
    answers = (
        Answer("theorem", 2.0, 60.8, 50.0, "explicit constants"),
        Answer("measured", 0.6, np.inf, np.inf, HOSTILE),
    )
    return Sizes("mine", 8, 2, "independent", 0.05, 0.1, 1.0, 0.11, 0.001, 0.01, answers, None)


def compared(differences: int = 1) -> Comparison:
    made = Comparison({"claims": [{"id": "a.b"}, {"id": "a.c"}]})
    made.differences += [Difference("a.b", "slope", HOSTILE)] * differences
    return made


@pytest.fixture(scope="module")
def results() -> dict[str, Shown]:
    """One of each kind that shows itself."""
    field = flow.MeanField(MINE, gauss_legendre(2), 32)
    start = field.start(sobol_rule(LAW, 2, 5, "display")[None])
    recorded = field.run(start, [0.0, 1.0], record=True)
    assert recorded.flow.trajectory is not None
    return {
        "Problem": MINE,
        "Training": ensembles.train(MINE, LAW, 2, 8, list(np.arange(20.0)), replicates=3),
        "ResidualLaw": predict(MINE, LAW, 2, 1.0, log2_points=4, scrambles=2).law(8),
        "EnsemblePrediction": prediction.predict(MINE, LAW, 2, 8, [0.0, 1.0], accuracy=0.1),
        "LimitFlow": field.run(start, [0.0, 1.0], keep=True),
        "LimitNumbers": flow.solve(MINE, LAW, [0.0, 1.0], accuracy=0.5, depth_nodes=2, log2_points=4),
        "Influence": influence(field, recorded.flow.trajectory, 1.0),
        "Sizes": answered(),
        "Comparison": compared(),
    }


NAMES = (
    "Problem",
    "Training",
    "ResidualLaw",
    "EnsemblePrediction",
    "LimitFlow",
    "LimitNumbers",
    "Influence",
    "Sizes",
    "Comparison",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_shown_in_a_few_lines(name: str, results: dict[str, Shown]) -> None:
    shown = repr(results[name])
    assert shown.startswith(f"{name}(") and len(shown.splitlines()) <= 7
    assert not re.search(r"tensor\(|array\(|Tensor|dtype", shown)


@pytest.mark.parametrize("name", NAMES)
def test_its_table_in_a_notebook_says_the_same_and_is_escaped(name: str, results: dict[str, Shown]) -> None:
    html = results[name]._repr_html_()
    assert "<script" not in html
    shown = " ".join(ElementTree.fromstring(f"<p>{html}</p>").itertext())  # every tag is closed
    numbers = r"(?<![\w.])\d+\.\d+"
    assert re.findall(numbers, repr(results[name])) == re.findall(numbers, shown)
    assert (HOSTILE in shown) == (name in ("Problem", "Sizes", "Comparison"))


def test_a_long_run_shows_its_ends_and_some_between() -> None:
    shown = over_time({}, np.arange(101.0).tolist(), {"risk": np.arange(101.0)})
    assert [line[0] for line in shown.lines] == ["0", "25", "50", "75", "100"]
    assert dict(shown.facts) == {"flow_times": 101}


def test_many_differences_are_counted_and_a_few_shown() -> None:
    shown = repr(compared(12))
    assert "differences=12" in shown and len(shown.splitlines()) == 7
    assert repr(compared(0)) == "Comparison(claims=2, agree=2, differences=0, missing=0)"
