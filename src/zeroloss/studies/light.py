"""Cases that need numpy alone, which load neither torch nor a device, and what their settings are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ledger import study
from ledger.config.closed import Closed
from zeroloss.studies.settings import Positive

__all__ = ["Counts", "LightCase", "PerSize", "Positives", "Several"]

Several = Annotated[int, Field(ge=2)]
Counts = Annotated[tuple[Several, ...], Field(min_length=1, strict=False)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]


class LightCase(study.Case):
    """The seeds of a case."""

    seed: int
    data_seed: int


class PerSize(Closed):
    """So many replicates at each size of a list: of widths, dimensions or samples."""

    replicates: Counts

    @model_validator(mode="after")
    def _one_count_each(self) -> PerSize:
        lists = (getattr(self, name, None) for name in ("widths", "dims", "num_samples"))
        sizes = next(one for one in lists if isinstance(one, tuple))
        if len(self.replicates) != len(sizes):
            raise ValueError(f"replicates must have one number for each of {list(sizes)}, got {list(self.replicates)}")
        return self
