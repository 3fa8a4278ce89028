"""A study whose modules are written here, and the way through with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evidence
import pandas as pd

from ledger.record import results
from zeroloss import cli


class Toy:
    """A study whose modules are written here: two cases, one slope."""

    def __init__(self) -> None:
        self.rows = [evidence.row("slope_L", -1.0, 0.001), evidence.plain("risk", 0.25)]
        self.measured_on: list[tuple[list[str], list[str]]] = []
        self.specs: dict[str, dict[str, Any]] = {
            "wide": {"kind": "wide", "seed": 3, "law": {"seed_law": 4}},
            "narrow": {"kind": "narrow", "num_layers": [8, 16]},
        }

    per_job = 1

    def cases(self, config: Any) -> dict[str, dict[str, Any]]:
        return self.specs

    def run(self, spec: dict[str, Any]) -> pd.DataFrame:
        if spec["kind"] == "divergent":
            raise FloatingPointError("risk is nan at step 7")
        if spec["kind"] == "broken":
            raise KeyError("rows")
        return pd.DataFrame({"kind": [spec["kind"]] * 3, "risk": [1.0, 0.5, 0.25]})

    def measure(
        self, tables: dict[str, pd.DataFrame], specs: dict[str, Any], claims: Sequence[str] = ()
    ) -> pd.DataFrame:
        assert set(tables) == set(specs)
        self.measured_on.append((sorted(tables), list(claims)))
        return pd.DataFrame(self.rows)


FIGURES = """
import style
from figures import style as same
from matplotlib import pyplot


def rates(frames):
    assert style is not None and same.COLOUR == style.COLOUR
    figure, axes = pyplot.subplots()
    axes.plot(frames.tables["wide"]["risk"], color=style.COLOUR)
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
    for case, spec in results.read_sealed(specs).items():
        out = study / f"{case}.parquet"
        call("run", "toy", "--case", case, "--spec", json.dumps(spec), "--out", out)
    call("measure", "toy", "--specs", specs, "--tables", study, "--out", table)
    claims = evidence.write_claims(
        root / "claims.yaml", *(claims_of_it or [evidence.claim_entry()]))
    record = base / "verdicts.json"
    call("judge", "--claims", claims, "--estimates", table, "--mode", mode, "--out", record)
    (root / "figures").mkdir(exist_ok=True)
    (root / "figures" / "toy_drawings.py").write_text(FIGURES)
    (root / "figures" / "style.py").write_text("COLOUR = 'k'\n")
    module = root / "figures" / "toy_drawings.py"
    draw = ("draw", "toy", "--module", module, "--tables", study, "--estimates", table)
    call(*draw, "--specs", specs, "--mode", mode, "--out", base / "figures")
    typeset = ("typeset", "--verdicts", record, "--estimates", table, "--claims", claims)
    more = ("--specs", specs, "--manifests-dir", base, "--mode", mode, "--out", base / "tex")
    call(*typeset, *more, "--figures", base / "figures" / "toy-rates.manifest.json")
    call("claims", "--mode", mode, "--results", root / "results")
