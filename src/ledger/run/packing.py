"""Puts pieces of work together into jobs that are worth their start-up."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

__all__ = ["batches", "blocks", "packed"]

MOST_BLOCKS = 1000  # of one ensemble


def blocks(each: int, replicates: int, most: int) -> list[tuple[int, int]]:
    """First and last (exclusive) replicate of each block, whose work stays near ``most``.

    ``each``: work of one replicate; a block holds one at least. Raises ValueError for more blocks
    than a run can hold.
    """
    count = min(replicates, -(-each * replicates // most))
    if count > MOST_BLOCKS:
        raise ValueError(
            f"an ensemble of {replicates} replicates must fit {MOST_BLOCKS} jobs of "
            f"elements_per_job {most}, got {count} jobs; raise elements_per_job or "
            "lower sizes or replicates"
        )
    return list(pairwise(round(i * replicates / count) for i in range(count + 1)))


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


def batches(cases: Iterable[str], most: int) -> list[list[str]]:
    """Return the cases, sorted, in runs of as many as one process takes."""
    names = sorted(cases)
    return [names[i : i + most] for i in range(0, len(names), most)]
