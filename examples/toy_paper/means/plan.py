"""What is run: means of so many draws, each many times over."""

from __future__ import annotations

from pydantic import PositiveInt

from ledger.study import Case, Closed, Common

__all__ = ["Means", "Settings", "cases"]


class Settings(Closed):
    """The block `means` of the configuration."""

    sizes: list[PositiveInt]
    replicates: PositiveInt


class Means(Case):
    """Means of `size` draws each."""

    size: int
    replicates: int
    seed: int


def cases(block: Settings, common: Common) -> dict[str, Means]:
    """One case for each size."""
    return {f"n{size}": Means(size=size, replicates=block.replicates, seed=common.seed) for size in block.sizes}
