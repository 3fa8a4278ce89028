"""What was measured where: machine, versions, threads. And processes of one thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ledger.run import provenance

__all__ = ["ONE_THREAD", "describe", "in_process"]

PEERS = ("torch", "numpy", "jax", "jaxlib", "torchdiffeq", "diffrax", "equinox")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# read when a library is first loaded; NPROC sizes the thread pool of XLA
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "PYTHONHASHSEED": "0",
}


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own, which has loaded nothing before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _caches() -> dict[str, str]:
    """Sizes of the caches where Linux tells them."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        with suppress(OSError):
            level, kind, size = (
                (folder / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")
            )
            found[f"L{level} {kind}"] = size
    return found


def describe() -> dict[str, Any]:
    """Machine, caches, versions of Python, zeroloss and its peers, commit."""
    versions = dict.fromkeys(PEERS, "not installed") | provenance.versions()
    for name in PEERS:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "machine": provenance.machine(),
        "caches": _caches(),
        "versions": versions,
        "commit": provenance.git_commit(),
    }
