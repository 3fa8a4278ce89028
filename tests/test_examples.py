"""The examples in the docstrings of the main functions run and print what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

# Each of these shows how it is used.
SHOWN = {
    "zeroloss.model.problem": ["problem"],
    "zeroloss.model.law": ["InitialLaw"],
    "zeroloss.network.resnet": ["Network"],
    "zeroloss.network.ensembles": ["train"],
    "zeroloss.limit.prediction": ["predict"],
    "zeroloss.limit.flow": ["MeanField", "solve"],
    "zeroloss.limit.fluctuation": ["influence"],
    "zeroloss.theory.sizing": ["required_size"],
    "zeroloss.notebook.plots": ["risk", "law_of_risk", "eigenvalues", "sizes"],
    "ledger.show.claims_table": ["frame"],
    "ledger.display": [],
    "ledger.progress": [],
    "zeroloss.model.arguments": [],
    "ledger.record.names": [],
    "ledger.record.floats": [],
}


@pytest.mark.parametrize("name", SHOWN)
def test_examples_print_what_they_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = doctest.testmod(import_module(name), verbose=False)
    assert result.failed == 0, capsys.readouterr().out


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in SHOWN.items() for name in names])
def test_the_main_functions_have_examples(module: str, name: str) -> None:
    documented = getattr(import_module(module), name)
    found = doctest.DocTestFinder(recurse=False).find(documented, name)
    assert sum(len(test.examples) for test in found) >= 3
