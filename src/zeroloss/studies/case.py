"""What cases of zeroloss share: where they compute, and problem, block and law of a network."""

from __future__ import annotations

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import model_validator

from ledger import study
from ledger.config.closed import Closed
from zeroloss.studies.settings import Count, LawSettings, Name, NumberType, Positive, ProblemSettings, Times


class Case(study.Case):
    """A case of any study: its seed, that of its data, and the device of its arrays."""

    seed: int
    data_seed: int
    device: Literal["cpu", "cuda"]

    def prepare(self) -> None:
        """Refuse a device that is not there."""
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                raise ValueError("device is cuda, but torch finds none; set device: cpu")


class OnProblem(Closed):
    """What a case on a setting has, or one of several in a case; ``setting`` names its streams of
    random numbers."""

    seed: int
    data_seed: int
    device: Literal["cpu", "cuda"]
    setting: str
    problem: ProblemSettings

    def check(self) -> None:
        """Refuse data that no job could read."""
        self.problem.check()


class OnLaw(OnProblem):
    """The same with an initial law, of which networks and limits are drawn."""

    initial_law: LawSettings


class NetworkCase(OnLaw, Case):
    """A case that trains networks or limits of one block from one law."""

    activation: str


class LimitCase(NetworkCase):
    """The same at several flow times, to the tolerances of networks and of limits."""

    flow_times: Times
    depth_nodes: Count
    network_rtol: Positive
    network_dtype: NumberType
    limit_rtol: Positive


C = TypeVar("C", bound=Closed)
S = TypeVar("S", bound=Closed)


def gathered(kind: type[C], /, *sources: Closed | study.Common, **own: Any) -> C:
    """The case of what it has of each source, of a later one where several have it, and its own."""
    fields = {name: getattr(source, name) for source in sources for name in kind.model_fields if hasattr(source, name)}
    return kind(**fields | own)


class SettingsBlock(Closed, Generic[S]):
    """A block with settings by name, on which the rest of it is run."""

    settings: dict[Name, S]

    @model_validator(mode="after")
    def _settings_exist(self) -> Self:
        for value in dict(self).values():
            parts = value.values() if isinstance(value, dict) else value
            for part in parts if isinstance(value, dict | tuple) else [value]:
                named = getattr(part, "setting", None)
                for name in [*([named] if named else []), *getattr(part, "settings", ())]:
                    self.setting(name)
        return self

    def setting(self, name: str) -> S:
        """The setting of this name; ValueError if the block defines none."""
        if name not in self.settings:
            raise ValueError(
                f"setting must be one of settings, {', '.join(self.settings)}, got {name!r}; define it there"
            )
        return self.settings[name]

    def case(self, kind: type[C], common: study.Common, name: str, /, *parts: Closed, **own: Any) -> C:
        """The case of this kind on a setting: what it has of the block, of the setting and of parts
        of the block, and its own."""
        return gathered(kind, common, self, self.setting(name), *parts, setting=name, **own)
