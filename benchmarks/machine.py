"""What was measured where: machine, versions, threads. And the environment of one thread."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

from ledger.run import provenance

__all__ = ["PEERS", "THREADS", "describe", "one_thread"]

PEERS = ("torch", "numpy", "jax", "jaxlib", "torchdiffeq", "diffrax", "equinox")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")


def one_thread() -> dict[str, str]:
    """The environment of this process with every library kept to one thread.

    Read when a library is first loaded, so a measurement runs in a process started with it. NPROC
    sizes the thread pool of XLA.
    """
    xla = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "XLA_FLAGS": xla, "JAX_PLATFORMS": "cpu",
            "PYTHONHASHSEED": "0"}


def _caches() -> dict[str, str]:
    """Sizes of the caches where Linux tells them."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text(encoding="ascii").strip()
                                 for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level} {kind}"] = size
    return found


def _versions() -> dict[str, str]:
    found = dict(provenance.versions())
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def describe() -> dict[str, Any]:
    """Machine, caches, versions of Python, zeroloss and its peers, commit."""
    return {"machine": provenance.machine(), "caches": _caches(), "versions": _versions(),
            "commit": provenance.git_commit()}
