"""One run for each point of a product of settings, and what becomes of the verdicts.

The points are checked before the first job starts. Their runs go one after the other, each in the
folder of its configuration, so that none overwrites another's and a point that was run is done.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

from zeroloss import config, plain_yaml, planning, report, results
from zeroloss.config import MODES, RESULTS, ConfigError
from zeroloss.results import ResultError
from zeroloss.verdicts import WORST_FIRST, counts
from zeroloss.verify import VERDICTS, read_verdicts

KEY = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*", re.ASCII)
COUNTED = tuple(reversed(WORST_FIRST))


@dataclass(frozen=True)
class Point:
    """One choice of a value for each key, and where its run lies."""

    values: Mapping[str, str]  # dotted key: value, as YAML
    settings: Mapping[str, Any]  # the same as an overlay
    folder: Path

    def __str__(self) -> str:
        return _named(self.values)


@dataclass(frozen=True)
class Outcome:
    """What a run came to: the verdict of each claim, or none with the reason."""

    verdicts: Mapping[str, str]
    failure: str = ""

    def differing(self, first: Outcome) -> list[str]:
        """Return each verdict that is another than the first's."""
        return [f"{claim}: {first.verdicts.get(claim, 'none')} -> {verdict}"
                for claim, verdict in self.verdicts.items()
                if verdict != first.verdicts.get(claim)]


def answer(options: argparse.Namespace) -> None:
    """Run the points of a command line and print what came of each; write the same as CSV.

    Raises ResultError, at the end, naming the points that failed.
    """
    made = points(options.set, options.mode, options.configfile)
    cores = options.cores or planning.cores_here()
    targets = list(dict.fromkeys([options.target, "verdicts"]))
    flags = ["--dry-run", "--quiet", "rules"] if options.dry_run else []
    if options.configfile:
        flags += ["--configfile", *map(str, options.configfile)]
    outcomes = []
    for number, point in enumerate(made, 1):
        print(f"point {number} of {len(made)}, {point}: {point.folder.as_posix()}",
              file=sys.stderr, flush=True)
        settings = {"mode": options.mode, **point.settings}
        words = [f"{key}={plain_yaml.flow(value)}" for key, value in settings.items()]
        status = planning.snakemake(targets, words, cores, flags)
        outcomes.append(_outcome(point.folder, status, options.dry_run))
    _show(made, outcomes, options)
    failed = [str(point) for point, outcome in zip(made, outcomes, strict=True) if outcome.failure]
    if failed:
        raise ResultError(f"{len(failed)} of {len(made)} points failed: {'; '.join(failed)}; mend "
                          "what Snakemake says, then run the same sweep: what is done stays")


# --- the points ----------------------------------------------------------------------------------


def points(asked: Sequence[str], mode: str, files: Sequence[Path]) -> list[Point]:
    """Return each combination of the values of all `KEY=VALUES`, checked, the last key fastest.

    Raises ConfigError naming every point that could not be run, and points that are the same run.
    """
    axes: dict[str, list[Any]] = {}
    for text in asked:
        key, values = axis(text)
        if key in axes:
            raise ConfigError(f"--set must name a key once, got {key} twice; join its values")
        axes[key] = values
    made: dict[Path, Point] = {}
    wrong = []
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        try:
            point = _point(chosen, mode, files)
        except ConfigError as error:
            wrong += [f"{_named(_words(chosen))}: {line}" for line in str(error).splitlines()]
            continue
        if point.folder in made:
            wrong.append(f"{point} must be a run of its own, but has the settings of "
                         f"{made[point.folder]}; leave one out")
        made.setdefault(point.folder, point)
    if wrong:
        raise ConfigError("\n".join(wrong))
    return list(made.values())


def axis(text: str) -> tuple[str, list[Any]]:
    """Return key and values of `KEY=VALUES`, where VALUES is a list of YAML.

    Without a bracket in front it is put in brackets: `a,b` is `[a,b]`. So a setting that is a list
    itself has two pairs: `KEY=[[8, 16], [16, 32]]`.
    """
    key, equals, values = text.partition("=")
    if not equals or not KEY.fullmatch(key) or key == "mode":
        remedy = "give --mode" if key == "mode" else "name a key and its values"
        raise ConfigError("--set must be KEY=VALUES with a key such as limits.commute.replicates, "
                          f"got {text!r}; {remedy}")
    try:
        listed = plain_yaml.parse(values if values.lstrip().startswith("[") else f"[{values}]")
    except plain_yaml.YamlError as error:
        raise ConfigError(f"--set {key}: must be a list of YAML, got {values!r} ({error}); write "
                          f"{key}=1,2 or {key}=[[1, 2], [3, 4]]") from error
    if not isinstance(listed, list) or not listed:
        raise ConfigError(f"--set {key}: must have one value or more, got {values!r}; write "
                          f"{key}=1,2")
    return key, listed


def _point(chosen: Mapping[str, Any], mode: str, files: Sequence[Path]) -> Point:
    """Check one point as the run will check it."""
    nested = [reduce(lambda inner, part: {part: inner}, reversed(key.split(".")), value)
              for key, value in chosen.items()]
    settings = reduce(config.overlay, nested, {})
    # the run gets them as words of a command line, where quotes make no text of a number
    overrides = {"mode": mode, **config.typed(settings)}
    checked = config.load(*MODES[mode], *files, overrides=overrides)
    return Point(_words(chosen), settings, config.results_folder(checked))


def _words(chosen: Mapping[str, Any]) -> dict[str, str]:
    return {key: plain_yaml.flow(value) for key, value in chosen.items()}


def _named(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={text}" for key, text in values.items())


# --- what came of them ---------------------------------------------------------------------------


def _outcome(folder: Path, status: int, dry_run: bool) -> Outcome:
    if status:
        return Outcome({}, f"failed with status {status}")
    if dry_run:
        return Outcome({})
    try:
        record = read_verdicts(folder / VERDICTS)
    except ResultError as error:
        return Outcome({}, f"failed: {error}")
    return Outcome({claim["id"]: claim["verdict"] for claim in record["claims"]})


def _show(made: Sequence[Point], outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    """Print the table; after runs, write it as CSV, whose name is that of its content."""
    caption = f"{len(made)} points in mode {options.mode}"
    if options.dry_run:
        lines = [(str(point), point.folder.as_posix(), outcome.failure or "planned")
                 for point, outcome in zip(made, outcomes, strict=True)]
        report.show(("point", "folder", "run"), lines, caption)
        return
    cells = [_cells(outcome, outcomes) for outcome in outcomes]
    keys = tuple(made[0].values)
    rows = [(*point.values.values(), point.folder.as_posix(), *line)
            for point, line in zip(made, cells, strict=True)]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [(*keys, "folder", *COUNTED, "differs"), *rows])
    text = stream.getvalue()
    file = RESULTS / f"sweep-{results.sha256_of(text.encode())[:8]}.csv"
    results.write_text(file, text)
    lines = [(str(point), *row[len(keys):]) for point, row in zip(made, rows, strict=True)]
    report.show(("point", "folder", *COUNTED, "differs from the first"), lines,
                f"{caption}; the same as {file.as_posix()}")


def _cells(outcome: Outcome, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return how many claims have which verdict, and which differ from those of the first run."""
    if outcome.failure:
        return (*("n/a" for _ in COUNTED), outcome.failure)
    first = next(other for other in outcomes if not other.failure)
    count = counts([{"verdict": verdict} for verdict in outcome.verdicts.values()])
    differing = "" if outcome is first else "; ".join(outcome.differing(first)) or "none"
    return (*(str(count[word]) for word in COUNTED), differing)
