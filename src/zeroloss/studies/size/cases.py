"""The jobs of `size`: what is run, in pieces worth their start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.run.packing import blocks, packed

if TYPE_CHECKING:
    from ledger.config.configuration import Config

__all__ = ["cases"]

Spec = dict[str, Any]
Piece = tuple[int, Spec]


def cases(config: Config) -> dict[str, Spec]:
    """Every job by name; its specification holds all it depends on."""
    block = config.size
    jobs: dict[str, Spec] = {}
    for name in block.settings:
        depths = sorted({ladder.num_layers for ladder in block.ladders if ladder.setting == name})
        if depths:
            jobs[f"law-{name}"] = spec(config, "law", name, depths=depths, role="ladder")
            demands = {ladder.sampling: list(ladder.accuracies) for ladder in block.ladders
                       if ladder.setting == name}
            jobs[f"theorem-{name}"] = spec(config, "theorem", name, steps=block.theorem_steps,
                                           demands=demands)
    phases = block.phases
    jobs["law-phases"] = spec(
        config, "law", phases.setting, flow_times=[phases.flow_time], role="phases",
        depths=list(phases.predicted_depths), wide=phases.wide.model_dump(),
        influence=phases.influence.model_dump(),
        gap=phases.influence.model_dump())
    for ladder in block.ladders:
        pieces = _blocks(config, ladder.setting, ladder.replicates,
                         [(ladder.num_layers, M) for M in ladder.num_units])
        prefix = f"widths-{ladder.setting}-{ladder.sampling}"
        jobs |= _ensembles(config, prefix, ladder.setting, pieces, role="ladder",
                           sampling=ladder.sampling, accuracies=list(ladder.accuracies))
    pieces = _blocks(config, phases.setting, phases.replicates,
                     [(L, M) for L in phases.num_layers for M in phases.num_units])
    jobs |= _ensembles(config, "phases", phases.setting, pieces, role="phases",
                       sampling="independent", accuracies=[phases.accuracy],
                       flow_times=[phases.flow_time])
    for corollary in block.corollaries:
        part = corollary.model_dump(mode="json")
        name = part.pop("setting")
        for i, accuracy in enumerate(part.pop("accuracies")):
            jobs[f"corollary-{name}-{corollary.sampling}-{i}"] = spec(
                config, "corollary", name, accuracy=accuracy, **part)
    part = block.threshold.model_dump(mode="json")
    jobs["threshold"] = spec(config, "threshold", part.pop("setting"), **part)
    return jobs


def spec(config: Config, kind: str, name: str, **parts: Any) -> Spec:
    """A specification of this kind on a setting; ``parts`` override the setting's values."""
    block = config.size
    base: Spec = {
        "kind": kind, "setting": name, "seed": config.seed, "device": config.device,
        "network_rtol": block.network_rtol, "limit_rtol": block.limit_rtol,
        "influence_rtol": block.influence_rtol, "draws": block.draws,
        "failure_probabilities": list(block.failure_probabilities),
        "shown_probability": block.shown_probability, "law_from": block.law_from,
        "weights": list(block.phases.weights)}
    return base | block.settings[name].model_dump(mode="json") | parts


def _blocks(config: Config, name: str, replicates: int, sizes: list[tuple[int, int]]
            ) -> list[Piece]:
    """Blocks of replicates of each size, with their work (particles × samples)."""
    most, samples = config.size.elements_per_job, config.size.settings[name].problem.num_samples
    pieces: list[Piece] = []
    for L, M in sizes:
        each = L * M * samples
        pieces += [(each * (stop - start), {"num_layers": L, "num_units": M,
                                            "first_replicate": start, "replicates": stop - start})
                   for start, stop in blocks(each, replicates, most)]
    return pieces


def _ensembles(config: Config, prefix: str, name: str, pieces: list[Piece], **parts: Any
               ) -> dict[str, Spec]:
    return {f"{prefix}-{i}": spec(config, "ensemble", name, sizes=pack, **parts)
            for i, pack in enumerate(packed(pieces, config.size.elements_per_job))}
