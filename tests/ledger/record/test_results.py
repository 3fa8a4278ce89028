"""Result files are whole, reproducible to the byte, and refuse to be read when altered."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ledger.record import results
from ledger.record.results import MissingResultError, ResultError

FIELDS = {"study": "toy", "case": "a", "cpu_seconds": 1.5}


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "replicate": np.arange(5),
            "risk": [0.1, math.nan, 1e-300, -0.0, 2.0],
            "kind": ["a", "b", "a", "é", ""],
            "count": pd.array([1, None, 3, 4, 5], dtype="Int64"),
            "done": [True, False, True, True, False],
        }
    )


def test_a_table_reads_back_as_written(tmp_path: Path, frame: pd.DataFrame) -> None:
    results.write_table(frame, tmp_path / "a.parquet", FIELDS)
    back = results.read_table(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(back, frame)


def test_same_rows_give_the_same_bytes(tmp_path: Path, frame: pd.DataFrame) -> None:
    first = results.write_table(frame, tmp_path / "a.parquet", FIELDS)
    again = results.write_table(
        frame.set_axis(range(7, 12)).astype({"kind": "category"}),
        tmp_path / "deeper" / "b.parquet",
        FIELDS | {"cpu_seconds": 9},
    )
    assert first == again
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "deeper/b.parquet").read_bytes()
    assert b"pandas" not in (tmp_path / "a.parquet").read_bytes()


def test_the_manifest_lies_beside_the_table(tmp_path: Path, frame: pd.DataFrame) -> None:
    digest = results.write_table(frame, tmp_path / "a.parquet", FIELDS)
    manifest = json.loads((tmp_path / "a.manifest.json").read_text())
    assert manifest["sha256"] == digest == results.sha256_of((tmp_path / "a.parquet").read_bytes())
    assert manifest["rows"] == 5
    assert manifest["case"] == "a"


def test_a_table_that_never_was_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"rows")
    results.write_sealed(tmp_path / "a.manifest.json", {"sha256": results.sha256_of(b"rows")})
    with pytest.raises(ResultError, match=r"a\.parquet is not parquet .*delete"):
        results.read_table(tmp_path / "a.parquet")


def test_a_missing_table_or_manifest_is_named(tmp_path: Path, frame: pd.DataFrame) -> None:
    with pytest.raises(MissingResultError, match=r"a\.parquet is missing; build it"):
        results.read_table(tmp_path / "a.parquet")
    results.write_table(frame, tmp_path / "a.parquet", FIELDS)
    (tmp_path / "a.manifest.json").unlink()
    with pytest.raises(MissingResultError, match=r"a\.manifest\.json is missing"):
        results.read_table(tmp_path / "a.parquet")
    results.write_sealed(tmp_path / "a.manifest.json", {})
    with pytest.raises(ResultError, match="names no sha256; delete"):
        results.read_table(tmp_path / "a.parquet")


def test_every_flipped_bit_of_a_table_or_manifest_is_noticed(tmp_path: Path, frame) -> None:
    path = tmp_path / "a.parquet"
    results.write_table(frame, path, FIELDS)
    whole = results.read_manifest(path)
    for damaged in (path, results.manifest_path(path)):
        content = damaged.read_bytes()
        flipped = (bytes([*content[:i], byte ^ 1 << i % 8, *content[i + 1 :]]) for i, byte in enumerate(content))
        for wrong in (b"", content[:-9], *flipped):
            damaged.write_bytes(wrong)
            try:
                results.read_table(path)
                assert results.read_manifest(path) == whole, "a blank for a blank"
            except ResultError as error:
                assert re.search(rf"{damaged} is not .*(delete|rebuild)", str(error))
        damaged.write_bytes(content)


def test_what_is_sealed_is_read_back_or_refused(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "a": {"deep": "x"}}
    results.write_sealed(tmp_path / "a.json", content)
    assert results.read_sealed(tmp_path / "a.json") == content
    for other in ([], {}, content, content | {"seal": "0" * 64}):
        results.write_json(tmp_path / "a.json", other)
        with pytest.raises(ResultError, match=r"a\.json is not the file that was written.*delete"):
            results.read_sealed(tmp_path / "a.json")


def test_a_writer_that_fails_midway_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "numbers.tex"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), results.atomic(path) as stream:
        stream.write(b"half of the new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["numbers.tex"]


def test_a_failed_first_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.os, "fsync", no_space)
    message = r"a\.txt cannot be written \(No space left on device\); free space or make its"
    with pytest.raises(ResultError, match=message):
        results.write_text(tmp_path / "new" / "a.txt", "text")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("fields", [{"bad": object()}, {"nested": [{"bad": {1, 2}}]}])
def test_a_manifest_that_cannot_be_written_stops_the_table_too(tmp_path: Path, frame, fields) -> None:
    with pytest.raises(TypeError, match="must be made of numbers, text"):
        results.write_table(frame, tmp_path / "a.parquet", fields)
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_mixed_types_is_refused(tmp_path: Path) -> None:
    mixed = pd.DataFrame({"flow_time": [1.0, "late"]})
    with pytest.raises(ResultError, match=r"each column must hold one type .*flow_time"):
        results.write_table(mixed, tmp_path / "a.parquet", FIELDS)
    assert list(tmp_path.iterdir()) == []


def test_json_is_sorted_and_has_no_nan(tmp_path: Path) -> None:
    content = {"b": [math.nan, np.float64(0.1), math.inf, pd.NA], "a": np.arange(2), "c": np.bool_(True)}
    results.write_json(tmp_path / "a.json", content)
    results.write_json(tmp_path / "b.json", dict(reversed(content.items())))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    back = results.read_json(tmp_path / "a.json")
    assert back == {"a": [0, 1], "b": [None, 0.1, "inf", None], "c": True}
    assert math.isnan(results.number(back["b"][0]))
    assert results.number(back["b"][2]) == math.inf
    assert math.isnan(results.number("0.1 or so"))


def test_damaged_json_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1,')
    with pytest.raises(ResultError, match=r"a\.json is not JSON .*line 1.*rebuild"):
        results.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ResultError, match="not UTF-8"):
        results.read_json(tmp_path / "a.json")
