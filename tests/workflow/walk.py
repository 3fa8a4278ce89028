"""The walk-through of CONTRIBUTING, pasted into a shell, and what must not change by it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.checkout import BIN, OVERLAY, ROOT, Checkout, add

SECTION = "## Add a study without touching the repository\n"
MARK = "--- block"
MADE_BY_RUNS = {"results", ".snakemake", "__pycache__"}


def verdicts(folder: Path) -> dict[str, Any]:
    record = json.loads((folder / "verdicts.json").read_text())
    return {claim["id"]: claim for claim in record["claims"]}


def files(checkout: Checkout) -> dict[str, str]:
    """What git would look at: every file that no run makes, and its content."""
    return {
        str(path.relative_to(checkout.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(checkout.root.rglob("*"))
        if path.is_file()
        and path.suffix != ".so"  # the compiled engine
        and not MADE_BY_RUNS & set(path.relative_to(checkout.root).parts)
    }


def blocks() -> list[str]:
    """The commands of the walk-through, step by step."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    section = page.partition(SECTION)[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def pasted(checkout: Checkout, steps: list[str], tools: Path) -> list[str]:
    """Run the steps in one shell, word for word, and return what each printed.

    The `snakemake` that they find lays the sizes of the tests over what it is given.
    """
    tools.mkdir(parents=True)
    (tools / "bash").symlink_to(shutil.which("bash") or pytest.skip("no bash"))
    add(tools, "snakemake", f'exec {BIN / "snakemake"} "$@" {OVERLAY}')
    script = "\n".join(["set -euo pipefail", *(f"echo '{MARK}'\n{step}" for step in steps)])
    environment = checkout.environment()
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout.root,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout.split(f"{MARK}\n")[1:]
