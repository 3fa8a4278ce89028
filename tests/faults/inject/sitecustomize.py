"""Python imports this file by itself when its folder is on the path: it kills a job in mid-write.

Only where KILL_MARKS names a folder. A job whose mark is there was killed before and is left alone;
the moment (half, written, renamed) goes round with the number of marks.
"""

import os
import signal
import sys
from pathlib import Path

MOMENTS = ("half", "written", "renamed")


def arm(marks: Path) -> None:
    """Kill this process in its first write of a result."""
    mark = marks / "-".join(Path(word).name for word in sys.argv[1:4])
    if mark.exists():
        return
    fsync, replace = os.fsync, os.replace

    def die(moment: str) -> None:
        mark.write_text(moment)
        os.kill(os.getpid(), signal.SIGKILL)

    def synced(handle: int) -> None:
        moment = MOMENTS[len(list(marks.iterdir())) % len(MOMENTS)]
        if moment == "half":
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
        fsync(handle)
        if moment != "renamed":
            die(moment)

    def renamed(source: Path, target: Path) -> None:
        replace(source, target)
        if str(source).endswith(".tmp"):  # of a table: its manifest is not there yet
            die("renamed")

    for name, call in (("fsync", synced), ("replace", renamed)):
        setattr(os, name, call)


if os.environ.get("KILL_MARKS") and sys.argv[0].endswith("zeroloss") and len(sys.argv) > 1:
    arm(Path(os.environ["KILL_MARKS"]))
