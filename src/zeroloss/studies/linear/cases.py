"""The jobs of `linear`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.config.configuration import Config

__all__ = ["cases"]

Spec = dict[str, Any]


def cases(config: Config) -> dict[str, Spec]:
    """Every job by name; its specification holds all it depends on."""
    block = config.linear
    base: Spec = {"seed": config.seed, "device": config.device, "rtol": block.rtol}
    jobs: dict[str, Spec] = {}
    for kind in ("follow", "ends", "portrait", "stages", "unbalanced"):
        part = getattr(block, kind).model_dump(mode="json")
        jobs[kind] = base | {"kind": kind, "values": list(block.values)} | part
    part = block.momentum.model_dump(mode="json")
    for name in part.pop("architectures"):
        jobs[f"momentum-{name}"] = base | {"kind": "momentum", "architecture": name} | _sizes(
            part, name)
    jobs["bridge"] = base | {"kind": "bridge"} | block.bridge.model_dump(mode="json")
    return jobs


def _sizes(part: Spec, architecture: str) -> Spec:
    """The widths of this architecture alone: those of a ReLU network are larger."""
    relu = architecture == "relu"
    made = {name: value for name, value in part.items() if not name.startswith("relu_")}
    if relu:
        made |= {name.removeprefix("relu_"): value for name, value in part.items()
                 if name.startswith("relu_")}
    return made
