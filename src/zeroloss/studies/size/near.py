"""Near controls of `size`: the smallest wrong theories that its claims refute, in its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from ledger.near import near, scaled
from ledger.study import Run
from zeroloss.studies.size.demands import middle
from zeroloss.studies.size.evidence import Evidence
from zeroloss.studies.size.plan import Corollary, Law

SAMPLINGS = ("independent", "path")


@near("size.sufficient", Law)
def covariance_a_tenth(table: pd.DataFrame, case: Law) -> pd.DataFrame:
    """Σ predicted ten times too small."""
    return scaled(table, table.what.isin(SAMPLINGS), 0.1)


@near("size.law", Law)
def covariance_off(table: pd.DataFrame, case: Law) -> pd.DataFrame:
    """Σ predicted 40 % too large."""
    return scaled(table, table.what.isin(SAMPLINGS), 1.4)


@near("size.eta")
def steep_power(run: Run) -> Mapping[str, pd.DataFrame]:
    """Deviations u of the risk with P(u > ε) = (c/n)^{3/2} at the middle ε, where c is that of the
    predicted law at η = 0.1."""
    evidence, tables = Evidence.of(run), dict(run.tables)
    for ladder in evidence.with_role("ladder"):
        law, eps = evidence.predicted(ladder).law, middle(ladder)
        c = law.required(eps, 0.1, ladder.times()[-1]) * 0.1 ** (2 / 3)
        limit = dict(zip(ladder.flow_times, law.reference, strict=True))
        for name in ladder.sources if math.isfinite(c) else ():
            table = tables[name]
            share = (table.replicate * 0.6180339887498949) % 1.0  # equidistributed over replicates
            far = eps * (c / ladder.count(table.num_units)) ** 0.5 * share.clip(lower=1e-9) ** (-1 / 3)
            tables[name] = table.assign(risk=table.flow_time.map(limit) + far)
    return tables


@near("size.corollary", Corollary)
def stopped_a_little_early(table: pd.DataFrame, case: Corollary) -> pd.DataFrame:
    """Networks that were stopped when they had a fifth more risk."""
    return scaled(table, table.what == "risk", 1.2)
