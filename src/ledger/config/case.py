"""A case: all that one job of a study depends on. Nothing heavy is imported here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Self

from ledger.config.closed import Closed

__all__ = ["Case", "Common", "case_of", "kinds_of"]

HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Common(NamedTuple):
    """What the cases of all studies share: the seed of a run, where it computes, and the seed of its
    data, which a replication with another seed leaves as it is."""

    seed: int
    device: str
    data_seed: int = 0


class Case(Closed):
    """One job, frozen and closed. A study's `plan` has a subclass for each kind of job.

    `kind` is the name of the class in lower case, its words joined by hyphens. `spec` is the case
    as JSON: it stands in specs.json and in the manifest of the table that the job makes, and a case
    whose spec has changed is run again.
    """

    kind: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Name the kind."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.kind = HUMP.sub("-", cls.__name__).lower()

    def spec(self) -> dict[str, Any]:
        """The case as JSON, its kind included."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    @classmethod
    def of_spec(cls, spec: Mapping[str, Any]) -> Self:
        """The case that `spec` wrote; pydantic's ValidationError for any other."""
        rest = {key: value for key, value in spec.items() if key != "kind"}
        return cls.model_validate_json(json.dumps(rest))

    def largest(self) -> dict[str, float]:
        """The largest number under each name of its fields: {"num_layers": 128, …}."""
        return _largest(self.model_dump(mode="json"), "")

    def check(self) -> None:
        """Raise ValueError, with rule, value and remedy, for data that no job could read.

        The plan calls it once for each case, before any job starts.
        """

    def prepare(self) -> None:
        """Set up the process of the job: its device."""


def _largest(value: Any, name: str) -> dict[str, float]:
    """The same of any content as JSON; the numbers of a list stand under the name of the list."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return {}
    if isinstance(value, int | float):
        return {name: value}
    found: dict[str, float] = {}
    inner = value.items() if isinstance(value, dict) else ((name, entry) for entry in value)
    for key, entry in inner:
        for inside, number in _largest(entry, key).items():
            found[inside] = max(number, found.get(inside, number))
    return found


def kinds_of(plan: ModuleType) -> dict[str, type[Case]]:
    """The kinds of cases that a module defines, by name; those that others derive from are none."""
    own = [
        value
        for value in vars(plan).values()
        if isinstance(value, type) and issubclass(value, Case) and value.__module__ == plan.__name__
    ]
    return {one.kind: one for one in own if not any(issubclass(other, one) for other in own if other is not one)}


def case_of(plan: ModuleType, spec: Mapping[str, Any]) -> Case:
    """The case of a study that has this spec; ValueError for a kind that its plan has not."""
    kinds = kinds_of(plan)
    if spec.get("kind") not in kinds:
        raise ValueError(f"kind must be one of {', '.join(kinds)}, got {spec.get('kind')!r}; add it to {plan.__name__}")
    return kinds[spec["kind"]].of_spec(spec)
