"""Puts pieces of work together into jobs that are worth their start-up."""

from __future__ import annotations

from typing import Any

__all__ = ["packed"]


def packed(pieces: list[tuple[int, Any]], most: int) -> list[list[Any]]:
    """Pieces in their order, put together while their work stays within ``most``."""
    packs: list[list[Any]] = []
    filled = 0
    for work, piece in pieces:
        if not packs or filled + work > most:
            packs.append([])
            filled = 0
        packs[-1].append(piece)
        filled += work
    return packs
