"""The base of every configuration model: frozen, and closed to unknown keys."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Closed"]


class Closed(BaseModel):
    """A frozen model that refuses unknown keys, wrong types and non-finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
