"""A copy of the repository, and how to run the workflow in it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.config.configuration import MODES, load, results_folder

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".snakemake", "results", "published", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info"
)


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository, or of a folder in it, and the commands that run there."""

    root: Path
    packages: Path | None = None  # its own `src` by default

    def environment(self, **more: str) -> dict[str, str]:
        """This copy's package goes before the installed one; no colours, no display."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "PYTEST"))}
        path = os.pathsep.join([str(BIN), inherited["PATH"]])
        return {**inherited, "PATH": path, "PYTHONPATH": str(self.packages or self.root / "src"), **more}

    def command(self, *arguments: str) -> list[str]:
        return [str(BIN / "snakemake"), *arguments]

    def attempt(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; its exit status, and all it says in `stdout`."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def snakemake(self, *arguments: str, **environment: str) -> str:
        """Run Snakemake, which must succeed; all it says."""
        done = self.attempt(*arguments, **environment)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def python(self, script: str, *arguments: str, **environment: str) -> str:
        """Run a script, which must succeed, with the package of the copy; what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.root,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def folder(self, *overlays: str, **environment: str) -> Path:
        """Where a run of the quick mode under these overlays lies, in the copy."""
        script = (
            "import sys\n"
            "from ledger.config.configuration import MODES, load, results_folder\n"
            "print(results_folder(load(*MODES['quick'], *sys.argv[1:])))"
        )
        return Path(self.python(script, *overlays, **environment).strip())

    def tiny(self, *arguments: str, cores: int = 2) -> str:
        """Run the quick mode on sizes of seconds."""
        return self.snakemake(*TINY, "--cores", str(cores), *arguments)

    def plan(self, *arguments: str, **environment: str) -> dict[str, int]:
        """Jobs by rule that a run with these arguments would start."""
        return jobs_in(self.snakemake("-n", *arguments, **environment))

    def edit(self, name: str, text: str = "\n# an edit\n") -> None:
        """Append to a file."""
        with (self.root / name).open("a") as file:
            file.write(text)


def only_tools(folder: Path, names: tuple[str, ...]) -> Path:
    """A folder to be all of PATH: these tools of the machine and no others."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or pytest.skip(f"no {name}"))
    return folder


def script(tools: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the workflow where such a folder is all of PATH."""
    words = [tools / "bash", ROOT / "workflow" / "scripts" / name, *arguments]
    return subprocess.run(words, env={"PATH": str(tools)}, capture_output=True, text=True)


def add(tools: Path, name: str, body: str) -> None:
    """Put a script under a tool's name in such a folder."""
    path = tools / name
    path.write_text(f"#!{tools / 'bash'}\n{body}\n")
    path.chmod(0o755)


def copy_to(folder: Path) -> Checkout:
    """Copy the work tree, which stays untouched."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return Checkout(folder)


def folder_of(*overlays: str) -> Path:
    """Where a run of the quick mode under these overlays of the repository lies."""
    with chdir(ROOT):
        return results_folder(load(*MODES["quick"], *overlays))


OVERLAY = "tests/workflow/tiny.yaml"
RESULTS = folder_of(OVERLAY)
TINY = ("--config", "mode=quick", "--configfile", OVERLAY)


def jobs_in(output: str) -> dict[str, int]:
    """The job table of a dry run."""
    table = output.partition("Job stats:")[2].partition("\n\n")[0]
    rows = re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "total"}


def hashes(checkout: Checkout, results: Path = RESULTS) -> dict[str, str]:
    """Files that must be the same for any number of cores; manifests hold times and machine."""
    folder = checkout.root / results
    chosen = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".parquet", ".json", ".tex", ".pdf", ".png", ".yaml"}
        and not path.name.endswith(".manifest.json")
        and "build" not in path.parts
    ]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in chosen}
