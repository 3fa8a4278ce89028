"""Progress of long calls from Python: what is reported, where a bar goes, and the same numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import oracles
import pytest
import torch

from ledger import progress
from zeroloss.limit import flow, predict
from zeroloss.model.law import InitialLaw
from zeroloss.network import ensembles
from zeroloss.theory import prediction
from zeroloss.theory.sizing import Sizes, required_size

LAW = InitialLaw()
MINE = oracles.lifted_cosine()


def train(**more: Any) -> Any:
    return ensembles.train(MINE, LAW, 4, 8, [0.0, 1.0], replicates=120, rtol=1e-4, **more)


CALLS: dict[str, Callable[..., Any]] = {
    "train": train,
    "predict": lambda **more: predict(MINE, LAW, 4, 1.0, log2_points=5, **more).law(8),
    "predict to an accuracy": lambda **more: prediction.predict(MINE, LAW, 4, 8, 1.0, accuracy=0.1, **more),
    "solve": lambda **more: flow.solve(MINE, LAW, [0.0, 1.0], accuracy=3e-2, depth_nodes=3, log2_points=4, **more),
}


class Notes(list[tuple[str, int, int]]):
    """A report that remembers."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))


def assert_same(one: Any, other: Any) -> None:
    """Fail unless every array of two results has the same bytes."""
    for field in fields(one):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, torch.Tensor):
            first, second = first.numpy(), second.numpy()
        if isinstance(first, np.ndarray):
            assert first.shape == second.shape, field.name
            assert first.tobytes() == second.tobytes(), field.name


@pytest.mark.parametrize("name", CALLS)
def test_no_byte_depends_on_progress_and_every_stage_ends(name: str) -> None:
    notes = Notes()
    assert_same(CALLS[name](), CALLS[name](progress=notes))
    stages = dict.fromkeys(stage for stage, _, _ in notes)
    for stage in stages:
        counts = [(done, total) for one, done, total in notes if one == stage]
        total = counts[0][1]
        assert counts == [(done, total) for done in range(total + 1)], stage


def test_torch_alone_gives_the_same_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroloss.network.engine.serves", lambda *_: False)
    assert_same(train(), train(progress=Notes()))


def test_a_size_is_the_same_with_progress() -> None:
    def sized(report: progress.Progress) -> Sizes:
        return required_size(MINE, LAW, 0.1, 0.1, 1.0, num_layers=4, check=10, progress=report)

    notes = Notes()
    found, again = sized(False), sized(notes)
    assert {"limit", "predicted law", "theorem"} <= {stage for stage, _, _ in notes}
    for one, other in zip(found.answers[:3], again.answers[:3], strict=True):
        assert (one.log10_layers, one.log10_units) == (other.log10_layers, other.log10_units)
    assert (found.limit_risk, found.failure) == (again.limit_risk, again.failure)


def test_nothing_is_said_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    train()
    assert capfd.readouterr() == ("", "")


def test_a_bar_goes_to_the_error_stream(capfd: pytest.CaptureFixture[str]) -> None:
    train(progress=True)
    said = capfd.readouterr()
    assert said.out == "" and "training 120 networks" in said.err and "100%" in said.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", said.err), "no control character in a file"
    assert len(said.err.strip().splitlines()) == 1


def test_a_notebook_without_widgets_gets_a_line_of_text(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("ledger.progress.find_spec", lambda name: None)
    train(progress=True)
    assert "100%" in capfd.readouterr().err


def test_the_replicate_that_fails_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, theta: torch.Tensor, *_: Any, **__: Any) -> Any:
        if theta.shape[0] and calls.append(1) is None and len(calls) == 3:
            raise FloatingPointError("the velocity of replicate 1 is not finite")
        return original(self, theta, *_, **__)

    calls: list[int] = []
    original = ensembles.Network.train
    monkeypatch.setattr(ensembles.Network, "train", broken)
    with pytest.raises(FloatingPointError) as caught:
        train(progress=Notes())
    assert caught.value.__notes__ == ["counted from replicate 6 of the ensemble on"]
