"""The `my_study` block of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.config.closed import Closed
from zeroloss.studies.settings import Count, Doubling, LawSettings, Positive, ProblemSettings


class Settings(Closed):
    """Networks of independent layers, of doubling widths."""

    problem: ProblemSettings
    initial_law: LawSettings
    activation: Literal["softplus"]
    num_layers: Count
    num_units: Doubling
    replicates: Annotated[int, Field(ge=16)]
    flow_time: Positive
    rtol: Positive
