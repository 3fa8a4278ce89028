"""What was asked of each work, what was measured, and whether it was met."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.networks import JAX
from benchmarks.peers_torch import FUNC, MODULES
from benchmarks.report_limits import over_brute_force
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Cell, Number, Table

__all__ = ["Judged", "judged", "target_table"]

NETWORKS = (("gradient", "W1 gradient"), ("training", "W2 training"))
BRUTE = {1e-4: 50.0, 1e-5: 300.0}  # times less than brute force at an accuracy
MARKS = {True: "met", False: "missed"}


@dataclass(frozen=True)
class Judged:
    """One target: the work, what was asked, the number that decides, and its bounds."""

    work: str
    asked: str
    value: Number
    low: float = -math.inf
    high: float = math.inf

    @property
    def met(self) -> bool:
        """Whether the measured value itself lies within the bounds."""
        return self.low <= self.value.value <= self.high


def _number(row: Row) -> Number:
    return Number(row.value, row.lower, row.upper)


def _worst(rows: list[Row]) -> Number | None:
    """The least of ratios that should be large."""
    return _number(min(rows, key=lambda row: row.value)) if rows else None


def _networks(rows: list[Row]) -> Iterator[Judged]:
    """Targets of the compiled engine, which is float64."""
    for work, name in NETWORKS:
        own = pick(rows, work=work, case="float64", quantity="cpu_ratio")
        jax = _worst([row for row in own if row.method in JAX])
        torch = _worst([row for row in own if row.method == MODULES])
        func = _worst([row for row in own if row.method == FUNC])
        for peer, least, value in (("the faster JAX", 3.0, jax), ("plain PyTorch", 5.0, torch),
                                   ("torch.func", 1.0, func)):
            if value is not None:
                yield Judged(f"{name}, float64", f"{least:g} × faster than {peer}", value,
                             low=least)
    for row in pick(rows, work="bound", quantity="ratio", case="float64", method="sum"):
        yield Judged("W1 gradient, float64", "within 2.5 × of tanh and products", _number(row),
                     high=2.5)


def _scaling(rows: list[Row]) -> Iterator[Judged]:
    for row in pick(rows, work="scaling", quantity="exponent"):
        yield Judged(f"W1 scaling, {row.case}", "exponent 1 ± 0.05", _number(row), 0.95, 1.05)
    for row in pick(rows, work="threads", quantity="speedup"):
        yield Judged("W1 scaling, threads", "two at least 1.8 × one", _number(row), low=1.8)
    own = pick(rows, work="memory", quantity="ratio", method=OURS)
    if own:
        by_steps = sorted(own, key=lambda row: row.size)
        yield Judged("W2 memory", "at most 1.5 × the arrays",
                     Number(max(row.value for row in own)), high=1.5)
        yield Judged("W2 memory", "flat in the steps: most steps over fewest at most 1.1",
                     Number(by_steps[-1].value / by_steps[0].value), high=1.1)


def _limits(rows: list[Row]) -> Iterator[Judged]:
    for accuracy, least in BRUTE.items():
        value = over_brute_force(rows, "sine", accuracy)
        if value is not None:
            yield Judged("W3 limit, sine", f"{least:g} × less than brute force at {accuracy:g}",
                         Number(value), low=least)
    for peer in ("torchdiffeq", "diffrax"):
        worst = _worst(pick(rows, work="limit", method=peer, quantity="gradient_ratio"))
        if worst is not None:
            yield Judged("W3 limit", f"10 × less than {peer} on the same particles", worst, low=10)
    for row in pick(rows, work="influence", quantity="cpu_ratio"):
        yield Judged("W4 influence", "at most 20 × the limit's cost", _number(row), high=20)


def judged(rows: list[Row]) -> list[Judged]:
    """Every target that the rows say something about."""
    return [*_networks(rows), *_scaling(rows), *_limits(rows)]


def target_table(rows: list[Row]) -> Table:
    """All targets with the measured number and whether it meets them."""
    table = Table("targets", "What was asked, what was measured (with the interval of its own "
                  "table below), and whether the value meets it.",
                  ("work", "target", "measured", ""), (0.27, 0.40, 0.23, 0.10))
    for one in judged(rows):
        cells: list[Cell] = [one.work, one.asked, one.value, MARKS[one.met]]
        table.rows.append(cells)
    return table
