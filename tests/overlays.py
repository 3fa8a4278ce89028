"""Overlays of the published configuration: where its values are, and one of them replaced."""

from __future__ import annotations

import copy
from functools import reduce
from pathlib import Path
from typing import Any

from ledger.config import yaml

ROOT = Path(__file__).resolve().parents[1]
FULL = ROOT / "config" / "full.yaml"
PUBLISHED: dict[str, Any] = yaml.parse(FULL.read_text(encoding="utf-8"))
Place = tuple[str | int, ...]


def at(place: Place, content: Any = PUBLISHED) -> Any:
    """The value at a place."""
    return reduce(lambda inner, part: inner[part], place, content)


def places(content: Any = PUBLISHED, place: Place = ()) -> list[Place]:
    """Every place of a value, mappings and lists included."""
    inner = content.items() if isinstance(content, dict) else (enumerate(content) if isinstance(content, list) else [])
    return [place] * bool(place) + [p for key, value in inner for p in places(value, (*place, key))]


def laid_over(place: Place, value: Any, below: Any = PUBLISHED) -> Any:
    """The smallest overlay that sets a value: mappings merge, a list is given whole."""
    if not place:
        return value
    first, *rest = place
    if isinstance(below, list):
        whole = copy.deepcopy(below)
        at(place[:-1], whole)[place[-1]] = value
        return whole
    return {first: laid_over(tuple(rest), value, below.get(first))}
