"""Estimates of `interpolation`, each measurement over its formula."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ledger.record.rows import Row, exact, plain, row
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.interpolation import controls as controls
from zeroloss.studies.interpolation.plan import Benign, Exact, Features, Kernels, Measured, Snr, Spectra, Spike, Trained
from zeroloss.studies.replicated import at_infinity, by_size, limit_row, mean_row, part_of, ratio_of, slope_row


@measures("interpolation.exact")
def exact_formulas(run: Run) -> Iterator[Row]:
    """Bias and variance over their exact means."""
    for name, case, table in run.of(Exact):
        for quantity in ("bias", "variance"):
            for where, part in part_of(table, quantity):
                yield mean_row("interpolation.exact", quantity, where, ratio_of(part), name, sizes=len(case.dims))


@measures("interpolation.equivalent")
def equivalent(run: Run) -> Iterator[Row]:
    """Bias and variance over their equivalents, on Gaussian rows in 1/n → 0, on measured rows at their n."""
    for name, _, table in run.of(Spectra):
        for quantity in ("bias", "variance"):
            for where, part in part_of(table, quantity):
                yield limit_row("interpolation.equivalent", quantity, where, part, name)
    for name, case, table in run.of(Measured):
        for quantity in (f"{kind}{one}" for kind in ("", "gaussian-", "shuffled-") for one in ("bias", "variance")):
            for where, part in part_of(table, quantity):
                claim = "" if "-" in quantity else "interpolation.equivalent"
                label = f"{quantity}_real" if claim else quantity.replace("-", "_")
                yield mean_row(claim, label, where, ratio_of(part), name, sizes=len(case.num_samples))


@measures("interpolation.benign")
def benign(run: Run) -> Iterator[Row]:
    """V over its limit, and V over Bartlett's sum over the limit of that, at the largest n."""
    for name, case, table in run.of(Benign):
        for spectrum, part in table.groupby("spectrum"):
            last = part.sort_values("decades").iloc[-1]
            variance = last.share / (1 - last.share)
            over = variance / (last.least_rank + last.tail_rank) / last.over_bound
            for quantity, value in (("variance", variance / last.limit), ("over_bound", over)):
                sizes = len(case.decades)
                yield row("interpolation.benign", quantity, str(spectrum), exact(value), [name], sizes=sizes)


@measures("interpolation.random-features")
def random_feature_risks(run: Run) -> Iterator[Row]:
    """Risk over the formula in 1/d → 0, and at the largest d."""
    for name, _, table in run.of(Features):
        for where, part in part_of(table, "risk"):
            yield limit_row("interpolation.random-features", "risk", where, part, name)
            yield mean_row("", "risk_at_largest", where, ratio_of(by_size(part)[-1][1]), name)


def ratio_of_means(above: pd.Series, below: pd.Series) -> Array:
    """Samples whose mean is the ratio of two means, and whose spread is its own, linearised about the means."""
    ratio = above.mean() / below.mean()
    return (ratio + (above - ratio * below) / below.mean()).to_numpy()


def ratio_at_infinity(claim: str, quantity: str, where: str, samples: list[tuple[float, Array]], name: str) -> Row:
    """Such a ratio extrapolated to infinite size from the three largest sizes."""
    sizes, values = zip(*samples[-3:], strict=True)
    least = min(len(one) for one in values)
    return row(claim, quantity, where, at_infinity(sizes, values), [name], replicates=least, sizes=len(sizes))


@measures("interpolation.self-ridge")
def self_ridge(run: Run) -> Iterator[Row]:
    """Risks of kernels and of networks over the ridge law; slopes in d of the distance to the regressor."""
    claim = "interpolation.self-ridge"
    for name, _, table in run.of(Kernels):
        for where, part in part_of(table, "risk"):
            yield limit_row(claim, "risk", where, part, name)
    for name, _, table in run.of(Trained):
        for where, part in part_of(table, "trained"):
            samples = [(m, ratio_of_means(one.value, one.predicted)) for m, one in by_size(part)]
            yield ratio_at_infinity(claim, "network", where, samples, name)
    for name, _, table in run.of(Spike):
        for quantity in ("off", "on"):
            for where, part in part_of(table, quantity):
                yield slope_row(claim, f"slope_{quantity}_{where}", where, part, name, sizes=2)


@measures("interpolation.snr")
def least_snr(run: Run) -> Iterator[Row]:
    """SNR at which an explicit ridge neither helps nor harms, −V'/B' over 1/λ, in 1/d → 0."""
    for name, _, table in run.of(Snr):
        variances = dict(part_of(table, "variance-slope"))
        for where, bias in part_of(table, "bias-slope"):
            samples = []
            for (d, one), (_, other) in zip(by_size(bias), by_size(variances[where]), strict=True):
                zero = ratio_of_means(-other.value.reset_index(drop=True), one.value.reset_index(drop=True))
                samples.append((d, zero / one.predicted.iloc[0]))
            yield ratio_at_infinity("interpolation.snr", "zero", where, samples, name)
            yield row("", "predicted_zero", where, plain(bias.predicted.iloc[0]), [name])
            yield row("", "zero_at_largest", where, plain(samples[-1][1].mean()), [name])
