# pyright: strict
"""What the blocks of studies of many small cases are made of: counts, lists of sizes, one case of each kind."""

from __future__ import annotations

import sys
from typing import Annotated, Self

from pydantic import Field, model_validator

from ledger.config.case import Case, Common, kinds_of
from ledger.config.closed import Closed
from zeroloss.studies.case import gathered
from zeroloss.studies.settings import Positive

__all__ = ["Counts", "PerSize", "Positives", "Several", "cases"]

Several = Annotated[int, Field(ge=2)]
Counts = Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]


class PerSize(Closed):
    """So many replicates at each size of a list: of widths, dimensions or samples."""

    replicates: Counts

    @model_validator(mode="after")
    def _one_count_each(self) -> Self:
        either = getattr(self, "dims", ()) or getattr(self, "num_samples", ())
        sizes: tuple[int, ...] = getattr(self, "widths", ()) or either
        if len(self.replicates) != len(sizes):
            raise ValueError(f"replicates must have one number for each of {list(sizes)}, got {list(self.replicates)}")
        return self


def cases(block: Closed, common: Common) -> dict[str, Case]:
    """One case of each kind of the plan that defines a block, of the settings of its name."""
    kinds = kinds_of(sys.modules[type(block).__module__]).items()
    return {name: gathered(kind, common, getattr(block, name)) for name, kind in kinds}
