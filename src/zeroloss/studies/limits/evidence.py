"""What the tables of `limits` say, as arrays: references, predictions, ensembles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ledger.record.tidy import untidy
from ledger.study import Run
from zeroloss.model.risk import draw_risks
from zeroloss.studies.limits import plan
from zeroloss.theory.covariance import Trace, kept

Array = np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Residuals (replicates, flow_times, samples) of trained networks of one size."""

    setting: str
    sampling: str
    num_layers: int
    num_units: int
    roles: tuple[str, ...]
    flow_times: tuple[float, ...]
    residuals: Array
    sources: list[str]

    @property
    def count(self) -> int:
        """n in ξ/√n: L M for independent layers, M for paths."""
        layers = self.num_layers if self.sampling == "independent" else 1
        return layers * self.num_units

    @property
    def risk(self) -> Array:
        """½ mean r²: (replicates, flow_times)."""
        return 0.5 * np.mean(self.residuals**2, axis=-1)


@dataclass(frozen=True)
class Prediction:
    """N(mean, Σ/n) for the residuals of networks of a depth at one flow time.

    mean (N,) and its error (N,); covariance Σ (N, N), and its trace with the error of that.

    Σ is a nonlinear functional of the rule ρ_n of n points, whose mean over scrambles is ρ. It is
    biased by its second variation, E Σ(ρ_n) − Σ(ρ) = ½ E Σ''[ρ_n − ρ, ρ_n − ρ] + …, like a variance of
    the rule: n^{−p}, with p = 1 as for independent points where few particles carry much of the sum,
    up to 3 where the integrand is smooth. With half of the points the bias is 2^p times that, hence

        |bias of Σ_n| = |E Σ_{n/2} − E Σ_n| / (2^p − 1) ≤ |E Σ_{n/2} − E Σ_n|

    for every p ≥ 1, and the change of the trace bounds the bias of the trace: its median over
    scrambles, as one rule in several of half of the points has particles near a separatrix and a
    trace twice as large, which says nothing of the other rules (what such rules do to the mean of
    Σ_n is in the spread of the traces over scrambles). Σ_n is not extrapolated:
    2 Σ_n − Σ_{n/2} presumes p = 1, would have a bias of (2^p − 2)/(2^p − 1) times that change, which is
    the larger one from p = log₂ 3 on, and as much noise as half of the points have.
    """

    mean: Array
    mean_error: Array
    covariance: Array
    trace: Trace
    sources: list[str]

    def risks(self, count: int, draws: int, rng: np.random.Generator) -> Array:
        """Draws of ½ mean |mean + ξ/√count|², independent."""
        return draw_risks(self.mean, self.covariance / count, draws, rng)


class Evidence:
    """The tables of one run of `limits`, by what they are about."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def settings(self) -> list[str]:
        """The settings, in the order of the cases."""
        return list(dict.fromkeys(case.setting for case in self.run.cases.values() if isinstance(case, plan.LimitCase)))

    def flow_times(self, setting: str) -> tuple[float, ...]:
        """Output times s of a setting."""
        return self.run.one(plan.Reference, setting=setting)[1].flow_times

    def reference(self, setting: str) -> tuple[Array, Array, Array]:
        """r(s) (flow_times, N) of the limit, its error, and r of each scramble (S, T, N)."""
        r, *others = self._variants(setting)
        error = self._standard(r) + sum(np.abs(other[0] - r[0]) for other in others)
        return r.mean(0), error, r

    def risk(self, setting: str) -> tuple[Array, Array]:
        """E(ρ(s)) and its error: spread over scrambles at 95 %, depth nodes, step in s."""
        main, *others = (0.5 * np.mean(r**2, axis=-1) for r in self._variants(setting))
        error = self._standard(main) + sum(np.abs(other[0] - main[0]) for other in others)
        return main.mean(0), error

    def _variants(self, setting: str) -> list[Array]:
        """r (scrambles, flow_times, N) of the limit, and with fewer nodes, and with longer steps of
        the first scramble alone."""
        _, _, table = self.run.one(plan.Reference, setting=setting)
        return [
            untidy(table.loc[table.variant == variant], ["scramble", "flow_time", "sample"], "residual")[0]
            for variant in ("reference", "fewer-nodes", "looser-step")
        ]

    @staticmethod
    def _standard(values: Array) -> Array:
        n = len(values)
        return float(stats.t.ppf(0.975, n - 1)) * values.std(0, ddof=1) / math.sqrt(n)

    def ladder(self, setting: str) -> tuple[list[int], Array]:
        """Depths and residuals (scrambles, depths, T, N); depths −1, 0 are the continuous limit."""
        _, _, table = self.run.one(plan.Ladder, setting=setting)
        r, labels = untidy(table, ["scramble", "num_layers", "flow_time", "sample"], "residual")
        return [int(depth) for depth in labels["num_layers"]], r

    def first_order_bias(self, setting: str) -> Array:
        """A(s) (scrambles, T, N) in r_L = r + A/L + …, by Richardson on the two finest depths."""
        depths, r = self.ladder(setting)
        coarse, fine = depths[-2:]
        gap = {L: L * (r[:, depths.index(L)] - r[:, depths.index(0)]) for L in (coarse, fine)}
        return 2 * gap[fine] - gap[coarse]

    def wide(self, setting: str, num_layers: int) -> tuple[Array, Array]:
        """r_L (T, N) of the wide limit at a depth, and its error over scrambles."""
        _, _, table = self.run.one(plan.Wide, setting=setting)
        r, _ = untidy(table.loc[table.num_layers == num_layers], ["scramble", "flow_time", "sample"], "residual")
        return r.mean(0), self._standard(r)

    def covariance(self, setting: str, sampling: str, num_layers: int, halved: bool = False) -> tuple[Array, list[str]]:
        """Predicted Σ (scrambles, T, N, N), of the limit for num_layers 0; and its cases.

        ``halved``: by half of the points, for the first scrambles alone.
        """
        parts = self._influences(setting, sampling, num_layers, halved)
        if not parts:
            raise ValueError(
                f"no case predicts Σ of {setting} at num_layers {num_layers}; "
                "give an ensemble of that depth the role constant"
            )
        axes = ["scramble", "flow_time", "row", "column"]
        return untidy(pd.concat(parts.values()), axes, "covariance")[0], list(parts)

    def _influences(
        self, setting: str, sampling: str, num_layers: int, halved: bool = False
    ) -> dict[str, pd.DataFrame]:
        """The part of each case of influence functions that is about one law, depth and rule."""
        parts = {
            name: table.loc[
                (table.sampling == sampling)
                & (table.num_layers == num_layers)
                & (table.log2_points == case.rule.log2_points - halved)
            ]
            for name, case, table in self.run.of(plan.Influence, setting=setting)
        }
        return {name: part for name, part in parts.items() if len(part)}

    def traces_in_depth(self, setting: str, sampling: str) -> tuple[Array, Array, list[str]]:
        """Depths and tr Σ_L (scrambles, depths, T) at them, all on the same scrambles, and the cases;
        depth 0 is the limit. Without any cases no depths."""
        cases = {name: table for name, _, table in self.run.of(plan.InfluenceDepths, setting=setting)}
        if not cases:
            return np.empty(0), np.empty(0), []
        table = pd.concat(cases.values())
        table = table.loc[(table.sampling == sampling) & (table.row == table.column)]
        diagonal, labels = untidy(table, ["scramble", "num_layers", "flow_time", "row"], "covariance")
        return labels["num_layers"], diagonal.sum(-1), list(cases)

    def predicting(self, ensemble: Ensemble) -> list[str]:
        """The cases that the predicted law of an ensemble comes from."""
        wide = self.run.one(plan.Wide, setting=ensemble.setting)[0]
        return [wide, *self._influences(ensemble.setting, ensemble.sampling, ensemble.num_layers)]

    def prediction(self, ensemble: Ensemble, time: int) -> Prediction:
        """The predicted law of an ensemble at its time-th flow time, at its own depth."""
        r, r_error = self.wide(ensemble.setting, ensemble.num_layers)
        whole, half = (
            self.covariance(ensemble.setting, ensemble.sampling, ensemble.num_layers, halved)[0][:, time]
            for halved in (False, True)
        )
        traces, halves = (np.trace(covariance, axis1=1, axis2=2) for covariance in (whole, half))
        predicting = self.predicting(ensemble)
        trace = Trace.of(traces, halves)
        return Prediction(r[time], r_error[time], whole[kept(traces)].mean(0), trace, predicting)

    @cached_property
    def ensembles(self) -> list[Ensemble]:
        """All ensembles of the compiled engine, the blocks of one size put together."""
        return self._put_together(plan.Ensemble)

    @cached_property
    def in_torch(self) -> list[Ensemble]:
        """Those that torch has trained, on the draws of the compiled ones of their size."""
        return self._put_together(plan.TorchEnsemble)

    def _put_together(self, kind: type[plan.NetworksCase]) -> list[Ensemble]:
        groups: dict[tuple[Any, ...], list[tuple[str, pd.DataFrame]]] = {}
        for name, case, table in self.run.of(kind):
            by_size = dict(tuple(table.groupby(["num_layers", "num_units"])))
            # not a set: sums over ensembles must keep their order in every process
            for size in dict.fromkeys((z.num_layers, z.num_units, z.roles) for z in case.sizes):
                key = (case.setting, case.sampling, *size, case.flow_times)
                groups.setdefault(key, []).append((name, by_size[size[:2]]))
        ensembles = []
        for key, parts in groups.items():
            table = pd.concat([part for _, part in parts])
            r, _ = untidy(table, ["replicate", "flow_time", "sample"], "residual")
            ensembles.append(Ensemble(*key, residuals=r, sources=[name for name, _ in parts]))
        return ensembles

    def with_role(self, role: str, **match: Any) -> list[Ensemble]:
        """Ensembles of a role, by growing count of units times layers."""
        chosen = [e for e in self.ensembles if role in e.roles and all(getattr(e, k) == v for k, v in match.items())]
        return sorted(chosen, key=lambda e: (e.num_layers * e.num_units, e.num_layers))

    def largest(self) -> list[Ensemble]:
        """For each setting and sampling the largest ensemble with a predicted law."""
        best: dict[tuple[str, str], Ensemble] = {}
        for e in self.with_role("constant"):
            best[e.setting, e.sampling] = e
        return list(best.values())


@lru_cache(maxsize=1)
def evidence_of(run: Run) -> Evidence:
    """The evidence of a run, the same for all that measure it."""
    return Evidence(run)


def at(table: pd.DataFrame, chosen: pd.Series, keys: list[str], column: str) -> Array:
    """A column of the chosen rows, for every row that has their keys."""
    values = table.loc[chosen].set_index(keys)[column]
    return values.loc[pd.MultiIndex.from_frame(table.loc[:, keys])].to_numpy()
