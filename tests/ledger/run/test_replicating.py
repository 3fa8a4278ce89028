"""What was foretold of a replication is sealed once, and is published as it was sealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.record import results
from ledger.record.results import ResultError
from ledger.run import replicating
from ledger.show import artifact

FORETOLD = {"mode": "full", "chances": {"toy.depth": {"supported": 0.9}}}
FOUND = {
    "first_seed": 3,
    "seed": 7,
    "z": {"a": -2.5, "b": 1.0},
    "largest_z": 3.1,
    "changed": {},
    "most_changed": 2,
    "brier": 0.25,
}


def test_nothing_is_foretold_again(tmp_path: Path) -> None:
    path = tmp_path / "foretold.json"
    assert replicating.sealed_once(path, FORETOLD) == replicating.sealed_once(path, FORETOLD) == FORETOLD
    before = path.read_bytes()
    with pytest.raises(ResultError, match=r"sealed on another first run .* give another seed"):
        replicating.sealed_once(path, FORETOLD | {"chances": {}})
    assert path.read_bytes() == before
    path.write_bytes(before.replace(b"0.9", b"0.8"))
    with pytest.raises(ResultError, match="is not the file"):
        replicating.sealed_once(path, FORETOLD)


def test_a_replication_is_published_with_its_seals_and_shown(tmp_path: Path) -> None:
    runs, published = tmp_path / "results", tmp_path / "published"
    folder = replicating.folder_of(runs, "full", 7)
    for name, content in (("foretold.json", FORETOLD), (replicating.FOUND, FOUND)):
        results.write_sealed(folder / name, content)
    for path in replicating.publish(7, "full", runs, published):
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert artifact.replications(published).splitlines()[-1] == "| 3 | 7 | 2 | 2.50 | 3.10 | 0 | 2 | 0.250 |"
    assert len(artifact.replications(tmp_path).splitlines()) == 2  # headings alone
