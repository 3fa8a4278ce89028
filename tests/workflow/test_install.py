"""Scripts that look for what pip cannot give: a browser, Slurm, TeX. They say what to install, or do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, add, script

DEBIAN = pytest.mark.skipif(not os.path.exists("/etc/debian_version"), reason="asks for Debian")
# what stands in the message of each, and the words that apt-get is given
SCRIPTS = {
    "find-chromium.sh": ("chromedriver", "chromium-driver", "chromium chromium-driver"),
    "slurm-cluster.sh": ("sbatch", "slurm-wlm", "slurm-wlm"),
    "find-tex.sh": ("latexmk pdflatex", "texlive-latex-extra", "texlive-latex"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_missing_is_named_with_its_package(tools: Path, name: str) -> None:
    add(tools, "id", "echo 1000")
    done = script(tools, name, "check")
    assert done.returncode == 1
    assert all(words in done.stderr for words in SCRIPTS[name][:2])
    assert script(tools, name, "install").returncode == 0, "everything else can be done without it"


@DEBIAN
@pytest.mark.parametrize(("user", "installs"), [("0", True), ("1000", False)])
@pytest.mark.parametrize("name", SCRIPTS)
def test_debian_as_root_installs(tools: Path, tmp_path: Path, name: str, user: str, installs: bool) -> None:
    calls, (_, package, packages) = tmp_path / "calls", SCRIPTS[name]
    add(tools, "id", f"echo {user}")
    add(tools, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {calls}')
    done = script(tools, name, "install")
    assert done.returncode == 0
    assert calls.exists() == installs
    said = calls.read_text() if installs else done.stderr
    assert package in said and f"--no-install-recommends {packages}" in said
    assert not installs or said.startswith("noninteractive ")


def test_a_browser_that_is_there_is_found(tools: Path) -> None:
    for name in ("chromium", "chromedriver"):
        add(tools, name, "true")
    done = script(tools, "find-chromium.sh", "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("target", "groups"), [("quick", ["report"]), ("reproduce", ["report"]), ("test", ["report", "dev"])]
)
def test_what_runs_installs_nothing_of_what_tests(target: str, groups: list[str]) -> None:
    """As from a fresh clone: the lock is newer than the environment."""
    asked = ["make", "-n", "-W", "constraints.txt", target]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"make-venv\.sh .* \.venv (\w+)", done.stdout) == groups
