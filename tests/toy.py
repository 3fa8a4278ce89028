"""A study whose modules are written here, and the way through with it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import evidence
import pandas as pd

from ledger.config.studies import Study
from ledger.record import results
from ledger.study import Case, Closed, Run, control, job, measures
from zeroloss import cli

PACKAGE = "studies_of_tests.toy"


class Settings(Closed):
    """The block of the study in a configuration."""

    num_layers: tuple[int, ...] = (8, 16)


class Law(Closed):
    """Settings in a case."""

    seed_law: int


class Wide(Case):
    """A case with a seed, and settings below it."""

    seed: int
    law: Law


class Narrow(Case):
    """A case with a list."""

    num_layers: list[int]


class Divergent(Case):
    """A case whose risk is not finite."""

    seed: int = 0


class Broken(Case):
    """A case whose job has a mistake."""


KINDS = (Wide, Narrow, Divergent, Broken)
for kind in KINDS:
    kind.__module__ = f"{PACKAGE}.plan"  # as if they stood there
WIDE = Wide(seed=3, law=Law(seed_law=4))
NARROW = Narrow(num_layers=[8, 16])


class Toy:
    """A study whose modules are made here: two cases, one slope."""

    def __init__(self) -> None:
        self.rows = [evidence.row("slope_L", -1.0, 0.001), evidence.plain("risk", 0.25)]
        self.planted = [evidence.row("slope_L", -0.5, 0.001)]
        self.per_job = 1
        self.measured_on: list[list[str]] = []
        self.cases: dict[str, Case] = {"wide": WIDE, "narrow": NARROW}
        plan, jobs, measure = (ModuleType(f"{PACKAGE}.{name}") for name in ("plan", "jobs", "measure"))
        self.modules = [ModuleType("studies_of_tests"), ModuleType(PACKAGE), plan, jobs, measure]
        vars(plan).update(
            {kind.__name__: kind for kind in KINDS}, Settings=Settings, cases=lambda block, common: self.cases
        )
        vars(jobs).update({kind.kind: job(kind)(self._job()) for kind in KINDS})
        vars(measure).update(
            rates=measures(evidence.DEPTH)(self._measure()),
            half_order=control(evidence.DEPTH, Wide)(lambda table, case: table.iloc[:1]),
        )

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """The specifications of the cases."""
        return {name: case.spec() for name, case in self.cases.items()}

    @property
    def study(self) -> Study:
        """The study as the machinery knows it."""
        return Study("toy", PACKAGE, Path(__file__).parent / "toy")

    def _job(self) -> Any:
        def compute(case: Case) -> pd.DataFrame:
            if case.kind == "divergent":
                raise FloatingPointError("risk is nan at step 7")
            if case.kind == "broken":
                raise KeyError("rows")
            return pd.DataFrame({"kind": [case.kind] * 3, "risk": [1.0, 0.5, 0.25]})

        return compute

    def _measure(self) -> Any:
        def rows(run: Run) -> list[dict[str, Any]]:
            assert set(run.tables) == set(run.cases)
            self.measured_on.append(sorted(run.tables))
            wide = run.tables.get("wide")
            return self.rows if wide is None or len(wide) > 1 else self.planted

        return rows


FIGURES = """
import toy_style
from figures import toy_style as same
from matplotlib import pyplot


def rates(frames):
    assert same.COLOUR == toy_style.COLOUR
    figure, axes = pyplot.subplots()
    axes.plot(frames.run.tables["wide"]["risk"], color=toy_style.COLOUR)
    axes.set_title(f"{len(frames.estimates)} estimates")
    return figure


FIGURES = {"rates": rates}
"""


def walk(root: Path, mode: str = "quick", *claims_of_it: dict[str, Any]) -> None:
    """Take every step of the way through."""
    base = root / "results" / mode
    study = base / "toy"
    specs, table = study / "specs.json", study / "estimates.parquet"

    def call(*words: Any) -> None:
        assert cli.main([str(word) for word in words]) == 0, words

    call("specs", "toy", "--config", root / "full.yaml", "--out", specs)
    call("run", "toy", *results.read_sealed(specs), "--config", root / "full.yaml", "--out", study)
    call("measure", "toy", "--specs", specs, "--tables", study, "--out", table)
    claims = evidence.write_claims(root / "claims.yaml", *(claims_of_it or [evidence.claim_entry()]))
    record = base / "verdicts.json"
    call("judge", "--claims", claims, "--estimates", table, "--mode", mode, "--out", record)
    (root / "figures").mkdir(exist_ok=True)
    (root / "figures" / "toy_drawings.py").write_text(FIGURES)
    (root / "figures" / "toy_style.py").write_text("COLOUR = 'k'\n")
    module = root / "figures" / "toy_drawings.py"
    draw = ("draw", "toy", "--module", module, "--tables", study, "--estimates", table)
    call(*draw, "--specs", specs, "--mode", mode, "--out", base / "figures")
    typeset = ("typeset", "--verdicts", record, "--estimates", table, "--claims", claims)
    more = ("--specs", specs, "--manifests-dir", base, "--mode", mode, "--out", base / "tex")
    call(*typeset, *more, "--figures", base / "figures" / "toy-rates.manifest.json")
    call("claims", "--mode", mode, "--results", root / "results")
