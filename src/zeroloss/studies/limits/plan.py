# pyright: strict
"""The cases of `limits`: what is run, in pieces worth their start-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ledger.run.packing import packed
from ledger.study import Case, Closed, Common
from zeroloss.studies import case
from zeroloss.studies.case import LimitCase
from zeroloss.studies.limits import block as parts
from zeroloss.studies.limits.block import Sampling, Settings
from zeroloss.studies.settings import Block, Count, Doubling, Positive, Rule, in_blocks

Index = Annotated[int, Field(ge=0)]
Named = Iterator[tuple[str, Case]]
# Scrambles of a rule for the limit's own Σ, which is only printed beside
_OF_THE_LIMIT = 3


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
    """One scramble of the rule, at one depth (0: the limit); ``halved``: also on half of its points."""

    num_layers: Index
    scramble: Index
    halved: bool = False


class InfluenceCase(LimitCase):
    """Influence functions, a few scrambles to a job."""

    rule: Rule
    parts: tuple[InfluencePart, ...]


class Influence(InfluenceCase):
    """`references.influences`."""


class InfluenceDepths(InfluenceCase):
    """`references.influence_depths`."""


class Pairs(LimitCase):
    """`references.pairs`."""

    rule: Rule
    correlations: parts.Correlations
    num_layers: Count


class Portrait(LimitCase, parts.PortraitSettings):
    """`references.portrait`."""


class Size(Block):
    """A block of replicates, with the estimates that may read it."""

    roles: tuple[parts.Role, ...]


class NetworksCase(LimitCase):
    """Trained networks of some sizes."""

    sampling: Sampling
    sizes: tuple[Size, ...]


class Ensemble(NetworksCase):
    """`networks.ensemble`."""


class TorchEnsemble(NetworksCase):
    """`networks.torch_ensemble`."""


class Smooth(LimitCase, parts.SmoothSizes):
    """`networks.smooth`."""

    correlation_lengths: tuple[Positive, ...]


class FixedPaths(LimitCase, parts.FixedPathsSettings):
    """`networks.fixed_paths`."""


class FractionalPaths(Closed):
    """Fractional Brownian paths."""

    hurst: parts.Hurst


class LipschitzPaths(Closed):
    """Smooth paths."""

    correlation_length: Positive


class Rough(LimitCase, parts.RoughSizes):
    """`networks.rough`."""

    paths: tuple[FractionalPaths | LipschitzPaths, ...]


class Commute(LimitCase, parts.CommuteSettings):
    """`networks.commute`."""


class EnergyOn(LimitCase, parts.EnergySizes):
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
    return dict(
        [
            *(named for name in block.settings for named in _limits(block, common, name)),
            *_ensembles(block, common),
            *_smooth(block, common),
            ("fixed-paths", block.case(FixedPaths, common, block.fixed_paths.setting, block.fixed_paths)),
            *_rough(block, common),
            ("commute", block.case(Commute, common, block.commute.setting, block.commute)),
            (
                "energy",
                Energy(
                    **common._asdict(),
                    cases=tuple(block.case(EnergyOn, common, name, block.energy) for name in block.energy.settings),
                ),
            ),
            ("portrait", block.case(Portrait, common, block.portrait.setting, block.portrait)),
        ]
    )


def _limits(block: Settings, common: Common, name: str) -> Named:
    """The limits of a setting, and what they predict for the depths of its ensembles."""
    setting = block.settings[name]
    yield f"reference-{name}", block.case(Reference, common, name, rule=setting.reference)
    yield f"ladder-{name}", block.case(Ladder, common, name, rule=setting.ladder_rule)
    depths = sorted({e.num_layers for e in block.all_ensembles if e.setting == name and "constant" in e.roles})
    if depths:
        yield f"wide-{name}", block.case(Wide, common, name, rule=setting.wide, depths=tuple(depths))
    if setting.influence is not None:
        rule = setting.influence
        parts = [InfluencePart(num_layers=0, scramble=i) for i in range(min(_OF_THE_LIMIT, rule.scrambles))]
        parts += [
            InfluencePart(num_layers=depth, scramble=i, halved=i < halved(rule))
            for depth in depths
            for i in range(rule.scrambles)
        ]
        yield from _influences(Influence, block, common, name, rule, parts, setting.depth_nodes)
    if setting.influence_depths is not None:
        rule = setting.influence_depths.rule
        parts = [
            InfluencePart(num_layers=depth, scramble=i)
            for depth in (0, *setting.influence_depths.depths)
            for i in range(rule.scrambles)
        ]
        yield from _influences(InfluenceDepths, block, common, name, rule, parts, setting.ladder_nodes)


def halved(rule: Rule) -> int:
    """Scrambles of a rule that are also solved on half of their points."""
    return (rule.scrambles + 1) // 2


def _influences(
    kind: type[InfluenceCase],
    block: Settings,
    common: Common,
    name: str,
    rule: Rule,
    parts: list[InfluencePart],
    nodes: int,
) -> Named:
    """Influence functions of all parts, a few to a job; ``nodes`` in depth for the limit."""
    # work in the unit of an ensemble's: one influence costs N gradients at each step
    work = 2**rule.log2_points * block.settings[name].problem.num_samples ** 2
    each = [((3 if part.halved else 2) * work * (part.num_layers or nodes), part) for part in parts]
    own = {"rule": rule, "limit_rtol": block.influence_rtol, "depth_nodes": nodes}
    for i, pack in enumerate(packed(each, block.per_job(name))):
        yield f"{kind.kind}-{name}-{i}", block.case(kind, common, name, parts=tuple(pack), **own)


def _ensembles(block: Settings, common: Common) -> Named:
    """Trained networks: large sizes in blocks of replicates, small ones several to a job."""
    groups: dict[tuple[bool, Sampling, str], list[tuple[int, Size]]] = {}
    for e in block.all_ensembles:
        samples = block.settings[e.setting].problem.num_samples
        groups.setdefault((e.compiled, e.sampling, e.setting), []).extend(
            in_blocks(Size, e.num_layers, e.num_units, samples, e.replicates, block.per_job(e.setting), roles=e.roles)
        )
    for (compiled, sampling, name), pieces in groups.items():
        kind, prefix = (Ensemble, "") if compiled else (TorchEnsemble, "torch-")
        for i, pack in enumerate(packed(pieces, block.per_job(name))):
            yield f"{prefix}{sampling}-{name}-{i}", block.case(kind, common, name, sampling=sampling, sizes=tuple(pack))


def _smooth(block: Settings, common: Common) -> Named:
    """Networks on smooth paths, and the covariances that predict them."""
    part = block.smooth
    yield "pairs", block.case(Pairs, common, part.setting, part)
    samples = block.settings[part.setting].problem.num_samples
    work = part.num_layers * part.num_units * samples * part.replicates
    packs = packed([(work, length) for length in part.correlation_lengths], block.per_job(part.setting))
    for i, pack in enumerate(packs):
        yield f"smooth-{i}", block.case(Smooth, common, part.setting, part, correlation_lengths=tuple(pack))


def _rough(block: Settings, common: Common) -> Named:
    """Networks on rough paths, those of one number of replicates together."""
    part = block.rough_paths
    groups: dict[int, list[FractionalPaths | LipschitzPaths]] = {}
    for rough in part.hurst:
        groups.setdefault(rough.replicates, []).append(FractionalPaths(hurst=rough.index))
    groups.setdefault(part.replicates, []).append(LipschitzPaths(correlation_length=part.correlation_length))
    samples = block.settings[part.setting].problem.num_samples
    each = 2 * max(part.depths) * part.num_units * samples
    packs = [
        (count, pack)
        for count, paths in groups.items()
        for pack in packed([(each * count, path) for path in paths], block.per_job(part.setting))
    ]
    for i, (count, pack) in enumerate(packs):
        yield f"rough-{i}", block.case(Rough, common, part.setting, part, paths=tuple(pack), replicates=count)
