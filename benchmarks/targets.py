"""What was asked of each work, what was measured, and whether it was met."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.brute import NAME as BRUTE
from benchmarks.networks import JAX
from benchmarks.peers_torch import FUNC, MODULES
from benchmarks.rows import OURS, Row, pick

__all__ = ["Judged", "judged", "over_brute_force"]

Value = tuple[float, float, float]
NETWORKS = {"gradient": "W1 gradient, float64", "training": "W2 training, float64"}
# times faster than the fastest of these
PEERS = ((3, "the faster JAX", JAX), (5, "plain PyTorch", (MODULES,)), (1, "torch.func", (FUNC,)))
SOLVERS = ("torchdiffeq", "diffrax")
SPENT = {1e-4: 50.0, 1e-5: 300.0}  # times less than brute force at an accuracy


class Judged(NamedTuple):
    """One target: the work, what was asked, the number that decides with its interval, bounds."""

    work: str
    target: str
    value: Value
    low: float = -math.inf
    high: float = math.inf

    @property
    def met(self) -> bool:
        """Whether the measured value itself lies within the bounds."""
        return self.low <= self.value[0] <= self.high


def over_brute_force(rows: list[Row], case: str, accuracy: float) -> float | None:
    """Brute force over ours at the error that ours states; its cost grows with the square of the
    inverse error."""
    own = pick(rows, work="limit", case=case, size=accuracy)
    found = [
        pick(own, method=method, quantity=quantity)
        for method, quantity in ((BRUTE, "cpu_seconds"), (OURS, "cpu_seconds"), (OURS, "stated_error"))
    ]
    if not all(found):
        return None
    brute, ours, reached = (part[0].value for part in found)
    return brute * (accuracy / reached) ** 2 / ours


def _value(row: Row) -> Value:
    return row.value, row.lower, row.upper


def _alone(value: float) -> Value:
    return value, math.nan, math.nan


def _worst(rows: list[Row]) -> list[Value]:
    """The least of ratios that should be large, where there are any."""
    return [min(map(_value, rows))] if rows else []


def judged(rows: list[Row]) -> Iterator[Judged]:
    """Every target that the rows say something about; of networks those of the compiled engine,
    which is float64."""
    for work, name in NETWORKS.items():
        own = pick(rows, work=work, case="float64", quantity="cpu_ratio")
        for least, peer, methods in PEERS:
            for value in _worst([row for row in own if row.method in methods]):
                yield Judged(name, f"{least} × faster than {peer}", value, low=least)
    for row in pick(rows, work="bound", quantity="ratio", case="float64", method="sum"):
        yield Judged(NETWORKS["gradient"], "within 2.5 × of tanh and products", _value(row), high=2.5)
    for row in pick(rows, work="scaling", quantity="exponent"):
        yield Judged(f"W1 scaling, {row.case}", "exponent 1 ± 0.05", _value(row), 0.95, 1.05)
    for row in pick(rows, work="threads", quantity="speedup"):
        yield Judged("W1 scaling, threads", "two at least 1.8 × one", _value(row), low=1.8)
    memory = {row.size: row.value for row in pick(rows, work="memory", quantity="ratio", method=OURS)}
    if memory:
        yield Judged("W2 memory", "at most 1.5 × the arrays", _alone(max(memory.values())), high=1.5)
        few, most = memory[min(memory)], memory[max(memory)]
        growth = _alone(most / few if few else math.nan)  # networks of a smoke test fit in what is there
        yield Judged("W2 memory", "flat in the steps: most steps over fewest at most 1.1", growth, high=1.1)
    for accuracy, least in SPENT.items():
        ratio = over_brute_force(rows, "sine", accuracy)
        if ratio is not None:
            target = f"{least:g} × less than brute force at {accuracy:g}"
            yield Judged("W3 limit, sine", target, _alone(ratio), low=least)
    for peer in SOLVERS:
        for value in _worst(pick(rows, work="limit", method=peer, quantity="gradient_ratio")):
            yield Judged("W3 limit", f"10 × less than {peer} on the same particles", value, low=10)
    for row in pick(rows, work="influence", quantity="cpu_ratio"):
        yield Judged("W4 influence", "at most 20 × the limit's cost", _value(row), high=20)
