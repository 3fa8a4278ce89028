"""Estimates of `stability`: what is measured over what is predicted, or minus it; then the claims' controls.

A quantity that is called an error is a difference, any other a ratio; jobs put what a wrong theory says beside it,
under the same name with ``_wrong``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from ledger.near import near, stretched
from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Row, between, exact, over, plain, row
from ledger.record.statistics import Estimate, clopper_pearson, student, welch
from ledger.study import Case, Run, control, measures
from zeroloss.studies.replicated import part_of, ratio_of
from zeroloss.studies.stability import central, restrained
from zeroloss.studies.stability.nets import memorising
from zeroloss.studies.stability.plan import Accuracy, Central, Decay, Delay, Depth, Edge, Recipe, Restrained, Thresholds

Array = np.ndarray
How = Callable[[Array], Estimate]
BITS = {"float32": 24, "float64": 53}  # u is 2 to minus this
BELOW, ABOVE = 7.0, 4.0  # nearer than this to ln(1/u) the growth of a tangent decides nothing
SOURCE = (256, 32)  # pixels and kernel of the source's demonstration


def values_of(part: pd.DataFrame) -> Array:
    """Measured minus predicted for an error, over predicted for any other quantity, by replicate."""
    less = part.quantity.str.contains("_error").all()
    return (part.value - part.predicted).to_numpy() if less else ratio_of(part)


def judged(name: str, claim: str, quantity: str, where: str, value: Estimate, replicates: int = 1) -> Row:
    """A row of a claim of this study, or of none."""
    return row(f"stability.{claim}" if claim else "", quantity, where, value, [name], replicates=replicates)


def each(
    name: str, table: pd.DataFrame, claim: str, how: How, *quantities: str, label: str = "", of: str = ""
) -> Iterator[Row]:
    """A row for each cell of some quantities, under their names or a label: of its `values_of`, or of a column."""
    for quantity in quantities:
        for where, part in part_of(table, quantity):
            values = part[of].to_numpy() if of else values_of(part)
            yield judged(name, claim, label or quantity, where, how(values), len(part))


def number(values: Array) -> Estimate:
    """The one value of a cell, which is computed."""
    return exact(values[0])


def shown(values: Array) -> Estimate:
    """The mean, judged by no claim."""
    return plain(values.mean())


mean = partial(student, interval=CONFIDENCE)


# ---- partial differential equations


@measures("stability.heat", "stability.linear")
def thresholds(run: Run) -> Iterator[Row]:
    """Thresholds over the predicted ones, the delay by rounding, and how far off the Fourier bound is."""
    for name, _, table in run.of(Thresholds):
        heat = table.cell == "heat"
        yield from each(name, table.loc[heat], "heat", number, "threshold")
        yield from each(name, table, "heat", mean, "delay_error")
        yield from each(name, table.loc[~heat], "linear", number, "threshold")
        exactly = {where: part.predicted.iloc[0] for where, part in part_of(table, "threshold")}
        factors = {"source": SOURCE[0] ** 4 / (SOURCE[1] * (SOURCE[0] - SOURCE[1] + 1)) ** 2}
        factors |= {w: part.predicted.iloc[0] / exactly[w] for w, part in part_of(table, "threshold_wrong")}
        yield from (judged(name, "", "fourier", where, plain(max(f, 1 / f))) for where, f in factors.items())


@measures("stability.onset", "stability.band", "stability.windows")
def restrained_oscillation(run: Run) -> Iterator[Row]:
    """Onset and amplitude over the predicted ones; norms, growth; exponents and last bits."""
    for name, _, table in run.of(Restrained):
        rows = partial(each, name, table)
        swings = sorted((part["size"].iloc[0], ratio_of(part)[0]) for _, part in part_of(table, "amplitude"))
        # the ratio is 1 + O(Δt − Δt_c): a line through the two nearest to the onset
        (close, first), (far, second) = swings[:2]
        limit = first - (second - first) * close / (far - close)
        yield from rows("onset", number, "onset", "amplitude")
        yield judged(name, "onset", "amplitude_limit", "checkerboard", exact(limit))
        yield from rows("band", over, "norm")
        yield from rows("band", between, "growth")
        yield from rows("windows", mean, "rate_error")
        yield from rows("", shown, "log10_difference")
        exponents = {where: float(part.predicted.mean()) for where, part in part_of(table, "rate_error")}
        for where, part in part_of(table, "log10_difference"):
            # amplified to the size of the kernel, or kept at that of rounding
            right = part.value > -1 if exponents[where] > 0 else part.value < -12
            yield judged(name, "windows", "as_the_exponent", where, between(right.astype(float)), len(part))
        yield from rows("", shown, "rate_error", label="exponent", of="predicted")
        yield from rows("", shown, "rate_error_wrong", label="multiplier", of="predicted")


# ---- the edge of stability


def median(values: Array) -> Estimate:
    """The median, with the interval of its order statistics: no end where there are too few."""
    middle = float(np.median(values))
    low, high = stats.quantile_test(values, q=middle, p=0.5).confidence_interval(CONFIDENCE.level)  # pyright: ignore
    return Estimate(middle, np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf), CONFIDENCE)


def against(right: Array) -> Estimate:
    """Share of the runs that do otherwise than predicted."""
    return clopper_pearson(int((~right).sum()), len(right), CONFIDENCE)


@measures("stability.edge")
def edge(run: Run) -> Iterator[Row]:
    """Late S + λ over the threshold of each method; what is in float32 is judged by no claim."""
    for name, _, table in run.of(Edge):
        yield from each(name, table, "edge", mean, "hovers")
        yield from each(name, table, "", mean, "single")


@measures("stability.delay")
def delay(run: Run) -> Iterator[Row]:
    """Exit minus predicted, overshoot over predicted; slope of the growth needed in ln 1/ε.

    Not measured in a cell where some run does not turn before its end.
    """
    for name, case, table in run.of(Delay):
        late = table.loc[(table.quantity == "exit_error") & (table.value >= case.num_steps - 1), "cell"]
        table = table.assign(value=table.value.mask(table.cell.isin(late)))
        rows = partial(each, name, table)
        yield from rows("delay", mean, "exit_error", "overshoot")
        noisy = [part for where, part in part_of(table, "growth") if where.startswith("noise")]
        growth, noise = (np.stack([part[column] for part in noisy]) for column in ("value", "predicted"))
        slopes = np.polyfit(noise[:, 0], growth, 1)[0]
        yield judged(name, "delay", "slope", "noise", mean(slopes), len(slopes))
        yield from rows("", between, "exit_error", label="exit", of="value")
        yield from rows("", between, "exit_error_wrong", label="crossing", of="predicted")
        yield from rows("", between, "overshoot", label="peak", of="value")


@measures("stability.central", "stability.localised")
def central_flow(run: Run) -> Iterator[Row]:
    """Variance, loss and path over those of the central flow; the tangent at its fastest growth."""
    for name, _, table in run.of(Central):
        rows = partial(each, name, table)
        yield from rows("central", mean, "loss")
        yield from rows("central", median, "variance", "path")
        yield from rows("localised", mean, "cosine", "cosine_after", "rate", "passage", "participation")
        yield from rows("", between, "growth")
        yield from rows("", between, "loss_wrong", label="loss_of_flow")


@measures("stability.decay", "stability.homogeneous")
def decay(run: Run) -> Iterator[Row]:
    """Share of runs that enter the edge otherwise than the flow; peaks over its peaks below; Euler's relation."""
    for name, case, table in run.of(Decay):
        peaks = table[table.quantity == "descent"]
        clear = np.abs(peaks.predicted - 1) > case.margin
        right = ((peaks.predicted > 1) == (peaks.value > 1))[clear].to_numpy()
        yield judged(name, "decay", "disagrees", "all", against(right), len(right))
        yield judged(name, "", "near_the_edge", "all", plain((~clear).sum()), len(clear))
        below = (peaks.value / peaks.predicted)[peaks.predicted < 1 - case.margin]
        by_start = below.groupby(peaks.groupby("cell").cumcount()).mean().to_numpy()
        if len(by_start) > 1:
            yield judged(name, "decay", "peak", "all", mean(by_start), len(below))
        yield from each(name, table, "", between, "descent", label="peak_flow", of="predicted")
        for where, part in part_of(table, "homogeneous_error"):
            yield judged(name, "homogeneous", "error", where, over(np.abs(values_of(part))), len(part))


# ---- the last bit


def spread(part: pd.DataFrame) -> float:
    """Standard deviation of accuracies; 0 if they are equal, where that of rounding would be 1e-16."""
    values = part.value.to_numpy()
    return float(values.std()) if np.ptp(values) else 0.0


@measures("stability.accuracy")
def accuracy(run: Run) -> Iterator[Row]:
    """Whether the spread of accuracy over factors is zero, by the growth of tangents; both spreads."""
    for name, _, table in run.of(Accuracy):
        growth = {where: float(values_of(part)[0]) for where, part in part_of(table, "tangent")}
        right: list[bool] = []
        for kind, bits in BITS.items():
            for where, part in part_of(table, f"factor_{kind}"):
                excess = growth[where] - bits * np.log(2)
                if excess < -BELOW or excess > ABOVE:
                    right.append((spread(part) > 0) == (excess > 0))
            for of, quantity in ((f"factor_{kind}", f"spread_{kind}"), (f"order_{kind}", f"spread_order_{kind}")):
                yield from (judged(name, "", quantity, w, plain(spread(p))) for w, p in part_of(table, of))
        yield judged(name, "accuracy", "disagrees", "all", against(np.array(right)), len(right))
        yield from each(name, table, "", shown, "tangent")


@measures("stability.recipe")
def recipe(run: Run) -> Iterator[Row]:
    """Standard deviation over factors over that over orders, with the interval of Fisher's F."""
    for name, _, table in run.of(Recipe):
        found = {what: part_of(table, what)[0][1].value.to_numpy() for what in ("factor", "order")}
        stds = {what: float(values.std(ddof=1)) for what, values in found.items()}
        ratio, (few, many) = stds["factor"] / stds["order"], (len(values) - 1 for values in found.values())
        low, high = (float(stats.f.ppf(p, few, many)) ** 0.5 for p in (0.975, 0.025))
        value = Estimate(ratio, ratio / low, ratio / high, CONFIDENCE)
        yield judged(name, "recipe", "spread", "digits", value, min(few, many) + 1)
        yield from (judged(name, "", f"std_{w}", "digits", plain(std), len(found[w])) for w, std in stds.items())


# ---- residual networks


@measures("stability.resnet")
def resnet(run: Run) -> Iterator[Row]:
    """Factors about h*, the edge beyond it, and largest stable steps over that of the limit.

    The mean of these ratios has the error of the one prediction beside their own.
    """
    for name, case, table in run.of(Depth):
        yield from each(name, table, "resnet", between, "factor_error", "hovers", "falls")
        step = part_of(table, "step")[0][1].value.to_numpy()
        error = float(step.std(ddof=1) / step.mean()) / np.sqrt(len(step))
        for where, part in part_of(table, "stable"):
            ratios = ratio_of(part)
            value, n = float(ratios.mean()), len(ratios)
            errors = [(float(stats.sem(ratios)), n - 1), (value * error, len(step) - 1)]
            yield judged(name, "resnet", "stable", where, welch(value, errors, CONFIDENCE), n)
        for L, M in product(case.num_layers, case.num_units):
            yield judged(name, "", "rate", f"l{L}.m{M}", plain(step.mean() * L * M))
        yield from each(name, table, "", mean, "step")


# ---- controls


def wrong_theory(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """What jobs tabulate as wrong, in the place of the right: starts that hold the unstable mode, the spectrum of a
    torus, a Hessian without r'', the rate of the unstable equilibrium, 2/η for every method, no delay, no σ²/η, the
    flow without decay, biases, factors that are powers of two, h* of the kernel before training."""
    name = table.quantity.str.removesuffix("_wrong")
    wrong = table.quantity != name
    kept = wrong | ~(name + table.cell).isin((name + table.cell)[wrong])
    return table[kept].assign(quantity=name)


def slightly_off(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Predictions that are wrong by as little as the claims say."""
    by = table.quantity.map(CONTROLS[type(case)][2])
    off = (table.predicted * by).where(~table.quantity.str.contains("_error"), table.predicted + by)
    return table.assign(predicted=off.fillna(table.predicted))


CONTROLS = {  # claims of the wrong theory, of predictions slightly off, and how these are: by factors, errors by shifts
    Thresholds: ("heat linear", "heat linear", {"threshold": 1.002}),
    Restrained: ("onset windows", "onset band windows", {"onset": 1.002, "growth": 1.02, "rate_error": 0.15}),
    Edge: ("edge", "edge", {"hovers": 1.1}),
    Delay: ("delay", "delay", {"exit_error": 15.0}),
    Central: ("central", "central localised", {"loss": 1 / 1.05, "rate": 1.05}),
    Decay: ("decay homogeneous", "decay homogeneous", {"descent": 1.15, "homogeneous_error": -2e-6}),
    Accuracy: ("accuracy", "accuracy", {"tangent": 1 / 0.2}),
    Depth: ("resnet", "resnet", {"factor_error": -0.002}),
    Recipe: ("recipe", "", {}),
}
for _kind, (_wrong, _off, _) in CONTROLS.items():
    for _claim in _wrong.split():
        control(f"stability.{_claim}", _kind)(wrong_theory)
    for _claim in _off.split():
        near(f"stability.{_claim}", _kind)(slightly_off)


@control("stability.band", Restrained)
def no_decay(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Updates without decay, held against the band that decay makes."""
    return pd.concat([table.loc[~table.quantity.isin(["norm", "growth"])], *restrained.band(case, decay=0.0)])


@control("stability.localised", Central)
def half_of_the_step(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """Tangents of descent with half of the step, which is far from its edge."""
    half = case.model_copy(update={"step": case.step / 2, "num_steps": 100})
    _, S, pairs = central.descend(*memorising(case), half)
    wrong = pd.concat(central.tangents(half, S, pairs))
    return pd.concat([table.loc[~table.quantity.isin(wrong.quantity)], wrong])


@near("stability.recipe", Recipe)
def less_spread(table: pd.DataFrame, case: Recipe) -> pd.DataFrame:
    """A spread over factors ten times smaller."""
    factors = table.quantity == "factor"
    return stretched(table, table.value[factors].mean(), np.where(factors, 0.1, 1.0))
