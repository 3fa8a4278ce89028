"""A small run and its publication, to compare and to pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evidence
import pandas as pd

from ledger.record import results, verdicts
from ledger.record.claims import load_claims
from zeroloss import cli


class Tree:
    """A folder with claims, rebuilt results of two cases, and their publication."""

    CLAIMS = "claims.yaml"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.claims = evidence.write_claims(root / self.CLAIMS)
        self.folder = root / "results" / "full"
        self.rebuilt = self.folder / "verdicts.json"
        self.verdicts = root / "published" / "verdicts.json"
        self.estimates = root / "published" / "estimates.csv"
        self.build(evidence.rows())
        self.write("estimates", evidence.frame(*evidence.rows()).drop(columns=["study", "key"]))
        for case, seconds in (("wide", 40.0), ("narrow", 20.0)):
            self.write(case, pd.DataFrame({"risk": [1.0]}), cpu_seconds=seconds)
        results.write_bytes(self.folder / "paper.pdf", b"%PDF")
        assert self.call("publish") == 0

    def write(self, case: str, table: pd.DataFrame, **fields: Any) -> None:
        """Write a table of the run, with what it cost."""
        cost = {"study": "toy", "case": case, "cpu_seconds": 2.0, "peak_memory_mb": 100.0}
        results.write_table(table, self.folder / "toy" / f"{case}.parquet", cost | fields)

    def build(self, rows: list[dict[str, Any]]) -> None:
        """Write the rebuilt verdicts of these rows."""
        record = verdicts.judge(load_claims(self.claims), evidence.frame(*rows), "full")
        results.write_sealed(self.rebuilt, record)

    def call(self, command: str, *more: str) -> int:
        places = ["--results", str(self.root / "results")]
        if command != "claims":
            places += ["--published", str(self.root / "published")]
        if command == "verify":
            places += ["--claims", str(self.claims)]
        return cli.main([command, *places, *more])

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
