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
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["EngineError", "build_all", "library", "why_not"]

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
SWITCH = "ZEROLOSS_ENGINE"  # "torch" leaves the engine aside, "triton" asks for the kernels on a GPU


class EngineError(RuntimeError):
    """The engine cannot be built or loaded here; the message says why and what to do."""


@cache
def library(cpu: str = "") -> ctypes.CDLL:
    """The compiled engine for this processor or for one of its system, built if need be (seconds, once).

    Raises EngineError if it is neither there nor can be built, or cannot be loaded.
    """
    if os.environ.get(SWITCH) == "torch":
        raise EngineError(f"{SWITCH}=torch asks for torch instead; unset it")
    best, problem = target(), ""
    where = (best[0], cpu or best[1])
    for folder in (HERE, Path(tempfile.gettempdir()) / f"zeroloss-{os.getuid()}"):
        path = folder / f"engine-{_digest(*where)}.so"
        try:
            if not path.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                _build(path, *where)
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
            path = HERE / f"engine-{_digest(system, cpu)}.so"
            if not path.exists():
                _build(path, system, cpu)


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
    return next(((system, cpu) for cpu in TARGETS.get(system, ()) if NEEDS.get(cpu, set()) <= there), ("native",) * 2)


def _digest(system: str, cpu: str) -> str:
    total = hashlib.sha256(SOURCE.read_bytes())
    native = (sys.platform, platform.machine(), _processor()) if system == "native" else ()
    total.update(repr((FLAGS, COMPILER, system, cpu, native)).encode())
    return total.hexdigest()[:16]


def _processor() -> str:
    """What the code may use here: nodes of a cluster that share a folder may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(path: Path, system: str, cpu: str) -> None:
    if not find_spec("ziglang"):
        raise EngineError(f"the engine is not built and its compiler is missing: pip install {COMPILER}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        made = Path(folder) / path.name
        caches = {"ZIG_LOCAL_CACHE_DIR": folder, "ZIG_GLOBAL_CACHE_DIR": folder}
        aim = [f"-mcpu={cpu}"] + ([] if system == "native" else ["-target", system])
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", *FLAGS, *aim, "-o", str(made), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | caches,
        )
        if done.returncode:
            raise EngineError("the engine does not compile here: " + " ".join(done.stderr.split())[-500:])
        os.replace(made, path)


if __name__ == "__main__":
    try:
        build_all(TARGETS if sys.argv[1:] == ["all"] else ())
    except EngineError as why:
        sys.exit(str(why))
