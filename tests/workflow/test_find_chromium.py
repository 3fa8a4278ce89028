"""With or without a browser: what is found, what is installed, what is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, add, only_tools

SCRIPT = ROOT / "workflow" / "scripts" / "find-chromium.sh"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return only_tools(tmp_path / "bin", ("bash", "tr", "env"))


def script(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools / "bash", SCRIPT, *arguments], env={"PATH": str(tools)}, capture_output=True, text=True
    )


def test_without_a_browser_it_says_what_to_install(tools: Path) -> None:
    done = script(tools, "check")
    assert done.returncode == 1
    assert "chromedriver" in done.stderr and "chromium-driver" in done.stderr


def test_with_one_it_says_nothing(tools: Path) -> None:
    for name in ("chromium", "chromedriver"):
        add(tools, name, "true")
    done = script(tools, "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/etc/debian_version"), reason="asks for Debian")
@pytest.mark.parametrize(("user", "installs"), [("0", True), ("1000", False)])
def test_debian_as_root_installs(tools: Path, tmp_path: Path, user: str, installs: bool) -> None:
    calls = tmp_path / "calls"
    add(tools, "id", f"echo {user}")
    add(tools, "apt-get", f'echo "$*" >> {calls}')
    done = script(tools, "install")
    assert done.returncode == 0 and calls.exists() == installs
    if installs:
        assert "install --no-install-recommends chromium chromium-driver" in calls.read_text()
