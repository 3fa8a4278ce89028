"""The command line of an executable paper: one function for each step from configuration to PDF.

A paper has it under its own name, with commands of its own beside these:

    app = application("mypaper", "What the paper is about.", "1.0")
    add(app, EVERYONE, predict, "predict --depth 3")

    def main() -> int:
        return run(app)

Only what a command needs is imported, inside its function: the workflow starts many of these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from typer import Exit, Option, Typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from ledger.cli import people, rules
from ledger.cli.options import SEVERAL

__all__ = ["EVERYONE", "FAILED", "RULES", "UNREAD", "Command", "add", "application", "main", "run"]

FAILED = 2
UNREAD = 141  # as a shell says it of a program that SIGPIPE ended
EVERYONE, RULES = "Commands", "Commands that the rules of the workflow call"


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


COMMANDS: tuple[tuple[str, Callable[..., Any], str, str], ...] = (
    (EVERYONE, people.claims, "claims", "--mode quick"),
    (EVERYONE, people.verify, "verify", "limits.smooth --run --cores 4"),
    (EVERYONE, people.trace, "trace", "limits.smooth/ratio/sine.l0.25.s4"),
    (EVERYONE, people.estimate, "estimate", "limits.depth limits.law --cores 4"),
    (EVERYONE, people.replicate, "replicate", "7 --mode quick"),
    (EVERYONE, people.plant, "plant", "limits.depth --mode quick"),
    (EVERYONE, people.compare, "compare", "results/quick results/with-1a2b3c4d/quick"),
    (EVERYONE, people.new_study, "new-study", "averages"),
    (
        EVERYONE,
        people.article,
        "article",
        "--mode quick --page results/quick/tex/article/article.html --interactive figures.interactive"
        " --out results/quick/article.html",
    ),
    (EVERYONE, people.publish, "publish", "--costs"),
    (EVERYONE, people.crate, "crate", "--mode quick --out results/quick/crate.zip"),
    (RULES, rules.configuration, "configuration", "--config config/full.yaml --out configuration.yaml"),
    (RULES, rules.specs, "specs", "linear --config config/full.yaml config/quick.yaml --out specs.json"),
    (
        RULES,
        rules.run_cases,
        "run",
        "linear ends stages --config config/full.yaml config/quick.yaml --out results/quick/linear",
    ),
    (
        RULES,
        rules.measure,
        "measure",
        "linear --specs results/quick/linear/specs.json"
        " --tables results/quick/linear --out results/quick/linear/estimates.parquet",
    ),
    (
        RULES,
        rules.near,
        "near",
        "linear --claims paper/claims/linear.yaml --specs results/quick/linear/specs.json"
        " --tables results/quick/linear --estimates results/quick/linear/estimates.parquet"
        " --out results/quick/linear/near.json",
    ),
    (
        RULES,
        rules.judge,
        "judge",
        "--claims paper/claims/linear.yaml --mode quick"
        " --estimates results/quick/linear/estimates.parquet --specs results/quick/linear/specs.json"
        " --near results/quick/linear/near.json --out verdicts.json",
    ),
    (
        RULES,
        rules.draw,
        "draw",
        "linear --module figures/linear.py --mode quick --out figures"
        " --specs results/quick/linear/specs.json --tables results/quick/linear"
        " --estimates results/quick/linear/estimates.parquet",
    ),
    (
        RULES,
        rules.typeset,
        "typeset",
        "--verdicts results/quick/verdicts.json --mode quick --out tex"
        " --claims paper/claims/linear.yaml --estimates results/quick/linear/estimates.parquet"
        " --specs results/quick/linear/specs.json --manifests-dir results/quick"
        " --figures results/quick/figures/linear-ends.manifest.json",
    ),
    (RULES, rules.artifact, "artifact", "--check"),
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
        version: bool = Option(
            False, "--version", help="Print the version and exit.", callback=say_version, is_eager=True
        ),
    ) -> None: ...

    for panel, function, command, example in COMMANDS:
        add(app, panel, function, f"{command} {example}")
    return app


def add(app: Typer, panel: str, function: Callable[..., Any], example: str) -> None:
    """Add a command: its name is the first word of the example, its help the docstring."""
    app.command(
        example.split()[0],
        cls=Command,
        rich_help_panel=panel,
        help=function.__doc__,
        epilog=f"Example: {app.info.name} {example}",
    )(function)


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
