"""The commands that the README and CONTRIBUTING print are there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def commands(name: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    lines = (line.split("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


MAKE = sorted({line for name in DOCUMENTS for line in commands(name) if line.startswith("make ")})


def test_the_two_commands_stand_in_the_readme() -> None:
    promised = {"make reproduce", "make quick", "make test", "make verify"}
    assert promised <= set(commands("README.md"))


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_what_the_documents_call(command: str) -> None:
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ci_calls_the_test_command_of_the_readme() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    needed = {"docs", "test", "test-faults", "quick", "test-report MODE=quick", "test-slurm"}
    assert {f"make {target}" for target in needed} <= set(lines)


def test_the_table_of_claims_is_the_published_one() -> None:
    published = ROOT / "published" / "verdicts.json"
    if not published.is_file():
        pytest.skip("nothing is published yet")
    text = (ROOT / "README.md").read_text()
    table = text.partition("<!-- claims:begin")[2].partition("<!-- claims:end")[0].splitlines()
    for claim in json.loads(published.read_text())["claims"]:
        lines = [line for line in table if claim["id"] in line]
        assert len(lines) == 1 and claim["verdict"] in lines[0], claim["id"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_the_documents_name_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
