"""The options that several subcommands of `zeroloss` share, or that are many."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

MODES = ("full", "quick", "large")
TARGETS = ("all", "figures", "tables", "verdicts", "paper")  # of the workflow
PROBLEMS = ("sine", "surface", "diabetes", "digits")


def add_problem(command: argparse.ArgumentParser) -> None:
    """Add the options that name a problem and what is asked of a network on it."""
    command.add_argument("--problem", choices=PROBLEMS, help="a problem that ships with zeroloss")
    command.add_argument("--csv", type=Path, metavar="FILE", help="or a table with a header line")
    command.add_argument("--target", metavar="COLUMN", help="the column of the table to predict")
    command.add_argument("--num-samples", type=int, metavar="N", help="rows to take")
    for name, text in (("accuracy", "error of the risk"), ("failure-probability", "of missing it"),
                       ("flow-time", "training time: step times number of steps")):
        command.add_argument(f"--{name}", type=float, required=True, metavar="X", help=text)
    command.add_argument("--activation", default="tanh", metavar="NAME")
    command.add_argument("--sampling", choices=("independent", "path"), default="independent")
    command.add_argument("--num-layers", type=int, metavar="L", help="depth; chosen by default")
    command.add_argument("--scales", type=float, nargs=3, metavar=("A", "W", "B"),
                         help="standard deviations of the initial law")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_places(command: argparse.ArgumentParser) -> None:
    """Add the options of the commands that look at a whole run."""
    name = command.get_default("function").__name__
    command.add_argument("--mode", choices=MODES, default="full")
    command.add_argument("--results", type=Path, default=Path("results"), metavar="PATH")
    if name == "report":
        _add_report(command)
    if name in ("crate", "report"):
        return
    if name not in ("claims", "plant", "trace"):
        command.add_argument("--published", type=Path, default=Path("published"), metavar="PATH")
    if name == "publish":
        command.add_argument("--costs", action="store_true", help="only what the run cost")
    else:
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    if name in ("verify", "estimate", "plant", "trace"):
        command.add_argument(
            "--claims", type=Path, default=Path("paper/claims.yaml"), metavar="PATH"
        )
    if name == "plant":
        command.add_argument("claim", help="id of the claim, such as limits.depth")
    if name == "trace":
        command.add_argument("name", help="limits.law/ks_small/sine.path.s4, 0.9988, limits-rates,"
                                          " limits.law or limits/pairs")
        command.add_argument("--all", action="store_true", help="each table in full")
    if name in ("verify", "estimate"):
        command.add_argument("claim", nargs="*", help="ids of claims; all of them by default")
        command.add_argument("--cores", type=_cores, metavar="N", help="those of this machine")
    if name == "verify":
        command.add_argument("--run", action="store_true",
                             help="first run the jobs that the claims rest on, and no others")
        command.add_argument("--crate", type=Path, metavar="FILE",
                             help="compare the run in somebody else's crate instead of ours")


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("--snakemake", type=Path, required=True, metavar="FILE",
                         help="what snakemake --report wrote")
    for name, place in (("claims", "paper/claims.yaml"), ("captions", "workflow/report"),
                        ("preamble", "paper/main.tex")):
        many: dict[str, Any] = {"nargs": "+"} if name == "claims" else {}
        default = [Path(place)] if many else Path(place)
        command.add_argument(f"--{name}", type=Path, default=default, metavar="PATH", **many)
    command.add_argument("--configuration", type=Path, nargs="+", required=True, metavar="FILE")


def add_artifact(command: argparse.ArgumentParser) -> None:
    """Add the options that say which page is made from what."""
    command.add_argument("--mode", choices=("full", "large"), default="full")
    command.add_argument("--page", type=Path, metavar="PATH", help="that of the mode by default")
    for name, place in (("published", "published"), ("claims", "paper/claims.yaml"),
                        ("faults", "docs/faults.md")):
        command.add_argument(f"--{name}", type=Path, default=Path(place), metavar="PATH")
    command.add_argument("--check", action="store_true",
                         help="write nothing, say what would change")


def add_overrides(command: argparse.ArgumentParser) -> None:
    """Add the option that lays settings over those of the configuration files."""
    command.add_argument("--overrides", type=_mapping, default={}, metavar="JSON",
                         help="settings that lie over those of the files")


def add_sweep(command: argparse.ArgumentParser) -> None:
    """Add the options that say which runs a sweep makes."""
    command.add_argument("--mode", choices=MODES, required=True)
    command.add_argument("--set", action="append", required=True, metavar="KEY=VALUES",
                         help="a setting and its values: limits.commute.replicates=96,128, or any "
                              "list of YAML, such as [[8, 16], [16, 32]] for two lists; given "
                              "several times, each with each")
    command.add_argument("--configfile", nargs="+", action="extend", type=Path, default=[],
                         metavar="FILE", help="overlays of the configuration, below the settings")
    command.add_argument("--target", choices=TARGETS, default="all",
                         help="what each run makes besides the verdicts; everything by default")
    command.add_argument("--cores", type=_cores, metavar="N", help="those of this machine")
    command.add_argument("--dry-run", action="store_true", help="only plan each run")


def _mapping(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError(f"must be a mapping in JSON, got {text}")
    return content


def _cores(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"cores must be a number from 1 on, got {text}")
    return int(text)
