"""From a claim, a number, a figure or a table of the paper back to all that made it.

What is said is read off the run itself: the tables, the manifests beside them, the specifications.
A table whose bytes are not those of its manifest stops the answer. A number in the PDF is found by
its link: it leads to the line of `evidence.html` that begins with its key. Where nothing was run,
the published numbers answer, without the jobs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ledger.config.configuration import CONFIGURATION
from ledger.config.paper import paper
from ledger.record import estimates, floats, results, verdicts
from ledger.record.claims import Claim, by_id, load_claims
from ledger.record.formatting import format_number, half_width
from ledger.record.names import nearest
from ledger.record.results import MissingResultError
from ledger.record.verify import ESTIMATES, VERDICTS, read_verdicts
from ledger.run.costs import MEASURING
from ledger.run.jobs import SPECS
from ledger.show.claims_table import estimate_of, interval_of

FIRST_ROWS = 3
LONGEST_SETTING = 100  # characters
SIMULATE, MEASURE, DRAW, JUDGE = "simulate", "measure", "draw", "judge_claims"  # rules


Step = dict[str, Any]
"""One job and what it left, as `_step` makes it: how to run it again, what its manifest says."""


Way = tuple[dict[str, str], list[dict[str, Any]], Callable[[], list[Step]]]  # facts, rows, steps


@dataclass(frozen=True)
class Results:
    """A finished run, as files below `results/<mode>`, and the files that state its claims."""

    folder: Path
    mode: str
    claim_files: Sequence[Path]

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Each claim by its id."""
        return by_id(load_claims(*self.claim_files))

    @cached_property
    def estimates(self) -> dict[str, dict[str, Any]]:
        """Each estimate by its key."""
        tables = sorted(self.folder.glob(f"*/{MEASURING}.parquet"))
        if not tables:
            raise MissingResultError(
                f"{self.folder.as_posix()}/*/{MEASURING}.parquet is missing; build it with make quick or make reproduce"
            )
        return {row["key"]: row for row in estimates.records(estimates.read(tables))}

    @cached_property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The record of each claim."""
        return {entry["id"]: entry for entry in read_verdicts(self.folder / VERDICTS)["claims"]}

    @cached_property
    def figures(self) -> list[str]:
        """The figures that were drawn."""
        ends = ".manifest.json"
        return sorted(path.name.removesuffix(ends) for path in self.folder.glob(f"figures/*{ends}"))

    @cached_property
    def floats(self) -> dict[str, list[str]]:
        """What each figure and table of the PDF holds; nothing where no PDF was built."""
        return floats.read(self.folder / floats.FLOATS)

    @cached_property
    def specs(self) -> dict[str, dict[str, Any]]:
        """The specification of each case of each study."""
        return {path.parent.name: results.read_sealed(path) for path in sorted(self.folder.glob(f"*/{SPECS}"))}

    # --- one step back ---------------------------------------------------------------------------

    def simulated(self, study: str, case: str) -> Step:
        """The job that made the table of a case."""
        base = self.folder / study
        command = _command("run", study, case, config=self.folder / CONFIGURATION, out=base)
        settings = dict(_settings(self.specs[study][case], case))
        return _of_table(f"{study}/{case}", SIMULATE, base / f"{case}.parquet", command, settings)

    def measured(self, study: str) -> Step:
        """The job that measured a study."""
        base = self.folder / study
        path = base / f"{MEASURING}.parquet"
        command = _command("measure", study, specs=base / SPECS, tables=base, out=path)
        return _of_table(f"{study}/{MEASURING}", MEASURE, path, command)

    def judged(self) -> Step:
        """The job that judged all claims."""
        path, order = self.folder / VERDICTS, list(self.verdicts)
        files = {
            file: [order.index(claim.id) for claim in load_claims(file) if claim.id in order]
            for file in self.claim_files
        }
        stated = sorted((file for file in files if files[file]), key=lambda file: files[file])
        tables = [self.folder / study / f"{MEASURING}.parquet" for study in self.specs]
        command = _command("judge", claims=stated, estimates=tables, mode=self.mode, out=path)
        return _step("verdicts", JUDGE, command, {path.as_posix(): results.sha256_of(results.read_bytes(path))}, {})

    def drawn(self, figure: str) -> Step:
        """The job that drew a figure; its files must be those of its manifest."""
        folder = self.folder / "figures"
        manifest = results.read_manifest(folder / f"{figure}.pdf")
        for name, digest in manifest["files"].items():
            results.read_described(folder / name, digest)
        study, base = manifest["study"], self.folder / manifest["study"]
        read = {"specs": base / SPECS, "tables": base, "estimates": base / f"{MEASURING}.parquet"}
        command = _command("draw", study, module=manifest["module"], **read, mode=self.mode, out=folder)
        files = {(folder / name).as_posix(): of for name, of in manifest["files"].items()}
        return _step(figure, DRAW, command, files, manifest)

    def behind(self, rows: Iterable[Mapping[str, Any]]) -> list[Step]:
        """The jobs that measured rows, and those that made the tables behind them."""
        sources: dict[str, set[str]] = {}
        for row in rows:
            sources.setdefault(row["study"], set()).update(case for case in row["sources"].split(";") if case)
        measured = [self.measured(study) for study in sorted(sources)]
        return measured + [self.simulated(study, case) for study in sorted(sources) for case in sorted(sources[study])]


class Published(Results):
    """A published run, where nothing was run: numbers and verdicts, and no jobs that made them."""

    @cached_property
    def estimates(self) -> dict[str, dict[str, Any]]:
        """Each estimate by its key."""
        path = self.folder / ESTIMATES
        return {row["key"]: row for row in estimates.records(estimates.from_csv(results.read_text(path), str(path)))}

    @cached_property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The record of each claim."""
        return {entry["id"]: entry for entry in read_verdicts(self.folder / VERDICTS, sealed=False)["claims"]}


def results_of(folder: Path, published: Path, mode: str, claim_files: Sequence[Path]) -> Results:
    """The run in `folder`, or where there is none the published one, if that is of its mode."""
    record = published / VERDICTS
    if any(folder.glob(f"*/{MEASURING}.parquet")) or not record.exists():
        return Results(folder, mode, claim_files)
    found = read_verdicts(record, sealed=False)["mode"] == mode
    return Published(published, mode, claim_files) if found else Results(folder, mode, claim_files)


def _command(*words: str, **options: Any) -> str:
    """A command of the paper with its options, each of one word or of several."""
    parts: list[Any] = [paper().name, *words]
    for name, value in options.items():
        parts += [f"--{name}", *(value if isinstance(value, list) else [value])]
    return shlex.join(part.as_posix() if isinstance(part, Path) else str(part) for part in parts)


def _step(
    what: str, rule: str, command: str, files: Mapping[str, str], manifest: Mapping[str, Any], **more: Any
) -> Step:
    """A step from its command, its files with their SHA-256, and its manifest."""
    return {
        "what": what,
        "rule": rule,
        "command": command,
        "files": dict(files),
        "rows": None,
        "first_rows": [],
        "configuration": {},
        "seeds": manifest.get("seeds", {}),
        "code": manifest.get("function") or manifest.get("module", ""),
        "code_sha256": manifest.get("code_sha256", ""),
        "commit": manifest.get("git_commit", ""),
        "version": manifest.get("package_version", ""),
        "cpu_seconds": manifest.get("cpu_seconds"),
        "machine": manifest.get("machine", {}),
        **more,
    }


def _of_table(what: str, rule: str, path: Path, command: str, configuration: Mapping[str, str] | None = None) -> Step:
    """The step that made a table."""
    frame, manifest = results.read_table(path), results.read_manifest(path)
    rows = results.jsonable(frame.head(FIRST_ROWS).to_dict("records"))
    own = {"rows": len(frame), "first_rows": rows, "configuration": configuration or {}}
    return _step(what, rule, command, {path.as_posix(): manifest["sha256"]}, manifest, **own)


def _settings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Dotted path and value of each setting of a specification; lists stay whole."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _settings(entry, f"{path}.{key}")
        return
    text = value if isinstance(value, str) else json.dumps(value)
    yield path, text if len(text) <= LONGEST_SETTING else f"{text[:LONGEST_SETTING]}…"


# --- the way back --------------------------------------------------------------------------------


def trace(run: Results, name: str) -> dict[str, Any]:
    """The way back from a key, a claim, a figure, a table (`study/case`) of the run, or a figure or
    table of the PDF (`Table 6`).

    In JSON's types: name, kind, facts, rows of estimates, steps from the last to the first. Raises
    MissingResultError, with the nearest names, for anything else.
    """
    study, _, case = name.partition("/")
    if name in run.estimates:
        way = "number", *_of_number(run, run.estimates[name])
    elif name in run.claims:
        way = "claim", *_of_claim(run, name)
    elif name in run.figures:
        way = "figure", *_of_figure(run, name)
    elif case in run.specs.get(study, {}):
        way = "table", {}, [], lambda: [run.simulated(study, case)]
    elif (numbered := floats.canonical(name)) in run.floats:
        way = "part of the PDF", *_of_float(run, run.floats[numbered])
    else:
        place = "the published run, since nothing was run here" if isinstance(run, Published) else "this run"
        raise MissingResultError(
            f"NAME must be a claim, key, figure or table of {place}, got {name!r}; {_remedy(run, name)}"
        )
    kind, facts, rows, steps = way
    if isinstance(run, Published):
        facts["published"] = f"in {run.folder.as_posix()}/; the jobs behind it are said of a run: make reproduce"
        steps = list[Step]
    rows = [{part: value for part, value in row.items() if part != "key"} for row in rows]
    return results.jsonable({"name": name, "kind": kind, "facts": facts, "rows": rows, "steps": steps()})


def _remedy(run: Results, name: str) -> str:
    """What to do about a name that nothing has."""
    if floats.canonical(name) and not run.floats:
        return (
            f"what it holds is written where TeX builds the paper, and {run.folder.as_posix()}/{floats.FLOATS} is "
            "missing; build the paper with TeX, or follow the link of a number in the PDF to its key"
        )
    if results.number(name) == results.number(name):  # not NaN
        return "a number of the PDF is a link to its key"
    tables = [f"{study}/{case}" for study, cases in run.specs.items() for case in cases]
    names = [*run.claims, *run.figures, *tables, *run.estimates, *run.floats]
    return nearest(floats.canonical(name) or name, names) or f"{paper().name} claims lists the claims"


def _of_number(run: Results, row: dict[str, Any]) -> Way:
    lower, upper, floor = (results.number(row[name]) for name in ("lower", "upper", "floor"))
    width = half_width(lower, upper)
    facts = {"estimate": estimate_of(row), "interval": interval_of(row)}
    if floor == floor:  # not NaN
        facts["floor"] = format_number(floor, min(abs(floor), width) if width > 0 else abs(floor))
    facts |= {name: str(row[name]) for name in ("replicates", "sizes") if row[name] is not None}
    facts |= {name: str(row[name]) for name in ("claim", "note") if row[name]}
    return facts, [row], lambda: run.behind([row])


def _of_claim(run: Results, name: str) -> Way:
    rows = [row for row in run.estimates.values() if row["claim"] == name]
    record = run.verdicts.get(name, {})
    facts = {
        "title": run.claims[name].title,
        "verdict": record.get("verdict", "not judged in this run"),
        "reasons": "; ".join(record.get("reasons", ())),
        "rows": str(len(rows)),
    }
    deciding = verdicts.row_of(record) if record else None
    if deciding is not None:
        facts["decided by"] = deciding["key"]
    return facts, rows, lambda: [run.judged(), *run.behind(rows)]


def _of_figure(run: Results, name: str) -> Way:
    manifest = results.read_manifest(run.folder / "figures" / f"{name}.pdf")
    study = manifest["study"]

    def steps() -> list[Step]:
        return [run.drawn(name), run.measured(study), *(run.simulated(study, case) for case in manifest["inputs"])]

    return {"drawn by": manifest["function"], "study": study}, [], steps


def _of_float(run: Results, held: Sequence[str]) -> Way:
    keys = [target.removeprefix("zl:") for target in held if target.startswith("zl:")]
    drawings = [Path(file).stem for file in held if not file.startswith("zl:")]
    rows = [run.estimates[key] for key in keys if key in run.estimates]
    claims, cases = ([key.removeprefix(kind) for key in keys if key.startswith(kind)] for kind in ("claim:", "case:"))
    words = {"drawings": drawings, "claims": claims, "settings of": cases, "numbers": [row["key"] for row in rows]}

    def steps() -> list[Step]:
        found = [step for name in drawings if name in run.figures for step in _of_figure(run, name)[2]()]
        found += run.behind(rows)
        found += [run.simulated(study, case) for study in run.specs for case in cases if case in run.specs[study]]
        return list({step["what"]: step for step in found}.values())

    facts = {name: ", ".join(found) for name, found in words.items() if found}
    return facts or {"holds": "nothing that a run has made"}, rows, steps
