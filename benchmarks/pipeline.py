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
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import THREADS
from benchmarks.rows import Row

__all__ = ["pipeline"]

ROOT = Path(__file__).resolve().parents[1]
FIGURE = "figures/limits.py"
LIMITS = ("PYTHONPATH", "XLA_FLAGS", *THREADS)  # of a measurement: no concern of the workflow


def _run(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command; RuntimeError with the end of what it says if it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in LIMITS}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout.strip()[-300:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pipeline() -> list[Row]:
    """Wall and CPU seconds of the three runs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "zeroloss"
        _run(["git", "clone", "--quiet", str(ROOT), str(copy)], Path(folder))
        python = f"PYTHON={sys.executable}"
        _run(["make", ".venv/.ready", "tex", python], copy)
        for case in ("everything", "nothing to do", "one figure changed"):
            if case == "one figure changed":
                with (copy / FIGURE).open("a", encoding="utf-8") as file:
                    file.write("\n# an edit\n")
            wall, cpu = _run(["make", "quick", python], copy)
            rows += [Row("pipeline", case, "make quick", "wall_seconds", wall, "s"),
                     Row("pipeline", case, "make quick", "cpu_seconds", cpu, "s")]
    return rows
