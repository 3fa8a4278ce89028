"""The command line `zeroloss`: one subcommand for each step from a configuration to the paper.

Only what a subcommand needs is imported, inside its function: the workflow starts many of these.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zeroloss
from zeroloss import arguments
from zeroloss.arguments import MODES

FAILED = 2
UNREAD = 141  # as a shell says it of a program that SIGPIPE ended

Handler = Callable[[argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return 0 (done), 1 (`verify` disagrees, or `plant` is not refuted) or 2
    (an error, in words)."""
    options = _parser().parse_args(arguments)
    try:
        status = options.function(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads has seen enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            raise
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        print(f"zeroloss {options.command}: {error}{notes}", file=sys.stderr)
        return FAILED


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors that say rule, value and remedy; any other is a bug and keeps its traceback."""
    from ledger.record.claims import ClaimError
    from ledger.config.configuration import ConfigError
    from ledger.config.csvtable import DataError
    from ledger.record.results import ResultError

    return ResultError, ClaimError, ConfigError, DataError


def specs(options: argparse.Namespace) -> None:
    """Write the specs of all cases of a study."""
    from ledger.run import jobs

    jobs.write_specs(options.study, options.config, options.out, options.overrides)


def configuration(options: argparse.Namespace) -> None:
    """Write all settings of a run."""
    from ledger.config import configuration as config
    from ledger.record import results

    given = config.load(*options.config, overrides=options.overrides)
    results.write_text(options.out, config.as_yaml(given))


def run(options: argparse.Namespace) -> None:
    """Simulate one case, or several one after the other."""
    from ledger.run import jobs
    from ledger.record.results import ResultError

    if not len(options.case) == len(options.spec) == len(options.out):
        raise ResultError(f"--case, --spec and --out must be as many, got {len(options.case)}, "
                          f"{len(options.spec)} and {len(options.out)}; give each case its own")
    try:
        specs = [json.loads(text) for text in options.spec]
    except json.JSONDecodeError as error:
        raise ResultError(f"--spec must be JSON ({error}); take it from zeroloss specs") from error
    for case, spec, out in zip(options.case, specs, options.out, strict=True):
        failed = jobs.run(options.study, case, spec, out)
        if failed:  # an answer, not an error: the claims of the study are inconclusive
            print(f"study {options.study}, case {case}: {failed}", file=sys.stderr)


def measure(options: argparse.Namespace) -> None:
    """Measure the estimates of a study."""
    from ledger.run import jobs

    jobs.measure(options.study, options.specs, options.tables, options.out)


def judge(options: argparse.Namespace) -> None:
    """Write the verdicts of all claims."""
    from ledger.record import claims, estimates, results, verdicts

    record = verdicts.judge(
        claims.load_claims(*options.claims), estimates.read(options.estimates), options.mode,
        estimates.failed(options.estimates),
    )
    results.write_sealed(options.out, record)


def draw(options: argparse.Namespace) -> None:
    """Draw the figures of a study."""
    from ledger.paper import drawing
    from ledger.record import estimates, results
    from ledger.run import jobs

    specs = jobs.read_specs(options.specs)
    tables, digests = jobs.read_tables(specs, options.tables)
    digests["estimates"] = results.read_manifest(options.estimates)["sha256"]
    frames = drawing.Frames(tables, estimates.read([options.estimates]), specs, options.mode)
    drawing.draw(options.study, options.module, frames, options.out, digests)


def typeset(options: argparse.Namespace) -> None:
    """Write numbers and tables as LaTeX."""
    from ledger.record import claims, estimates, results
    from ledger.run import jobs
    from ledger.paper import typeset as typesetting
    from ledger.record.verify import read_verdicts

    record = read_verdicts(options.verdicts)
    if record["mode"] != options.mode:
        raise results.ResultError(
            f"{options.verdicts} must be of mode {options.mode}, got {record['mode']}; "
            "judge that mode first"
        )
    frame = estimates.read(options.estimates)
    figures = {path.name.removesuffix(".manifest.json"): results.read_sealed(path)
               for path in options.figures}
    manifests = typesetting.read_manifests(
        estimates.records(frame), figures, options.manifests_dir)
    specs = {path.resolve().parent.name: jobs.read_specs(path) for path in options.specs}
    stated = claims.load_claims(*options.claims)
    files = typesetting.typeset(record, stated, frame, specs, manifests, figures)
    sections = [results.read_text(path) for path in options.sections]
    typesetting.write(options.out, {**files, "extensions.tex": "\n".join(sections)})


def verify(options: argparse.Namespace) -> int:
    """Compare the rebuilt results with the published ones."""
    from ledger.record import claims, results
    from ledger.show import claims_table as report
    from ledger.record import verify as checking

    stated = claims.load_claims(options.claims)
    try:
        found = _found(options, stated)
    except results.MissingResultError:
        raise
    except results.ResultError as error:
        print(f"zeroloss verify: {error}", file=sys.stderr)
        return checking.DISAGREE
    agreement = {claim["id"]: found.of(claim["id"]) for claim in found.rebuilt["claims"]}
    differences = [str(difference) for difference in found.differences]
    if options.json:
        content = {"code": found.code, "differences": differences, "missing": found.missing}
        content |= {"claims": found.rebuilt["claims"], "agreement": agreement}
        print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))
        return found.code
    report.print_table(found.rebuilt, agreement)
    for text in (*differences, *found.missing):
        print(text)
    if found.code == checking.AGREE:
        print(f"all verdicts and numbers agree with {options.published.as_posix()}/")
    return found.code


def _found(options: argparse.Namespace, stated: Any) -> Any:
    """Compare a finished run, ours or that of somebody else's crate, or run what is asked first."""
    from ledger.record import verify as checking

    if options.run:
        from ledger.run import planning

        return planning.verify_alone(options, stated)
    if options.crate:
        from ledger.show import crate as packed

        return packed.verify(stated, options.crate, options.published, options.mode, options.claim)
    return checking.verify(stated, options.results / options.mode, options.published, options.mode,
                           options.claim)


def estimate(options: argparse.Namespace) -> None:
    """Say what a study or a claim costs: jobs, minutes, memory, disk; from published/costs.csv."""
    from ledger.record import claims
    from ledger.run import planning

    planning.answer(options, claims.load_claims(options.claims))


def sweep(options: argparse.Namespace) -> None:
    """Run each point of a product of settings, and say how the verdicts differ."""
    from ledger.run import sweeping

    sweeping.answer(options)


def trace(options: argparse.Namespace) -> None:
    """Say where a key, a printed number, a figure, a claim or a table comes from."""
    from ledger.show import tracing_report

    tracing_report.answer(options)


def artifact(options: argparse.Namespace) -> int:
    """Rewrite the tables of docs/artifact.md, or of docs/large.md, from what was published."""
    from ledger.show import artifact as page

    return page.answer(options)


def claims(options: argparse.Namespace) -> None:
    """Print the table of claims of one mode."""
    from ledger.show import claims_table as report
    from ledger.record.verify import VERDICTS, read_verdicts

    record = read_verdicts(options.results / options.mode / VERDICTS)
    if options.json:
        print(json.dumps(record, indent=1, sort_keys=True))
    else:
        report.print_table(record)


def plant(options: argparse.Namespace) -> int:
    """Judge a claim with its planted failure in the tables of a run: it must be refuted."""
    from ledger.record import claims as stated
    from ledger.record import results, verdicts
    from ledger.run import jobs
    from ledger.record.estimates import study_of
    from ledger.record.verify import check_claims

    known = stated.load_claims(options.claims)
    check_claims(known, [options.claim])
    claim = stated.by_id(known)[options.claim]
    record = jobs.planted(claim, options.results / options.mode / study_of(claim.id))
    if options.json:
        print(json.dumps(results.jsonable(record), indent=1, sort_keys=True))
    else:
        said = f"{claim.id} with {claim.planted_failure.text}: {record['verdict']}"
        print("\n".join([said, *record["reasons"]]))
    return 0 if record["verdict"] == verdicts.REFUTED else 1


def publish(options: argparse.Namespace) -> None:
    """Copy a run to published/, with what it cost."""
    from ledger.run import publish as publishing
    from ledger.run import costs

    places = options.results / options.mode, options.published, options.mode
    for path in [costs.publish(*places)] if options.costs else publishing.publish(*places):
        print(path.as_posix())


def crate(options: argparse.Namespace) -> None:
    """Pack a run, with what it was made from, into an RO-Crate."""
    from ledger.show import crate as packing

    names = packing.write(Path(), options.results / options.mode, options.mode, options.out)
    print(f"{options.out.as_posix()}: {len(names)} files")


def report(options: argparse.Namespace) -> None:
    """Write a run as one HTML file around Snakemake's own report."""
    from ledger.show import html_report

    html_report.answer(options)


def size(options: argparse.Namespace) -> None:
    """Say how deep and how wide a network must be on a problem of one's own."""
    from zeroloss.theory import sizing_report

    sizing_report.answer(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zeroloss", description=zeroloss.__doc__)
    parser.add_argument("--version", action="version", version=f"zeroloss {zeroloss.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function: Handler, *paths: str, study: bool = False) -> argparse.ArgumentParser:
        """Add a subcommand under the function's name and docstring, with required paths."""
        text = function.__doc__ or ""
        added = commands.add_parser(function.__name__, help=text, description=text)
        added.set_defaults(function=function)
        if study:
            added.add_argument("study", help="name of the study, such as limits")
        for path in paths:
            added.add_argument(f"--{path}", type=Path, required=True, metavar="PATH")
        return added

    several: dict[str, Any] = {"type": Path, "required": True, "metavar": "PATH", "nargs": "+",
                               "action": "extend"}
    for added in (command(specs, "out", study=True), command(configuration, "out")):
        added.add_argument("--config", **several)
        arguments.add_overrides(added)
    running = command(run, study=True)
    running.add_argument("--case", required=True, nargs="+", help="name of each case")
    running.add_argument("--spec", required=True, nargs="+", help="its specification as JSON")
    running.add_argument("--out", required=True, nargs="+", type=Path, metavar="PATH",
                         help="its table")
    command(measure, "specs", "tables", "out", study=True)
    judging = command(judge, "out")
    judging.add_argument("--estimates", **several)
    drawing = command(draw, "module", "tables", "estimates", "specs", "out", study=True)
    typesetting = command(typeset, "verdicts", "manifests-dir", "out")
    typesetting.add_argument("--sections", nargs="*", type=Path, default=[], metavar="PATH")
    typesetting.add_argument("--estimates", **several)
    typesetting.add_argument("--specs", **several)
    typesetting.add_argument("--figures", **several)
    for added in (judging, typesetting):
        added.add_argument("--claims", **several)
    for added in (judging, drawing, typesetting):
        added.add_argument("--mode", choices=MODES, required=True)
    for function in (verify, estimate, trace, claims, plant, publish):
        arguments.add_places(command(function))
    for function in (crate, report):
        arguments.add_places(command(function, "out"))
    arguments.add_artifact(command(artifact))
    arguments.add_problem(command(size))
    arguments.add_sweep(command(sweep))
    return parser


if __name__ == "__main__":
    sys.exit(main())
