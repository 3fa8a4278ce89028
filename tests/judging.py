"""A study run on the tiny configuration, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ledger import study
from ledger.config.configuration import overlay, read
from ledger.record.claims import Claim, load_claims
from ledger.record.estimates import with_keys
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
    return (
        part_of(name, "plan").Settings.model_validate(content[name]),
        study.Common(content["seed"], content["device"], content["data_seed"]),
    )


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


@cache
def tiny(name: str) -> Run:
    """All jobs of a study on the tiny configuration, run once in this process."""
    cases = cases_of(name)
    run = study.Run(cases, {one: run_case(name, case) for one, case in cases.items()})
    return Run(name, run, estimates_of(name, run))
