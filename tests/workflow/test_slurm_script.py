"""With or without Slurm: what is found, what is installed, what is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, add, only_tools

SCRIPT = ROOT / "workflow" / "scripts" / "slurm-cluster.sh"
TOOLS = ("bash", "tr", "env")
SLURM = re.findall(r"\w+", SCRIPT.read_text().partition("PROGRAMS=(")[2].partition(")")[0])


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with nothing of Slurm where its commands are."""
    return only_tools(tmp_path / "bin", TOOLS)


def script(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools / "bash", SCRIPT, *arguments], env={"PATH": str(tools)}, capture_output=True, text=True
    )


def test_without_slurm_it_says_what_to_install(tools: Path) -> None:
    done = script(tools, "check")
    assert done.returncode == 1
    assert "sbatch" in done.stderr and "slurm-wlm" in done.stderr


@pytest.mark.skipif(not os.path.exists("/etc/debian_version"), reason="asks for Debian")
@pytest.mark.parametrize(("user", "installs"), [("0", True), ("1000", False)])
def test_debian_as_root_installs(tools: Path, tmp_path: Path, user: str, installs: bool) -> None:
    calls = tmp_path / "calls"
    add(tools, "id", f"echo {user}")
    add(tools, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {calls}')
    done = script(tools, "install")
    assert done.returncode == 0 and "slurm-wlm" in done.stderr
    assert calls.exists() == installs
    if installs:
        assert "noninteractive -qq install --no-install-recommends slurm-wlm" in calls.read_text()


def test_without_slurm_the_command_runs_alone_and_keeps_its_status(tools: Path) -> None:
    done = script(tools, "with", "bash", "-c", "echo cluster=$SLURM_TEST_CLUSTER; exit 3")
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
