"""What the cases of zeroloss share: where they compute, and the problem, block and law of a network."""

from __future__ import annotations

from typing import Literal

from ledger import study
from zeroloss.studies.settings import LawSettings, ProblemSettings

__all__ = ["Case", "NetworkCase", "ProblemCase"]


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


class ProblemCase(Case):
    """A case on a setting: ``setting`` names its streams of random numbers."""

    setting: str
    problem: ProblemSettings

    def check(self) -> None:
        """Refuse data that no job could read."""
        self.problem.check()


class NetworkCase(ProblemCase):
    """A case that trains networks or limits of one block from one law."""

    activation: str
    initial_law: LawSettings
