"""Seconds of `make quick` in a fresh clone: all of it, nothing to do, one figure changed.

The environment is made before the clock starts. What is measured is the commit, not the tree.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import ONE_THREAD
from benchmarks.rows import Row

__all__ = ["pipeline"]

ROOT = Path(__file__).resolve().parents[1]
FIGURE = "figures/limits.py"


def _run(folder: Path, *command: str) -> dict[str, float]:
    """Wall and CPU seconds of a command; RuntimeError with the end of what it says if it fails."""
    # of a measurement: no concern of the workflow
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", *ONE_THREAD}}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout.strip()[-300:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_seconds": wall, "cpu_seconds": cpu}


def pipeline() -> list[Row]:
    """Wall and CPU seconds of the three runs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "zeroloss"
        _run(Path(folder), "git", "clone", "--quiet", str(ROOT), str(copy))
        python = f"PYTHON={sys.executable}"
        _run(copy, "make", ".venv/.ready", "tex", python)
        for case in ("everything", "nothing to do", "one figure changed"):
            if case == "one figure changed":
                with (copy / FIGURE).open("a", encoding="utf-8") as file:
                    file.write("\n# an edit\n")
            rows += [
                Row("pipeline", case, "make quick", quantity, seconds, "s")
                for quantity, seconds in _run(copy, "make", "quick", python).items()
            ]
    return rows
