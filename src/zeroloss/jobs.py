"""The jobs of a study: list its cases, run one, measure them all. Files in, files out.

The functions of a study know nothing of files; these know nothing of mathematics.

A case in which a value is not finite is an answer too, the same in every run: its table has no
rows, and its manifest says why. All claims of its study are inconclusive then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroloss import results
from zeroloss.results import ResultError

if TYPE_CHECKING:
    import pandas as pd

    from zeroloss.claims import Claim

Spec = dict[str, Any]

CASE = re.compile(r"[a-z0-9-]+")
FAILED = "failed"  # in a manifest: why a case has no rows, or {case: why} of a study
RESERVED = ("estimates", "specs")  # files of these names lie beside the cases


def part_of(study: str, part: str) -> Any:
    """Return a module of a study: `cases`, `simulate`, `measure`."""
    from zeroloss.studies import STUDIES

    if study not in STUDIES:
        raise ResultError(
            f"study must be one of {', '.join(STUDIES)}, got {study}; add it to zeroloss.studies"
        )
    return import_module(f"zeroloss.studies.{study}.{part}")


def write_specs(study: str, config_files: Sequence[Path], out: Path,
                overrides: Mapping[str, Any] | None = None) -> None:
    """Write {case: spec} of the study under the configuration; later files overlay earlier ones.

    `overrides` lie over all of them.
    """
    from zeroloss import config

    specs = part_of(study, "cases").cases(config.load(*config_files, overrides=overrides))
    for case in specs:
        if not CASE.fullmatch(case) or case in RESERVED:
            raise ResultError(
                f"case {case!r} of {study}: a name must be made of lower-case letters, digits and "
                f"'-', and be none of {', '.join(RESERVED)}; rename it in its cases module"
            )
    results.write_sealed(out, specs)


def read_specs(path: Path) -> dict[str, Spec]:
    """Return {case: spec} as `write_specs` wrote it."""
    specs = results.read_sealed(path)
    if not all(isinstance(spec, dict) for spec in specs.values()):
        raise ResultError(f"{path} must map case names to specs; write it with zeroloss specs")
    return specs


def run(study: str, case: str, spec: Spec, out: Path) -> str:
    """Simulate one case and write its table; return why it has no rows, "" when it has.

    A value that is not finite leaves a table without rows, and the reason in the manifest. Any
    other exception names the case and leaves no table.
    """
    import pandas as pd

    from zeroloss import provenance

    start, failed = time.perf_counter(), ""
    try:
        frame = part_of(study, "simulate").run(spec)
    except FloatingPointError as error:
        frame, failed = pd.DataFrame(), str(error) or "a value is not finite"
    except Exception as error:
        error.add_note(f"in study {study}, case {case}")
        raise
    module = f"zeroloss.studies.{study}.simulate"
    fields = provenance.describe(study, case, module, time.perf_counter() - start, spec)
    results.write_table(frame, out, fields | ({FAILED: failed} if failed else {}))
    return failed


def read_tables(
    specs: Mapping[str, Spec], folder: Path
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the table of each case and its SHA-256.

    Refuses one that was made under another spec, and one whose case failed.
    """
    frames, digests = {}, {}
    for case, spec in sorted(specs.items()):
        path = Path(folder) / f"{case}.parquet"
        frames[case] = results.read_table(path)
        manifest = _manifest(path, case, spec)
        if FAILED in manifest:
            raise ResultError(f"case {case} has no rows, since it failed: {manifest[FAILED]}")
        digests[case] = manifest["sha256"]
    return frames, digests


def failed_cases(specs: Mapping[str, Spec], folder: Path) -> dict[str, str]:
    """Return why, for each case in which a value was not finite."""
    manifests = {case: _manifest(Path(folder) / f"{case}.parquet", case, spec)
                 for case, spec in sorted(specs.items())}
    return {case: str(manifest[FAILED]) for case, manifest in manifests.items()
            if FAILED in manifest}


def _manifest(path: Path, case: str, spec: Spec) -> dict[str, Any]:
    """Return the manifest of a case; refuse one that was made under another spec."""
    manifest = results.read_manifest(path)
    if manifest.get("spec") != results.jsonable(spec):
        raise ResultError(
            f"{path} was made under another spec of case {case} than the one asked for; "
            f"{results.REBUILD.format(path)}"
        )
    return manifest


def measure(study: str, specs_file: Path, folder: Path, out: Path) -> None:
    """Measure the estimates of a study on its cases and write the checked table.

    Cases that failed are left out, and are named in the manifest.
    """
    from zeroloss import provenance

    start = time.perf_counter()
    specs = read_specs(specs_file)
    failed = failed_cases(specs, folder)
    specs = {case: spec for case, spec in specs.items() if case not in failed}
    frame, digests = measured(study, specs, folder, incomplete=bool(failed))
    module = f"zeroloss.studies.{study}.measure"
    fields = provenance.describe(
        study, "estimates", module, time.perf_counter() - start, inputs=digests
    )
    results.write_table(frame, out, fields | ({FAILED: failed} if failed else {}))


def measured(
    study: str, specs: Mapping[str, Spec], folder: Path, claims: Sequence[str] = (), *,
    incomplete: bool = False,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the checked estimates of a study on these cases, and the SHA-256 of each table.

    With `claims` theirs alone: `specs` then needs to hold no more than the sources of their rows.
    """
    frames, digests = read_tables(specs, folder)
    frame = _estimates(study, frames, specs, claims, incomplete)
    if claims:
        frame = frame.loc[frame["claim"].isin(claims)].reset_index(drop=True)
    strangers = {case for sources in frame["sources"] for case in sources.split(";") if case} - set(
        specs
    )
    if strangers:
        raise ResultError(
            f"estimates of {study}: sources must be cases of the study, got "
            f"{', '.join(sorted(strangers))}; join case names with ';'"
        )
    return frame, digests


def planted(claim: Claim, folder: Path) -> dict[str, Any]:
    """Return the verdict record of a claim with its planted failure in a run: it must be refuted.

    `folder` holds the specs and tables of the claim's study; nothing is written. Raises ResultError
    for a failure that the study has not, and as `read_tables`.
    """
    from zeroloss import estimates, verdicts

    study = estimates.study_of(claim.id)
    made, name = part_of(study, "planted").PLANTED, claim.planted_failure.name
    if name not in made:
        raise ResultError(
            f"planted failure of {claim.id} must be one of {', '.join(sorted(made))}, got {name}; "
            f"add it to PLANTED of zeroloss.studies.{study}.planted"
        )
    specs = read_specs(Path(folder) / "specs.json")
    frames, _ = read_tables(specs, folder)
    frame = _estimates(study, made[name](frames, specs), specs, (), incomplete=False)
    return verdicts.judge_claim(claim, estimates.with_keys(frame, study))


def _estimates(study: str, frames: Mapping[str, pd.DataFrame], specs: Mapping[str, Spec],
               claims: Sequence[str], incomplete: bool) -> pd.DataFrame:
    """Return the checked estimates of a study; of an incomplete one, none where that fails."""
    import pandas as pd

    from zeroloss import estimates

    try:
        made = part_of(study, "measure").measure(frames, specs, *([claims] if claims else []))
        return estimates.check(made, study)
    except Exception:
        if not incomplete:  # with all cases there, it is a mistake in the code
            raise
        return estimates.check(pd.DataFrame(columns=list(estimates.COLUMNS)), study)
