"""A study run on the tiny configuration, and what must hold of its claims and their controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ledger import study
from ledger.config.configuration import overlay, read
from ledger.record import verdicts
from ledger.record.claims import Claim, load_claims
from ledger.record.estimates import COLUMNS, with_keys
from ledger.run import jobs
from ledger.run.jobs import part_of
from ledger.study import Case, Control

ROOT = Path(__file__).resolve().parents[1]
FULL = ROOT / "config/full.yaml"
FILES = (FULL, ROOT / "config/quick.yaml", ROOT / "tests/workflow/tiny.yaml")


def claims_of(name: str) -> dict[str, Claim]:
    """The claims of a study by their ids."""
    return {claim.id: claim for claim in load_claims(ROOT / f"paper/claims/{name}.yaml")}


def controls_of(name: str) -> dict[str, Control]:
    """The negative controls of a study by their claims."""
    return study.controls_of(part_of(name, "measure"))


def block_of(name: str, *files: Path) -> tuple[Any, study.Common]:
    """The block of a study, and what cases of all studies share; pydantic's ValidationError."""
    content: dict[str, Any] = {}
    for path in files or FILES:
        content = overlay(content, read(path))
    return (part_of(name, "plan").Settings.model_validate(content[name]),
            study.Common(content["seed"], content["device"]))


def cases_of(name: str, *files: Path) -> dict[str, Case]:
    """The cases of a study; of the tiny configuration, where no files are given."""
    return part_of(name, "plan").cases(*block_of(name, *files))


def run_case(name: str, case: Case) -> pd.DataFrame:
    """The table of a case, made in this process."""
    case.prepare()
    return study.jobs_of(part_of(name, "jobs"))[type(case)](case)


def estimates_of(name: str, run: study.Run, *claims: str) -> pd.DataFrame:
    """The checked estimates of a run with their keys, or those of some claims."""
    return with_keys(jobs.estimates_of(name, run, claims), name)


@dataclass(frozen=True)
class Run:
    """The tiny run of a study and its estimates. Its tables are to be left as they are."""

    name: str
    run: study.Run
    estimates: pd.DataFrame

    @classmethod
    def of(cls, name: str, *kinds: type[Case]) -> Run:
        """Run all jobs of a study, or those of some kinds, in this process."""
        cases = {one: case for one, case in cases_of(name).items()
                 if not kinds or isinstance(case, kinds)}
        run = study.Run(cases, {one: run_case(name, case) for one, case in cases.items()})
        return cls(name, run, estimates_of(name, run))

    @property
    def cases(self) -> Mapping[str, Case]:
        """The cases by name."""
        return self.run.cases

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The table of each."""
        return self.run.tables

    def value(self, key: str) -> float:
        """One estimate by its key."""
        return float(self.estimates.set_index("key").estimate[key])

    def check_claims(self) -> None:
        """Every claim has numbers and a negative control, and there are no others."""
        claims = set(claims_of(self.name))
        assert set(controls_of(self.name)) == claims
        assert {claim for claim in self.estimates.claim if claim} == claims

    def check_not_refuted(self, claim: Claim) -> None:
        """The honest tables do not refute a claim, whatever their size."""
        honest = verdicts.judge_claim(claim.at_any_size(), self.estimates)
        assert honest["verdict"] != verdicts.REFUTED, honest["reasons"]

    def check_control(self, claim: Claim, *, honest_too: bool = False) -> None:
        """A control changes a table, and none of the honest ones; it is refuted, in a cell where
        the honest run is not (``honest_too``: on tiny sizes that may be refuted there as well)."""
        before = {name: table.copy() for name, table in self.tables.items()}
        run = controls_of(self.name)[claim.id].within(self.run)
        assert all(table.equals(before[name]) for name, table in self.tables.items())
        assert set(run.tables) == set(self.tables)
        assert any(not run.tables[name].equals(table) for name, table in self.tables.items())
        claim = claim.at_any_size()
        failed = verdicts.judge_claim(claim, estimates_of(self.name, run, claim.id))
        assert failed["verdict"] == verdicts.REFUTED
        honest = {r["key"]: r["verdict"]
                  for r in verdicts.judge_claim(claim, self.estimates)["rows"]}
        assert honest_too or any(
            r["verdict"] == verdicts.REFUTED != honest[r["key"]] for r in failed["rows"])

    def check_sources(self, claim: Claim) -> None:
        """The sources of a claim's rows, alone, give these rows again."""
        own = self.estimates.loc[self.estimates.claim == claim.id, list(COLUMNS)]
        names = {name for sources in own.sources for name in sources.split(";")}
        alone = study.Run({name: self.cases[name] for name in self.cases if name in names},
                          {name: self.tables[name] for name in self.tables if name in names})
        again = estimates_of(self.name, alone, claim.id)[list(COLUMNS)]
        again = again.loc[again.claim == claim.id].reset_index(drop=True)
        assert len(again)
        pd.testing.assert_frame_equal(again, own.reset_index(drop=True), check_exact=True)
