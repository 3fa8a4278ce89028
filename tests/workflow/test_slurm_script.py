"""With or without Slurm: what is found, what is installed, what is said."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, add, script

SCRIPT = ROOT / "workflow" / "scripts" / "slurm-cluster.sh"
SLURM = re.findall(r"\w+", SCRIPT.read_text().partition("PROGRAMS=(")[2].partition(")")[0])


def test_without_slurm_the_command_runs_alone_and_keeps_its_status(tools: Path) -> None:
    done = script(tools, SCRIPT.name, "with", "bash", "-c", "echo cluster=$SLURM_TEST_CLUSTER; exit 3")
    assert done.returncode == 3
    assert done.stdout == "cluster=\n" and "not found" in done.stderr


@pytest.mark.parametrize(("installed", "required", "word"), [
    (True, "", "1 skipped"), (False, "", "1 skipped"), (False, "1", "1 error"),
])  # fmt: skip
def test_a_skip_is_seen_and_can_be_forbidden(tools: Path, installed: bool, required: str, word: str) -> None:
    """Wherever it runs: the only programs of Slurm that the script sees are those made here."""
    for name in SLURM if installed else ():
        add(tools, name, "exit 0")
    command = [sys.executable, "-m", "pytest", "-m", "slurm", "-k", "change_no_byte"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "tests/workflow/test_slurm.py"],
        cwd=ROOT,
        env={"PATH": str(tools), "SLURM_REQUIRED": required},
        capture_output=True,
        text=True,
    )
    remedy = "make test-slurm" if installed else "apt-get install"
    assert word in done.stdout and remedy in done.stdout, done.stdout


def test_the_scripts_are_shell() -> None:
    for path in SCRIPT.parent.glob("*.sh"):
        subprocess.run(["bash", "-n", path], check=True)
