"""The jobs of a study: list its cases, run one, measure them all. Files in, files out.

The functions of a study know nothing of files; these know nothing of mathematics.

A case in which a value is not finite is a result too, the same in every run: its table has no
rows, and its manifest says why. All claims of its study are inconclusive then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ledger.config import studies
from ledger.config.case import Case, case_of
from ledger.record import results
from ledger.record.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

    from ledger.record.claims import Claim
    from ledger.study import Run

Cases = Mapping[str, Case]

CASE = re.compile(r"[a-z0-9-]+")
FAILED = "failed"  # in a manifest: why a case has no rows, or {case: why} of a study
RESERVED = ("estimates", "specs")  # files of these names lie beside the cases
SPECS = "specs.json"


def part_of(study: str, part: str) -> ModuleType:
    """A module of a study: `plan`, `jobs`, `measure`."""
    try:
        return import_module(studies.study(study).module(part))
    except studies.StudyError as error:
        raise ResultError(str(error)) from error


def write_specs(study: str, cases: Cases, out: Path) -> None:
    """Write {case: spec} of a study; refuse names that no file can have."""
    for case in cases:
        if not CASE.fullmatch(case) or case in RESERVED:
            raise ResultError(
                f"case {case!r} of {study}: a name must be made of lower-case letters, digits and "
                f"'-', and be none of {', '.join(RESERVED)}; rename it in its plan"
            )
    results.write_sealed(out, {name: case.spec() for name, case in cases.items()})


def read_cases(study: str, path: Path) -> dict[str, Case]:
    """The cases of a study as `write_specs` wrote them."""
    plan, cases = part_of(study, "plan"), {}
    for name, spec in results.read_sealed(path).items():
        try:
            cases[name] = case_of(plan, spec)
        except (ValueError, AttributeError) as error:
            raise ResultError(
                f"{path} must hold the cases of {study}, got {name}: {error}; {results.REMAKE}"
            ) from error
    return cases


def settings_of(cases: Cases) -> dict[str, dict[str, float]]:
    """Of each case the largest of its numbers under each name: what a claim's regime is held to."""
    return {name: case.largest() for name, case in cases.items()}


def run(study: str, name: str, case: Case, out: Path) -> str:
    """Run one case and write its table; return why it has no rows, "" when it has.

    A value that is not finite leaves a table without rows, and the reason in the manifest. Any
    other exception names the case and leaves no table.
    """
    import pandas as pd

    from ledger.run import provenance
    from ledger.study import jobs_of

    start, failed = time.process_time(), ""
    module = part_of(study, "jobs")
    try:
        case.prepare()
        frame = _finite(jobs_of(module)[type(case)](case), case)
    except FloatingPointError as error:
        frame, failed = pd.DataFrame(), str(error) or "a value is not finite"
    except Exception as error:
        error.add_note(f"in study {study}, case {name}")
        raise
    fields = provenance.describe(study, name, module.__name__, time.process_time() - start, case.spec())
    results.write_table(frame, out, fields | ({FAILED: failed} if failed else {}))
    return failed


def _finite(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The table; FloatingPointError for a number in it that is not finite."""
    values = table.select_dtypes("number")
    for column in values:
        if not bool((values[column].abs() < float("inf")).all()):
            raise FloatingPointError(
                f"{column} is not finite in a job of kind {case.kind}; reduce the scales of the law or rtol"
            )
    return table


def read_run(cases: Cases, folder: Path) -> tuple[Run, dict[str, str]]:
    """The run of these cases, and the SHA-256 of each table.

    Refuses a table that was made under another spec, and one whose case failed.
    """
    from ledger.study import Run

    tables, digests = {}, {}
    for name, case in sorted(cases.items()):
        path = Path(folder) / f"{name}.parquet"
        tables[name] = results.read_table(path)
        manifest = _manifest(path, name, case)
        if FAILED in manifest:
            raise ResultError(f"case {name} has no rows, since it failed: {manifest[FAILED]}")
        digests[name] = manifest["sha256"]
    return Run(dict(cases), tables), digests


def failed_cases(cases: Cases, folder: Path) -> dict[str, str]:
    """Why, for each case in which a value was not finite."""
    manifests = {name: _manifest(Path(folder) / f"{name}.parquet", name, case) for name, case in sorted(cases.items())}
    return {name: str(manifest[FAILED]) for name, manifest in manifests.items() if FAILED in manifest}


def _manifest(path: Path, name: str, case: Case) -> dict[str, Any]:
    """The manifest of a case; refuse one that was made under another spec."""
    manifest = results.read_manifest(path)
    if manifest.get("spec") != results.jsonable(case.spec()):
        raise ResultError(
            f"{path} was made under another spec of case {name} than the present one; {results.REBUILD.format(path)}"
        )
    return manifest


def measure(study: str, specs: Path, folder: Path, out: Path) -> None:
    """Measure the estimates of a study on its cases and write the checked table.

    Cases that failed are left out, and are named in the manifest.
    """
    from ledger.run import provenance

    start = time.process_time()
    cases = read_cases(study, specs)
    failed = failed_cases(cases, folder)
    run_, digests = read_run({n: c for n, c in cases.items() if n not in failed}, folder)
    frame = estimates_of(study, run_, incomplete=bool(failed))
    fields = provenance.describe(
        study, "estimates", part_of(study, "measure").__name__, time.process_time() - start, inputs=digests
    )
    results.write_table(frame, out, fields | ({FAILED: failed} if failed else {}))


def estimates_of(study: str, run_: Run, claims: Collection[str] = (), *, incomplete: bool = False) -> pd.DataFrame:
    """The checked estimates of a run: of all functions that measure, or those of some claims.

    With `claims` the run needs to hold no more than the sources of their rows. Of an incomplete run
    there are none where that fails. Raises ResultError for a source that is no case of the study.
    """
    import pandas as pd

    from ledger.record import estimates
    from ledger.study import measures_of

    try:
        chosen = [
            function
            for function, own in measures_of(part_of(study, "measure")).items()
            if not claims or set(own) & set(claims)
        ]
        frame = estimates.check(
            pd.DataFrame([row for function in chosen for row in function(run_)], columns=list(estimates.COLUMNS)), study
        )
    except Exception:
        if not incomplete:  # with all cases there, it is a mistake in the code
            raise
        frame = estimates.check(pd.DataFrame(columns=list(estimates.COLUMNS)), study)
    if claims:  # a function may measure others too, from cases that are not there
        frame = frame.loc[frame["claim"].isin(list(claims))].reset_index(drop=True)
    sources = {case for text in frame["sources"] for case in text.split(";") if case}
    strangers = sources - set(run_.cases)
    if strangers:
        raise ResultError(
            f"estimates of {study}: sources must be cases of the study, got "
            f"{', '.join(sorted(strangers))}; join case names with ';'"
        )
    return frame


def controlled(claim: Claim, folder: Path) -> dict[str, Any]:
    """The verdict of a claim on its negative control in the tables of a run: it must be refuted.

    `folder` holds specs and tables of the claim's study; nothing is written. Raises ResultError for
    a claim whose study has no control of it, and as `read_run`.
    """
    from ledger.record import estimates, verdicts
    from ledger.study import controls_of

    study = estimates.study_of(claim.id)
    controls = controls_of(part_of(study, "measure"))
    if claim.id not in controls:
        raise ResultError(
            f"a negative control of {claim.id} must be in the module measure of "
            f"{study}, found those of {', '.join(sorted(controls))}; add it"
        )
    run_, _ = read_run(read_cases(study, Path(folder) / SPECS), folder)
    frame = estimates_of(study, controls[claim.id].within(run_), [claim.id])
    return verdicts.judge_claim(claim.at_any_size(), estimates.with_keys(frame, study))
