"""The only reader and writer of result files and of their manifests.

A file is written whole or not at all: bytes go to a temporary neighbour, are forced to disk, and
are renamed onto the final name. A table (`NAME.parquet`) has the same bytes for the same rows;
whatever differs from run to run (time, machine, memory) is in its manifest (`NAME.manifest.json`).
The manifest holds the SHA-256 of the table, and its own: a flipped bit in either is noticed.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

REBUILD = "delete {} and its manifest, then run the same make target again"
REMAKE = "delete it, then run the same make target again"
SEAL = "seal"  # in a JSON file: the SHA-256 of all the rest


class ResultError(RuntimeError):
    """A result file is damaged, stale or not what its reader was promised."""


class MissingResultError(ResultError):
    """A result file is not there."""


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary stream that becomes `path` on success and vanishes on any exception.

    Raises ResultError with the reason and the remedy when the disk is full, or may not be written.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_drafts(path)
        with draft.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError):
            raise ResultError(
                f"{path} cannot be written ({error.strerror or error}); free space or make its "
                "folder writable, then run the same make target again"
            ) from error
        raise
    _sync_folder(path.parent)


def _clear_drafts(path: Path) -> None:
    """Remove what killed processes began to write in place of `path`."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = draft.name.split(".")[-2]
        with suppress(OSError):
            try:
                os.kill(int(process), 0)
            except (ProcessLookupError, ValueError):
                draft.unlink()


def _sync_folder(folder: Path) -> None:
    """Force the rename itself to disk, on file systems that allow it; the file is whole anyway."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_described(path: Path, digest: str) -> bytes:
    """Return the content of a file; refuse one whose SHA-256 is not that of its manifest."""
    content = read_bytes(path)
    if (found := sha256_of(content)) != digest:
        raise ResultError(
            f"{path} is not the file its manifest describes: sha256 must be {digest[:12]}, "
            f"got {found[:12]}; {REBUILD.format(path)}"
        )
    return content


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with a final newline, whole or not at all."""
    write_bytes(path, (text if text.endswith("\n") else text + "\n").encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as sorted, indented JSON: same content, same bytes (NaN becomes null)."""
    plain = jsonable(content)
    write_text(path, json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False))


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON with its own SHA-256 in it, under the key SEAL."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    write_json(path, {**rest, SEAL: seal_of(rest)})


def seal_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a mapping as JSON, whatever the order of its keys."""
    return sha256_of(json.dumps(jsonable(content), sort_keys=True, allow_nan=False).encode())


def read_sealed(path: Path) -> dict[str, Any]:
    """Return what `write_sealed` wrote; a file without its seal, or with another, is refused."""
    content = read_json(path)
    seal = content.pop(SEAL, None) if isinstance(content, dict) else None
    if seal is None or seal != seal_of(content):
        raise ResultError(
            f"{path} is not the file that was written: its seal must be the SHA-256 of the rest, "
            f"got {str(seal)[:12]}; {REMAKE}"
        )
    return content


def jsonable(value: Any) -> Any:
    """Return `value` in JSON's types: NaN and NA become None, infinities "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(entry) for entry in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return value.as_posix()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise TypeError(f"a result must be made of numbers, text, lists and mappings, got {value!r}")


def number(value: Any) -> float:
    """Return the number that `jsonable` wrote; anything that is no number reads as NaN."""
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`; raise MissingResultError with the remedy when it is absent."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise MissingResultError(f"{path} is missing; build it with make quick or make reproduce") from None
    except OSError as error:
        raise ResultError(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def read_text(path: Path) -> str:
    """Return `path` decoded as UTF-8."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise ResultError(f"{path} is not UTF-8 text ({error}); restore or rebuild it") from error


def read_json(path: Path) -> Any:
    """Return the JSON content of `path`; a damaged file raises ResultError with line and column."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ResultError(f"{path} is not JSON ({error}); restore or rebuild it") from error


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of `content` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def manifest_path(path: Path) -> Path:
    """Return the manifest's place: `a/b.parquet` has `a/b.manifest.json`."""
    return Path(path).with_suffix(".manifest.json")


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of the table at `path`."""
    try:
        manifest = read_sealed(manifest_path(path))
    except MissingResultError:
        raise
    except ResultError as error:
        raise ResultError(f"{error} (that of {path} too)") from error
    if not isinstance(manifest.get("sha256"), str):
        raise ResultError(f"{manifest_path(path)} names no sha256; {REBUILD.format(path)}")
    return manifest


def write_table(frame: pd.DataFrame, path: Path, manifest_fields: Mapping[str, Any]) -> str:
    """Write tidy rows to `path` (parquet) and its manifest beside it; return the table's SHA-256.

    The index is not kept. Text, integers (also nullable), floats and booleans are; NaN is stored as
    null. Raises ResultError, before anything is written, for a column that mixes types.
    """
    path = Path(path)
    content = _parquet(frame, path)
    digest = sha256_of(content)
    manifest = {
        **manifest_fields,
        "sha256": digest,
        "rows": len(frame),
        "columns": [str(column) for column in frame.columns],
    }
    jsonable(manifest)  # refuse a manifest that cannot be written before the table is replaced
    write_bytes(path, content)
    # A kill between the two renames leaves a manifest that disagrees, which read_table refuses.
    write_sealed(manifest_path(path), manifest)
    return digest


def _parquet(frame: pd.DataFrame, path: Path) -> bytes:
    """Return `frame` as parquet bytes free of pandas' own metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        reason = "; ".join(str(part) for part in error.args)
        raise ResultError(f"{path}: each column must hold one type ({reason})") from error
    schema = pa.schema([(field.name, _plain_type(field.type)) for field in table.schema])
    sink = io.BytesIO()
    pq.write_table(table.cast(schema).replace_schema_metadata(None), sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Map what pandas' versions spell differently (long text, categories) to one type."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    return kind


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of `path` after checking them against the manifest.

    Raises MissingResultError for an absent table or manifest, ResultError when the bytes are not
    those that were written. Integers with gaps come back as pandas' nullable `Int64`.
    """
    path = Path(path)
    digest = read_manifest(path)["sha256"] if path.exists() else ""  # the table is missed first
    return _frame(read_described(path, digest), path)


def _frame(content: bytes, path: Path) -> pd.DataFrame:
    """Decode parquet bytes; nullable integers stay integers."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # whatever a file says besides its columns is not followed: ours say nothing
        table = pq.read_table(pa.BufferReader(content)).replace_schema_metadata(None)
    except pa.ArrowException as error:
        raise ResultError(f"{path} is not parquet ({error}); {REBUILD.format(path)}") from error
    frame = table.to_pandas()
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_integer(field.type) and column.null_count:
            frame[field.name] = pd.array(column.to_pylist(), dtype="Int64")
    return frame
