"""A study from outside: the walk-through of CONTRIBUTING pasted into a shell, and the example that
it starts from. No tracked file is edited."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import HAVE_TEX

from tests.workflow.checkout import BIN, OVERLAY, RESULTS, TINY, Checkout, add

SECTION = "## Add a study without touching the repository\n"
MARK = "--- block"
MADE_BY_RUNS = {"results", ".snakemake", "__pycache__"}


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Checkout]) -> Checkout:
    return new_checkout()


def words(checkout: Checkout) -> list[str]:
    """What the example says to give to Snakemake, with the sizes of the tests laid over."""
    page = (checkout.root / "examples" / "my_study" / "README.md").read_text()
    found = re.search(r"^snakemake (.*)$", page, re.MULTILINE)
    assert found, "the page must say how to run it"
    return [*shlex.split(found[1]), OVERLAY]


def verdicts(folder: Path) -> dict[str, Any]:
    record = json.loads((folder / "verdicts.json").read_text())
    return {claim["id"]: claim for claim in record["claims"]}


def files(checkout: Checkout) -> dict[str, str]:
    """What git would look at: every file that no run makes, and its content."""
    return {
        str(path.relative_to(checkout.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(checkout.root.rglob("*"))
        if path.is_file() and path.suffix != ".so"  # the compiled engine
        and not MADE_BY_RUNS & set(path.relative_to(checkout.root).parts)
    }


def blocks() -> list[str]:
    """The commands of the walk-through, step by step."""
    page = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
    section = page.partition(SECTION)[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def pasted(checkout: Checkout, steps: list[str], tools: Path) -> list[str]:
    """Run the steps in one shell, word for word, and return what each printed.

    The `snakemake` that they find lays the sizes of the tests over what it is given.
    """
    tools.mkdir()
    (tools / "bash").symlink_to(shutil.which("bash") or pytest.skip("no bash"))
    add(tools, "snakemake", f'exec {BIN / "snakemake"} "$@" {OVERLAY}')
    script = "\n".join(["set -euo pipefail", *(f"echo '{MARK}'\n{step}" for step in steps)])
    environment = checkout.environment()
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    done = subprocess.run(["bash", "-c", script], cwd=checkout.root, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout.split(f"{MARK}\n")[1:]


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
def test_the_walk_through_adds_a_verdict_and_changes_nothing_else(
    checkout: Checkout, tmp_path: Path
) -> None:
    tracked = files(checkout)
    checkout.snakemake("-c2", *TINY, "--", "verdicts")
    before = verdicts(checkout.root / RESULTS)
    _, _, _, plan, _, verdict, refuted = pasted(checkout, blocks(), tmp_path / "tools")
    assert re.search(r"simulate_their_study", plan)
    folder, = (path.parent for path in checkout.root.glob("results/with-*/quick/their_study"))
    assert folder != checkout.root / RESULTS
    assert verdicts(checkout.root / RESULTS) == before, "the run without it is left as it is"
    after = verdicts(folder)
    assert set(after) - set(before) == {"their_study.width"}
    assert after["their_study.width"]["verdict"] == "supported"
    assert {name: after[name] for name in before} == before
    assert re.search(r"^their_study\.width +supported", verdict, re.MULTILINE)
    assert refuted.startswith("their_study.width with residuals") and ": refuted\n" in refuted
    assert ("paper.pdf" in verdict.split()) == HAVE_TEX
    assert (folder / "figures" / "their_study-width.pdf").read_bytes().startswith(b"%PDF")
    assert "swish" in (folder / "tex" / "extensions.tex").read_text()
    assert "their_study.width" in (folder / "tex" / "claims.tex").read_text()
    assert files(checkout) == tracked


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
