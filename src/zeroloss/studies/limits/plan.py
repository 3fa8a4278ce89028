# pyright: strict
"""The cases of `limits`: what is run, in pieces worth their start-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ledger.run.packing import blocks, packed
from ledger.study import Case, Closed, Common
from zeroloss.studies import case
from zeroloss.studies.limits.block import (
    CommuteSettings,
    Correlations,
    EnergySizes,
    EnsembleSettings,
    FixedPathsSettings,
    Hurst,
    PortraitSettings,
    Role,
    RoughSizes,
    Sampling,
    Settings,
    SmoothSizes,
)
from zeroloss.studies.settings import Count, Doubling, Positive, Rule, Times

__all__ = ["Commute", "Energy", "EnergyOn", "Ensemble", "FixedPaths", "Influence", "Ladder",
           "LimitCase", "NetworksCase", "Pairs", "Portrait", "Reference", "Rough", "Settings",
           "Smooth", "TorchEnsemble", "Wide", "cases"]

Index = Annotated[int, Field(ge=0)]
Named = Iterator[tuple[str, Case]]


class LimitCase(case.NetworkCase):
    """A case on a setting: what limits and networks share there."""

    flow_times: Times
    depth_nodes: Count
    network_rtol: Positive
    limit_rtol: Positive


K = TypeVar("K", bound=LimitCase)


class Reference(LimitCase):
    """`references.reference`."""

    rule: Rule


class Ladder(LimitCase):
    """`references.ladder`."""

    rule: Rule
    ladder: Doubling
    ladder_nodes: Count


class Wide(LimitCase):
    """`references.wide`."""

    rule: Rule
    depths: tuple[Count, ...]


class InfluencePart(Closed):
    """One scramble of the rule, at one depth (0: the limit)."""

    num_layers: Index
    scramble: Index


class Influence(LimitCase):
    """`references.influences`: a few scrambles to a job."""

    rule: Rule
    parts: tuple[InfluencePart, ...]


class Pairs(LimitCase):
    """`references.pairs`."""

    rule: Rule
    correlations: Correlations
    num_layers: Count


class Portrait(LimitCase, PortraitSettings):
    """`references.portrait`."""


class Size(Closed):
    """A block of replicates of networks of one size."""

    num_layers: Count
    num_units: Count
    first_replicate: Index
    replicates: Count
    roles: tuple[Role, ...]


class NetworksCase(LimitCase):
    """Trained networks of some sizes."""

    sampling: Sampling
    sizes: tuple[Size, ...]


class Ensemble(NetworksCase):
    """`networks.ensemble`."""


class TorchEnsemble(NetworksCase):
    """`networks.torch_ensemble`."""


class Smooth(LimitCase, SmoothSizes):
    """`networks.smooth`."""

    correlation_lengths: tuple[Positive, ...]


class FixedPaths(LimitCase, FixedPathsSettings):
    """`networks.fixed_paths`."""


class FractionalPaths(Closed):
    """Fractional Brownian paths."""

    hurst: Hurst


class LipschitzPaths(Closed):
    """Smooth paths."""

    correlation_length: Positive


class Rough(LimitCase, RoughSizes):
    """`networks.rough`."""

    paths: tuple[FractionalPaths | LipschitzPaths, ...]


class Commute(LimitCase, CommuteSettings):
    """`networks.commute`."""


class EnergyOn(LimitCase, EnergySizes):
    """The identity on one setting; its JSON names the kind of the case that it is part of."""

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, content: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in content.items() if key != "kind"}

    @model_serializer(mode="wrap")
    def _with_kind(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": Energy.kind, **fields(self)}


class Energy(case.Case):
    """`networks.energy`: all settings in one job."""

    cases: tuple[EnergyOn, ...]


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """Every case by name."""
    plan = _Plan(block, common)
    return dict([
        *(named for name in block.settings for named in plan.limits(name)),
        *plan.ensembles(), *plan.smooth(),
        ("fixed-paths", plan.case(FixedPaths, block.fixed_paths.setting, block.fixed_paths)),
        *plan.rough(),
        ("commute", plan.case(Commute, block.commute.setting, block.commute)),
        ("energy", Energy(**plan.common, cases=tuple(
            plan.case(EnergyOn, name, block.energy) for name in block.energy.settings))),
        ("portrait", plan.case(Portrait, block.portrait.setting, block.portrait))])


class _Plan:
    """Puts together cases."""

    def __init__(self, block: Settings, common: Common) -> None:
        self.block = block
        self.common: dict[str, Any] = common._asdict()

    def case(self, kind: type[K], name: str, part: Closed, **own: Any) -> K:
        """The case of this kind on a setting: what it has of a part of the block, and its own."""
        setting = self.block.settings[name]
        shared: dict[str, Any] = {
            "setting": name, "problem": setting.problem, "activation": setting.activation,
            "initial_law": setting.initial_law, "flow_times": setting.flow_times,
            "depth_nodes": setting.depth_nodes, "network_rtol": self.block.network_rtol,
            "limit_rtol": self.block.limit_rtol}
        of_part = {key: value for key, value in part if key in kind.model_fields}
        return kind(**(self.common | shared | of_part | own))

    def limits(self, name: str) -> Named:
        """The limits of a setting, and what they predict for the depths of its ensembles."""
        setting = self.block.settings[name]
        yield f"reference-{name}", self.case(Reference, name, setting, rule=setting.reference)
        yield f"ladder-{name}", self.case(Ladder, name, setting, rule=setting.ladder_rule)
        depths = sorted({e.num_layers for e in self.block.all_ensembles
                         if e.setting == name and "constant" in e.roles})
        if depths:
            yield f"wide-{name}", self.case(Wide, name, setting, rule=setting.wide,
                                            depths=tuple(depths))
        if setting.influence is not None:
            yield from self._influences(name, setting.influence, [0, *depths])

    def _influences(self, name: str, rule: Rule, depths: list[int]) -> Named:
        """Influence functions at each depth (0: the limit), a few scrambles to a job."""
        setting = self.block.settings[name]
        # work in the unit of an ensemble's: one influence costs N gradients at each step
        work = 2**rule.log2_points * setting.problem.num_samples**2
        # the limit's own Σ is only printed beside: half of the scrambles do
        scrambles = {depth: rule.scrambles if depth else max(2, rule.scrambles // 2)
                     for depth in depths}
        each = [(2 * work * (depth or setting.depth_nodes),
                 InfluencePart(num_layers=depth, scramble=scramble))
                for depth in depths for scramble in range(scrambles[depth])]
        for i, pack in enumerate(packed(each, self.per_job(name))):
            yield f"influence-{name}-{i}", self.case(
                Influence, name, setting, rule=rule, parts=tuple(pack),
                limit_rtol=self.block.influence_rtol)

    def per_job(self, name: str) -> int:
        """The elements of one job on a setting."""
        return self.block.settings[name].elements_per_job or self.block.elements_per_job

    def ensembles(self) -> Named:
        """Trained networks: large sizes in blocks of replicates, small ones several to a job."""
        groups: dict[tuple[bool, Sampling, str], list[EnsembleSettings]] = {}
        for e in self.block.all_ensembles:
            groups.setdefault((e.compiled, e.sampling, e.setting), []).append(e)
        for (compiled, sampling, name), group in groups.items():
            kind, prefix = (Ensemble, "") if compiled else (TorchEnsemble, "torch-")
            setting = self.block.settings[name]
            pieces = [piece for e in group
                      for piece in self._blocks(e, setting.problem.num_samples)]
            for i, pack in enumerate(packed(pieces, self.per_job(name))):
                yield f"{prefix}{sampling}-{name}-{i}", self.case(
                    kind, name, setting, sampling=sampling, sizes=tuple(pack))

    def _blocks(self, e: EnsembleSettings, samples: int) -> list[tuple[int, Size]]:
        """Blocks of replicates of one size, each with its work (particles × samples)."""
        each = e.num_layers * e.num_units * samples
        return [(each * (stop - start),
                 Size(num_layers=e.num_layers, num_units=e.num_units, first_replicate=start,
                      replicates=stop - start, roles=e.roles))
                for start, stop in blocks(each, e.replicates, self.per_job(e.setting))]

    def smooth(self) -> Named:
        """Networks on smooth paths, and the covariances that predict them."""
        part = self.block.smooth
        yield "pairs", self.case(Pairs, part.setting, part)
        samples = self.block.settings[part.setting].problem.num_samples
        work = part.num_layers * part.num_units * samples * part.replicates
        packs = packed([(work, length) for length in part.correlation_lengths],
                       self.per_job(part.setting))
        for i, pack in enumerate(packs):
            yield f"smooth-{i}", self.case(Smooth, part.setting, part,
                                           correlation_lengths=tuple(pack))

    def rough(self) -> Named:
        """Networks on rough paths, those of one number of replicates together."""
        part = self.block.rough_paths
        paths: list[tuple[FractionalPaths | LipschitzPaths, int]] = [
            (FractionalPaths(hurst=hurst),
             part.smooth_replicates if hurst > 0.5 else part.replicates) for hurst in part.hurst]
        paths += [(LipschitzPaths(correlation_length=part.correlation_length),
                   part.smooth_replicates)]
        samples = self.block.settings[part.setting].problem.num_samples
        each = 2 * max(part.depths) * part.num_units * samples
        packs = [(pack, count) for count in dict.fromkeys(count for _, count in paths)
                 for pack in packed([(each * count, path) for path, n in paths if n == count],
                                    self.per_job(part.setting))]
        for i, (pack, count) in enumerate(packs):
            yield f"rough-{i}", self.case(Rough, part.setting, part, paths=tuple(pack),
                                          replicates=count)
