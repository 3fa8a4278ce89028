"""Estimates of `stability`: what is measured over what is predicted; the claims' controls stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from scipy import stats

from ledger.record.interval import CONFIDENCE
from ledger.record.rows import Rows, between, exact, over, plain, row
from ledger.record.statistics import Estimate, student, welch
from ledger.study import Run, measures
from zeroloss.studies.stability import controls as controls
from zeroloss.studies.stability import near as near
from zeroloss.studies.stability.layer import cells
from zeroloss.studies.stability.plan import Accuracy, Central, Decay, Delay, Depth, Edge, Recipe, Restrained, Thresholds

Array = np.ndarray
Cells = Iterable[tuple[str, Array]]
BITS = {"float32": 24, "float64": 53}  # u is 2 to minus this
BELOW, ABOVE = 7.0, 4.0  # nearer than this to ln(1/u) the growth of a tangent decides nothing


def ratios(table: pd.DataFrame, above: str, below: str) -> Iterator[tuple[str, Array]]:
    """One quantity over another, in the cells that have both."""
    known = dict(cells(table, below))
    return ((where, values / known[where]) for where, values in cells(table, above) if where in known)


def judged(claim: str, quantity: str, found: Cells, how: Callable[[Array], Estimate], name: str) -> Rows:
    """A row for each cell: what ``how`` makes of its values."""
    claim = f"stability.{claim}" if claim else ""
    return [row(claim, quantity, where, how(v), [name], replicates=len(v)) for where, v in found]


def number(values: Array) -> Estimate:
    """The one value of a cell, which is computed."""
    return exact(values[0])


def mean(values: Array) -> Estimate:
    """The mean over starts."""
    return student(values, CONFIDENCE)


def shown(values: Array) -> Estimate:
    """The mean, judged by no claim."""
    return plain(values.mean())


# ---- partial differential equations


@measures("stability.heat", "stability.linear")
def thresholds(run: Run) -> Rows:
    """Thresholds over the predicted ones, the delay by rounding, and how far off the Fourier bound is."""
    rows: Rows = []
    for name, _, table in run.of(Thresholds):
        found = dict(ratios(table, "measured", "predicted"))
        rows += judged("heat", "threshold", [("heat", found.pop("heat"))], number, name)
        rows += judged("linear", "threshold", found.items(), number, name)
        rows += judged("heat", "delay_error", cells(table, "delay_error"), mean, name)
        for quantity in ("delay_float32", "delay_float64"):
            rows += judged("", quantity, cells(table, quantity), between, name)
        bounds = dict(ratios(table, "fourier", "predicted")) | dict(cells(table, "fourier_over_exact"))
        rows += judged("", "fourier", ((w, v if v[0] > 1 else 1 / v) for w, v in bounds.items()), shown, name)
    return rows


@measures("stability.onset", "stability.band", "stability.windows")
def restrained_oscillation(run: Run) -> Rows:
    """Onset and amplitude over the predicted ones; norms, growth; exponents and last bits."""
    rows: Rows = []
    for name, case, table in run.of(Restrained):
        swings = dict(ratios(table, "amplitude", "amplitude_predicted"))
        # the ratio is 1 + O(Δt − Δt_c): a line through the two nearest to the onset
        near, far = sorted(case.beyond)[:2]
        first, second = swings[f"checkerboard.e{near:g}"], swings[f"checkerboard.e{far:g}"]
        limit = first - (second - first) * near / (far - near)
        rows += judged("onset", "onset", ratios(table, "measured", "predicted"), number, name)
        rows += judged("onset", "amplitude", swings.items(), number, name)
        rows += judged("onset", "amplitude_limit", [("checkerboard", limit)], number, name)
        rows += judged("band", "norm", cells(table, "norm"), over, name)
        rows += judged("band", "growth", cells(table, "growth"), between, name)
        predicted, bits = dict(cells(table, "exponent")), dict(cells(table, "log10_difference"))
        errors = ((where, rates - predicted[where]) for where, rates in cells(table, "rate"))
        rows += judged("windows", "rate_error", errors, mean, name)
        # amplified to the size of the kernel, or kept at that of rounding
        right = ((w, np.where(predicted[w].mean() > 0, b > -1, b < -12).astype(float)) for w, b in bits.items())
        rows += judged("windows", "as_the_exponent", right, between, name)
        for quantity in ("onset", "band_end", "exponent", "multiplier", "log10_difference"):
            rows += judged("", quantity, cells(table, quantity), shown, name)
    return rows


# ---- the edge of stability


@measures("stability.edge")
def edge(run: Run) -> Rows:
    """Late S + λ over the threshold of each method."""
    return [r for name, _, table in run.of(Edge) for r in judged("edge", "hovers", cells(table, "hovers"), mean, name)]


@measures("stability.delay")
def delay(run: Run) -> Rows:
    """Exit minus predicted, overshoot over predicted; slope of the growth needed in ln 1/ε.

    Not measured in a cell where some run does not turn before its end.
    """
    rows: Rows = []
    for name, case, table in run.of(Delay):
        late = table.loc[(table.quantity == "exit") & (table.value >= case.num_steps - 1), "where"]
        censored = table["where"].isin(late) & table.quantity.isin(["exit", "peak", "log_growth"])
        table = table.assign(value=table.value.mask(censored))
        known = {q: dict(cells(table, q)) for q in ("exit", "exit_predicted", "log_growth", "log_noise")}
        errors = ((w, left - known["exit_predicted"][w]) for w, left in known["exit"].items())
        rows += judged("delay", "exit_error", errors, mean, name)
        rows += judged("delay", "overshoot", ratios(table, "peak", "peak_predicted"), mean, name)
        noisy = [where for where in known["exit"] if where.startswith("noise")]
        growth, noise = (np.stack([known[q][w] for w in noisy]) for q in ("log_growth", "log_noise"))
        slopes = np.polyfit(noise[:, 0], growth, 1)[0]
        rows += judged("delay", "slope", [("noise", slopes)], mean, name)
        for quantity in ("exit", "crossing", "peak"):
            rows += judged("", quantity, cells(table, quantity), between, name)
    return rows


@measures("stability.central", "stability.localised")
def central_flow(run: Run) -> Rows:
    """Variance, loss and path over those of the central flow; the tangent at its fastest growth."""
    rows: Rows = []
    for name, _, table in run.of(Central):
        for quantity in ("variance", "loss", "path"):
            rows += judged("central", quantity, cells(table, quantity), mean, name)
        for quantity in ("cosine", "cosine_after", "rate", "passage", "participation"):
            rows += judged("localised", quantity, cells(table, quantity), mean, name)
        for quantity in ("loss_of_flow", "growth", "fastest"):
            rows += judged("", quantity, cells(table, quantity), between, name)
    return rows


@measures("stability.decay", "stability.homogeneous")
def decay(run: Run) -> Rows:
    """Share of runs that enter the edge as the flow says; error of Euler's relation."""
    rows: Rows = []
    for name, case, table in run.of(Decay):
        flow, descent = (np.concatenate([v for _, v in cells(table, q)]) for q in ("flow", "descent"))
        clear = np.abs(flow - 1) > case.margin
        right = ((flow > 1) == (descent > 1))[clear].astype(float)
        rows += judged("decay", "agrees", [("all", right)], lambda v: exact(v.mean()), name)
        rows += judged("", "near_the_edge", [("all", ~clear)], lambda v: plain(v.sum()), name)
        for quantity in ("flow", "descent"):
            rows += judged("", f"peak_{quantity}", cells(table, quantity), between, name)
        errors = ((where, np.abs(v)) for where, v in cells(table, "homogeneous"))
        rows += judged("homogeneous", "error", errors, over, name)
    return rows


# ---- the last bit


@measures("stability.accuracy")
def accuracy(run: Run) -> Rows:
    """Whether the spread of accuracy over factors is zero, by the growth of tangents; both spreads."""
    rows: Rows = []
    for name, _, table in run.of(Accuracy):
        growth = {where: float(v[0]) for where, v in cells(table, "growth")}
        for kind, bits in BITS.items():
            # equal accuracies have a standard deviation of 1e-16
            spread = {where: v.std() if np.ptp(v) else 0.0 for where, v in cells(table, f"factor_{kind}")}
            excess = {where: growth[where] - bits * np.log(2) for where in spread}
            clear = [where for where, e in excess.items() if e < -BELOW or e > ABOVE]
            right = np.array([(spread[where] > 0) == (excess[where] > 0) for where in clear], dtype=float)
            rows += judged("accuracy", "agrees", [(kind, right)], lambda v: exact(v.mean()), name)
            rows += judged("", f"spread_{kind}", ((w, np.array([s])) for w, s in spread.items()), shown, name)
            orders = ((w, np.array([v.std()])) for w, v in cells(table, f"order_{kind}"))
            rows += judged("", f"spread_order_{kind}", orders, shown, name)
        rows += judged("", "tangent", cells(table, "growth"), shown, name)
    return rows


@measures("stability.recipe")
def recipe(run: Run) -> Rows:
    """Standard deviation over factors over that over orders, with the interval of Fisher's F."""
    rows: Rows = []
    for name, _, table in run.of(Recipe):
        found = {what: next(cells(table, what))[1] for what in ("factor", "order")}
        ratio = found["factor"].std(ddof=1) / found["order"].std(ddof=1)
        few, many = (len(v) - 1 for v in found.values())
        low, high = (float(stats.f.ppf(p, few, many)) ** 0.5 for p in (0.975, 0.025))
        value = Estimate(ratio, ratio / low, ratio / high, CONFIDENCE)
        rows.append(row("stability.recipe", "spread", "digits", value, [name], replicates=min(few, many) + 1))
        for what, values in found.items():
            rows += judged("", f"accuracy_{what}", [("digits", values)], between, name)
            rows += judged("", f"std_{what}", [("digits", values)], lambda v: plain(v.std(ddof=1)), name)
    return rows


# ---- residual networks


def with_error(ratios: Array, error: float, degrees: int) -> Estimate:
    """Mean of ratios to one prediction, which has a relative standard error of so many degrees of freedom."""
    value = float(ratios.mean())
    own = float(ratios.std(ddof=1)) / np.sqrt(len(ratios)), len(ratios) - 1
    return welch(value, [own, (value * error, degrees)], CONFIDENCE)


@measures("stability.resnet")
def resnet(run: Run) -> Rows:
    """Factors about h*, the edge beyond it, and largest stable steps over that of the limit."""
    rows: Rows = []
    for name, case, table in run.of(Depth):
        for quantity, how in (("factor_error", between), ("hovers", between), ("falls", between)):
            rows += judged("resnet", quantity, cells(table, quantity), how, name)
        rows += judged("", "own", cells(table, "own"), between, name)
        step = next(cells(table, "limit_step"))[1]
        of_limit = float(step.std(ddof=1) / step.mean()) / np.sqrt(len(step)), len(step) - 1
        stable = ((where, with_error(v, *of_limit)) for where, v in cells(table, "stable"))
        rows += [row("stability.resnet", "stable", where, e, [name], replicates=case.replicates) for where, e in stable]
        rates = ((f"l{L}.m{M}", step.mean(keepdims=True) * L * M) for L in case.num_layers for M in case.num_units)
        rows += judged("", "rate", rates, shown, name) + judged("", "step", [("limit", step)], mean, name)
    return rows
