"""The example of a study from outside. That of CONTRIBUTING, which starts from it, is added to the
run of test_rerun."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import BIN, OVERLAY, Checkout


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
from importlib import import_module
from ledger.config.configuration import MODES, load
from zeroloss.studies import BUILT_IN
config = load(*MODES["quick"], *sys.argv[1:])
print(json.dumps({study: import_module(f"zeroloss.studies.{study}.cases").cases(config)
                  for study in BUILT_IN}, sort_keys=True))
"""


def test_it_changes_no_case_of_another_study(checkout: Checkout) -> None:
    known = {"ZEROLOSS_EXTENSIONS": str(checkout.root / "examples" / "my_study")}
    assert checkout.python(SPECS, "examples/my_study/run.yaml", **known) == checkout.python(SPECS)


@pytest.mark.slow
def test_the_example_itself_is_supported_and_its_planted_failure_refuted(checkout: Checkout
                                                                         ) -> None:
    known = {"ZEROLOSS_EXTENSIONS": str(checkout.root / "examples" / "my_study")}
    folder = checkout.root / checkout.folder("examples/my_study/run.yaml", OVERLAY, **known)
    table = folder / "my_study" / "estimates.parquet"
    checkout.snakemake(*words(checkout), "--", str(table.relative_to(checkout.root)))
    claims, mode = "examples/my_study/claims.yaml", folder.name
    environment = checkout.environment(**known)

    def zeroloss(*arguments: str) -> str:
        return subprocess.run([str(BIN / "zeroloss"), *arguments], cwd=checkout.root, text=True,
                              env=environment, check=True, stdout=subprocess.PIPE).stdout

    out = checkout.root / "results" / "example.json"
    zeroloss("judge", "--claims", claims, "--estimates", str(table), "--mode", mode, "--out",
             str(out))
    assert [c["verdict"] for c in json.loads(out.read_text())["claims"]] == ["supported"]
    planted = zeroloss("plant", "my_study.width", "--claims", claims, "--mode", mode, "--results",
                       str(folder.parent))
    assert ": refuted\n" in planted


def test_its_block_is_closed_as_well(checkout: Checkout, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("my_study: {num_unit: [8, 16]}\n")
    done = checkout.attempt("-n", *words(checkout), str(wrong))
    assert done.returncode != 0 and "my_study.num_unit: unknown key" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_folder_that_is_no_study_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    shutil.copytree(checkout.root / "examples" / "my_study", tmp_path / "other")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"extensions: [{tmp_path / 'other'}]\n")
    done = checkout.attempt("-n", "--config", "mode=quick", "--configfile", str(wrong))
    assert done.returncode != 0 and "hold a package of their own name" in done.stdout
