# pyright: strict
"""Studies that follow the limit and networks of one size on each of their settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ledger.study import Closed
from zeroloss.studies.case import OnProblem, SettingsBlock
from zeroloss.studies.settings import Count, DepthNodes, LawSettings, Positive, ProblemSettings

Log2Points = Annotated[int, Field(ge=4, le=16)]
Replicates = Annotated[int, Field(ge=2)]


class SizedSetting(Closed):
    """A problem with its law and sizes: what several runs of a study start from."""

    problem: ProblemSettings
    initial_law: LawSettings
    depth_nodes: DepthNodes
    log2_points: Log2Points
    num_layers: Count
    num_units: Count


class Followed(OnProblem):
    """Flows of particles on a rule of the law; below ``floor`` the risk is round-off."""

    log2_points: int
    rtol: float
    floor: float


class Sized(Followed):
    """The same in a number of depth nodes, beside networks of one size."""

    depth_nodes: int
    num_layers: int
    num_units: int


class SizedBlock(SettingsBlock[SizedSetting]):
    """The block of such a study: settings by name, and how precisely flows are followed."""

    rtol: Positive
    floor: Positive  # of the risk, where a flow is left
