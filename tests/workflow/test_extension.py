"""The example of a study from outside, as a run is planned with it. That of CONTRIBUTING, which
starts from it, is added to the run of test_rerun; studies/test_example.py judges its claim."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import OVERLAY, Checkout


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Checkout]) -> Checkout:
    return new_checkout()


def words(checkout: Checkout) -> list[str]:
    """What the example says to give to Snakemake, with the sizes of the tests laid over."""
    page = (checkout.root / "examples" / "my_study" / "README.md").read_text()
    found = re.search(r"^snakemake (.*)$", page, re.MULTILINE)
    assert found, "the page must say how to run it"
    return [*shlex.split(found[1]), OVERLAY]


SPECS = """
import json, sys
from ledger.config.configuration import MODES, cases_of, load
config = load(*MODES["quick"], *sys.argv[1:])
print(json.dumps({study: {name: case.spec() for name, case in cases_of(config, study).items()}
                  for study in config.studies if study != "my_study"}, sort_keys=True))
"""


def test_it_changes_no_case_of_another_study(checkout: Checkout) -> None:
    known = {"LEDGER_EXTENSIONS": str(checkout.root / "examples" / "my_study")}
    assert checkout.python(SPECS, "examples/my_study/run.yaml", **known) == checkout.python(SPECS)


def test_its_block_is_closed_as_well(checkout: Checkout, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("my_study: {num_unit: [8, 16]}\n")
    done = checkout.attempt("-n", *words(checkout), str(wrong))
    assert done.returncode != 0 and "my_study.num_unit: unknown key" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_folder_that_is_no_study_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"extensions: [{tmp_path}]\n")
    done = checkout.attempt("-n", "--config", "mode=quick", "--configfile", str(wrong))
    assert done.returncode != 0
    assert f"extensions must be folders with a plan.py, got {tmp_path}" in done.stdout
