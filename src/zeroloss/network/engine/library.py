"""Builds and loads the compiled engine: engine.c by the clang of the pinned package `ziglang`.

The library lies beside its source, under a name that holds the digest of source, compiler,
flags and processor: an edit or another machine builds its own. Writing is atomic, so that jobs
that start together may build together.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["NOT_FINITE", "SWITCH", "TOO_MANY", "EngineError", "library", "raise_for", "why_not"]

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "engine.c"
# every sum and product is spelt out in the source: contraction would change digits by processor
FLAGS = (
    "-O3",
    "-std=c17",
    "-mcpu=native",
    "-mprefer-vector-width=512",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
)
_DONE, _NO_MEMORY, NOT_FINITE, TOO_MANY, _NO_DEPTH = range(5)  # what its functions return
SINGLE = "-DSINGLE"  # parameters of float32
SWITCH = "ZEROLOSS_ENGINE"  # "torch" leaves the engine aside, "triton" asks for the kernels on a GPU


class EngineError(RuntimeError):
    """The engine cannot be built or loaded here; the message says why and what to do."""


@cache
def library(single: bool = False) -> ctypes.CDLL:
    """The compiled engine of parameters of float64 or float32, built if need be (seconds, once).

    Raises EngineError if there is no compiler for this platform or it fails.
    """
    if os.environ.get(SWITCH) == "torch":
        raise EngineError(f"{SWITCH}=torch asks for torch instead; unset it")
    problem, flags = "", (*FLAGS, SINGLE) if single else FLAGS
    for folder in (HERE, Path(tempfile.gettempdir()) / f"zeroloss-{os.getuid()}"):
        path = folder / f"engine-{_digest(flags)}.so"
        try:
            if not path.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                _build(path, flags)
            if folder.stat().st_uid == os.getuid() or folder == HERE:
                return ctypes.CDLL(str(path))
        except OSError as error:
            problem = str(error)
    raise EngineError(f"the compiled engine cannot be written or loaded: {problem}")


@cache
def why_not() -> str:
    """Empty if the engine is there, else why it is not."""
    try:
        library()
    except EngineError as error:
        return str(error)
    return ""


def _digest(flags: Sequence[str]) -> str:
    total = hashlib.sha256(SOURCE.read_bytes())
    total.update(repr((flags, _compiler_version(), platform.machine(), _processor())).encode())
    return total.hexdigest()[:16]


def _compiler_version() -> str:
    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        raise EngineError(
            "the compiler is missing; install the pinned package ziglang: "
            "pip install -r requirements.in -c constraints.txt"
        ) from None


def _processor() -> str:
    """What the code may use here: nodes of a cluster that share a folder may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(path: Path, flags: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        made = Path(folder) / path.name
        caches = {"ZIG_LOCAL_CACHE_DIR": folder, "ZIG_GLOBAL_CACHE_DIR": folder}
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", *flags, "-o", str(made), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | caches,
        )
        if done.returncode:
            raise EngineError("the engine does not compile here: " + " ".join(done.stderr.split())[-500:])
        os.replace(made, path)


def raise_for(status: int, replicate: int, s: float, max_steps: int = 0) -> None:
    """Raise what a status other than 0 means, with the replicate and the flow time where it was met."""
    if status == _NO_MEMORY:
        raise MemoryError("no memory for a network; use fewer layers or units, or recompute=True")
    if status == NOT_FINITE:
        raise FloatingPointError(
            f"the velocity of replicate {replicate} is not finite at flow "
            f"time {s:.6g}; reduce rtol or the scales of the law"
        )
    if status == TOO_MANY:
        raise RuntimeError(
            f"more than {max_steps} steps to reach the last flow time, stopped at "
            f"{s:.6g}; raise rtol or shorten flow_times"
        )
    if status == _NO_DEPTH:
        raise FloatingPointError(
            f"collocation in depth did not converge at flow time {s:.6g}; reduce the scales of the initial law or rtol"
        )
