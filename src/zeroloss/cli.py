"""The command line `zeroloss`: that of an executable paper, and `size`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

import zeroloss
from ledger import cli
from ledger.cli.options import Json
from zeroloss.model.catalogue import ActivationName, ProblemName


def size(
    accuracy: Annotated[float, Option(help="error of the risk", show_default=False)],
    failure_probability: Annotated[float, Option(help="of missing it", show_default=False)],
    flow_time: Annotated[float, Option(help="training time: step times number of steps", show_default=False)],
    problem: Annotated[ProblemName | None, Option(help="a problem that ships with zeroloss")] = None,
    csv: Annotated[Path | None, Option(help="or a table with a header line")] = None,
    target: Annotated[str | None, Option(help="the column of the table to predict")] = None,
    num_samples: Annotated[int | None, Option(help="rows to take")] = None,
    activation: Annotated[ActivationName, Option()] = "tanh",
    sampling: Annotated[Literal["independent", "path"], Option()] = "independent",
    num_layers: Annotated[int | None, Option(help="depth; chosen by default")] = None,
    scales: Annotated[
        tuple[float, float, float] | None, Option(metavar="A W B", help="standard deviations of the initial law")
    ] = None,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Say how deep and how wide a network must be on a problem of one's own."""
    from zeroloss.theory import sizing_report

    chosen = sizing_report.Choice(problem, csv, target, num_samples, seed)
    sizing_report.report(
        chosen,
        accuracy,
        failure_probability,
        flow_time,
        activation=activation,
        sampling=sampling,
        num_layers=num_layers,
        scales=scales,
        as_json=as_json,
    )


app = cli.application("zeroloss", zeroloss.__doc__ or "", zeroloss.__version__)
cli.add(app, cli.EVERYONE, size, "size --problem diabetes --accuracy 0.05 --failure-probability 0.05 --flow-time 10")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    return cli.run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
