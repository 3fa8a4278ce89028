"""The jobs of `zero_loss`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zeroloss.studies.zero_loss.control_cases import control_cases

if TYPE_CHECKING:
    from ledger.config.configuration import Config

__all__ = ["cases"]

Spec = dict[str, Any]


def cases(config: Config) -> dict[str, Spec]:
    """Every job by name; its specification holds all it depends on."""
    block = config.zero_loss
    jobs: dict[str, Spec] = {}
    for name in block.settings:
        flows = [flow.model_dump(mode="json", exclude_none=True, exclude={"setting"})
                 for flow in block.flows.values() if flow.setting == name]
        if flows:
            jobs[f"flow-{name}"] = spec(config, "flow", name, flows=flows,
                                        replicates=block.replicates, probes=block.probes)
    for kind in ("regularised", "steps"):
        part = getattr(block, kind).model_dump(mode="json")
        jobs[kind] = spec(config, kind, part.pop("setting"), **part)
    twice = block.density.model_dump(mode="json", exclude={"weak_form"}) | {
        "setting": "monotone", "seed": config.seed, "device": config.device}
    weak = block.density.weak_form.model_dump(mode="json")
    jobs["density"] = {"kind": "density"} | twice
    jobs["weak-form"] = {"kind": "weak-form"} | twice | weak
    return jobs | control_cases(config, spec)


def spec(config: Config, kind: str, name: str, **parts: Any) -> Spec:
    """A specification of this kind on a setting; ``parts`` override the setting's values."""
    block = config.zero_loss
    base: Spec = {"kind": kind, "setting": name, "seed": config.seed, "device": config.device,
                  "rtol": block.rtol, "floor": block.floor}
    return base | block.settings[name].model_dump(mode="json") | parts
