"""A study from outside, as `examples/my_study/README.md` says it: no tracked file is edited."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import reduced
from tests.workflow.checkout import OVERLAY, RESULTS, TINY, Checkout

CLAIM = "my_study.width"


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Checkout]) -> Checkout:
    return new_checkout()


def words(checkout: Checkout) -> list[str]:
    """What the page says to give to Snakemake, with the sizes of the tests laid over."""
    page = (checkout.root / "examples" / "my_study" / "README.md").read_text()
    found = re.search(r"^snakemake (.*)$", page, re.MULTILINE)
    assert found, "the page must say how to run it"
    return [*shlex.split(found[1]), OVERLAY]


def verdicts(checkout: Checkout, folder: Path) -> dict[str, Any]:
    record = json.loads((checkout.root / folder / "verdicts.json").read_text())
    return {claim["id"]: claim for claim in record["claims"]}


SPECS = """
import json, sys
from importlib import import_module
from zeroloss.config import MODES, load
from zeroloss.studies import BUILT_IN
config = load(*MODES["quick"], *sys.argv[1:])
print(json.dumps({study: import_module(f"zeroloss.studies.{study}.cases").cases(config)
                  for study in BUILT_IN}, sort_keys=True))
"""


def test_it_changes_no_case_of_another_study(checkout: Checkout) -> None:
    known = {"ZEROLOSS_EXTENSIONS": str(checkout.root / "examples" / "my_study")}
    assert checkout.python(SPECS, "examples/my_study/run.yaml", **known) == checkout.python(SPECS)


@pytest.mark.slow
def test_it_adds_a_verdict_and_a_figure_and_changes_no_other(tmp_path: Path) -> None:
    checkout = reduced(tmp_path / "repo", "size").checkout
    checkout.snakemake("-c2", *TINY, "--", "verdicts")
    before = verdicts(checkout, RESULTS)
    known = {"ZEROLOSS_EXTENSIONS": str(checkout.root / "examples" / "my_study")}
    folder = checkout.folder("examples/my_study/run.yaml", OVERLAY, **known)
    figure, section = folder / "figures" / "my_study-width.pdf", folder / "tex" / "extensions.tex"
    said = checkout.snakemake(*words(checkout), "--", "verdicts", str(figure), str(section))
    assert f"Results lie in {folder}; " in said and folder != RESULTS
    after = verdicts(checkout, folder)
    assert verdicts(checkout, RESULTS) == before, "the run without it is left as it is"
    assert set(after) - set(before) == {CLAIM} and after[CLAIM]["verdict"] == "supported"
    assert {name: after[name] for name in before} == before
    assert (checkout.root / figure).read_bytes().startswith(b"%PDF")
    assert CLAIM in (checkout.root / section).read_text()
    assert CLAIM in (checkout.root / section).with_name("claims.tex").read_text()
    # its planted failure, measured and judged by its own code
    done = checkout.python("""
import sys
from pathlib import Path
from zeroloss import jobs
from zeroloss.claims import load_claims
from zeroloss.estimates import check, with_keys
from zeroloss.studies.my_study import measure, planted
from zeroloss.verdicts import judge_claim
folder = Path(sys.argv[1])
specs = jobs.read_specs(folder / "specs.json")
tables, _ = jobs.read_tables(specs, folder)
claim, = load_claims(Path("examples/my_study/claims.yaml"))
wrong = planted.PLANTED[claim.planted_failure.name](tables, specs)
made = with_keys(check(measure.measure(wrong, specs), "my_study"), "my_study")
print(judge_claim(claim, made)["verdict"])
""", str(folder / "my_study"), **known)
    assert done.strip() == "refuted"


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
