"""What the tables of `size` say: predicted laws, ladders of trained networks, required sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import clopper_pearson
from ledger.record.streams import stream
from ledger.record.tidy import untidy
from ledger.study import Run
from zeroloss.studies.size.plan import Ensemble, Law, SizeCase, Theorem
from zeroloss.theory.risk_law import RiskLaw

Array = np.ndarray


@dataclass(frozen=True)
class Predicted:
    """The predicted law of networks of one depth, and what is left open of it.

    mean_error (T,): standard error of ½ mean r_L² over scrambles; trace_error: relative one of
    tr Σ.
    """

    law: RiskLaw
    mean_error: Array
    trace_error: float
    source: str

    def error(self, count: float, accuracy: float, time: int | None) -> float:
        """Of a failure probability: from r_L, from Σ and from the number of draws, added up."""
        half = float(self.mean_error.max() if time is None else self.mean_error[time])
        wider, here = self.trace_error, self.law.failure(count, accuracy, time)
        ends = [abs(self.law.failure(count, accuracy, time, shift) - here) for shift in (-half, half)]
        ends_of_trace = [
            abs(self.law.failure(count / factor, accuracy, time) - here) for factor in (1 - wider, 1 + wider)
        ]
        return max(ends) + max(ends_of_trace) + 2.0 * math.sqrt(here * (1.0 - here) / self.law.draws)


@dataclass(frozen=True)
class Ladder:
    """Trained networks of one depth: risks[M] (replicates, T) at the flow times."""

    setting: str
    sampling: str
    role: str
    num_layers: int
    flow_times: tuple[float, ...]
    accuracies: tuple[float, ...]
    risks: dict[int, Array]
    sources: list[str]

    def count(self, num_units: float) -> float:
        """n in ξ/√n: L M for independent layers, M for paths."""
        return num_units * (self.num_layers if self.sampling == "independent" else 1)

    def width(self, count: float) -> float:
        """The least M with so many draws."""
        per_unit = self.num_layers if self.sampling == "independent" else 1
        return math.ceil(count / per_unit) if math.isfinite(count) else math.inf

    def failures(self, num_units: int, reference: Array, accuracy: float, time: int | None) -> tuple[int, int]:
        """How many of the networks are further than ε from E(ρ), at one time or at any."""
        far: Array = np.abs(self.risks[num_units] - reference) > accuracy
        failed = far.any(axis=1) if time is None else far[:, time]
        return int(failed.sum()), len(far)

    def times(self) -> list[int | None]:
        """Indices of the flow times, and None for the largest deviation over them."""
        single = list(range(len(self.flow_times)))
        return [*single, None] if len(single) > 1 else [*single]

    def cell(self, time: int | None, *more: str) -> str:
        """`sine.path.s4` or `sine.path.sup`, with anything more at the end."""
        at = "sup" if time is None else f"s{self.flow_times[time]:g}"
        return ".".join([self.setting, self.sampling, at, *more])

    def measured(self, reference: Array, accuracy: float, eta: float, time: int | None) -> float:
        """The width from which on the upper end of the failure frequency is at most η; ∞ if the
        ladder has none."""
        least = math.inf
        for M in sorted(self.risks, reverse=True):
            failed, total = self.failures(M, reference, accuracy, time)
            if clopper_pearson(failed, total, CONFIDENCE).upper > eta:
                break
            least = float(M)
        return least


class Evidence:
    """The tables of one run of `size`, by what they are about."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._laws: dict[tuple[str, str, int, str], Predicted] = {}

    @classmethod
    @lru_cache(maxsize=2)  # all measuring functions read the same laws
    def of(cls, run: Run) -> Evidence:
        """That of a run, built once."""
        return cls(run)

    @property
    def common(self) -> SizeCase:
        """What all cases share."""
        return next(case for case in self.run.cases.values() if isinstance(case, SizeCase))

    @cached_property
    def ladders(self) -> list[Ladder]:
        """All ensembles of one role, setting, sampling and depth, the blocks put together."""
        groups: dict[tuple[Any, ...], list[tuple[str, pd.DataFrame]]] = {}
        for name, case, table in self.run.of(Ensemble):
            for L, part in table.groupby("num_layers"):
                key = (case.setting, case.sampling, case.role, int(str(L)), case.flow_times, case.accuracies)
                groups.setdefault(key, []).append((name, part))
        ladders = []
        for key, parts in groups.items():
            table = pd.concat([part for _, part in parts])
            risks = {
                int(str(M)): untidy(rows, ["replicate", "flow_time"], "risk")[0]
                for M, rows in table.groupby("num_units")
            }
            ladders.append(Ladder(*key, risks=risks, sources=[name for name, _ in parts]))
        return ladders

    def with_role(self, role: str) -> list[Ladder]:
        """The ladders of a role: `ladder` (widths at one depth) or `phases`."""
        return [ladder for ladder in self.ladders if ladder.role == role]

    def predicted(self, ladder: Ladder) -> Predicted:
        """The predicted law of a ladder's networks."""
        return self.law(ladder.setting, ladder.role, ladder.num_layers, ladder.sampling)

    def law(self, setting: str, role: str, num_layers: int, sampling: str) -> Predicted:
        """The predicted law at a depth, for independent layers or paths; built once.

        r_L from its fine rule; r of the limit by the difference to r_L on a common rule.
        """
        key = (setting, role, num_layers, sampling)
        if key not in self._laws:
            name, case, table = self.run.one(Law, setting=setting, role=role)
            self._laws[key] = _build(
                name, case, table.loc[table.num_layers.isin([num_layers, 0])], num_layers, sampling
            )
        return self._laws[key]

    def depths(self, role: str) -> tuple[str, list[int]]:
        """The setting of a role's law, and the depths at which it is predicted."""
        _, case, _ = next(self.run.of(Law, role=role))
        return case.setting, list(case.depths)

    def _theorem(self, setting: str) -> tuple[str, pd.DataFrame]:
        name, _, table = self.run.one(Theorem, setting=setting)
        return name, table

    def predictors(self, ladder: Ladder) -> list[str]:
        """The cases that say what widths a ladder must have: predicted law, theorem."""
        return [self.predicted(ladder).source, self._theorem(ladder.setting)[0]]

    def theorem(self, ladder: Ladder, accuracy: float, eta: float, time: int | None) -> tuple[float, float]:
        """log10 of the theorem's L and M; for the largest deviation η is shared by the times."""
        _, table = self._theorem(ladder.setting)
        times = range(len(ladder.flow_times)) if time is None else [time]
        rows = table.loc[
            (table.sampling == ladder.sampling)
            & (table.accuracy == accuracy)
            & (np.abs(table.failure_probability - eta / len(times)) < 1e-12)
            & table.flow_time.isin([ladder.flow_times[t] for t in times])
        ]
        depth, width = (float(rows.loc[rows.what == what, "value"].max()) for what in ("depth", "width"))
        return depth, width


def _build(name: str, case: Law, table: pd.DataFrame, num_layers: int, sampling: str) -> Predicted:
    T = len(case.flow_times)
    parts = dict(tuple(table.groupby(["what", "num_layers"])))
    fine = untidy(parts["wide", num_layers], ["scramble", "row"], "value")[0]
    here, limit = (untidy(parts["gap", L], ["scramble", "row"], "value")[0].mean(0) for L in (num_layers, 0))
    sigma = untidy(parts[sampling, num_layers], ["scramble", "row", "other"], "value")[0]
    mean = fine.mean(0).reshape(T, -1)
    N = mean.shape[1]
    risks = 0.5 * np.mean(fine.reshape(len(fine), T, N) ** 2, axis=2)
    traces = np.trace(sigma, axis1=1, axis2=2)
    rng = stream("size-law", case.setting, case.role, num_layers, sampling)
    law = RiskLaw(mean, mean - (here - limit).reshape(T, N), sigma.mean(0).reshape(T, N, T, N), case.draws, rng)
    return Predicted(
        law,
        risks.std(0, ddof=1) / math.sqrt(len(risks)),
        float(traces.std(ddof=1) / traces.mean()) / math.sqrt(len(traces)),
        name,
    )
