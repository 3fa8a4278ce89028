"""From a number, a figure, a claim or a table of the paper back to all that made it.

What is said is read off the run itself: the tables, the manifests beside them, the specifications.
A table whose bytes are not those of its manifest stops the answer.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from ledger.record import estimates, results, verdicts
from ledger.run import jobs
from ledger.record.claims import Claim, by_id, load_claims
from ledger.run.costs import MEASURING
from ledger.record.formatting import format_interval
from ledger.show.printed import number_in, same_digits, settings_of, values_of
from ledger.record.results import MissingResultError
from ledger.record.verify import VERDICTS, read_verdicts

FIRST_ROWS = 3
NEAREST = 3


@dataclass(frozen=True)
class Step:
    """One job and what it left: how to run it again, and what its manifest says."""

    what: str
    rule: str
    command: str
    files: dict[str, str]  # name: SHA-256
    rows: int | None = None
    first_rows: list[dict[str, Any]] = field(default_factory=list)
    configuration: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    code_sha256: str = ""
    commit: str = ""
    version: str = ""
    wall_seconds: float | None = None
    machine: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """The way back: what it is, its rows of estimates, the steps from the last to the first."""

    name: str
    kind: str
    facts: dict[str, str]
    rows: list[dict[str, Any]]
    steps: list[Step]

    def record(self) -> dict[str, Any]:
        """Return the trace as JSON's types."""
        return results.jsonable(asdict(self))


class Run:
    """A finished run, as files below `results/<mode>`."""

    def __init__(
        self, folder: Path, claims_file: Path, rule_of: Callable[[str, str], str]
    ) -> None:
        self.folder, self.claims_file, self.rule_of = Path(folder), Path(claims_file), rule_of

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Each claim by its id."""
        return by_id(load_claims(self.claims_file))

    @cached_property
    def estimates(self) -> dict[str, dict[str, Any]]:
        """Each estimate by its key."""
        found = sorted(self.folder.glob(f"*/{MEASURING}.parquet"))
        if not found:
            raise MissingResultError(f"{self.folder.as_posix()}/*/{MEASURING}.parquet is missing; "
                                     "build it with make quick or make reproduce")
        return {row["key"]: row for row in estimates.records(estimates.read(found))}

    @cached_property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The record of each claim."""
        return {entry["id"]: entry for entry in read_verdicts(self.folder / VERDICTS)["claims"]}

    @cached_property
    def figures(self) -> list[str]:
        """The figures that were drawn."""
        ends = ".manifest.json"
        return sorted(path.name.removesuffix(ends)
                      for path in self.folder.glob(f"figures/*{ends}"))

    @cached_property
    def specs(self) -> dict[str, dict[str, jobs.Spec]]:
        """The specification of each case of each study."""
        return {path.parent.name: jobs.read_specs(path)
                for path in sorted(self.folder.glob("*/specs.json"))}

    @property
    def tables(self) -> list[str]:
        """The tables of cases, as `study/case`."""
        return [f"{study}/{case}" for study, cases in self.specs.items() for case in cases]

    # --- one step back -------------------------------------------------------------------------

    def simulated(self, study: str, case: str) -> Step:
        """Return the job that made the table of a case."""
        spec = self.specs[study][case]
        path = self.folder / study / f"{case}.parquet"
        command = ("zeroloss", "run", study, "--case", case, "--spec",
                   json.dumps(spec, sort_keys=True), "--out", path.as_posix())
        return self._step(f"{study}/{case}", self.rule_of(study, case), command, path,
                          _whole_lists(dict(settings_of(spec, case))))

    def measured(self, study: str) -> Step:
        """Return the job that measured a study."""
        base = self.folder / study
        path = base / f"{MEASURING}.parquet"
        command = ("zeroloss", "measure", study, "--specs", (base / "specs.json").as_posix(),
                   "--tables", base.as_posix(), "--out", path.as_posix())
        return self._step(f"{study}/{MEASURING}", f"measure_{study}", command, path)

    def judged(self, mode: str) -> Step:
        """Return the job that judged all claims."""
        path = self.folder / VERDICTS
        tables = [(self.folder / study / f"{MEASURING}.parquet").as_posix() for study in self.specs]
        command = ("zeroloss", "judge", "--claims", self.claims_file.as_posix(), "--estimates",
                   *tables, "--mode", mode, "--out", path.as_posix())
        return Step("verdicts", "judge_claims", shlex.join(command), {
            path.as_posix(): results.sha256_of(results.read_bytes(path))})

    def drawn(self, figure: str, mode: str) -> Step:
        """Return the job that drew a figure; its files must be those of its manifest."""
        folder = self.folder / "figures"
        manifest = results.read_manifest(folder / f"{figure}.pdf")
        files = {}
        for name, digest in manifest["files"].items():
            results.read_described(folder / name, digest)
            files[(folder / name).as_posix()] = digest
        study, base = manifest["study"], self.folder / manifest["study"]
        command = ("zeroloss", "draw", study, "--module", manifest["module"], "--tables",
                   base.as_posix(), "--estimates", (base / f"{MEASURING}.parquet").as_posix(),
                   "--specs", (base / "specs.json").as_posix(), "--mode", mode,
                   "--out", folder.as_posix())
        return Step(figure, f"draw_{study}", shlex.join(command), files, **_said(manifest))

    def _step(self, what: str, rule: str, command: Sequence[str], path: Path,
              configuration: Mapping[str, str] | None = None) -> Step:
        frame, manifest = results.read_table(path), results.read_manifest(path)
        rows = results.jsonable(frame.head(FIRST_ROWS).to_dict("records"))
        return Step(what, rule, shlex.join(command), {path.as_posix(): manifest["sha256"]},
                    len(frame), rows, dict(configuration or {}), **_said(manifest))


def _whole_lists(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave out the entries of lists that are shown whole."""
    return {path: text for path, text in settings.items()
            if path.rpartition(".")[0] not in settings}


def _said(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of the job, under the names of a step."""
    code = manifest.get("function") or manifest.get("module", "")
    return {"seeds": dict(manifest.get("seeds", {})), "code": code,
            "code_sha256": manifest.get("code_sha256", ""),
            "commit": manifest.get("git_commit", ""),
            "version": manifest.get("package_version", ""),
            "wall_seconds": manifest.get("wall_seconds"),
            "machine": dict(manifest.get("machine", {}))}


# --- the way back --------------------------------------------------------------------------------


def trace(run: Run, name: str, mode: str) -> Trace | dict[str, str]:
    """Return the way back from a key, a claim, a figure, a table or a setting of the run.

    A number as it is printed gives {key: where it stands} of all that print so. Raises
    MissingResultError, with the nearest names, for anything else.
    """
    if name in run.estimates:
        return _of_number(run, name)
    if name in run.claims:
        return _of_claim(run, name, mode)
    if name in run.figures:
        return _of_figure(run, name, mode)
    study, _, case = name.partition("/")
    if case in run.specs.get(study, {}):
        return Trace(name, "table", {}, [], [run.simulated(study, case)])
    setting = _of_setting(run, name)
    if setting is not None:
        return setting
    number = number_in(name)
    found = {} if number is None else dict(_printing(run, number))
    if not found:
        near = _like(run, name) if number is None else _close_to(run, number)
        raise MissingResultError(
            "NAME must be a key, claim, figure, table or printed number of this run, got "
            f"{name!r}; " + (f"nearest: {', '.join(near)}" if near else
                             "zeroloss claims lists the claims")
        )
    return found


def _of_setting(run: Run, key: str) -> Trace | None:
    """Return the job that a setting of the paper belongs to: `pairs.rule.scrambles`."""
    for study, cases in run.specs.items():
        for case in cases:
            if key.startswith(f"{case}."):
                value = dict(settings_of(cases[case], case)).get(key)
                if value is not None:
                    return Trace(key, "setting", {"value": value}, [],
                                 [run.simulated(study, case)])
    return None


def _like(run: Run, name: str) -> list[str]:
    """Return the names that are spelt most like this one."""
    known = [*run.claims, *run.figures, *run.tables, *run.estimates]
    return difflib.get_close_matches(name, known, n=NEAREST, cutoff=0.3)


def _close_to(run: Run, number: Decimal) -> list[str]:
    """Return the printed estimates that are closest to a number, each with its key."""
    printed = ((number_in(values_of(row)["estimate"]), key) for key, row in run.estimates.items())
    apart = sorted((abs(value - number), f"{value} of {key}") for value, key in printed
                   if value is not None)
    return [text for _, text in apart[:NEAREST]]


def _of_number(run: Run, key: str) -> Trace:
    row = run.estimates[key]
    shown = values_of(row)
    facts = {"estimate": shown["estimate"],
             "interval": format_interval(*(results.number(row[end]) for end in ("lower", "upper")))}
    facts |= {name: shown[name] for name in ("floor", "replicates", "sizes") if name in shown}
    facts |= {name: str(row[name]) for name in ("claim", "note") if row[name]}
    study = row["study"]
    sources = [run.simulated(study, case) for case in row["sources"].split(";") if case]
    return Trace(key, "number", facts, [_plain(row)], [run.measured(study), *sources])


def _of_claim(run: Run, name: str, mode: str) -> Trace:
    study = estimates.study_of(name)
    rows = [row for row in run.estimates.values() if row["claim"] == name]
    record = run.verdicts.get(name, {})
    facts = {"title": run.claims[name].title,
             "verdict": record.get("verdict", "not judged in this run"),
             "reasons": "; ".join(record.get("reasons", ())),
             "rows": str(len(rows))}
    deciding = verdicts.row_of(record) if record else None
    if deciding is not None:
        facts["decided by"] = deciding["key"]
    cases = sorted({case for row in rows for case in row["sources"].split(";") if case})
    steps = [run.judged(mode), run.measured(study)] if rows else [run.judged(mode)]
    return Trace(name, "claim", facts, [_plain(row) for row in rows],
                 [*steps, *(run.simulated(study, case) for case in cases)])


def _of_figure(run: Run, name: str, mode: str) -> Trace:
    manifest = results.read_manifest(run.folder / "figures" / f"{name}.pdf")
    study = manifest["study"]
    sources = [run.simulated(study, case) for case in manifest["inputs"]]
    facts = {"drawn by": manifest["function"], "study": study}
    return Trace(name, "figure", facts, [],
                 [run.drawn(name, mode), run.measured(study), *sources])


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "key"}


def _printing(run: Run, number: Decimal) -> Iterator[tuple[str, str]]:
    """Yield (key, where) of all that prints as this number: estimates, and settings of cases."""
    for key, row in run.estimates.items():
        places = [place for place, shown in values_of(row).items()
                  if same_digits(number, number_in(shown))]
        if places:
            yield key, ", ".join(places)
    for study, cases in run.specs.items():
        for case, spec in cases.items():
            for path, shown in settings_of(spec, case):
                if same_digits(number, number_in(shown)):
                    yield path, f"setting of {study}/{case}"
