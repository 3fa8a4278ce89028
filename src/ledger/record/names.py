"""The names nearest to one that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]

NEAREST = 3


def nearest(name: str, names: Iterable[str]) -> str:
    """Say in words which names are most like `name`; "" if none is at all.

    >>> nearest("limits.dept", ["limits.depth", "size.law"])
    'nearest: limits.depth'
    """
    near = difflib.get_close_matches(name, list(names), n=NEAREST, cutoff=0.3)
    return f"nearest: {', '.join(near)}" if near else ""
