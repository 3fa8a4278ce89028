"""The jobs of `limits`: what is run, in pieces worth their start-up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroloss.config import Config
    from zeroloss.studies.limits.settings import Settings

__all__ = ["cases"]

Spec = dict[str, Any]


def cases(config: Config) -> dict[str, Spec]:
    """Every job by name; its specification holds all it depends on."""
    block = config.limits
    builder = _Builder(config)
    jobs: dict[str, Spec] = {}
    for name, setting in block.settings.items():
        rule = setting.reference
        jobs[f"reference-{name}"] = builder.spec("reference", name, rule=rule.model_dump())
        jobs[f"ladder-{name}"] = builder.spec("ladder", name, rule=setting.ladder_rule.model_dump(),
                                              ladder=list(setting.ladder))
        for depth in [0, *_depths(block, name)]:
            where = "continuous" if depth == 0 else f"l{depth}"
            jobs[f"influence-{name}-{where}"] = builder.spec(
                "influence", name, rule=setting.influence.model_dump(), num_layers=depth)
    jobs.update(builder.ensembles())
    jobs.update(builder.paths())
    for name in ("commute", "energy", "portrait"):
        part = getattr(block, name).model_dump(mode="json")
        if name == "energy":
            for setting_name in part.pop("settings"):
                jobs[f"energy-{setting_name}"] = builder.spec("energy", setting_name, **part)
        else:
            jobs[name] = builder.spec(name, part.pop("setting"), **part)
    return jobs


def _depths(block: Settings, name: str) -> list[int]:
    """The depths at which Σ and bias are predicted for finite networks of a setting."""
    return sorted({e.num_layers for e in block.ensembles
                   if e.setting == name and "constant" in e.roles})


class _Builder:
    """Puts together specifications."""

    def __init__(self, config: Config) -> None:
        self.config, self.block = config, config.limits

    def spec(self, kind: str, name: str, **parts: Any) -> Spec:
        """A specification of this kind on a setting; ``parts`` override the setting's values."""
        setting = self.block.settings[name]
        base: Spec = {
            "kind": kind, "setting": name, "seed": self.config.seed, "device": self.config.device,
            "problem": setting.problem.model_dump(mode="json"), "activation": setting.activation,
            "initial_law": setting.initial_law.model_dump(),
            "flow_times": list(setting.flow_times), "depth_nodes": setting.depth_nodes,
            "network_rtol": self.block.network_rtol, "limit_rtol": self.block.limit_rtol,
        }
        return base | parts

    def ensembles(self) -> dict[str, Spec]:
        """Networks of each size, split so that no job is much larger than the others."""
        jobs: dict[str, Spec] = {}
        for e in self.block.ensembles:
            # paths are common to all depths: one stream per path, whatever L
            samples = self.block.settings[e.setting].problem.num_samples
            work = e.num_layers * e.num_units * samples * e.replicates
            blocks = math.ceil(work / self.block.elements_per_job)
            edges = [round(i * e.replicates / blocks) for i in range(blocks + 1)]
            for i in range(blocks):
                case = f"{e.sampling}-{e.setting}-l{e.num_layers}-m{e.num_units}-b{i}"
                jobs[case] = self.spec(
                    "ensemble", e.setting, sampling=e.sampling, num_layers=e.num_layers,
                    num_units=e.num_units, first_replicate=edges[i],
                    replicates=edges[i + 1] - edges[i], roles=list(e.roles))
        return jobs

    def paths(self) -> dict[str, Spec]:
        """Networks on smooth and on rough paths."""
        jobs: dict[str, Spec] = {}
        smooth = self.block.smooth.model_dump(mode="json")
        name, rule = smooth.pop("setting"), smooth.pop("rule")
        correlations = smooth.pop("correlations")
        jobs["pairs"] = self.spec("pairs", name, rule=rule, correlations=correlations,
                                  flow_times=smooth["flow_times"])
        for i, length in enumerate(smooth.pop("correlation_lengths")):
            jobs[f"smooth-{i}"] = self.spec("smooth", name, correlation_length=length, **smooth)
        fixed = self.block.fixed_paths.model_dump(mode="json")
        jobs["fixed-paths"] = self.spec("fixed-paths", fixed.pop("setting"), **fixed)
        rough = self.block.rough_paths.model_dump(mode="json")
        name, hursts = rough.pop("setting"), rough.pop("hurst")
        length = rough.pop("correlation_length")
        for i, hurst in enumerate(hursts):
            jobs[f"rough-{i}"] = self.spec("rough", name, hurst=hurst, **rough)
        jobs["rough-lipschitz"] = self.spec("rough", name, correlation_length=length, **rough)
        return jobs
