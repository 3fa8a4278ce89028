"""The jobs of `my_study`: one for each width."""

from __future__ import annotations

from typing import Any

__all__ = ["cases"]


def cases(config: Any) -> dict[str, dict[str, Any]]:
    """Every job by name; its specification holds all it depends on."""
    block = config.my_study.model_dump(mode="json")
    widths = block.pop("num_units")
    base = {"kind": "ensemble", "seed": config.seed, "device": config.device,
            "setting": "my-study", **block}
    return {f"width-{M}": base | {"num_units": M} for M in widths}
