"""The jobs of the negative controls and of the table of conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroloss.config import Config

__all__ = ["control_cases"]

Spec = dict[str, Any]


def control_cases(config: Config, spec: Callable[..., Spec]) -> dict[str, Spec]:
    """Every job by name; ``spec(config, kind, setting, **parts)`` makes a specification."""
    controls, jobs = config.zero_loss.controls, {}
    for kind in ("identity", "labels"):
        part = getattr(controls, kind).model_dump(mode="json")
        samples = part.pop("num_samples")
        jobs[kind] = {"kind": kind, "device": config.device, "cases": [
            _with_samples(spec(config, kind, name, **part, num_samples=count))
            for name, count in samples.items()]}
    for kind in ("line", "parameters", "root_scaling"):
        part = getattr(controls, kind).model_dump(mode="json")
        jobs[kind.replace("_", "-")] = _with_samples(
            spec(config, kind.replace("_", "-"), part.pop("setting"), **part))
    origin = controls.origin.model_dump(mode="json")
    jobs["origin"] = spec(config, "origin", origin.pop("setting"), **origin)
    return jobs | _conditions(config, spec)


def _conditions(config: Config, spec: Callable[..., Spec]) -> dict[str, Spec]:
    """One job for the laws and one for the sizes."""
    part = config.zero_loss.conditions.model_dump(mode="json")
    setting, base = part.pop("setting"), part.pop("base")
    laws, sizes = part.pop("laws"), part.pop("sizes")
    size = [part.pop("num_layers"), part.pop("num_units")]
    rows = {"laws": [{"row": name, "law": law, "size": size} for name, law in laws.items()],
            "sizes": [{"row": f"l{L}-m{M}", "law": laws[base], "size": [L, M]} for L, M in sizes]}
    return {f"conditions-{group}": spec(config, "conditions", setting, **part, rows=listed)
            for group, listed in rows.items()}


def _with_samples(made: Spec) -> Spec:
    """The problem of the setting with another number of samples."""
    return made | {"problem": made["problem"] | {"num_samples": made["num_samples"]}}
