# pyright: strict
"""Studies that follow the limit and networks of one size on each of their settings."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import Field

from ledger.study import Closed, Common
from zeroloss.studies.case import OnProblem
from zeroloss.studies.settings import Count, LawSettings, Name, Positive, ProblemSettings

__all__ = ["DepthNodes", "Followed", "Log2Points", "Replicates", "Sized", "SizedBlock",
           "SizedSetting"]

DepthNodes = Annotated[int, Field(ge=2, le=16)]
Log2Points = Annotated[int, Field(ge=4, le=16)]
Replicates = Annotated[int, Field(ge=2)]
C = TypeVar("C", bound=OnProblem)


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


class SizedBlock(Closed):
    """The block of such a study: settings by name, and how precisely flows are followed."""

    settings: dict[Name, SizedSetting]
    rtol: Positive
    floor: Positive  # of the risk, where a flow is left

    def on(self, model: type[C], common: Common, setting: str, **parts: Any) -> C:
        """The case on a setting: ``parts``, and what else it has of setting and block.

        Raises ValueError for a setting that the block does not define.
        """
        if setting not in self.settings:
            raise ValueError(f"setting must be one of settings, {', '.join(self.settings)}, got "
                             f"{setting!r}; define it there")
        below = {"setting": setting, "rtol": self.rtol, "floor": self.floor,
                 **common._asdict(), **dict(self.settings[setting])}
        return model(**{name: value for name, value in below.items()
                        if name in model.model_fields and name not in parts}, **parts)
