"""A full disk, a read-only folder, files that are damaged or gone: named, with a remedy that works."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import summary
from tests.faults.runs import STUDY, Run, hashes

Whole = tuple[Run, dict[str, str], float]


@pytest.fixture(scope="module")
def run(whole: Whole, new_run: Callable[[], Run]) -> Run:
    """A copy that holds the finished run."""
    done = new_run()
    assert done.go() == 0, done.said[-3000:]
    return done


def logged(run: Run) -> str:
    """What the jobs said."""
    logs = (run.folder / "logs").rglob("*.log")
    return "\n".join(path.read_text() for path in sorted(logs) if path.is_file())


def truncate(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    solid = [i for i, byte in enumerate(content) if byte not in b" \n"]  # a blank says nothing
    content[rng.choice(solid)] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(content))


FILES = (f"{STUDY}/density.parquet", f"{STUDY}/density.manifest.json", f"{STUDY}/specs.json",
         f"{STUDY}/estimates.parquet", f"{STUDY}/estimates.manifest.json", "verdicts.json")


@pytest.mark.parametrize("harm", [truncate, flip], ids=["truncated", "one bit flipped"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(run: Run, whole: Whole, name: str, rng: random.Random,
                        harm: Callable[[Path, random.Random], None]) -> None:
    expected, path = whole[1], run.folder / name
    harm(path, rng)
    others = {k: v for k, v in hashes(run.folder).items() if k != name}
    assert run.go() != 0, "damage went unnoticed"
    said = logged(run)
    assert Path(name).name in said and ("delete" in said or "rebuild" in said), said
    assert "Traceback" not in said
    assert {k: v for k, v in hashes(run.folder).items() if k in others}.items() <= others.items()
    path.unlink(missing_ok=True)  # the remedy
    if path.name.endswith(".manifest.json"):
        path.with_name(path.name.replace(".manifest.json", ".parquet")).unlink(missing_ok=True)
    assert run.go() == 0, run.said[-3000:]
    assert hashes(run.folder) == expected
    summary.count("damage", f"{Path(name).name} {harm.__name__}", 1, 1)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_made_again(run: Run, whole: Whole, name: str) -> None:
    (run.folder / name).unlink()
    assert run.go() == 0, run.said[-3000:]
    assert hashes(run.folder) == whole[1]
    summary.count("damage", f"{Path(name).name} missing", 1, 1)
