"""Builds and loads the compiled engine: engine.c by the clang of the pinned package `ziglang`.

The library lies beside its source, under a name that holds the digest of source, compiler, flags
and target: an edit builds its own. Those for this system are built when the environment is made
(workflow/scripts/make-venv.sh), and a wheel brings those for all TARGETS, so that the compiler,
400 MB, need not stay. Writing is atomic, so that jobs that start together may build together.

    python library.py        builds for this system
    python library.py all    builds for all TARGETS, which the compiler can do on any of them
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["NOT_FINITE", "SWITCH", "TOO_MANY", "EngineError", "build_all", "library", "raise_for", "why_not"]

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "engine.c"
COMPILER = "ziglang==0.17.0"  # as the lock pins it
# every sum and product is spelt out in the source: contraction would change digits by processor
FLAGS = (
    "-O3",
    "-std=c17",
    "-mprefer-vector-width=512",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
    "-s",
)
# For each system the processors, best first, and the oldest glibc: few libraries serve all machines.
TARGETS = {
    "x86_64-linux-gnu.2.28": ("x86_64_v4", "x86_64_v3"),
    "aarch64-linux-gnu.2.28": ("generic",),
    "aarch64-macos": ("apple_m1",),
}
# What /proc/cpuinfo must say.
_V3 = {"abm", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
NEEDS = {"x86_64_v4": _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, "x86_64_v3": _V3}
_SYSTEMS = {"linux": "linux", "darwin": "macos"}
_DONE, _NO_MEMORY, NOT_FINITE, TOO_MANY, _NO_DEPTH = range(5)  # what its functions return
SINGLE = "-DSINGLE"  # parameters of float32
SWITCH = "ZEROLOSS_ENGINE"  # "torch" leaves the engine aside, "triton" asks for the kernels on a GPU


class EngineError(RuntimeError):
    """The engine cannot be built or loaded here; the message says why and what to do."""


@cache
def library(single: bool = False, cpu: str = "") -> ctypes.CDLL:
    """The compiled engine of parameters of float64 or float32, for this processor or for one of its
    system, built if need be (seconds, once).

    Raises EngineError if it is neither there nor can be built, or cannot be loaded.
    """
    if os.environ.get(SWITCH) == "torch":
        raise EngineError(f"{SWITCH}=torch asks for torch instead; unset it")
    (system, best), problem = target(), ""
    flags = _flags(system, cpu or best, single)
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


def build_all(systems: Iterable[str] = ()) -> None:
    """Build for every processor of the named TARGETS, else of this system; raises EngineError."""
    here, processor = target()
    for system in systems or [here]:
        for cpu in TARGETS.get(system, (processor,)):
            for single in (False, True):
                flags = _flags(system, cpu, single)
                path = HERE / f"engine-{_digest(flags)}.so"
                if not path.exists():
                    _build(path, flags)


@cache
def why_not() -> str:
    """Empty if the engine is there, else why it is not."""
    try:
        library()
    except EngineError as error:
        return str(error)
    return ""


def target() -> tuple[str, str]:
    """The system and processor to build for: the best of TARGETS that this one is, or "native" twice."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system = next((one for one in TARGETS if one.startswith(f"{machine}-{_SYSTEMS.get(sys.platform)}")), "native")
    there = set(_processor().split())
    served = ((system, cpu) for cpu in TARGETS.get(system, ()) if NEEDS.get(cpu, set()) <= there)
    return next(served, ("native", "native"))


def _flags(system: str, cpu: str, single: bool) -> tuple[str, ...]:
    aim = () if system == "native" else ("-target", system)
    return (*FLAGS, f"-mcpu={cpu}", *aim, *((SINGLE,) if single else ()))


def _digest(flags: Sequence[str]) -> str:
    total = hashlib.sha256(SOURCE.read_bytes())
    native = (sys.platform, platform.machine(), _processor()) if "-mcpu=native" in flags else ()
    total.update(repr((flags, COMPILER, native)).encode())
    return total.hexdigest()[:16]


def _processor() -> str:
    """What the code may use here: nodes of a cluster that share a folder may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(path: Path, flags: Sequence[str]) -> None:
    if not find_spec("ziglang"):
        raise EngineError(f"the engine is not built and its compiler is missing: pip install {COMPILER}")
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


if __name__ == "__main__":
    try:
        build_all(TARGETS if sys.argv[1:] == ["all"] else ())
    except EngineError as why:
        sys.exit(str(why))
