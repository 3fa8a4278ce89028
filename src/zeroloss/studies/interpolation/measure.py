"""Estimates of `interpolation`, each measurement over its formula."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.record.rows import Row, exact, plain, row
from ledger.study import Run, measures
from zeroloss.model.arrays import Array
from zeroloss.studies.interpolation import controls as controls
from zeroloss.studies.interpolation.plan import Benign, Exact, Features, Kernels, Measured, Snr, Spectra, Spike, Trained
from zeroloss.studies.measured import at_largest, limits, means, slopes
from zeroloss.studies.replicated import at_infinity, by_size, part_of, ratio_of_means

moments = means("interpolation.exact", Exact, ("bias", "variance"), sizes="dims")
equivalents = limits("interpolation.equivalent", Spectra, ("bias", "variance"))
on_rows = means(
    "interpolation.equivalent", Measured, {"bias": "bias_real", "variance": "variance_real"}, sizes="num_samples"
)
on_other_rows = means(
    "", Measured, tuple(f"{rows}-{part}" for rows in ("gaussian", "shuffled") for part in ("bias", "variance")),
    sizes="num_samples",
)  # fmt: skip
random_features = limits("interpolation.random-features", Features, "risk")
random_features_at_largest = means("", Features, {"risk": "risk_at_largest"}, at_largest)
kernels = limits("interpolation.self-ridge", Kernels, "risk")
distances = slopes("interpolation.self-ridge", Spike, {"off": "slope_off_{}", "on": "slope_on_{}"}, largest=2)


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


def ratio_at_infinity(claim: str, quantity: str, where: str, samples: list[tuple[float, Array]], name: str) -> Row:
    """The mean of samples extrapolated to infinite size from the three largest sizes."""
    sizes, values = zip(*samples[-3:], strict=True)
    least = min(len(one) for one in values)
    return row(claim, quantity, where, at_infinity(sizes, values), [name], replicates=least, sizes=len(sizes))


@measures("interpolation.self-ridge")
def networks(run: Run) -> Iterator[Row]:
    """Risks of trained networks over those of their kernel as m → ∞."""
    for name, _, table in run.of(Trained):
        for where, part in part_of(table, "trained"):
            samples = [(m, ratio_of_means(one)) for m, one in by_size(part)]
            yield ratio_at_infinity("interpolation.self-ridge", "network", where, samples, name)


@measures("interpolation.snr")
def least_snr(run: Run) -> Iterator[Row]:
    """SNR at which an explicit ridge neither helps nor harms, −V'/B' over 1/λ, in 1/d → 0."""
    for name, _, table in run.of(Snr):
        variances = dict(part_of(table, "variance-slope"))
        for where, bias in part_of(table, "bias-slope"):
            samples = []
            for (d, one), (_, other) in zip(by_size(bias), by_size(variances[where]), strict=True):
                both = one.assign(bias=one.value, value=-other.value.to_numpy())
                samples.append((d, ratio_of_means(both, "bias") / one.predicted.iloc[0]))
            yield ratio_at_infinity("interpolation.snr", "zero", where, samples, name)
            yield row("", "predicted_zero", where, plain(bias.predicted.iloc[0]), [name])
            yield row("", "zero_at_largest", where, plain(samples[-1][1].mean()), [name])
