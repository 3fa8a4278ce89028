"""Estimates of `imitation`: errors over their law, exponents in depth and width, losses after each start.

A wide network is a replicate: of its subsets the median counts, and means are over wide networks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ledger.near import near, scaled
from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, plain, rows_of
from ledger.record.statistics import Estimate, log_slope, student
from ledger.study import Run, control, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.imitation.plan import Layers, Thinning
from zeroloss.studies.replicated import by_size, limit_row, mean_row, part_of, ratio_of, slope_row


def corrected(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, Array]]:
    """By cell: errors δ² − δ₁² + E δ₁², whose mean is that of δ² and whose spread is less; and δ₁² over its mean."""
    first = dict(part_of(table, "first_order"))
    for where, part in part_of(table, "error"):
        one = first[where]
        value = part.value.to_numpy() - one.value.to_numpy() + one.predicted.to_numpy()
        yield where, part.assign(value=value), ratio_of(one)


def exponent(part: pd.DataFrame) -> Estimate:
    """Mean over replicates, which are independent by size, of the slope of the logarithm in log size."""
    groups = by_size(part)
    values = np.stack([one.value.to_numpy() for _, one in groups], 1)
    return student(log_slope([size for size, _ in groups], values), CONFIDENCE)


def best(table: pd.DataFrame, quantity: str, cell: str, size: float) -> Array:
    """log10 of the values by wide network, in the cell of that beginning whose mean is least: at the best rate."""
    own = table.loc[(table["size"] == size) & table.cell.str.startswith(cell)]
    found = [np.log10(part.value.to_numpy()) for _, part in part_of(own, quantity)]
    return min(found, key=lambda values: float(values.mean()))


@measures("imitation.thinning", "imitation.width")
def thinned(run: Run) -> Rows:
    """Errors over the law as 1/m → 0 and at the least m, and their exponents in the effective width."""
    rows: Rows = []
    for name, _, table in run.of(Thinning):
        for where, part, first in corrected(table):
            rows.append(limit_row("imitation.thinning", "error", where, part, name))
            rows.append(mean_row("imitation.thinning", "first_order", where, first, name))
            rows.append(slope_row("imitation.width", "slope", where, part, name, sizes=2))
            rows.append(mean_row("", "error_at_least", where, ratio_of(by_size(part)[0][1]), name))
    return rows


@measures(*(f"imitation.{claim}" for claim in ("width", "accumulation", "correction", "scratch", "advantage")))
def thin(run: Run) -> Rows:
    """Exponents of errors in width, and in depth also in units of what one layer alone does; in log10 the growth with
    depth of the distance of networks from scratch, and losses after imitation over those from scratch."""
    rows: Rows = []
    for name, case, table in run.of(Layers):
        say, kind = rows_of([name], replicates=case.replicates, sizes=len(case.num_layers)), case.network
        parts = {m: dict(part_of(table, f"sequential.m{m}"))[kind] for m in case.kept}
        widths = [part.loc[part["size"] == case.num_layers[1]].assign(size=m) for m, part in parts.items()]
        rows.append(say("imitation.width", "least_squares", kind, exponent(pd.concat(widths))))
        claims = {"forced_layers_plain": "imitation.accumulation", "sequential_residual": "imitation.correction"}
        for quantity in ("thinned", "forced", "sequential", "forced_layers", "sequential_layers", "aligned_layers"):
            claim = "imitation.correction" if quantity == "sequential_layers" else claims.get(f"{quantity}_{kind}", "")
            part = dict(part_of(table, f"{quantity}.m{case.kept[0]}"))[kind]
            rows.append(say(claim, f"slope_{quantity}_{kind}", kind, exponent(part)))
        apart = [best(table, "distance", kind, L) for L in case.num_layers]
        rows.append(say("imitation.scratch", "growth", kind, student(apart[2] - apart[0], CONFIDENCE)))
        rows.append(say("", "growth_to_deepest", kind, student(apart[-1] - apart[0], CONFIDENCE)))
        for L, part in by_size(dict(part_of(table, "wide"))[kind]):
            where = f"{kind}.l{L:g}"
            losses = {"wide": np.log10(part.value.to_numpy()), "imitated": best(table, "imitated", f"{where}.", 0)}
            losses["tuned"] = best(table, "imitated", f"{where}.", case.tuned_steps)
            for length, steps in zip(("short", "long"), case.scratch_steps, strict=True):
                losses[f"scratch_{length}"] = scratch = best(table, "scratch", f"{where}.", steps)
                rows.append(say("imitation.advantage", length, where, student(losses["tuned"] - scratch, CONFIDENCE)))
            rows += [say("", f"loss_{one}", where, plain(10 ** v.mean())) for one, v in losses.items()]
    return rows


# ---- negative controls


@control("imitation.thinning", Thinning)
def with_replacement(table: pd.DataFrame, case: Thinning) -> pd.DataFrame:
    """The law of units drawn with replacement, without the factor 1 − m/M."""
    units = np.where(table.cell.str.contains(".plain.", regex=False), case.plain.num_units, case.residual.num_units)
    left = 1 / (1 + table["size"] / units)  # 1 − m/M, where 1/size = 1/m − 1/M
    return table.assign(predicted=table.predicted.where(table.quantity != "error", table.predicted / left))


@control("imitation.width", Thinning)
def root_for_square(table: pd.DataFrame, case: Thinning) -> pd.DataFrame:
    """A mean square error that falls like 1/√m, as its root does."""
    return table.assign(value=table.value * np.sqrt(table["size"]), predicted=table.predicted * np.sqrt(table["size"]))


@near("imitation.accumulation", Layers)
@control("imitation.accumulation", Layers)
def in_step(table: pd.DataFrame, case: Layers) -> pd.DataFrame:
    """Layers that err in step: L² times the error of one, where uncorrelated ones have L."""
    return scaled(table, table.quantity.str.startswith("forced_layers"), table["size"])


@near("imitation.correction", Layers)
@control("imitation.correction", Layers)
def uncorrected(table: pd.DataFrame, case: Layers) -> pd.DataFrame:
    """Forced networks, whose layers do not see the errors before them, in place of sequential ones."""
    forced = table.loc[table.quantity.str.startswith("forced")]
    forced = forced.assign(quantity=forced.quantity.str.replace("forced", "sequential"))
    return pd.concat([table.loc[~table.quantity.isin(forced.quantity)], forced])


@near("imitation.scratch", Layers)
@control("imitation.scratch", Layers)
def double_exponential(table: pd.DataFrame, case: Layers) -> pd.DataFrame:
    """Distances that grow like exp exp (L/4): 2.5 decades from 2 to 8 layers."""
    return scaled(table, table.quantity == "distance", np.exp(np.exp(table["size"].clip(upper=16) / 4)))


@near("imitation.advantage", Layers)
@control("imitation.advantage", Layers)
def random_start(table: pd.DataFrame, case: Layers) -> pd.DataFrame:
    """A random start in place of imitation."""
    keys = ["cell", "size", "replicate"]
    scratch = table.loc[table.quantity == "scratch"].set_index(keys).value
    rows = table.quantity == "imitated"
    table.loc[rows, "value"] = scratch.reindex(pd.MultiIndex.from_frame(table.loc[rows, keys])).to_numpy()
    return table


# ---- near controls: the smallest wrong theories that the claims refute


@near("imitation.thinning", Thinning)
def law_off(table: pd.DataFrame, case: Thinning) -> pd.DataFrame:
    """A law that is 15 % too large."""
    return scaled(table, table.quantity == "error", 1.15, "predicted")


@near("imitation.width", Thinning)
def slower(table: pd.DataFrame, case: Thinning) -> pd.DataFrame:
    """Errors that fall with a power of m that is nearer to zero by 0.15, and their law with them."""
    factor = table["size"] ** 0.15
    return table.assign(value=table.value * factor, predicted=table.predicted * factor)
