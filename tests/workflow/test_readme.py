"""The README is short, and says what was found; commands that it and other pages print are there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from ledger.record import verdicts

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "published" / "verdicts.json"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/running.md")
MOST_WORDS = 600  # of the README, without its blocks of code and what is generated
README = (ROOT / "README.md").read_text()


def commands(name: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    lines = (line.split("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


MAKE = sorted({line for name in DOCUMENTS for line in commands(name) if line.startswith("make ")})


def test_the_readme_is_short() -> None:
    prose = re.sub(r"^```.*?^```|<!-- found:begin.*found:end -->", "", README, flags=re.DOTALL | re.MULTILINE)
    assert 300 < len(prose.split()) <= MOST_WORDS


def test_the_four_commands_stand_in_the_readme() -> None:
    promised = {"make reproduce", "make quick", "make test", "make verify"}
    assert promised <= set(commands("README.md"))


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_what_the_documents_call(command: str) -> None:
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(\.venv/bin/[^`]+)`", README))))
def test_what_the_readme_prints_in_a_line_can_be_pasted(command: str) -> None:
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and done.stdout, done.stderr
    assert "`zeroloss" not in README, "the environment need not be active"


def test_in_the_shell_of_make_the_command_is_found() -> None:
    path = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    asked = ["make", "-s", "-o", ".venv/.ready", "shell"]
    done = subprocess.run(
        asked, cwd=ROOT, input="command -v zeroloss; command -v snakemake", capture_output=True, text=True, env=path
    )
    assert done.stdout.split() == [str(ROOT / ".venv" / "bin" / name) for name in ("zeroloss", "snakemake")]


def test_ci_calls_the_test_command_of_the_readme() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    needed = {"docs", "test", "test-faults", "quick", "test-report MODE=quick", "test-slurm"}
    assert {f"make {target}" for target in needed} <= set(lines)


def test_the_verdicts_that_the_readme_tells_are_the_published_ones() -> None:
    published = {claim["id"]: claim["verdict"] for claim in json.loads(PUBLISHED.read_text())["claims"]}
    told = re.findall(rf"`([a-z_]+\.[a-z-]+)`,\s+({'|'.join(verdicts.WORST_FIRST)})", README)
    assert len(told) >= 5, "each sentence on what was found names a claim and its verdict"
    for claim, verdict in told:
        assert published[claim] == verdict, f"write the sentence on {claim} anew: it is {published[claim]}"


def test_the_table_of_claims_is_the_published_one() -> None:
    table = (ROOT / "docs" / "claims.md").read_text().splitlines()
    for claim in json.loads(PUBLISHED.read_text())["claims"]:
        lines = [line for line in table if line.startswith(f"| `{claim['id']}` |")]
        assert len(lines) == 1 and f"| **{claim['verdict']}** |" in lines[0], claim["id"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_the_documents_name_exist(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
