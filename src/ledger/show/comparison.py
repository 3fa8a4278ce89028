"""`compare`: the verdicts of several runs side by side, such as those of other settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ledger.record.verify import VERDICTS, read_verdicts
from ledger.table import show

__all__ = ["report", "verdicts_of"]

ABSENT = "none"


def verdicts_of(runs: Sequence[Path]) -> dict[str, list[str]]:
    """The verdicts of each claim, one for each folder of results; "none" where it has none.

    Raises ResultError for a folder without verdicts, or with damaged ones.
    """
    records = [{claim["id"]: claim["verdict"] for claim in read_verdicts(run / VERDICTS)["claims"]} for run in runs]
    claims = dict.fromkeys(claim for record in records for claim in record)
    return {claim: [record.get(claim, ABSENT) for record in records] for claim in claims}


def report(runs: Sequence[Path], as_json: bool) -> None:
    """Print the table of verdicts, a column for each run, with a mark on those that differ."""
    verdicts = verdicts_of(runs)
    names = [run.as_posix() for run in runs]
    differing = [claim for claim, words in verdicts.items() if len(set(words)) > 1]
    if as_json:
        print(json.dumps({"runs": names, "claims": verdicts, "differing": differing}, indent=1, sort_keys=True))
        return
    lines = [(claim, *words, "differs" if claim in differing else "") for claim, words in verdicts.items()]
    show(("claim", *names, ""), lines, f"{len(differing)} of {len(verdicts)} claims differ")
