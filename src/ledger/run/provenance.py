"""What a manifest says of the job that made a table: code, inputs, seeds, cost, machine.

Only the table itself is reproducible to the byte; everything here may differ between two runs.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from ledger.config.paper import paper
from ledger.record import results
from ledger.run import codegraph

LIBRARIES = ("numpy", "scipy", "torch", "pandas", "pyarrow", "scikit-learn")
UNKNOWN = "unknown"


def describe(
    study: str, case: str, module: str, cpu_seconds: float, spec: Any = None, inputs: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the manifest fields of a job that ran `module`.

    `spec` is the whole configuration of the case, `inputs` the SHA-256 of each file that was read.
    CPU time in seconds, which no other load on the machine changes and a job of one thread takes on a
    free one, peak memory of the process in MB (2^20 bytes).
    """
    return {
        "study": study,
        "case": case,
        "spec": results.jsonable(spec),
        "inputs": dict(inputs or {}),
        "seeds": dict(seeds(spec)),
        "module": module,
        "code_sha256": codegraph.digest(module),
        "package_version": paper().version,
        "git_commit": git_commit(),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "machine": machine(),
        "versions": versions(),
    }


def seeds(spec: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each entry of a spec whose name holds `seed`, under its dotted path."""
    if isinstance(spec, Mapping):
        for key, value in spec.items():
            path = f"{prefix}.{key}" if prefix else str(key)
            if "seed" in str(key) and not isinstance(value, Mapping):
                yield path, value
            else:
                yield from seeds(value, path)


def git_commit() -> str:
    """Return the commit of the source tree, with `-dirty` when it has changes, or `unknown`."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        commit = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return commit or UNKNOWN


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def machine() -> dict[str, Any]:
    """Return architecture, system, processor, and how many processors this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": allowed,
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def _processor() -> str:
    """Return the processor's model where Linux tells it."""
    with suppress(results.ResultError):
        for line in results.read_text(Path("/proc/cpuinfo")).splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or UNKNOWN


def versions() -> dict[str, str]:
    """Return the versions of Python and of the numerical libraries that are installed."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return found
