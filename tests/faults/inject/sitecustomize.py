"""Python imports this file by itself when its folder is on the path: it kills a job in mid-write.

KILL_AT names the moment (half, written, renamed) and KILL_MARKS a folder: a job whose mark is there
was killed before and is left alone.
"""

import os
import signal
import sys
from pathlib import Path


def arm(moment: str, marks: Path) -> None:
    """Kill this process at the given moment of its first write of a result."""
    words = [word for word in sys.argv if word.endswith((".parquet", ".json"))]
    mark = marks / (Path(words[-1]).name if words else "none")

    def die() -> None:
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    if not words or mark.exists():
        return
    if moment == "renamed":  # the table has its name, its manifest does not
        replace = os.replace

        def once(source, target):  # type: ignore[no-untyped-def]
            replace(source, target)
            if str(source).endswith(".tmp"):
                die()

        os.replace = once
        return
    real = os.fsync

    def fsync(handle: int) -> None:
        if moment == "half":
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
        real(handle)
        die()

    os.fsync = fsync


if os.environ.get("KILL_AT") and sys.argv[0].endswith("zeroloss"):
    arm(os.environ["KILL_AT"], Path(os.environ["KILL_MARKS"]))
