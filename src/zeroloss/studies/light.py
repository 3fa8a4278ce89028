"""Cases that need numpy alone: they load neither torch nor a device."""

from __future__ import annotations

from ledger import study

__all__ = ["LightCase"]


class LightCase(study.Case):
    """The seeds of a case, in one thread."""

    seed: int
    data_seed: int

    def prepare(self) -> None:
        """One thread, so that rows have the same bytes on any number of cores."""
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
