"""The smoke test of a small run: are its verdicts those that were found before?

`config/<mode>.expected.json` holds the verdict of each claim in a run of that mode with the settings that ship. It
shows that everything runs. Evidence it is not: that is in `published/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger.config.paper import paper
from ledger.record import results
from ledger.record.estimates import study_of
from ledger.record.results import MissingResultError, ResultError

__all__ = ["check", "path_of", "renew"]

NONE = "none"  # the verdict of a claim that is not in a run


def path_of(mode: str) -> Path:
    """Where the expected verdicts of a mode stand."""
    return Path(f"config/{mode}.expected.json")


def renew(record: Mapping[str, Any], study: str = "") -> Path:
    """Write the verdicts of a run down as expected, of one study alone beside those of the others; return the file."""
    path = path_of(record["mode"])
    others = _read(path) if study and path.exists() else {}
    kept = {claim: verdict for claim, verdict in others.items() if study_of(claim) != study}
    results.write_json(path, kept | _verdicts(record))
    return path


def check(record: Mapping[str, Any], study: str = "") -> int:
    """Print which verdicts of a run, or of one study, are not as expected; return 1 if there are any."""
    mode, program = record["mode"], paper().name
    found, path = _verdicts(record), path_of(record["mode"])
    if not path.exists():
        raise MissingResultError(
            f"{path} is missing; restore it from git, or write it with {program} claims --mode {mode} --expect"
        )
    expected = _read(path)
    new = [claim for claim in found if claim not in expected]
    asked = {claim: verdict for claim, verdict in expected.items() if not study or study_of(claim) == study}
    others = [claim for claim, verdict in asked.items() if found.get(claim) != verdict]
    for claim in others:
        print(f"{claim}: expected {asked[claim]}, got {found.get(claim, NONE)}")
    if new:
        print(f"not expected yet: {', '.join(new)}; {program} claims --mode {mode} --expect writes them down")
    counted = f"{len(asked) - len(others)} of {len(asked)} as expected"
    if others:
        print(
            f"{counted}, not {', '.join(others)}; {program} trace {others[0]} --mode {mode} says where that comes "
            f"from, {program} claims --mode {mode} --expect writes down what was found, if it is meant"
        )
        return 1
    print(f"{counted} (this shows that everything runs; verdicts that count are in published/)")
    return 0


def _verdicts(record: Mapping[str, Any]) -> dict[str, str]:
    return {claim["id"]: claim["verdict"] for claim in record["claims"]}


def _read(path: Path) -> dict[str, str]:
    content = results.read_json(path)
    if not isinstance(content, dict) or not all(isinstance(verdict, str) for verdict in content.values()):
        raise ResultError(f"{path} must hold a verdict for each claim; restore it from git")
    return content
