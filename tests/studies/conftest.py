"""One run of the tiny configuration, in this process, for all tests of studies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ledger.config.configuration import Config, load
from zeroloss.studies.limits.cases import cases
from zeroloss.studies.limits.evidence import Evidence
from zeroloss.studies.limits.measure import measure
from zeroloss.studies.limits.simulate import run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """A configuration, its cases, the table of each, and what was measured on them."""

    config: Config
    specs: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame]
    evidence: Evidence
    estimates: pd.DataFrame


@pytest.fixture(scope="session")
def tiny() -> Run:
    """The run of tests/workflow/tiny.yaml; its tables are to be left as they are."""
    config = load(ROOT / "config/full.yaml", ROOT / "config/quick.yaml",
                  ROOT / "tests/workflow/tiny.yaml")
    specs = cases(config)
    tables = {name: run(spec) for name, spec in specs.items()}
    return Run(config, specs, tables, Evidence(tables, specs), measure(tables, specs))
