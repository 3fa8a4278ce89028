"""Negative controls and the table of conditions: their part of the `zero_loss` block."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ledger.config.closed import Closed
from zeroloss.studies.settings import Count, Doubling, Name, NonNegative, Positive, Times

__all__ = ["Conditions", "Controls", "ShiftedLaw"]

Size = Annotated[tuple[Count, Count], Field(strict=False)]  # (num_layers, num_units)
Sizes = Annotated[tuple[Size, ...], Field(min_length=1, strict=False)]
NumSamples = Annotated[int, Field(ge=2)]
Samples = Annotated[dict[Name, NumSamples], Field(min_length=1)]  # by setting
Replicates = Annotated[int, Field(ge=2)]


class Identity(Closed):
    """The identity as activation: the map that is read out stays affine."""

    num_samples: Samples
    flow_time: Positive
    replicates: Replicates


class Labels(Closed):
    """One sample twice, its second label higher by ``gap``."""

    num_samples: Samples  # before one is taken twice
    sample: Annotated[int, Field(ge=0)]
    gap: Positive
    flow_time: Positive
    replicates: Replicates

    @model_validator(mode="after")
    def _sample_exists(self) -> Labels:
        fewest = min(self.num_samples.values())
        if self.sample >= fewest:
            raise ValueError(f"sample must be below the least of num_samples, {fewest}, "
                             f"got {self.sample}")
        return self


class Line(Closed):
    """The setting without its lift, d = 1: limit on several depth rules, networks of many depths,
    seen at ``num_times`` times, equal steps of log s from ``first_time``."""

    setting: Name
    num_samples: NumSamples
    depth_nodes: Annotated[tuple[Annotated[int, Field(ge=2, le=16)], ...],
                           Field(min_length=2, strict=False)]
    log2_points: Annotated[int, Field(ge=4, le=16)]
    flow_time: Positive
    num_layers: Doubling
    num_units: Count
    replicates: Replicates
    first_time: Positive
    network_time: Positive
    num_times: Annotated[int, Field(ge=2)]
    network_rtol: Positive


class Parameters(Closed):
    """Networks with fewer parameters than samples."""

    setting: Name
    num_samples: NumSamples
    sizes: Sizes
    flow_time: Positive
    replicates: Replicates

    @model_validator(mode="after")
    def _too_few(self) -> Parameters:
        # θ has at least 3 coordinates: more than N/3 particles are enough for any problem
        for L, M in self.sizes:
            if self.num_samples <= 3 * L * M:
                raise ValueError("sizes must have fewer parameters than num_samples "
                                 f"{self.num_samples}, got {L} layers of {M} units")
        return self


class Origin(Closed):
    """All units at θ = 0."""

    setting: Name
    flow_time: Positive


class RootScaling(Closed):
    """Branches of scale 1/(L √M), seen at times ``kernel_times``/M, since K grows like M."""

    setting: Name
    num_samples: NumSamples
    num_layers: Count
    num_units: Doubling
    kernel_times: Times
    replicates: Annotated[int, Field(ge=8)]
    network_rtol: Positive


class Controls(Closed):
    """Where zero loss, or a rate of the limit theorem, must fail, and by how much."""

    identity: Identity
    line: Line
    labels: Labels
    parameters: Parameters
    origin: Origin
    root_scaling: RootScaling

    @property
    def named(self) -> list[str]:
        """The settings that the controls stand on."""
        single = (self.line, self.parameters, self.origin, self.root_scaling)
        return [*self.identity.num_samples, *self.labels.num_samples,
                *(part.setting for part in single)]


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


class Conditions(Closed):
    """Outcome of training against law and size, networks of one setting.

    ``laws`` are run on num_layers × num_units; ``sizes`` with the Gaussian law ``base``.
    """

    setting: Name
    num_samples: Annotated[tuple[NumSamples, ...], Field(min_length=1, strict=False)]
    num_layers: Count
    num_units: Count
    laws: dict[Name, ShiftedLaw]
    base: Name
    sizes: Sizes
    rtol: Positive
    floor: Positive  # of the risk, where a flow is left
    flow_time: Positive
    replicates: Replicates

    @model_validator(mode="after")
    def _base_is_a_law(self) -> Conditions:
        if self.base not in self.laws:
            raise ValueError(f"base must be one of the laws {list(self.laws)}, got {self.base}")
        return self
