"""Commands that the rules of the workflow call: files in, files out."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ledger.cli.options import (
    PUBLISHED,
    SEVERAL,
    ClaimFiles,
    Files,
    Mode,
    Out,
    Overrides,
    Place,
    Published,
    Study,
    mapping,
    stated_in,
)

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read once, as each library loads


def set_up_process() -> None:
    """Compute in one thread, whatever is set: a library of linear algebra adds in another order on
    two, and rows would not have the same bytes. And look for cycles of objects seldom, which takes a
    sixth of the time of all imports. To be called before numpy or torch is imported."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    gc.set_threshold(100_000)


def configuration(config: Files, out: Out, overrides: Overrides = "{}") -> None:
    """Write all settings of a run."""
    from ledger.config import configuration as settings
    from ledger.record import results

    loaded = settings.load(*config, overrides=mapping(overrides))
    results.write_text(out, settings.as_yaml(loaded))


def specs(study: Study, config: Files, out: Out, overrides: Overrides = "{}") -> None:
    """Write the specifications of all cases of a study."""
    from ledger.config import configuration as settings
    from ledger.run import jobs

    loaded = settings.load(*config, overrides=mapping(overrides))
    jobs.write_specs(study, settings.cases_of(loaded, study), out)


def run_cases(
    study: Study,
    case: Annotated[list[str], Argument(metavar="CASE", help="names of cases", show_default=False)],
    config: Files,
    out: Out,
    overrides: Overrides = "{}",
) -> None:
    """Run one case of a study, or several one after the other, to a table each."""
    set_up_process()
    from ledger.config import configuration as settings
    from ledger.record.results import ResultError
    from ledger.run import jobs

    cases = settings.cases_of(settings.load(*config, overrides=mapping(overrides)), study)
    strangers = sorted(set(case) - set(cases))
    if strangers:
        raise ResultError(
            f"cases must be those of {study}, got {', '.join(strangers)}; zeroloss specs {study} lists them"
        )
    for name in case:
        failed = jobs.run(study, name, cases[name], out / f"{name}.parquet")
        if failed:  # a result, not an error: the claims of the study are inconclusive
            print(f"study {study}, case {name}: {failed}", file=sys.stderr)


def measure(study: Study, specs: Place, tables: Place, out: Out) -> None:
    """Measure the estimates of a study."""
    set_up_process()
    from ledger.run import jobs

    jobs.measure(study, specs, tables, out)


def near(study: Study, claims: Files, specs: Place, tables: Place, estimates: Place, out: Out) -> None:
    """Judge the near controls of a study in the tables of a run."""
    set_up_process()
    from ledger.run import near as controls

    controls.judge(study, stated_in(claims), specs, tables, estimates, out)


def judge(
    claims: Files,
    estimates: Files,
    mode: Mode,
    out: Out,
    specs: Annotated[list[Path] | None, Option(metavar=SEVERAL, help="cases of the studies")] = None,
    near: Annotated[list[Path] | None, Option(metavar=SEVERAL, help="near controls of the studies")] = None,
) -> None:
    """Write the verdicts of all claims; with the specs regimes count settings too."""
    from ledger.record import estimates as tables
    from ledger.record import results, verdicts
    from ledger.run import jobs

    studies = {path.resolve().parent.name: path for path in specs or ()}
    settings = {study: jobs.settings_of(jobs.read_cases(study, path)) for study, path in studies.items()}
    controls = {claim: found for path in near or () for claim, found in results.read_sealed(path).items()}
    record = verdicts.judge(
        stated_in(claims), tables.read(estimates), mode, tables.failed(estimates), settings, controls
    )
    results.write_sealed(out, record)


def draw(
    study: Study,
    module: Place,
    specs: Place,
    tables: Place,
    estimates: Place,
    mode: Mode,
    out: Out,
    figure: Annotated[list[str] | None, Option(help="this one")] = None,
) -> None:
    """Draw the figures of a study."""
    from ledger.paper import drawing
    from ledger.record import estimates as measured
    from ledger.record import results
    from ledger.run import jobs

    run, digests = jobs.read_run(jobs.read_cases(study, specs), tables)
    digests["estimates"] = results.read_manifest(estimates)["sha256"]
    frames = drawing.Frames(run, measured.read([estimates]), mode)
    drawing.draw(study, module, frames, out, digests, figure or ())


def typeset(
    verdicts: Place,
    claims: Files,
    estimates: Files,
    specs: Files,
    figures: Files,
    manifests_dir: Place,
    mode: Mode,
    out: Out,
    sections: Annotated[list[Path] | None, Option(metavar=SEVERAL, help="sections of studies from elsewhere")] = None,
    preamble: Annotated[Path | None, Option(help="file of the macros of the statements")] = None,
) -> None:
    """Write numbers and tables as LaTeX, and beside them the page where each number leads to."""
    from ledger.paper import evidence
    from ledger.paper import typeset as typesetting
    from ledger.record import estimates as measured
    from ledger.record import results
    from ledger.record.verify import read_verdicts
    from ledger.run import jobs

    record = read_verdicts(verdicts, mode=mode)
    frame = measured.read(estimates)
    drawn = {path.name.removesuffix(".manifest.json"): results.read_sealed(path) for path in figures}
    manifests = evidence.read_manifests(measured.records(frame), drawn, manifests_dir)
    studies = {path.resolve().parent.name: path for path in specs or ()}
    settings = {
        study: {name: case.spec() for name, case in jobs.read_cases(study, path).items()}
        for study, path in studies.items()
    }
    macros = "" if preamble is None else results.read_text(preamble)
    stated = stated_in(claims)
    page = evidence.page(record, stated, frame, settings, manifests, drawn, macros)
    files = typesetting.typeset(record, stated, frame, settings)
    extensions = "\n".join(results.read_text(path) for path in sections or [])
    typesetting.write(out, {**files, "extensions.tex": extensions})
    results.write_text(out.parent / "evidence.html", page)  # beside the PDF


def artifact(
    page: Annotated[
        list[Path] | None, Argument(metavar="PAGE", help="such as docs/artifact.md; by default all", show_default=False)
    ] = None,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    check: Annotated[bool, Option("--check", help="write nothing, say what would change")] = False,
) -> int:
    """Rewrite what pages say of the published run: README.md and those of docs/."""
    from ledger.show import artifact as pages

    return pages.write(page or (), stated_in(claims), published, check)
