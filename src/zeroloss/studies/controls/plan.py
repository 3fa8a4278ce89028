# pyright: strict
"""What `controls` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, model_validator

from ledger.study import Case as AnyCase
from ledger.study import Closed, Common
from zeroloss.studies.case import Case, OnLaw, OnProblem
from zeroloss.studies.settings import Count, DepthNodes, Doubling, Name, NonNegative, Positive, Times
from zeroloss.studies.sized import Followed, Log2Points, Replicates, Sized, SizedBlock

Pair = Annotated[tuple[Count, Count], Field(strict=False)]  # (num_layers, num_units)
Pairs = Annotated[tuple[Pair, ...], Field(min_length=1, strict=False)]
NumSamples = Annotated[int, Field(ge=2)]
Samples = Annotated[dict[Name, NumSamples], Field(min_length=1)]  # by setting


class IdentitySettings(Closed):
    """The identity as activation: the map that is read out stays affine."""

    num_samples: Samples
    flow_time: Positive
    replicates: Replicates


class LabelsSettings(IdentitySettings):
    """One sample twice, its second label higher by ``gap``: ``num_samples`` are those before."""

    sample: Annotated[int, Field(ge=0)]
    gap: Positive

    @model_validator(mode="after")
    def _sample_exists(self) -> LabelsSettings:
        fewest = min(self.num_samples.values())
        if self.sample >= fewest:
            raise ValueError(f"sample must be below the least of num_samples, {fewest}, got {self.sample}")
        return self


class Resized(Closed):
    """A setting with another number of samples."""

    setting: Name
    num_samples: NumSamples


class LineSettings(Resized):
    """The setting without its lift, d = 1: limit on several depth rules, networks of many depths,
    seen at ``num_times`` times, equal steps of log s from ``first_time``."""

    depth_nodes: Annotated[tuple[DepthNodes, ...], Field(min_length=2, strict=False)]
    log2_points: Log2Points
    flow_time: Positive
    num_layers: Doubling
    num_units: Count
    replicates: Replicates
    first_time: Positive
    network_time: Positive
    num_times: Annotated[int, Field(ge=2)]
    network_rtol: Positive


class Few(Resized):
    """Networks with fewer parameters than samples, without their sizes."""

    flow_time: Positive
    replicates: Replicates


class ParametersSettings(Few):
    """The same with pairs of layers and units."""

    sizes: Pairs

    @model_validator(mode="after")
    def _too_few(self) -> ParametersSettings:
        # θ has at least 3 coordinates: more than N/3 particles are enough for any problem
        for L, M in self.sizes:
            if self.num_samples <= 3 * L * M:
                raise ValueError(
                    f"sizes must have fewer parameters than num_samples {self.num_samples}, got {L} layers of {M} units"
                )
        return self


class OriginSettings(Closed):
    """All units at θ = 0."""

    setting: Name
    flow_time: Positive


class RootScalingSettings(Resized):
    """Branches of scale 1/(L √M), seen at times ``kernel_times``/M, since K grows like M."""

    num_layers: Count
    num_units: Doubling
    kernel_times: Times
    replicates: Annotated[int, Field(ge=8)]
    network_rtol: Positive


class ShiftedLaw(Closed):
    """θ = centre + scale ξ for each of a, w, b; ξ of variance 1 or on [−1, 1].

    ``shared``: one draw for all units of all layers, a point mass at a random place.
    """

    kind: Literal["gaussian", "uniform"] = "gaussian"
    centre_a: float = 0.0
    centre_w: float = 0.0
    centre_b: float = 0.0
    scale_a: NonNegative = 0.0
    scale_w: NonNegative = 0.0
    scale_b: NonNegative = 0.0
    shared: bool = False


class ToTheFloor(Closed):
    """Training of several numbers of samples to a floor of the risk, or to the end of the time."""

    setting: Name
    num_samples: Annotated[tuple[NumSamples, ...], Field(min_length=1, strict=False)]
    rtol: Positive
    floor: Positive
    flow_time: Positive
    replicates: Replicates


class ConditionsSettings(ToTheFloor):
    """Outcome of training against law and size, networks of one setting.

    ``laws`` are run on num_layers × num_units; ``sizes`` with the Gaussian law ``base``.
    """

    num_layers: Count
    num_units: Count
    laws: dict[Name, ShiftedLaw]
    base: Name
    sizes: Pairs

    @model_validator(mode="after")
    def _base_is_a_law(self) -> ConditionsSettings:
        if self.base not in self.laws:
            raise ValueError(f"base must be one of the laws {list(self.laws)}, got {self.base}")
        return self


class Settings(SizedBlock):
    """The whole block: settings by name, then what must fail on them, and what need not hold."""

    identity: IdentitySettings
    line: LineSettings
    labels: LabelsSettings
    parameters: ParametersSettings
    origin: OriginSettings
    root_scaling: RootScalingSettings
    conditions: ConditionsSettings


class Trained(Sized, OnLaw):
    """Limit and networks of one setting of a job, to the end of the time."""

    kind: str  # of the job: streams of random numbers are named by it
    num_samples: int
    flow_time: float
    replicates: int


class Doubled(Trained):
    """The same with one sample twice, its second label higher by ``gap``."""

    sample: int
    gap: float


T = TypeVar("T", bound=Trained)


class OnSettings(Case, Generic[T]):
    """Limit and networks on several settings."""

    cases: tuple[T, ...]

    def check(self) -> None:
        """Refuse data that no job could read."""
        for case in self.cases:
            case.check()


class Identity(OnSettings[Trained]):
    """The identity as activation."""


class Labels(OnSettings[Doubled]):
    """Contradictory labels."""


class Line(LineSettings, Followed, OnLaw, Case):
    """The setting without its lift."""


class Size(Closed):
    """Networks of L layers of M units."""

    num_layers: int
    num_units: int


class Parameters(Few, Followed, OnLaw, Case):
    """Networks with fewer parameters than samples."""

    depth_nodes: int
    sizes: tuple[Size, ...]


class PointLaw(Closed):
    """All mass at θ = 0."""

    kind: Literal["point"] = "point"
    scale_a: float = 0.0
    scale_w: float = 0.0
    scale_b: float = 0.0


class Origin(Sized, Case):
    """All units at θ = 0."""

    initial_law: PointLaw
    flow_time: float


class RootScaling(RootScalingSettings, Followed, OnLaw, Case):
    """Branches of scale 1/(L √M)."""

    depth_nodes: int


class NamedLaw(ShiftedLaw):
    """A law of the table of conditions."""

    name: str


class Row(Size):
    """A row of the table of conditions: its name, and a law on networks of one size."""

    row: str
    law: NamedLaw


class Conditions(ToTheFloor, OnProblem, Case):
    """Outcome of training against law, or against size."""

    rows: tuple[Row, ...]

    def check(self) -> None:
        """Refuse data that no job could read."""
        self.problem.check(max(self.num_samples))


C = TypeVar("C", bound=OnProblem)


def cases(block: Settings, common: Common) -> dict[str, AnyCase]:
    """Every job by name; its case holds all it depends on."""

    def of(model: type[C], part: Closed, name: str, num_samples: int, **own: object) -> C:
        """The case on the problem of its setting with another number of samples."""
        problem = block.setting(name).problem.model_copy(update={"num_samples": num_samples})
        return block.case(model, common, name, part, problem=problem, num_samples=num_samples, **own)

    def each(kind: type[T], name: str, part: IdentitySettings) -> tuple[T, ...]:
        return tuple(of(kind, part, setting, count, kind=name) for setting, count in part.num_samples.items())

    few, line, scaled = block.parameters, block.line, block.root_scaling
    return {
        "identity": Identity(cases=each(Trained, "identity", block.identity), **common._asdict()),
        "labels": Labels(cases=each(Doubled, "labels", block.labels), **common._asdict()),
        "line": of(Line, line, line.setting, line.num_samples),
        "parameters": of(
            Parameters,
            few,
            few.setting,
            few.num_samples,
            sizes=tuple(Size(num_layers=L, num_units=M) for L, M in few.sizes),
        ),
        "root-scaling": of(RootScaling, scaled, scaled.setting, scaled.num_samples),
        "origin": block.case(Origin, common, block.origin.setting, block.origin, initial_law=PointLaw()),
        **_conditions(block, common),
    }


def _conditions(block: Settings, common: Common) -> dict[str, AnyCase]:
    """One job for the laws and one for the sizes."""
    part = block.conditions
    laws = {name: NamedLaw(name=name, **dict(law)) for name, law in part.laws.items()}
    rows = {
        "laws": [
            Row(row=name, law=law, num_layers=part.num_layers, num_units=part.num_units) for name, law in laws.items()
        ],
        "sizes": [Row(row=f"l{L}-m{M}", law=laws[part.base], num_layers=L, num_units=M) for L, M in part.sizes],
    }
    return {
        f"conditions-{group}": block.case(Conditions, common, part.setting, part, rows=tuple(listed))
        for group, listed in rows.items()
    }
