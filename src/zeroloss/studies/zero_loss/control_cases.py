"""The jobs of the negative controls and of the table of conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.config.configuration import Config

__all__ = ["control_cases"]

Spec = dict[str, Any]


def control_cases(config: Config, spec: Callable[..., Spec]) -> dict[str, Spec]:
    """Every job by name; ``spec(config, kind, setting, **parts)`` makes a specification."""
    controls, jobs = config.zero_loss.controls, {}
    for kind in ("identity", "labels"):
        part = getattr(controls, kind).model_dump(mode="json")
        samples = part.pop("num_samples")
        jobs[kind] = {"kind": kind, "seed": config.seed, "device": config.device, "cases": [
            _with_samples(spec(config, kind, name, **part, num_samples=count))
            for name, count in samples.items()]}
    for kind in ("line", "parameters", "root-scaling"):
        part = getattr(controls, kind.replace("-", "_")).model_dump(mode="json")
        if kind == "parameters":
            part["sizes"] = [_size(*pair) for pair in part["sizes"]]
        jobs[kind] = _with_samples(spec(config, kind, part.pop("setting"), **part))
    jobs["parameters"] = _without(jobs["parameters"], "num_layers", "num_units")
    origin = controls.origin.model_dump(mode="json")
    nothing = {"kind": "point", "scale_a": 0.0, "scale_w": 0.0, "scale_b": 0.0}
    jobs["origin"] = spec(config, "origin", origin.pop("setting"), initial_law=nothing, **origin)
    return jobs | _conditions(config, spec)


def _conditions(config: Config, spec: Callable[..., Spec]) -> dict[str, Spec]:
    """One job for the laws and one for the sizes."""
    part = config.zero_loss.conditions.model_dump(mode="json")
    setting, base, sizes = part.pop("setting"), part.pop("base"), part.pop("sizes")
    laws = {name: {"name": name} | law for name, law in part.pop("laws").items()}
    size = _size(part.pop("num_layers"), part.pop("num_units"))
    rows = {"laws": [{"row": name, "law": law} | size for name, law in laws.items()],
            "sizes": [{"row": f"l{L}-m{M}", "law": laws[base]} | _size(L, M) for L, M in sizes]}
    return {f"conditions-{group}": _without(
        spec(config, "conditions", setting, **part, rows=listed),
        "num_layers", "num_units", "initial_law", "depth_nodes", "log2_points")
        for group, listed in rows.items()}


def _size(num_layers: int, num_units: int) -> Spec:
    return {"num_layers": num_layers, "num_units": num_units}


def _without(made: Spec, *names: str) -> Spec:
    """The specification without what the setting says and the job does not use."""
    return {name: value for name, value in made.items() if name not in names}


def _with_samples(made: Spec) -> Spec:
    """The problem of the setting with another number of samples."""
    return made | {"problem": made["problem"] | {"num_samples": made["num_samples"]}}
