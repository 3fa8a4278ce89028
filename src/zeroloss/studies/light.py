"""Cases that need numpy alone: they load neither torch nor a device."""

from __future__ import annotations

from ledger import study

__all__ = ["LightCase"]


class LightCase(study.Case):
    """The seeds of a case."""

    seed: int
    data_seed: int
