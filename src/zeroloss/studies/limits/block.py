# pyright: strict
"""The block `limits` of the configuration: settings, and what is run on them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ledger.config.closed import Closed
from zeroloss.studies.case import SettingsBlock
from zeroloss.studies.settings import (
    Count,
    DepthNodes,
    Doubling,
    Name,
    NetworkSetting,
    NumberType,
    Positive,
    Replicated,
    Rule,
    Times,
    increasing,
)

Correlations = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=3, strict=False), AfterValidator(increasing)
]
Hurst = Annotated[float, Field(gt=0, lt=1)]
Sampling = Literal["independent", "path"]
Role = Literal["units", "layers", "constant", "decay"]


class InfluenceDepthsSettings(Closed):
    """Depths at which Σ_L is followed to its limit, all and the limit on the same scrambles of a rule."""

    depths: Doubling
    rule: Rule


class Setting(NetworkSetting):
    """The rules of its limits, and how deep they are followed."""

    reference: Rule
    wide: Rule
    influence: Rule | None  # none: Σ, which is N × N, is not predicted
    influence_depths: InfluenceDepthsSettings | None = None  # none: the slope in L is not predicted
    ladder: Doubling
    ladder_nodes: Annotated[int, Field(ge=4, le=32)]
    ladder_rule: Rule
    elements_per_job: Count | None = None  # in place of that of the block


class EnsembleSettings(Replicated):
    """Trained networks of one size; ``roles`` say which estimates may read it.

    ``compiled`` False: trained by torch, on the draws of the compiled ensemble of that size.
    """

    sampling: Sampling
    num_layers: Count
    num_units: Count
    roles: Annotated[tuple[Role, ...], Field(strict=False)]
    compiled: bool = True

    @model_validator(mode="after")
    def _torch_serves_the_constant(self) -> EnsembleSettings:
        if not self.compiled and self.roles != ("constant",):
            raise ValueError(f"roles of an ensemble with compiled: false must be [constant], got {list(self.roles)}")
        return self


class SmoothSizes(Replicated):
    """Networks on smooth paths."""

    num_layers: Count
    num_units: Count
    flow_times: Times


class SmoothSettings(SmoothSizes):
    """The same for several correlation lengths, and the rule that predicts them."""

    correlation_lengths: Annotated[tuple[Positive, ...], Field(min_length=2, strict=False)]
    rule: Rule
    correlations: Correlations


class PathsSettings(Replicated):
    """Networks of several depths on the same paths."""

    depths: Doubling
    num_units: Count
    flow_times: Times


class FixedPathsSettings(PathsSettings):
    """Depths on smooth paths, against the continuous limit on the same paths."""

    correlation_length: Positive
    depth_nodes: Annotated[int, Field(ge=4, le=32)]  # the error is estimated with two less


class RoughSizes(PathsSettings):
    """Depths on fractional Brownian paths, or on smooth ones."""

    trained_depths: Doubling
    cells_per_layer: Count

    @model_validator(mode="after")
    def _trained_are_run(self) -> RoughSizes:
        missing = set(self.trained_depths) - set(self.depths)
        if missing:
            raise ValueError(f"trained_depths must be among depths {list(self.depths)}, got {sorted(missing)} besides")
        return self


class HurstSettings(Closed):
    """Fractional Brownian paths of a Hurst index, drawn so many times."""

    index: Hurst
    replicates: Annotated[int, Field(ge=8)]


class RoughPathsSettings(RoughSizes):
    """The same for several Hurst indices; ``replicates`` are those of smooth paths.

    With H > 1/2, and on smooth paths, the gap of first order is the same on almost every path, and
    few are enough; with H < 1/2 it spreads by more than it is large.
    """

    hurst: Annotated[tuple[HurstSettings, ...], Field(min_length=1, strict=False)]
    correlation_length: Positive


class CommuteSettings(Replicated):
    """Three orders of the limits L → ∞ and M → ∞."""

    flow_times: Times
    widths: Doubling
    sizes: Annotated[Doubling, Field(min_length=3)]
    joint_replicates: Annotated[int, Field(ge=8)]


class EnergySizes(Closed):
    """The energy identity along limit and network."""

    rtol: Positive
    log2_points: Annotated[int, Field(ge=4)]
    num_layers: Count
    num_units: Count
    replicates: Count


class EnergySettings(EnergySizes):
    """The same on several settings."""

    settings: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]


class PortraitSettings(Closed):
    """The training flow itself, for the figure: features over depth and particles at several s."""

    setting: Name
    flow_times: Times
    log2_points: Annotated[int, Field(ge=4)]
    depth_nodes: DepthNodes


class Settings(SettingsBlock[Setting]):
    """The whole block: settings by name, then what is run on them."""

    network_rtol: Positive
    network_dtype: NumberType
    limit_rtol: Positive
    influence_rtol: Positive
    elements_per_job: Count
    ensembles: Annotated[tuple[EnsembleSettings, ...], Field(strict=False)]
    more_ensembles: Annotated[tuple[EnsembleSettings, ...], Field(strict=False)] = ()  # of an overlay
    smooth: SmoothSettings
    fixed_paths: FixedPathsSettings
    rough_paths: RoughPathsSettings
    commute: CommuteSettings
    energy: EnergySettings
    portrait: PortraitSettings

    @property
    def all_ensembles(self) -> tuple[EnsembleSettings, ...]:
        """Those of the file below and those that an overlay adds, whose lists would replace."""
        return self.ensembles + self.more_ensembles

    def per_job(self, setting: str) -> int:
        """The elements of one job on a setting."""
        return self.settings[setting].elements_per_job or self.elements_per_job

    @model_validator(mode="after")
    def _ensembles_are_predicted(self) -> Settings:
        seen: set[tuple[str, str, int, int, bool]] = set()
        cells: set[tuple[str, str, int, bool]] = set()
        for e in self.all_ensembles:
            size = (e.setting, e.sampling, e.num_layers, e.num_units, e.compiled)
            if size in seen:
                raise ValueError(f"each size of ensembles must be given once, got {size[:4]} twice")
            seen.add(size)
            if "constant" in e.roles:
                cell = (e.setting, e.sampling, e.num_units, e.compiled)
                if cell in cells:
                    raise ValueError(
                        "ensembles of role constant of one setting and sampling must differ in num_units, which "
                        f"names them, got {e.num_units} twice in {e.setting}, {e.sampling}"
                    )
                cells.add(cell)
            setting = self.setting(e.setting)
            if "constant" in e.roles and setting.influence is None:
                raise ValueError(
                    f"a setting with an ensemble of role constant must have a rule influence, got none in {e.setting}"
                )
            if "constant" in e.roles and e.num_layers not in setting.ladder:
                raise ValueError(
                    "num_layers of an ensemble of role constant must be in the ladder "
                    f"{list(setting.ladder)} of its setting {e.setting}, "
                    f"got {e.num_layers}"
                )
        return self

    @model_validator(mode="after")
    def _decay_has_two_ends(self) -> Settings:
        large = {
            (e.setting, e.sampling, e.num_layers): e.num_units
            for e in sorted(self.all_ensembles, key=lambda e: e.num_units)
            if "constant" in e.roles and e.compiled
        }
        for e in self.all_ensembles:
            ends = e.num_units, large.get((e.setting, e.sampling, e.num_layers), 0)
            if "decay" in e.roles and ends[0] >= ends[1]:
                raise ValueError(
                    "an ensemble of role decay must have fewer units than one of role "
                    "constant of its setting, sampling and num_layers, got "
                    f"{ends[0]} units in {e.setting}, {e.sampling}, {e.num_layers}, "
                    f"where the other has {ends[1] or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _routes_meet(self) -> Settings:
        setting = self.setting(self.commute.setting)
        if self.commute.flow_times[0] not in setting.flow_times:
            raise ValueError(
                f"commute.flow_times must be among those of {self.commute.setting}, "
                f"{list(setting.flow_times)}, got {list(self.commute.flow_times)}"
            )
        if len(setting.ladder) < 3:
            raise ValueError(
                f"the ladder of {self.commute.setting}, the setting of commute, must "
                f"have 3 depths or more, got {list(setting.ladder)}"
            )
        return self
