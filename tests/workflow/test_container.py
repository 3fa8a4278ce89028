"""The Containerfile: well formed, of files that exist, and of the same versions as the lock."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Containerfile").read_text()
KNOWN = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "CMD"}


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, arguments), with comments gone and continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(part[0], part[1] if len(part) > 1 else "") for part in parts]


STEPS = instructions(TEXT)
RUNS = [text for name, text in STEPS if name == "RUN"]
COPIES = [shlex.split(text) for name, text in STEPS if name == "COPY"]
IGNORED = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and not line.startswith("#")]


def test_every_line_is_an_instruction_with_arguments() -> None:
    assert STEPS[0][0] == "FROM" and STEPS[-1][0] == "CMD"
    assert {name for name, _ in STEPS} == KNOWN
    assert all(text for _, text in STEPS)
    assert not TEXT.rstrip().endswith("\\")


def test_it_starts_from_the_python_of_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(one for one in environment["dependencies"] if one.startswith("python="))
    assert STEPS[0][1].startswith(f"docker.io/library/python:{python.partition('=')[2]}-")


def test_the_image_of_the_workflow_is_the_one_that_it_tells_how_to_make() -> None:
    image = re.search(r'containerized: "(.+)"', (ROOT / "workflow" / "Snakefile").read_text())
    assert image and f"apptainer build {image[1]} " in TEXT
    assert all(f"/{image[1]}" in (ROOT / name).read_text().split() for name in (".gitignore", ".containerignore"))


def test_packages_come_from_the_lock_alone() -> None:
    assert any("make-venv.sh python3 /opt/venv report" in run for run in RUNS)
    assert not re.search(r"==|pip install|apt-get|conda|curl|wget|://", " ".join(text for _, text in STEPS[1:]))


def test_tex_is_what_the_script_installs() -> None:
    assert any("find-tex.sh install" in run and "find-tex.sh check" in run for run in RUNS)


@pytest.mark.parametrize("run", RUNS)
def test_commands_are_shell(run: str) -> None:
    done = subprocess.run(["bash", "-n"], input=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_copied_exists_and_is_copied_before_it_is_used() -> None:
    for *sources, _ in COPIES:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not any(fnmatch(source, pattern.rstrip("/")) for pattern in IGNORED), source
    there: set[str] = set()
    for name, text in STEPS:
        if name == "COPY":
            there |= set(shlex.split(text)[:-1])
        elif name == "RUN" and "." not in there:
            named = set(re.findall(r"[\w./-]+\.(?:sh|in|txt)\b", text))
            assert named <= there, named - there


def test_what_git_ignores_stays_outside() -> None:
    lines = (ROOT / ".gitignore").read_text().split()
    for folder in (line.strip("/") for line in lines if line.endswith("/")):
        inside = (pattern.removeprefix("**/").rstrip("/") for pattern in IGNORED)
        assert any(fnmatch(folder, pattern) for pattern in inside), folder
    assert not any(fnmatch(".git", pattern.rstrip("/")) for pattern in IGNORED)


def test_it_runs_the_workflow() -> None:
    command = json.loads(STEPS[-1][1])
    assert command[0] == "snakemake"
    assert (ROOT / command[command.index("--profile") + 1] / "config.yaml").is_file()
