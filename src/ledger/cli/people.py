"""Commands for people: what a run says, what it costs, where it comes from, and a new study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Context, Option

from ledger.cli.options import (
    PUBLISHED,
    RUNS,
    ClaimFiles,
    ClaimIds,
    Cores,
    Json,
    Mode,
    Out,
    Published,
    Results,
    print_json,
    stated_in,
)

if TYPE_CHECKING:
    from ledger.record.verify import Comparison


def claims(
    mode: Mode = "full",
    study: Annotated[str, Option(help="one that was run by itself", show_default=False)] = "",
    results: Results = RUNS,
    as_json: Json = False,
    check: Annotated[bool, Option("--check", help="say instead whether all is as expected; status 1 if not")] = False,
    expect: Annotated[bool, Option("--expect", help="write down instead what is to be expected")] = False,
) -> int:
    """Print the table of claims of one mode."""
    from ledger.record.verify import VERDICTS, read_verdicts
    from ledger.show import claims_table, expected

    record = read_verdicts(results / mode / study / VERDICTS)
    if expect:
        print(expected.renew(record, study).as_posix())
    elif check:
        return expected.check(record, study)
    elif as_json:
        print_json(record)
    else:
        claims_table.print_table(record)
    return 0


def compare(
    runs: Annotated[list[Path], Argument(metavar="RUN", help="folders of results", show_default=False)],
    claims: ClaimFiles = None,
    as_json: Json = False,
) -> None:
    """Print the verdicts of several runs side by side; of two also how far their numbers are apart."""
    from ledger.show import comparison

    comparison.report(runs, stated_in(claims), as_json)


def verify(
    context: Context,
    claim: ClaimIds = None,
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    run: Annotated[bool, Option("--run", help="first run the jobs that the claims rest on, and no others")] = False,
    crate: Annotated[Path | None, Option(help="compare the run in somebody else's crate instead of ours")] = None,
    cores: Cores = None,
    as_json: Json = False,
) -> int:
    """Compare the rebuilt results with the published ones; exit status 1 if they disagree."""
    from ledger.record import results as tables
    from ledger.record import verify as checking
    from ledger.show import claims_table

    stated, only = stated_in(claims), claim or []

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
        print_json(
            {
                "code": found.code,
                "differences": differences,
                "missing": found.missing,
                "claims": found.rebuilt["claims"],
                "agreement": agreement,
            }
        )
        return found.code
    claims_table.print_table(found.rebuilt, agreement)
    for text in (*differences, *found.missing):
        print(text)
    if found.code == checking.AGREE:
        print(f"all verdicts and numbers agree with {published.as_posix()}/")
    return found.code


def trace(
    name: Annotated[
        list[str],
        Argument(
            help="limits.law (a claim), limits.law/ks_small/sine.path.s4 (a key), limits-rates (a "
            "figure), limits/pairs (a table), or Table 6 as the PDF says",
            show_default=False,
        ),
    ],
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    every: Annotated[bool, Option("--all", help="each table in full")] = False,
    as_json: Json = False,
) -> None:
    """Say where a claim, a key, a figure or a table comes from."""
    from ledger.record.claims import files_of_claims
    from ledger.show import tracing_report

    files = claims or files_of_claims()
    tracing_report.report(" ".join(name), results / mode, published, mode, files, every, as_json)


def estimate(
    claim: ClaimIds = None,
    mode: Mode = "full",
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    cores: Cores = None,
    power: Annotated[bool, Option("--power", help="the chance of support instead; 1 if it is below 80 %")] = False,
    as_json: Json = False,
) -> int:
    """Say what a study or a claim costs: jobs, minutes, memory, disk."""
    if power:
        from ledger.record.verify import read_published
        from ledger.show import powers

        return powers.report(stated_in(claims), read_published(published, mode), claim or [], as_json)
    from ledger.run import planning

    planning.estimate(mode, claim or [], stated_in(claims), published, cores, as_json)
    return 0


def replicate(
    seed: Annotated[int, Argument(min=0, help="of the second run", show_default=False)],
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    claims: ClaimFiles = None,
    plant: Annotated[
        str, Option(metavar="KEY", help="take this estimate to lie 4 standard errors further away", show_default=False)
    ] = "",
    cores: Cores = None,
    as_json: Json = False,
) -> int:
    """Run again with another seed; exit status 1 if it differs by more than the first run foretells."""
    from ledger.run import replicating

    return replicating.replicate(seed, mode, stated_in(claims), results, published, cores, plant, as_json)


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

    stated = stated_in(claims)
    check_claims(stated, [claim])
    judged = by_id(stated)[claim]
    record = jobs.controlled(judged, results / mode / study_of(claim))
    if as_json:
        print_json(record)
    else:
        words = f"{claim} with {judged.negative_control}: {record['verdict']}"
        print("\n".join([words, *record["reasons"]]))
    return 0 if record["verdict"] == verdicts.REFUTED else 1


def article(
    page: Annotated[Path, Option(help="what LaTeXML made of the paper", show_default=False)],
    out: Out,
    mode: Mode = "full",
    results: Results = RUNS,
    claims: ClaimFiles = None,
    preamble: Annotated[Path, Option(help="file of the macros of the statements")] = Path("paper/preamble.tex"),
    interactive: Annotated[str, Option(help="module of the parts that answer, such as figures.interactive")] = "",
) -> None:
    """Write the paper as one HTML file in which each number opens its evidence."""
    from ledger.show import article as web

    web.write(page, results / mode, mode, stated_in(claims), preamble, interactive, out)
    print(out.as_posix())


def new_study(name: Annotated[str, Argument(help="lower-case letters, digits and _", show_default=False)]) -> None:
    """Write the skeleton of a study, whose one claim is judged in the next run as it stands."""
    from ledger.run import new_study as skeleton

    for path in skeleton.write(name, Path()):
        print(path.as_posix())


def publish(
    mode: Mode = "full",
    results: Results = RUNS,
    published: Published = PUBLISHED,
    costs: Annotated[bool, Option("--costs", help="only what the run cost")] = False,
    replication: Annotated[
        int | None, Option(min=0, metavar="SEED", help="only the replication with this seed")
    ] = None,
) -> None:
    """Copy a run to the folder of the published one, with what it cost."""
    from ledger.run import costs as spent
    from ledger.run import publish as publishing
    from ledger.run import replicating

    places = results / mode, published, mode
    if replication is not None:
        made = replicating.publish(replication, mode, results, published)
    else:
        made = [spent.publish(*places)] if costs else publishing.publish(*places)
    for path in made:
        print(path.as_posix())


def crate(out: Out, mode: Mode = "full", results: Results = RUNS) -> None:
    """Pack a run, with what it was made from, into an RO-Crate."""
    from ledger.show import crate as packing

    names = packing.write(Path(), results / mode, mode, out)
    print(f"{out.as_posix()}: {len(names)} files")
