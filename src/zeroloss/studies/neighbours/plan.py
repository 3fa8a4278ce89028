# pyright: strict
"""What `neighbours` runs: its block of the configuration, and its one case."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ledger.study import Closed, Common
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Doubling, Positive

Several = Annotated[int, Field(ge=2)]


class Settings(Closed):
    """Greedy neurons for −u'' + u = f, errors from ``first_neurons`` on; random ones for a plate. Graphs of
    ``num_nodes`` from a graphon; minibatches of nodes and their neighbours on a graph of ``graph_size``. Gradients
    rounded to ``bits`` of a mantissa or to multiples of ``unit``; gradients of residual networks."""

    powers: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    cells: Several
    first_neurons: Several
    num_neurons: Several
    plate_units: Several
    plate_points: Several
    num_nodes: Doubling
    num_graphs: Several
    graph_size: Several
    batch: Several
    neighbours: Several
    draws: Several
    bits: Count
    unit: Positive
    num_steps: Several
    num_layers: Count
    num_units: Count
    num_samples: Several
    replicates: Several


class Neighbours(Case, Settings):
    """`jobs.neighbours`."""


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """One case."""
    return {Neighbours.kind: gathered(Neighbours, common, block)}
