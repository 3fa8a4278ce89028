"""What the cases of zeroloss share: where they compute, and the problem, block and law of a network."""

from __future__ import annotations

from typing import Literal

from ledger import study
from ledger.config.closed import Closed
from zeroloss.studies.settings import LawSettings, ProblemSettings

__all__ = ["Case", "NetworkCase", "OnLaw", "OnProblem", "ProblemCase"]


class Case(study.Case):
    """A case of any study: its seed, and the device of its arrays."""

    seed: int
    device: Literal["cpu", "cuda"]

    def prepare(self) -> None:
        """One thread, so that rows have the same bytes on any number of cores; ValueError for a
        device that is not there."""
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device is cuda, but torch finds none; set device: cpu")
        torch.set_num_threads(1)


class OnProblem(Closed):
    """What a case on a setting has, or one of several in a case; ``setting`` names its streams of
    random numbers."""

    seed: int
    device: Literal["cpu", "cuda"]
    setting: str
    problem: ProblemSettings

    def check(self) -> None:
        """Refuse data that no job could read."""
        self.problem.check()


class OnLaw(OnProblem):
    """The same with an initial law, of which networks and limits are drawn."""

    initial_law: LawSettings


class ProblemCase(OnProblem, Case):
    """A case on a setting."""


class NetworkCase(OnLaw, ProblemCase):
    """A case that trains networks or limits of one block from one law."""

    activation: str
