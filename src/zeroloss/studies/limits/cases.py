"""The jobs of `limits`: what is run, in pieces worth their start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.run.packing import blocks, packed

if TYPE_CHECKING:
    from ledger.config.configuration import Config
    from zeroloss.studies.limits.settings import Ensemble, Settings

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
                                              ladder=list(setting.ladder),
                                              ladder_nodes=setting.ladder_nodes)
        depths = _depths(block, name)
        if depths:
            jobs[f"wide-{name}"] = builder.spec("wide", name, rule=setting.wide.model_dump(),
                                                depths=depths)
        jobs.update(builder.influence(name, [0, *depths]))
    jobs.update(builder.ensembles())
    jobs.update(builder.paths())
    for name in ("commute", "energy", "portrait"):
        part = getattr(block, name).model_dump(mode="json")
        if name == "energy":
            names = part.pop("settings")
            jobs["energy"] = {"kind": "energy", "cases": [
                builder.spec("energy", one, **part) for one in names]} | {
                    key: builder.spec("energy", names[0])[key] for key in ("seed", "device")}
        else:
            jobs[name] = builder.spec(name, part.pop("setting"), **part)
    return jobs


def _depths(block: Settings, name: str) -> list[int]:
    """The depths at which mean and Σ are predicted for finite networks of a setting."""
    return sorted({e.num_layers for e in block.all_ensembles
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

    def influence(self, name: str, depths: list[int]) -> dict[str, Spec]:
        """Influence functions at each depth (0: the limit), a few scrambles to a job."""
        setting = self.block.settings[name]
        rule = setting.influence
        if rule is None:
            return {}
        # work in the unit of an ensemble's: one influence costs N gradients at each step
        work = 2**rule.log2_points * setting.problem.num_samples**2
        # the limit's own Σ is only printed beside: half of the scrambles do
        scrambles = {depth: rule.scrambles if depth else max(2, rule.scrambles // 2)
                     for depth in depths}
        each = [(2 * work * (depth or setting.depth_nodes),
                 {"num_layers": depth, "scramble": scramble})
                for depth in depths for scramble in range(scrambles[depth])]
        return {
            f"influence-{name}-{i}": self.spec(
                "influence", name, rule=rule.model_dump(), parts=pack,
                limit_rtol=self.block.influence_rtol)
            for i, pack in enumerate(packed(each, self.per_job(name)))}

    def per_job(self, name: str) -> int:
        """The elements of one job on a setting."""
        return self.block.settings[name].elements_per_job or self.block.elements_per_job

    def ensembles(self) -> dict[str, Spec]:
        """Trained networks: large sizes in blocks of replicates, small ones several to a job."""
        jobs: dict[str, Spec] = {}
        groups: dict[tuple[str, str], list[Ensemble]] = {}
        for e in self.block.all_ensembles:
            groups.setdefault((e.sampling, e.setting), []).append(e)
        for (sampling, name), group in groups.items():
            samples = self.block.settings[name].problem.num_samples
            pieces = [piece for e in group for piece in self._blocks(e, samples)]
            for i, pack in enumerate(packed(pieces, self.per_job(name))):
                jobs[f"{sampling}-{name}-{i}"] = self.spec(
                    "ensemble", name, sampling=sampling, sizes=pack)
        return jobs

    def _blocks(self, e: Ensemble, samples: int) -> list[tuple[int, Spec]]:
        """Blocks of replicates of one size, each with its work (particles × samples)."""
        each = e.num_layers * e.num_units * samples
        return [
            (each * (stop - start),
             {"num_layers": e.num_layers, "num_units": e.num_units, "first_replicate": start,
              "replicates": stop - start, "roles": list(e.roles)})
            for start, stop in blocks(each, e.replicates, self.per_job(e.setting))]

    def paths(self) -> dict[str, Spec]:
        """Networks on smooth and on rough paths."""
        jobs: dict[str, Spec] = {}
        smooth = self.block.smooth.model_dump(mode="json")
        name, rule = smooth.pop("setting"), smooth.pop("rule")
        correlations = smooth.pop("correlations")
        jobs["pairs"] = self.spec("pairs", name, rule=rule, correlations=correlations,
                                  num_layers=smooth["num_layers"],
                                  flow_times=smooth["flow_times"])
        samples = self.block.settings[name].problem.num_samples
        work = smooth["num_layers"] * smooth["num_units"] * samples * smooth["replicates"]
        lengths = [(work, length) for length in smooth.pop("correlation_lengths")]
        for i, pack in enumerate(packed(lengths, self.per_job(name))):
            jobs[f"smooth-{i}"] = self.spec("smooth", name, correlation_lengths=pack, **smooth)
        fixed = self.block.fixed_paths.model_dump(mode="json")
        jobs["fixed-paths"] = self.spec("fixed-paths", fixed.pop("setting"), **fixed)
        rough = self.block.rough_paths.model_dump(mode="json")
        name, hursts = rough.pop("setting"), rough.pop("hurst")
        length, many = rough.pop("correlation_length"), rough.pop("replicates")
        few = rough.pop("smooth_replicates")
        paths = [({"hurst": hurst}, few if hurst > 0.5 else many) for hurst in hursts]
        paths += [({"correlation_length": length}, few)]
        samples = self.block.settings[name].problem.num_samples
        each = 2 * max(rough["depths"]) * rough["num_units"] * samples
        packs = [(pack, count) for count in dict.fromkeys(count for _, count in paths)
                 for pack in packed([(each * count, path) for path, n in paths if n == count],
                                    self.per_job(name))]
        for i, (pack, count) in enumerate(packs):
            jobs[f"rough-{i}"] = self.spec("rough", name, paths=pack, replicates=count, **rough)
        return jobs
