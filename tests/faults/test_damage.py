"""A full disk, a read-only one, files that are damaged or gone: named, with a remedy that works."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import summary
from tests.faults.runs import STUDY, Run, Whole, check_whole, hashes


@pytest.fixture(scope="module")
def run(whole: Whole) -> Run:
    """The finished run; every test leaves it finished, with the same bytes."""
    return whole[0]


def logged(run: Run) -> str:
    """What the jobs of the last run said."""
    logs = sorted((run.folder / "logs").rglob("*.log"))
    return "\n".join(path.read_text() for path in logs)


def truncated(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def flipped(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    solid = [i for i, byte in enumerate(content) if byte not in b" \n"]  # a blank says nothing
    content[rng.choice(solid)] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(content))


DAMAGE = [
    (f"{STUDY}/density.parquet", flipped),
    (f"{STUDY}/density.manifest.json", truncated),
    (f"{STUDY}/specs.json", flipped),
    (f"{STUDY}/estimates.parquet", truncated),
    (f"{STUDY}/estimates.manifest.json", flipped),
    ("verdicts.json", flipped),
]


@pytest.mark.parametrize(("name", "harm"), DAMAGE, ids=lambda part: getattr(part, "__name__", part))
def test_a_damaged_file(
    run: Run, whole: Whole, name: str, rng: random.Random, harm: Callable[[Path, random.Random], None]
) -> None:
    expected, path = whole[1], run.folder / name
    harm(path, rng)
    assert run.go() != 0, "damage went unnoticed"
    said = logged(run)
    assert path.name in said and ("delete" in said or "rebuild" in said), said
    assert "Traceback" not in said and "Traceback" not in run.said
    left = {k: v for k, v in hashes(run.folder).items() if k != name}
    assert left.items() <= expected.items(), "something else was damaged"
    path.unlink(missing_ok=True)  # the remedy
    assert run.go() == 0, run.said[-3000:]
    assert hashes(run.folder) == expected
    summary.count("damaged file", f"{path.name} {harm.__name__}")


def test_missing_files_are_made_again(run: Run, whole: Whole) -> None:
    for name, _ in DAMAGE:
        (run.folder / name).unlink()
    assert run.go() == 0, run.said[-3000:]
    assert hashes(run.folder) == whole[1]
    summary.count("damaged file", "missing", len(DAMAGE))


@pytest.fixture
def mounted(new_run: Callable[[], Run]) -> Iterator[tuple[Run, Callable[[str], None]]]:
    """A copy whose results lie on a small memory disk, and how to mount that anew."""
    run = new_run()
    folder = run.root / "results"
    folder.mkdir()

    def mount(options: str) -> None:
        words = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")

    try:
        mount("size=400k")  # the tables fit, the verdicts do not
        yield run, mount
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True)


def test_a_full_disk_and_a_read_only_one(mounted: tuple[Run, Callable[[str], None]], whole: Whole) -> None:
    run, mount = mounted
    expected = whole[1]
    assert run.go() != 0
    said = logged(run) + run.said
    assert "cannot be written (No space left on device); free space or make its folder" in said
    assert "Traceback" not in logged(run), logged(run)
    check_whole(run.folder, expected)
    before = run.finished()
    mount("remount,ro")
    assert run.go() != 0
    assert "must be writable, but it is read-only; make it writable" in run.said, run.said
    assert "Traceback" not in run.said
    check_whole(run.folder, expected)
    mount("remount,rw,size=50m")
    assert run.go() == 0, run.said[-3000:]
    assert not before & run.started(), "a finished job ran again"
    assert hashes(run.folder) == expected
    summary.count("disk", "full, then more space")
    summary.count("disk", "read-only, then writable")
