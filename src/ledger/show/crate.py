"""A run as one file that says what it is: an RO-Crate, and the check of somebody else's.

A crate is a zip of results, PDF, configuration, environment and manifests, and of a description of
each (`ro-crate-metadata.json`, https://w3id.org/ro/crate). Same run and date, same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger.config.configuration import CONFIGURATION
from ledger.config.paper import paper
from ledger.record import results
from ledger.record import verify as checking
from ledger.record.claims import Claim
from ledger.record.results import MissingResultError, ResultError
from ledger.record.verify import Comparison, Difference
from ledger.run import provenance
from ledger.run.publish import BESIDE, PAPER

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
# Beside the results: what they were made by and from, relative to the repository.
MADE_FROM = {
    "config/full.yaml": "The published configuration",
    "config/quick.yaml": "What the mode quick lays over it",
    "pyproject.toml": "The package and its direct dependencies",
    "constraints.txt": "The lock: the version of every package",
    "environment.yml": "The same versions for conda",
    "Containerfile": "An image of them, with TeX",
    "README.md": "What this is and how to run it",
    "LICENSE": "The licence",
    "CITATION.cff": "How to cite it",
}
KINDS = {
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".md": "text/markdown",
}
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date of a zip: no file carries the time it was packed at
REMAKE = "make it again with make crate"


def made_from(root: Path) -> dict[str, str]:
    """What a run was made from, and what each file is: those of MADE_FROM, and all claims."""
    claims = sorted(Path(root).glob("paper/claims/*.yaml"))
    return MADE_FROM | {
        path.relative_to(root).as_posix(): f"The claims of {path.stem}: predicate, level and tolerance of each"
        for path in claims
    }


def write(root: Path, folder: Path, mode: str, out: Path, date: str | None = None) -> list[str]:
    """Pack the run of `mode` in `folder` with what it was made from; return the names in the crate.

    `root` is the repository; `date` the day of publication, today by default. Raises
    MissingResultError when the run or a file of the repository is not there.
    """
    checking.read_verdicts(folder / checking.VERDICTS, mode=mode)
    places = {f"results/{mode}/{path.relative_to(folder).as_posix()}": path for path in _results(folder)}
    sources = made_from(root)
    places |= {name: Path(root) / name for name in (WORKFLOW, *sources)}
    described = _describe(places, sources, mode, date or datetime.now(UTC).date().isoformat())
    text = json.dumps(described.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)
    with results.atomic(out) as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_entry(METADATA), text)
        for name, path in sorted(places.items()):
            archive.writestr(_entry(name), results.read_bytes(path))
    return sorted([METADATA, *places])


def _results(folder: Path) -> list[Path]:
    """The tables with their manifests, specs, verdicts, figures, settings and PDF of a run."""
    patterns = ("*/*.parquet", "*/*.json", "figures/*.pdf", checking.VERDICTS, PAPER, *BESIDE)
    found = sorted({path for pattern in patterns for path in Path(folder).glob(pattern)})
    if not any(path.suffix == ".parquet" for path in found):
        raise MissingResultError(f"{folder} holds no table; {checking.REBUILD}")
    return found


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _describe(places: Mapping[str, Path], sources: Mapping[str, str], mode: str, date: str) -> Any:
    """Return an ROCrate that describes each file with digest and size, the workflow and its run."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate: Any = ROCrate()
    crate.name = f"{paper().name} {paper().version}: the {mode} run"
    crate.description = paper().description
    crate.root_dataset["datePublished"] = date
    files = {}
    for name, path in sorted(places.items()):
        content = results.read_bytes(path)
        properties = {
            "sha256": results.sha256_of(content),
            "contentSize": str(len(content)),
            "encodingFormat": KINDS.get(path.suffix, "text/plain"),
            "description": sources.get(name) or _about(name),
        }
        if name == WORKFLOW:
            files[name] = crate.add_workflow(path, name, main=True, lang="snakemake", properties=properties)
        else:
            files[name] = crate.add_file(path, name, properties=properties)
    crate.root_dataset["license"] = files["LICENSE"]
    versions = {"softwareVersion": paper().version, "version": provenance.git_commit()}
    described = {"@type": "SoftwareApplication", "name": paper().name, **versions}
    software = crate.add(ContextEntity(crate, f"#{paper().name}", described))
    settings = f"results/{mode}/{CONFIGURATION}"
    given = f"--configfile {settings}" if settings in places else f"--config mode={mode}"
    run = crate.add(ContextEntity(crate, "#run", {"@type": "CreateAction", "name": f"snakemake {given}"}))
    run["instrument"] = files[WORKFLOW]
    run["agent"] = software
    run["object"] = [files[name] for name in sources]
    run["result"] = [entity for name, entity in files.items() if name.startswith("results/")]
    crate.root_dataset["mentions"] = run
    return crate


def _about(name: str) -> str:
    """Return in a few words what a result, or the workflow, is."""
    path = Path(name)
    if path.name.endswith(".manifest.json"):
        table = path.name.replace(".manifest.json", ".parquet")
        return f"Manifest of {table}: configuration, code, seeds, versions, machine, cost"
    known = {
        WORKFLOW: "The workflow",
        checking.VERDICTS: "The verdict of every claim",
        PAPER: "The paper",
        BESIDE[0]: "Its tables, settings and derivations",
        BESIDE[1]: "Where each number of it comes from",
        BESIDE[2]: "All settings of the run",
        BESIDE[3]: "What each of its figures and tables holds",
        "specs.json": f"The configuration of every case of the study {path.parent.name}",
        "near.json": f"What became of the near controls of the study {path.parent.name}",
        "estimates.parquet": f"What was measured on the study {path.parent.name}",
    }
    if path.name in known:
        return known[path.name]
    return f"Figure {path.stem}" if path.suffix == ".pdf" else f"Case {path.stem} as a table"


def verify(
    claims: Sequence[Claim], file: Path, published_folder: Path, mode: str, only: Sequence[str] = ()
) -> Comparison:
    """Compare the run in somebody's crate with the published one, as `zeroloss verify` does ours.

    First the crate itself: each file must be the one that its description names, and each table the
    one of its manifest. Raises ResultError when the file is no crate of a run of `mode`.
    """
    contents = _open(file)
    verdicts = f"results/{mode}/{checking.VERDICTS}"
    if verdicts not in contents:
        raise MissingResultError(f"{file} must hold {verdicts}, a run of mode {mode}; {REMAKE}, or name its --mode")
    record = checking.checked(_json(file, verdicts, contents[verdicts]), f"{file}: {verdicts}")
    found = checking.compare(claims, record, file, published_folder, mode, only)
    damage = [*_damaged(file, contents), *_stale(file, contents)]
    found.differences[:0] = [Difference("crate", "", text) for text in damage]
    return found


def _open(file: Path) -> dict[str, bytes]:
    """Return {name: content} of a zip; nothing is unpacked to disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(results.read_bytes(file))) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except ResultError:
        raise
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise ResultError(f"{file} must be a zip, and is none ({error}); {REMAKE}") from error


def _json(file: Path, name: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise ResultError(f"{file}: {name} is not JSON ({error}); {REMAKE}") from error


def _damaged(file: Path, contents: Mapping[str, bytes]) -> Iterable[str]:
    """Yield each file that is not what the crate's description says."""
    from rocrate.rocrate import ROCrate

    if METADATA not in contents:
        raise ResultError(f"{file} must hold {METADATA}, the description of a crate; {REMAKE}")
    graph = _json(file, METADATA, contents[METADATA])
    try:
        # The library takes a text for an address, and nothing for a new crate.
        if not isinstance(graph, dict) or not graph.get("@graph"):
            raise ValueError("no @graph")
        crate: Any = ROCrate(graph)
    except (KeyError, ValueError, TypeError, AssertionError, AttributeError) as error:
        raise ResultError(f"{file}: {METADATA} describes no crate ({error}); {REMAKE}") from error
    promised = {entity.id: entity.get("sha256") for entity in crate.data_entities}
    for name in sorted(set(promised) | set(contents) - {METADATA}):
        if name not in contents:
            yield f"{name} is described and not in the crate; {REMAKE}"
        elif name not in promised:
            yield f"{name} is in the crate and not described; {REMAKE}"
        elif (digest := results.sha256_of(contents[name])) != promised[name]:
            yield (
                f"{name} is not the file described: sha256 must be {str(promised[name])[:12]}, "
                f"got {digest[:12]}; {REMAKE}"
            )


def _stale(file: Path, contents: Mapping[str, bytes]) -> Iterable[str]:
    """Yield each table whose manifest is of another one, or absent."""
    for name in sorted(name for name in contents if name.endswith(".parquet")):
        manifest = name.removesuffix(".parquet") + ".manifest.json"
        read = _json(file, manifest, contents[manifest]) if manifest in contents else None
        promised = read.get("sha256") if isinstance(read, dict) else None
        if promised != results.sha256_of(contents[name]):
            yield f"{name} is not the table of its manifest; {REMAKE}"
