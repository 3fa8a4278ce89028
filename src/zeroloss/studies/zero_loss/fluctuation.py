"""How the spread of log E among networks falls with their size, when little of the risk is left."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ledger.near import near
from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, cell, plain, rows_of
from ledger.record.statistics import Estimate, slope_of_stds, welch
from ledger.record.tidy import untidy
from ledger.study import Run, control, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.zero_loss.plan import Spread


@measures("zero_loss.fluctuation")
def fluctuation(run: Run) -> Rows:
    """Slope of log std(log E) in log n at each flow time; besides, the std of the widest networks,
    and by how much the mean of log E rises while n grows by a factor e."""
    rows: Rows = []
    for name, case, table in run.of(Spread):
        risk, labels = untidy(table, ["num_units", "replicate", "flow_time"], "risk")
        widths, logs = labels["num_units"], np.log(risk)
        one = rows_of([name], replicates=case.replicates, sizes=len(widths))
        for t, s in enumerate(case.flow_times):
            now, where = logs[..., t], cell(case.setting, s)
            exponent = slope_of_stds(list(widths), list(now[..., None]), CONFIDENCE)
            rows += [
                one("zero_loss.fluctuation", "exponent", where, exponent),
                one("", "spread", where, plain(float(now[-1].std(ddof=1)))),
                one("", "drift", where, _drift(widths, now)),
            ]
    return rows


def _drift(widths: Array, logs: Array) -> Estimate:
    """Least-squares slope of the mean of logs (widths, replicates) in log n."""
    x = np.log(widths) - np.log(widths).mean()
    weights = x / (x**2).sum()
    R = logs.shape[1]
    errors = [(float(abs(w) * one.std(ddof=1) / np.sqrt(R)), R - 1.0) for w, one in zip(weights, logs, strict=True)]
    return welch(float(weights @ logs.mean(1)), errors, CONFIDENCE)


def _bent(table: pd.DataFrame, power: float) -> pd.DataFrame:
    """The table with every log E farther from the mean of its width by the width to this power, in
    units of the least."""
    logs = np.log(table.risk)
    mean = logs.groupby([table.num_units, table.flow_time]).transform("mean")
    factor = (table.num_units / table.num_units.min()) ** power
    return table.assign(risk=np.exp(mean + (logs - mean) * factor))


@control("zero_loss.fluctuation", Spread)
def growing(table: pd.DataFrame, case: Spread) -> pd.DataFrame:
    """A spread that grows with the width as fast as theory has it fall."""
    return _bent(table, 1.0)


@near("zero_loss.fluctuation", Spread)
def slower(table: pd.DataFrame, case: Spread) -> pd.DataFrame:
    """A spread with an exponent larger by a quarter."""
    return _bent(table, 0.25)
