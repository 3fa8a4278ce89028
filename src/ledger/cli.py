"""The command line of an executable paper: one function for each step from configuration to PDF.

A paper has it under its own name, with commands of its own beside these:

    app = application("mypaper", "What the paper is about.", "1.0")
    add(app, EVERYONE, predict, "predict --depth 3")

    def main() -> int:
        return run(app)

Only what a command needs is imported, inside its function: the workflow starts many of these.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, BadParameter, Context, Exit, Option, Typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from ledger.record.claims import Claim
    from ledger.record.verify import Comparison

__all__ = ["EVERYONE", "FAILED", "RULES", "UNREAD", "Json", "Mode", "add", "application", "main",
           "run"]

FAILED = 2
UNREAD = 141  # as a shell says it of a program that SIGPIPE ended
EVERYONE, RULES = "Commands", "Commands that the rules of the workflow call"
SEVERAL = "FILE..."  # as the help shows an option that takes several words

Study = Annotated[str, Argument(help="name of a study", show_default=False)]
Mode = Annotated[Literal["full", "quick", "large"], Option(help="the mode of the run")]
Files = Annotated[list[Path], Option(metavar=SEVERAL, show_default=False)]
Out = Annotated[Path, Option(help="where to write", show_default=False)]
Place = Annotated[Path, Option(show_default=False)]
Results = Annotated[Path, Option(help="folder of the runs, one in it for each mode")]
Published = Annotated[Path, Option(help="folder of the published run")]
Json = Annotated[bool, Option("--json", help="print JSON instead of a table")]
Cores = Annotated[int | None, Option(min=1, help="processors; by default those of this machine")]
ClaimFiles = Annotated[list[Path] | None, Option(
    "--claims", metavar="FILE", help="states claims, once or repeated; by default the files of "
                                     "every study")]
ClaimIds = Annotated[list[str] | None, Argument(
    metavar="CLAIM", help="ids of claims; all of them by default")]
Overrides = Annotated[str, Option(metavar="JSON", help="settings that lie over those of the files")]

RUNS, PUBLISHED = Path("results"), Path("published")


class Command(TyperCommand):
    """A command that says its errors in a line; its options may take several words at once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read `--claims a.yaml b.yaml` as `--claims a.yaml --claims b.yaml`."""
        several = {word for one in self.params if one.metavar == SEVERAL for word in one.opts}
        words: list[str] = []
        option = ""
        for word in args:
            if word.startswith("--"):
                option = word if word in several else ""
                words += [] if option else [word]
            else:
                words += [option, word] if option else [word]
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> int:
        """Run the command; return 0 (done), 1 (of its own) or 2 (an error, in words)."""
        try:
            status = super().invoke(ctx) or 0
            sys.stdout.flush()
            return status
        except BrokenPipeError:  # who reads has seen enough, such as head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UNREAD
        except Exception as error:
            if not isinstance(error, _expected_errors()):
                raise
            notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
            print(f"{ctx.command_path}: {error}{notes}", file=sys.stderr)
            return FAILED


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors that say rule, value and remedy; any other is a bug and keeps its traceback."""
    from ledger.config.configuration import ConfigError
    from ledger.config.csvtable import DataError
    from ledger.config.studies import StudyError
    from ledger.record.claims import ClaimError
    from ledger.record.results import ResultError

    return ResultError, ClaimError, ConfigError, DataError, StudyError


# --- for everyone --------------------------------------------------------------------------------


def claims(mode: Mode = "full", results: Results = RUNS, as_json: Json = False) -> None:
    """Print the table of claims of one mode."""
    from ledger.record.verify import VERDICTS, read_verdicts
    from ledger.show import claims_table

    record = read_verdicts(results / mode / VERDICTS)
    if as_json:
        _print_json(record)
    else:
        claims_table.print_table(record)


def compare(
    runs: Annotated[list[Path], Argument(metavar="RUN", help="folders of results",
                                         show_default=False)],
    as_json: Json = False,
) -> None:
    """Print the verdicts of several runs side by side, and say which differ."""
    from ledger.show import comparison

    comparison.report(runs, as_json)


def verify(
    context: Context,
    claim: ClaimIds = None,
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    run: Annotated[bool, Option("--run", help="first run the jobs that the claims rest on, and no "
                                              "others")] = False,
    crate: Annotated[Path | None, Option(help="compare the run in somebody else's crate instead "
                                              "of ours")] = None,
    cores: Cores = None,
    as_json: Json = False,
) -> int:
    """Compare the rebuilt results with the published ones; exit status 1 if they disagree."""
    from ledger.record import results as tables
    from ledger.record import verify as checking
    from ledger.show import claims_table

    stated, only = _stated(claims), claim or []

    def comparison() -> Comparison:
        if run:
            from ledger.run import planning

            return planning.verify_alone(mode, only, stated, results, published, cores)
        if crate:
            from ledger.show import crate as packed

            return packed.verify(stated, crate, published, mode, only)
        return checking.verify(stated, results / mode, published, mode, only)

    try:
        found = comparison()
    except tables.MissingResultError:
        raise
    except tables.ResultError as error:  # a damaged result is no agreement
        print(f"{context.command_path}: {error}", file=sys.stderr)
        return checking.DISAGREE
    agreement = {entry["id"]: found.of(entry["id"]) for entry in found.rebuilt["claims"]}
    differences = [str(difference) for difference in found.differences]
    if as_json:
        _print_json({"code": found.code, "differences": differences, "missing": found.missing,
                     "claims": found.rebuilt["claims"], "agreement": agreement})
        return found.code
    claims_table.print_table(found.rebuilt, agreement)
    for text in (*differences, *found.missing):
        print(text)
    if found.code == checking.AGREE:
        print(f"all verdicts and numbers agree with {published.as_posix()}/")
    return found.code


def trace(
    name: Annotated[str, Argument(
        help="limits.law (a claim), limits.law/ks_small/sine.path.s4 (a key), limits-rates (a "
             "figure) or limits/pairs (a table)", show_default=False)],
    mode: Mode = "full",
    results: Results = RUNS,
    claims: ClaimFiles = None,
    every: Annotated[bool, Option("--all", help="each table in full")] = False,
    as_json: Json = False,
) -> None:
    """Say where a claim, a key, a figure or a table comes from."""
    from ledger.record.claims import files_of_claims
    from ledger.show import tracing_report

    tracing_report.report(name, results / mode, mode, claims or files_of_claims(), every, as_json)


def estimate(
    claim: ClaimIds = None,
    mode: Mode = "full",
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """Say what a study or a claim costs: jobs, minutes, memory, disk."""
    from ledger.run import planning

    planning.estimate(mode, claim or [], _stated(claims), published, cores, as_json)


def plant(
    claim: Annotated[str, Argument(help="id of the claim", show_default=False)],
    mode: Mode = "full",
    results: Results = RUNS,
    claims: ClaimFiles = None,
    as_json: Json = False,
) -> int:
    """Judge a claim on its negative control in a run: it must be refuted, else exit status 1."""
    from ledger.record import verdicts
    from ledger.record.claims import by_id
    from ledger.record.estimates import study_of
    from ledger.record.verify import check_claims
    from ledger.run import jobs

    stated = _stated(claims)
    check_claims(stated, [claim])
    judged = by_id(stated)[claim]
    record = jobs.controlled(judged, results / mode / study_of(claim))
    if as_json:
        _print_json(record)
    else:
        words = f"{claim} with {judged.negative_control}: {record['verdict']}"
        print("\n".join([words, *record["reasons"]]))
    return 0 if record["verdict"] == verdicts.REFUTED else 1


def report(
    snakemake: Annotated[Path, Option(help="what snakemake --report wrote", show_default=False)],
    configuration: Files,
    out: Out,
    mode: Mode = "full",
    results: Results = RUNS,
    claims: Annotated[list[Path] | None, Option(
        metavar=SEVERAL, help="state claims; by default the files of every study")] = None,
    captions: Annotated[Path, Option(help="folder of the captions")] = Path("workflow/report"),
    preamble: Annotated[Path, Option(help="file of the macros of the statements")] = Path(
        "paper/main.tex"),
) -> None:
    """Write a run as one HTML file around Snakemake's own report."""
    from ledger.show import html_report

    html_report.write(results / mode, mode, _stated(claims), snakemake, configuration, captions,
                      preamble, out)
    print(out.as_posix())


def new_study(
    name: Annotated[str, Argument(help="lower-case letters, digits and _", show_default=False)],
) -> None:
    """Write the skeleton of a study, whose one claim is judged in the next run as it stands."""
    from ledger import skeleton

    for path in skeleton.write(name, Path()):
        print(path.as_posix())


def publish(
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    costs: Annotated[bool, Option("--costs", help="only what the run cost")] = False,
) -> None:
    """Copy a run to the folder of the published one, with what it cost."""
    from ledger.run import costs as spent
    from ledger.run import publish as publishing

    places = results / mode, published, mode
    for path in [spent.publish(*places)] if costs else publishing.publish(*places):
        print(path.as_posix())


def crate(out: Out, mode: Mode = "full", results: Results = RUNS) -> None:
    """Pack a run, with what it was made from, into an RO-Crate."""
    from ledger.show import crate as packing

    names = packing.write(Path(), results / mode, mode, out)
    print(f"{out.as_posix()}: {len(names)} files")


# --- for the rules of the workflow ---------------------------------------------------------------


def configuration(config: Files, out: Out, overrides: Overrides = "{}") -> None:
    """Write all settings of a run."""
    from ledger.config import configuration as settings
    from ledger.record import results

    loaded = settings.load(*config, overrides=_mapping(overrides))
    results.write_text(out, settings.as_yaml(loaded))


def specs(study: Study, config: Files, out: Out, overrides: Overrides = "{}") -> None:
    """Write the specifications of all cases of a study."""
    from ledger.config import configuration as settings
    from ledger.run import jobs

    loaded = settings.load(*config, overrides=_mapping(overrides))
    jobs.write_specs(study, settings.cases_of(loaded, study), out)


def run_cases(
    study: Study,
    case: Annotated[list[str], Argument(metavar="CASE", help="names of cases",
                                        show_default=False)],
    specs: Place,
    out: Out,
) -> None:
    """Run one case of a study, or several one after the other, to a table each."""
    from ledger.record.results import ResultError
    from ledger.run import jobs

    cases = jobs.read_cases(study, specs)
    strangers = sorted(set(case) - set(cases))
    if strangers:
        raise ResultError(f"cases must be those of {specs}, got {', '.join(strangers)}; write the "
                          "specifications again")
    for name in case:
        failed = jobs.run(study, name, cases[name], out / f"{name}.parquet")
        if failed:  # a result, not an error: the claims of the study are inconclusive
            print(f"study {study}, case {name}: {failed}", file=sys.stderr)


def measure(study: Study, specs: Place, tables: Place, out: Out) -> None:
    """Measure the estimates of a study."""
    from ledger.run import jobs

    jobs.measure(study, specs, tables, out)


def judge(claims: Files, estimates: Files, mode: Mode, out: Out) -> None:
    """Write the verdicts of all claims."""
    from ledger.record import estimates as tables
    from ledger.record import results, verdicts

    record = verdicts.judge(_stated(claims), tables.read(estimates), mode,
                            tables.failed(estimates))
    results.write_sealed(out, record)


def draw(study: Study, module: Place, specs: Place, tables: Place, estimates: Place, mode: Mode,
         out: Out) -> None:
    """Draw the figures of a study."""
    from ledger.paper import drawing
    from ledger.record import estimates as measured
    from ledger.record import results
    from ledger.run import jobs

    run, digests = jobs.read_run(jobs.read_cases(study, specs), tables)
    digests["estimates"] = results.read_manifest(estimates)["sha256"]
    frames = drawing.Frames(run, measured.read([estimates]), mode)
    drawing.draw(study, module, frames, out, digests)


def typeset(
    verdicts: Place,
    claims: Files,
    estimates: Files,
    specs: Files,
    figures: Files,
    manifests_dir: Place,
    mode: Mode,
    out: Out,
    sections: Annotated[list[Path] | None, Option(
        metavar=SEVERAL, help="sections of studies from elsewhere")] = None,
) -> None:
    """Write numbers and tables as LaTeX."""
    from ledger.paper import typeset as typesetting
    from ledger.record import estimates as measured
    from ledger.record import results
    from ledger.record.verify import read_verdicts
    from ledger.run import jobs

    record = read_verdicts(verdicts)
    if record["mode"] != mode:
        raise results.ResultError(f"{verdicts} must be of mode {mode}, got {record['mode']}; judge "
                                  "that mode first")
    frame = measured.read(estimates)
    drawn = {path.name.removesuffix(".manifest.json"): results.read_sealed(path)
             for path in figures}
    manifests = typesetting.read_manifests(measured.records(frame), drawn, manifests_dir)
    studies = {path.resolve().parent.name: path for path in specs}
    settings = {study: {name: case.spec() for name, case in jobs.read_cases(study, path).items()}
                for study, path in studies.items()}
    files = typesetting.typeset(record, _stated(claims), frame, settings, manifests, drawn)
    extensions = "\n".join(results.read_text(path) for path in sections or [])
    typesetting.write(out, {**files, "extensions.tex": extensions})


def artifact(
    mode: Mode = "full",
    page: Annotated[Path | None, Option(help="by default that of the mode")] = None,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    check: Annotated[bool, Option("--check", help="write nothing, say what would change")] = False,
) -> int:
    """Rewrite the tables of docs/artifact.md, or of docs/large.md, from what was published."""
    from ledger.show import artifact as pages

    return pages.write(mode, page, _stated(claims), published, check)


# --- the program ---------------------------------------------------------------------------------

COMMANDS: tuple[tuple[str, Callable[..., Any], str, str], ...] = (
    (EVERYONE, claims, "claims", "--mode quick"),
    (EVERYONE, verify, "verify", "limits.smooth --run --cores 4"),
    (EVERYONE, trace, "trace", "limits.smooth/ratio/sine.l0.25.s4"),
    (EVERYONE, estimate, "estimate", "limits.depth limits.law --cores 4"),
    (EVERYONE, plant, "plant", "limits.depth --mode quick"),
    (EVERYONE, compare, "compare", "results/quick results/with-1a2b3c4d/quick"),
    (EVERYONE, new_study, "new-study", "averages"),
    (EVERYONE, report, "report", "--mode quick --snakemake results/quick/logs/snakemake.html"
     " --configuration results/quick/configuration.yaml --out results/quick/report.html"),
    (EVERYONE, publish, "publish", "--costs"),
    (EVERYONE, crate, "crate", "--mode quick --out results/quick/crate.zip"),
    (RULES, configuration, "configuration", "--config config/full.yaml --out configuration.yaml"),
    (RULES, specs, "specs", "linear --config config/full.yaml config/quick.yaml --out specs.json"),
    (RULES, run_cases, "run", "linear ends-n2 ends-n4 --specs results/quick/linear/specs.json"
     " --out results/quick/linear"),
    (RULES, measure, "measure", "linear --specs results/quick/linear/specs.json"
     " --tables results/quick/linear --out results/quick/linear/estimates.parquet"),
    (RULES, judge, "judge", "--claims paper/claims/linear.yaml --mode quick"
     " --estimates results/quick/linear/estimates.parquet --out verdicts.json"),
    (RULES, draw, "draw", "linear --module figures/linear.py --mode quick --out figures"
     " --specs results/quick/linear/specs.json --tables results/quick/linear"
     " --estimates results/quick/linear/estimates.parquet"),
    (RULES, typeset, "typeset", "--verdicts results/quick/verdicts.json --mode quick --out tex"
     " --claims paper/claims/linear.yaml --estimates results/quick/linear/estimates.parquet"
     " --specs results/quick/linear/specs.json --manifests-dir results/quick"
     " --figures results/quick/figures/linear-ends.manifest.json"),
    (RULES, artifact, "artifact", "--check"),
)


def application(name: str, description: str, version: str) -> Typer:
    """The program of a paper, with every command of the machinery."""
    app = Typer(name=name, help=description, add_completion=False, pretty_exceptions_enable=False)

    def say_version(wanted: bool) -> None:
        if wanted:
            print(f"{name} {version}")
            raise Exit

    @app.callback()
    def program(  # pyright: ignore[reportUnusedFunction]
        version: bool = Option(False, "--version", help="Print the version and exit.",
                               callback=say_version, is_eager=True),
    ) -> None: ...

    for panel, function, command, example in COMMANDS:
        add(app, panel, function, f"{command} {example}")
    return app


def add(app: Typer, panel: str, function: Callable[..., Any], example: str) -> None:
    """Add a command: its name is the first word of the example, its help the docstring."""
    app.command(example.split()[0], cls=Command, rich_help_panel=panel, help=function.__doc__,
                epilog=f"Example: {app.info.name} {example}")(function)


def run(app: Typer, arguments: Sequence[str] | None = None) -> int:
    """Run one command of the program; return its exit status, 2 for words that are none of its."""
    try:
        return app(arguments, prog_name=app.info.name, standalone_mode=False) or 0
    except TyperException as error:
        place = getattr(getattr(error, "ctx", None), "command_path", app.info.name)
        message = error.format_message().replace("Value error, ", "").removesuffix(".")
        print(f"{place}: {message}; {place} --help says more", file=sys.stderr)
        return FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """The program of a paper that has none of its own name."""
    from ledger.config.paper import paper

    name, version, description = paper()
    return run(application("ledger", f"{name}: {description}", version), arguments)


def _stated(files: Sequence[Path] | None) -> tuple[Claim, ...]:
    """The claims of some files, or of every study."""
    from ledger.record.claims import files_of_claims, load_claims

    return load_claims(*(files or files_of_claims()))


def _mapping(text: str) -> dict[str, Any]:
    """Settings of a command line."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise BadParameter(f"--overrides must be a mapping in JSON, got {text}")
    return content


def _print_json(content: Any) -> None:
    from ledger.record import results

    print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))


if __name__ == "__main__":
    sys.exit(main())
