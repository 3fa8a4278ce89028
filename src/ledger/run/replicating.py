"""`replicate`: the run of a mode once more with another seed, held against what the first foretells."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledger.config import configuration
from ledger.config.configuration import CONFIGURATION
from ledger.record import replication, results
from ledger.record.claims import Claim
from ledger.record.formatting import format_number
from ledger.record.names import nearest
from ledger.record.replication import Replication
from ledger.record.results import MissingResultError
from ledger.record.verify import VERDICTS, read_verdicts
from ledger.run import workflow
from ledger.run.planning import PROFILE, cores_here
from ledger.table import show

__all__ = ["FOUND", "folder_of", "publish", "replicate", "sealed_once"]

FORETOLD, FOUND = "foretold.json", "replication.json"
PLANTED = 4.0  # standard errors of the difference
SHOWN = 12


def replicate(
    seed: int,
    mode: str,
    stated: Sequence[Claim],
    results_folder: Path,
    published: Path,
    cores: int | None,
    plant: str = "",
    as_json: bool = False,
) -> int:
    """Foretell, seal, run, compare; return 1 if the second run is beyond what was foretold.

    The first run is the published one, or that in `results_folder` of a mode that was not
    published, which is made if it is not there. `plant` names a key whose new estimate is taken to
    lie 4 standard errors further away. Raises ResultError for a seed that the first run has.
    """
    first = read_verdicts(published / VERDICTS, sealed=False)
    other = workflow.load(mode, [], {"seed": seed})
    is_published = first["mode"] == mode
    first_seed = (
        configuration.read(published / CONFIGURATION)["seed"]
        if is_published
        else workflow.load(mode, [], {}).config.seed
    )
    if seed == first_seed:
        raise results.ResultError(f"seed of a replication must be another than that of the run, got {seed}")
    if not is_published:
        _snakemake(mode, cores)
        first = read_verdicts(results_folder / mode / VERDICTS)
    folder = folder_of(results_folder, mode, seed)
    foretold = sealed_once(folder / FORETOLD, results.jsonable(replication.foretell(stated, first)))
    _snakemake(mode, cores, f"seed={seed}")
    record = read_verdicts(Path(other.folder) / VERDICTS)
    found = replication.compare(foretold, _planted(record, foretold, plant) if plant else record)
    content = results.jsonable(_content(first_seed, seed, foretold, found))
    if not plant:
        results.write_sealed(folder / FOUND, content)
    if as_json:
        print(json.dumps(content, indent=1, sort_keys=True))
    else:
        _print(found, len(first["claims"]))
    return 0 if found.agrees else 1


def folder_of(root: Path, mode: str, seed: int) -> Path:
    """Where the replication of a mode with a seed lies, in a folder of results or of what is published."""
    return Path(root) / "replications" / f"{mode}-seed{seed}"


def sealed_once(path: Path, foretold: dict[str, Any]) -> dict[str, Any]:
    """What was foretold and sealed before; what is foretold now, sealed, if nothing was.

    Raises ResultError where the two differ: nothing is foretold again once a second run may be known.
    """
    if not path.exists():
        results.write_sealed(path, foretold)
    before = results.read_sealed(path)
    if before != foretold:
        raise results.ResultError(
            f"{path} was sealed on another first run than the present one; give another seed, or move its folder away"
        )
    return before


def publish(seed: int, mode: str, results_folder: Path, published: Path) -> list[Path]:
    """Copy a replication, with what was foretold of it, to the published run; return the files."""
    source, target = (folder_of(root, mode, seed) for root in (results_folder, published))
    made = []
    for name in (FORETOLD, FOUND):
        results.write_sealed(target / name, results.read_sealed(source / name))
        made.append(target / name)
    return made


def _snakemake(mode: str, cores: int | None, *settings: str) -> None:
    """Let Snakemake make the verdicts of a mode; what it says does not mix with the answer."""
    command = [sys.executable, "-m", "snakemake", "--profile", PROFILE, "--cores", str(cores or cores_here())]
    command += ["--config", f"mode={mode}", *settings, "--", "verdicts"]
    status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    if status:
        raise MissingResultError(f"snakemake must make the verdicts, ended with status {status}; mend what it says")


def _planted(record: dict[str, Any], foretold: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The record with one estimate moved by 4 standard errors, away from that of the first run."""
    if key not in foretold["estimates"]:
        near = nearest(key, foretold["estimates"]) or "take one that zeroloss trace knows"
        raise MissingResultError(f"key to plant a shift in must be one with a confidence interval, got {key}; {near}")
    first = foretold["estimates"][key]
    for row in (row for claim in record["claims"] for row in claim["rows"] if row["key"] == key):
        shift = math.copysign(PLANTED, row["estimate"] - first["estimate"]) * replication.error_of_difference(
            row, first
        )
        row |= {name: row[name] + shift for name in ("estimate", "lower", "upper")}
    return record


def _content(first_seed: int, seed: int, foretold: Mapping[str, Any], found: Replication) -> dict[str, Any]:
    return {
        "first_seed": first_seed,
        "seed": seed,
        "mode": foretold["mode"],
        "agrees": found.agrees,
        "brier": found.brier,
        "changed": found.changed,
        "most_changed": found.most_changed,
        "largest_z": found.largest,
        "elsewhere": found.elsewhere,
        "missing": found.missing,
        "z": found.z,
    }


def _print(found: Replication, claims: int) -> None:
    far = sorted(found.z.items(), key=lambda one: -abs(one[1]))[:SHOWN]
    lines = [(key, f"{z:+.2f}", "beyond" if key in found.beyond else "") for key, z in far]
    caption = (
        f"{len(found.z)} estimates, the farthest of them: (new - old) over its standard error, foretold to stay "
        f"within {found.largest:.2f}; {len(found.changed)} of {claims} verdicts changed, foretold at most "
        f"{found.most_changed}; Brier score {format_number(found.brier)}"
    )
    show(("estimate", "z", ""), lines, caption)
    for claim, (before, after) in found.changed.items():
        print(f"{claim}: {before}, now {after}")
    for key in found.elsewhere:
        print(f"{key}: not compared, as the worst cell is another")
    for key in found.missing:
        print(f"{key}: not there")
    for key in found.beyond:
        print(f"{key}: beyond what was foretold")
