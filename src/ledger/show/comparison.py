"""`compare`: the verdicts of several runs side by side, and how far their numbers are apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.record import results
from ledger.record.claims import Claim, by_id
from ledger.record.formatting import format_number
from ledger.record.verify import COMPARED, VERDICTS, read_verdicts, rows_by_key, tolerance_of
from ledger.table import show

__all__ = ["Apart", "apart", "report", "verdicts_of"]

ABSENT = "none"
TWO = 2  # runs, of which one difference can be said
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Apart:
    """Where two runs differ most: a number of a row, in both, and in units of its tolerance."""

    key: str
    number: str
    first: float
    second: float
    tolerances: float

    def __str__(self) -> str:
        return f"{format_number(self.tolerances)} at {self.key}" if self.key else "0"


def verdicts_of(records: Sequence[Record]) -> dict[str, list[str]]:
    """The verdicts of each claim, one for each run; "none" where it has none."""
    verdicts = [{claim["id"]: claim["verdict"] for claim in record["claims"]} for record in records]
    claims = dict.fromkeys(claim for words in verdicts for claim in words)
    return {claim: [words.get(claim, ABSENT) for words in verdicts] for claim in claims}


def apart(first: Record, second: Record, stated: Sequence[Claim]) -> dict[str, Apart]:
    """The largest difference of each claim, and of each study's numbers without a claim, over the
    rows that both runs have. `stated` have the tolerances."""
    claims, found = by_id(stated), dict[str, Apart]()
    before, after = rows_by_key(first), rows_by_key(second)
    for section, key in sorted(before.keys() & after.keys()):
        tolerance = tolerance_of(claims, section, key)
        for name in COMPARED:
            old, new = (results.number(rows[section, key].get(name)) for rows in (before, after))
            spent = tolerance.spent(new, old)
            if section not in found or spent > found[section].tolerances:
                found[section] = Apart(key if spent else "", name, old, new, spent)
    return found


def report(runs: Sequence[Path], stated: Sequence[Claim], as_json: bool) -> None:
    """Print verdicts, a column for each run, with a mark on those that differ; of two runs also the
    largest difference of each claim, in units of its tolerance.

    Raises ResultError for a folder without verdicts, or with damaged ones.
    """
    records = [read_verdicts(run / VERDICTS) for run in runs]
    verdicts, names = verdicts_of(records), [run.as_posix() for run in runs]
    differing = [claim for claim, words in verdicts.items() if len(set(words)) > 1]
    gaps = apart(records[0], records[1], stated) if len(records) == TWO else {}
    if as_json:
        content = {"runs": names, "claims": verdicts, "differing": differing}
        content |= {"apart": {name: asdict(gap) for name, gap in gaps.items()}} if gaps else {}
        print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))
        return
    lines = [
        (claim, *words, *([str(gaps.get(claim, ""))] if gaps else []), "differs" if claim in differing else "")
        for claim, words in verdicts.items()
    ]
    lines += [(name, *["" for _ in runs], str(gap), "") for name, gap in gaps.items() if name not in verdicts]
    heads = ("claim", *names, *(["apart, in tolerances"] if gaps else []), "")
    show(heads, lines, f"{len(differing)} of {len(verdicts)} claims differ")
