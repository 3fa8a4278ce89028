"""A study run on the tiny configuration, and what must hold of its claims and planted failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import evidence
import pandas as pd

from ledger.record.claims import Claim, load_claims
from ledger.config.configuration import Config, load
from ledger.record.estimates import check, with_keys
from ledger.run.planting import Planted
from ledger.record.verdicts import REFUTED, judge_claim

ROOT = Path(__file__).resolve().parents[1]
FULL = ROOT / "config/full.yaml"
FILES = (FULL, ROOT / "config/quick.yaml", ROOT / "tests/workflow/tiny.yaml")

Tables = dict[str, pd.DataFrame]
Specs = dict[str, dict[str, Any]]
Measure = Callable[..., pd.DataFrame]


def claims_of(study: str) -> dict[str, Claim]:
    """The claims of a study by their ids."""
    return {claim.id: claim for claim in load_claims(ROOT / "paper/claims.yaml")
            if claim.id.startswith(f"{study}.")}


@dataclass(frozen=True)
class Run:
    """Configuration, specifications, tables and estimates of the tiny run of a study."""

    study: str
    config: Config
    specs: Specs
    tables: Tables
    measure: Measure
    estimates: pd.DataFrame

    @classmethod
    def of(cls, study: str, kinds: tuple[str, ...] = (), measure: Measure | None = None) -> Run:
        """Run all jobs of a study, or those of some kinds, in this process."""
        part = f"zeroloss.studies.{study}"
        config, simulate = load(*FILES), import_module(f"{part}.simulate")
        specs = {name: spec for name, spec in import_module(f"{part}.cases").cases(config).items()
                 if not kinds or spec["kind"] in kinds}
        tables = {name: simulate.run(spec) for name, spec in specs.items()}
        found: Measure = measure or import_module(f"{part}.measure").measure
        return cls(study, config, specs, tables, found, keyed(study, found(tables, specs)))

    def measured(self, tables: Tables) -> pd.DataFrame:
        """Estimates of other tables of the same jobs."""
        return keyed(self.study, self.measure(tables, self.specs))

    def value(self, key: str) -> float:
        """One estimate by its key."""
        return float(self.estimates.set_index("key").estimate[key])

    def check_claims(self, claims: Mapping[str, Claim], planted: Mapping[str, Planted]) -> None:
        """Every claim has numbers and a planted failure, and there are no others."""
        assert {claim.planted_failure.name for claim in claims.values()} == set(planted)
        assert set(claims) == {name for name in self.estimates.claim if name}

    def check_refuted(self, claim: Claim, planted: Mapping[str, Planted], *,
                      honest_too: bool = False) -> None:
        """A planted failure is refuted, in a cell where the honest run is not (``honest_too``: on
        tiny sizes that may be refuted there as well)."""
        made = planted[claim.planted_failure.name](self.tables, self.specs)
        failed = judge_claim(claim, self.measured(made))
        assert failed["verdict"] == REFUTED
        honest = {r["key"]: r["verdict"] for r in judge_claim(claim, self.estimates)["rows"]}
        assert honest_too or any(
            r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])

    def check_sources(self, claim: Claim) -> None:
        """The sources of a claim's rows are all that it rests on."""
        evidence.check_sources(self.measure, self, self.study, claim.id)

    def check_left_alone(self, planted: Planted) -> None:
        """Planting changes a table, and none of the honest ones."""
        before = {name: table.to_csv() for name, table in self.tables.items()}
        made = planted(self.tables, self.specs)
        assert {name: table.to_csv() for name, table in self.tables.items()} == before
        assert set(made) == set(self.tables)
        assert any(not made[name].equals(table) for name, table in self.tables.items())


def keyed(study: str, estimates: pd.DataFrame) -> pd.DataFrame:
    """The checked table of estimates with its keys."""
    return with_keys(check(estimates, study), study)
