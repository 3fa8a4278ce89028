"""Estimates of `stability`: what is measured over what is predicted, or minus it; then the claims' controls.

A quantity that is called an error is a difference, any other a ratio; jobs put what a wrong theory says beside it,
under the same name with ``_wrong``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from ledger.near import near, stretched
from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Row, Rows, between, exact, over, plain, row
from ledger.record.statistics import Estimate, about, clopper_pearson, student, welch
from ledger.study import Case, Run, control, measures
from zeroloss.studies.replicated import part_of, ratio_of
from zeroloss.studies.stability import central, restrained
from zeroloss.studies.stability.nets import diabetes, starts
from zeroloss.studies.stability.plan import Accuracy, Central, Decay, Delay, Depth, Edge, Recipe, Restrained, Thresholds

Array = np.ndarray
BITS = {"float32": 24, "float64": 53}  # u is 2 to minus this
BELOW, ABOVE = 7.0, 4.0  # nearer than this to ln(1/u) the growth of a tangent decides nothing
SOURCE = (256, 32)  # pixels and kernel of the source's demonstration


def values_of(part: pd.DataFrame) -> Array:
    """Measured minus predicted for an error, over predicted for any other quantity, by replicate."""
    less = part.quantity.str.contains("_error").all()
    return (part.value - part.predicted).to_numpy() if less else ratio_of(part)


def judged(claim: str, quantity: str, where: str, value: Estimate, name: str, replicates: int) -> Row:
    """A row of a claim of this study, or of none."""
    return row(f"stability.{claim}" if claim else "", quantity, where, value, [name], replicates=replicates)


def each(claim: str, quantity: str, how: Callable[[Array], Estimate], table: pd.DataFrame, name: str) -> Rows:
    """A row for each cell of a quantity."""
    parts = part_of(table, quantity)
    return [judged(claim, quantity, where, how(values_of(part)), name, len(part)) for where, part in parts]


def number(values: Array) -> Estimate:
    """The one value of a cell, which is computed."""
    return exact(values[0])


def shown(values: Array) -> Estimate:
    """The mean, judged by no claim."""
    return plain(values.mean())


mean = partial(student, interval=CONFIDENCE)


# ---- partial differential equations


@measures("stability.heat", "stability.linear")
def thresholds(run: Run) -> Rows:
    """Thresholds over the predicted ones, the delay by rounding, and how far off the Fourier bound is."""
    rows: Rows = []
    for name, _, table in run.of(Thresholds):
        heat = table.cell == "heat"
        rows += each("heat", "threshold", number, table.loc[heat], name)
        rows += each("heat", "delay_error", mean, table, name)
        rows += each("linear", "threshold", number, table.loc[~heat], name)
        exactly = {where: part.predicted.iloc[0] for where, part in part_of(table, "threshold")}
        factors = {"source": SOURCE[0] ** 4 / (SOURCE[1] * (SOURCE[0] - SOURCE[1] + 1)) ** 2}
        factors |= {w: part.predicted.iloc[0] / exactly[w] for w, part in part_of(table, "threshold_wrong")}
        rows += [judged("", "fourier", where, plain(max(f, 1 / f)), name, 1) for where, f in factors.items()]
    return rows


@measures("stability.onset", "stability.band", "stability.windows")
def restrained_oscillation(run: Run) -> Rows:
    """Onset and amplitude over the predicted ones; norms, growth; exponents and last bits."""
    rows: Rows = []
    for name, _, table in run.of(Restrained):
        swings = sorted((part["size"].iloc[0], ratio_of(part)[0]) for _, part in part_of(table, "amplitude"))
        # the ratio is 1 + O(Δt − Δt_c): a line through the two nearest to the onset
        (close, first), (far, second) = swings[:2]
        limit = first - (second - first) * close / (far - close)
        rows += each("onset", "onset", number, table, name) + each("onset", "amplitude", number, table, name)
        rows.append(judged("onset", "amplitude_limit", "checkerboard", exact(limit), name, 1))
        rows += each("band", "norm", over, table, name) + each("band", "growth", between, table, name)
        rows += each("windows", "rate_error", mean, table, name) + each("", "log10_difference", shown, table, name)
        predicted = {where: float(part.predicted.mean()) for where, part in part_of(table, "rate_error")}
        for where, part in part_of(table, "log10_difference"):
            # amplified to the size of the kernel, or kept at that of rounding
            right = part.value > -1 if predicted[where] > 0 else part.value < -12
            rows.append(judged("windows", "as_the_exponent", where, between(right.astype(float)), name, len(part)))
        for quantity, of in (("exponent", "rate_error"), ("multiplier", "rate_error_wrong")):
            for where, part in part_of(table, of):
                rows.append(judged("", quantity, where, shown(part.predicted.to_numpy()), name, len(part)))
    return rows


# ---- the edge of stability


def ratio_of_means(part: pd.DataFrame) -> Estimate:
    """Mean measured over mean predicted, R, with the error of the mean of (measured − R predicted)/mean predicted."""
    scale = part.predicted.mean()
    ratio = float(part.value.mean() / scale)
    return about(ratio, mean(((part.value - ratio * part.predicted) / scale).to_numpy()).half_width, CONFIDENCE)


def against(right: Array) -> Estimate:
    """Share of the runs that do otherwise than predicted."""
    return clopper_pearson(int((~right).sum()), len(right), CONFIDENCE)


@measures("stability.edge")
def edge(run: Run) -> Rows:
    """Late S + λ over the threshold of each method."""
    return [r for name, _, table in run.of(Edge) for r in each("edge", "hovers", mean, table, name)]


@measures("stability.delay")
def delay(run: Run) -> Rows:
    """Exit minus predicted, overshoot over predicted; slope of the growth needed in ln 1/ε.

    Not measured in a cell where some run does not turn before its end.
    """
    rows: Rows = []
    for name, case, table in run.of(Delay):
        late = table.loc[(table.quantity == "exit_error") & (table.value >= case.num_steps - 1), "cell"]
        table = table.assign(value=table.value.mask(table.cell.isin(late)))
        rows += each("delay", "exit_error", mean, table, name) + each("delay", "overshoot", mean, table, name)
        noisy = [part for where, part in part_of(table, "growth") if where.startswith("noise")]
        growth, noise = (np.stack([part[column] for part in noisy]) for column in ("value", "predicted"))
        slopes = np.polyfit(noise[:, 0], growth, 1)[0]
        rows.append(judged("delay", "slope", "noise", mean(slopes), name, len(slopes)))
        known = ("exit", "exit_error", "value"), ("crossing", "exit_error_wrong", "predicted")
        for quantity, of, by in (*known, ("peak", "overshoot", "value")):
            rows += [judged("", quantity, w, between(p[by].to_numpy()), name, len(p)) for w, p in part_of(table, of)]
    return rows


@measures("stability.central", "stability.localised")
def central_flow(run: Run) -> Rows:
    """Variance, loss and path over those of the central flow; the tangent at its fastest growth."""
    rows: Rows = []
    for name, _, table in run.of(Central):
        rows += each("central", "variance", mean, table, name) + each("central", "loss", mean, table, name)
        rows += [judged("central", "path", w, ratio_of_means(p), name, len(p)) for w, p in part_of(table, "path")]
        for quantity in ("cosine", "cosine_after", "rate", "passage", "participation"):
            rows += each("localised", quantity, mean, table, name)
        rows += each("", "growth", between, table, name)
        rows += each("", "loss_of_flow", between, table.replace("loss_wrong", "loss_of_flow"), name)
    return rows


@measures("stability.decay", "stability.homogeneous")
def decay(run: Run) -> Rows:
    """Share of runs that enter the edge otherwise than the flow; peaks over its peaks below; Euler's relation."""
    rows: Rows = []
    for name, case, table in run.of(Decay):
        peaks = table[table.quantity == "descent"]
        clear = np.abs(peaks.predicted - 1) > case.margin
        right = ((peaks.predicted > 1) == (peaks.value > 1))[clear].to_numpy()
        rows.append(judged("decay", "disagrees", "all", against(right), name, len(right)))
        rows.append(judged("", "near_the_edge", "all", plain((~clear).sum()), name, len(clear)))
        below = (peaks.value / peaks.predicted)[peaks.predicted < 1 - case.margin]
        by_start = below.groupby(peaks.groupby("cell").cumcount()).mean().to_numpy()
        rows += [judged("decay", "peak", "all", mean(x), name, len(below)) for x in [by_start] if len(x) > 1]
        errors, flows = part_of(table, "homogeneous_error"), part_of(table, "descent")
        rows += [judged("", "peak_flow", w, between(p.predicted.to_numpy()), name, len(p)) for w, p in flows]
        rows += [judged("homogeneous", "error", w, over(np.abs(values_of(p))), name, len(p)) for w, p in errors]
    return rows


# ---- the last bit


def spread(part: pd.DataFrame) -> float:
    """Standard deviation of accuracies; 0 if they are equal, where that of rounding would be 1e-16."""
    values = part.value.to_numpy()
    return float(values.std()) if np.ptp(values) else 0.0


@measures("stability.accuracy")
def accuracy(run: Run) -> Rows:
    """Whether the spread of accuracy over factors is zero, by the growth of tangents; both spreads."""
    rows: Rows = []
    for name, _, table in run.of(Accuracy):
        growth = {where: float(values_of(part)[0]) for where, part in part_of(table, "tangent")}
        right: list[bool] = []
        for kind, bits in BITS.items():
            spreads = {where: spread(part) for where, part in part_of(table, f"factor_{kind}")}
            excess = {where: growth[where] - bits * np.log(2) for where in spreads}
            right += [(spreads[where] > 0) == (e > 0) for where, e in excess.items() if e < -BELOW or e > ABOVE]
            rows += [judged("", f"spread_{kind}", where, plain(value), name, 1) for where, value in spreads.items()]
            orders = part_of(table, f"order_{kind}")
            rows += [judged("", f"spread_order_{kind}", w, plain(spread(p)), name, 1) for w, p in orders]
        rows.append(judged("accuracy", "disagrees", "all", against(np.array(right)), name, len(right)))
        rows += each("", "tangent", shown, table, name)
    return rows


@measures("stability.recipe")
def recipe(run: Run) -> Rows:
    """Standard deviation over factors over that over orders, with the interval of Fisher's F."""
    rows: Rows = []
    for name, _, table in run.of(Recipe):
        found = {what: next(iter(part_of(table, what)))[1].value.to_numpy() for what in ("factor", "order")}
        stds = {what: float(values.std(ddof=1)) for what, values in found.items()}
        ratio, (few, many) = stds["factor"] / stds["order"], (len(values) - 1 for values in found.values())
        low, high = (float(stats.f.ppf(p, few, many)) ** 0.5 for p in (0.975, 0.025))
        value = Estimate(ratio, ratio / low, ratio / high, CONFIDENCE)
        rows.append(judged("recipe", "spread", "digits", value, name, min(few, many) + 1))
        rows += [judged("", f"std_{w}", "digits", plain(std), name, len(found[w])) for w, std in stds.items()]
    return rows


# ---- residual networks


@measures("stability.resnet")
def resnet(run: Run) -> Rows:
    """Factors about h*, the edge beyond it, and largest stable steps over that of the limit.

    The mean of these ratios has the error of the one prediction beside their own.
    """
    rows: Rows = []
    for name, case, table in run.of(Depth):
        for quantity in ("factor_error", "hovers", "falls"):
            rows += each("resnet", quantity, between, table, name)
        step = part_of(table, "step")[0][1].value.to_numpy()
        error = float(step.std(ddof=1) / step.mean()) / np.sqrt(len(step))
        for where, part in part_of(table, "stable"):
            ratios = ratio_of(part)
            value, n = float(ratios.mean()), len(ratios)
            own = float(ratios.std(ddof=1)) / np.sqrt(n)
            both = welch(value, [(own, n - 1), (value * error, len(step) - 1)], CONFIDENCE)
            rows.append(judged("resnet", "stable", where, both, name, n))
        for L, M in product(case.num_layers, case.num_units):
            rows.append(judged("", "rate", f"l{L}.m{M}", plain(step.mean() * L * M), name, 1))
        rows += each("", "step", mean, table, name)
    return rows


# ---- negative controls


@control("stability.heat", Thresholds)
@control("stability.linear", Thresholds)
@control("stability.onset", Restrained)
@control("stability.windows", Restrained)
@control("stability.edge", Edge)
@control("stability.delay", Delay)
@control("stability.central", Central)
@control("stability.decay", Decay)
@control("stability.homogeneous", Decay)
@control("stability.accuracy", Accuracy)
@control("stability.recipe", Recipe)
@control("stability.resnet", Depth)
def wrong_theory(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """What jobs tabulate as wrong, in the place of the right: starts that hold the unstable mode, the spectrum of a
    torus, a Hessian without r'', the rate of the unstable equilibrium, 2/η for every method, no delay, no σ²/η, the
    flow without decay, biases, factors that are powers of two, h* of the kernel before training."""
    name = table.quantity.str.removesuffix("_wrong")
    wrong = table.quantity != name
    kept = wrong | ~(name + table.cell).isin((name + table.cell)[wrong])
    return table[kept].assign(quantity=name)


@control("stability.band", Restrained)
def no_decay(table: pd.DataFrame, case: Restrained) -> pd.DataFrame:
    """Updates without decay, held against the band that decay makes."""
    return pd.concat([table.loc[~table.quantity.isin(["norm", "growth"])], *restrained.band(case, decay=0.0)])


@control("stability.localised", Central)
def half_of_the_step(table: pd.DataFrame, case: Central) -> pd.DataFrame:
    """Tangents of descent with half of the step, which is far from its edge."""
    half = case.model_copy(update={"step": case.step / 2, "num_steps": 100})
    net = diabetes(case.num_samples, case.data_seed)
    _, S, pairs = central.descend(net, starts(net, case.seed, case.replicates), half)
    wrong = pd.concat(central.tangents(half, S, pairs))
    return pd.concat([table.loc[~table.quantity.isin(wrong.quantity)], wrong])


# ---- near controls

OFF = {  # by what predictions are wrong: factors, of an error a shift
    Thresholds: {"threshold": 1.002},
    Restrained: {"onset": 1.002, "growth": 1.02, "rate_error": 0.15},
    Edge: {"hovers": 1.1},
    Delay: {"exit_error": 15.0},
    Central: {"loss": 1 / 1.05, "rate": 1.05},
    Decay: {"descent": 1.15, "homogeneous_error": -2e-6},
    Accuracy: {"tangent": 1 / 0.2},
    Depth: {"factor_error": -0.002},
}


@near("stability.heat", Thresholds)
@near("stability.linear", Thresholds)
@near("stability.onset", Restrained)
@near("stability.band", Restrained)
@near("stability.windows", Restrained)
@near("stability.edge", Edge)
@near("stability.delay", Delay)
@near("stability.central", Central)
@near("stability.localised", Central)
@near("stability.decay", Decay)
@near("stability.homogeneous", Decay)
@near("stability.accuracy", Accuracy)
@near("stability.resnet", Depth)
def slightly_off(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Predictions that are wrong by as little as the claims say."""
    by = table.quantity.map(OFF[type(case)])
    off = (table.predicted * by).where(~table.quantity.str.contains("_error"), table.predicted + by)
    return table.assign(predicted=off.fillna(table.predicted))


@near("stability.recipe", Recipe)
def less_spread(table: pd.DataFrame, case: Recipe) -> pd.DataFrame:
    """A spread over factors ten times smaller."""
    factors = table.quantity == "factor"
    return stretched(table, table.value[factors].mean(), np.where(factors, 0.1, 1.0))
