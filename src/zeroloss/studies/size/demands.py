"""Estimates of `size` about the width that a network must have, by four methods side by side."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ledger.record.interval import CONFIDENCE, Interval, range_of, simultaneous
from ledger.record.rows import Rows, plain, row, rows_of
from ledger.record.statistics import Estimate, about, clopper_pearson, log_slope
from ledger.study import Run, measures
from zeroloss.studies.size.evidence import Evidence, Ladder

LOG2 = math.log10(2.0)


class Demand(NamedTuple):
    """The least width by each of the four methods; log10 for the theorem, with its log10 depth."""

    log10_depth: float
    log10_theorem: float
    chebyshev: float
    law: float
    measured: float


def demand(evidence: Evidence, ladder: Ladder, accuracy: float, eta: float, time: int | None) -> Demand:
    """Theorem, Chebyshev, predicted law and measurement for one cell of the grid."""
    law = evidence.predicted(ladder).law
    depth, width = evidence.theorem(ladder, accuracy, eta, time)
    return Demand(
        depth,
        width,
        ladder.width(law.chebyshev(accuracy, eta, time)),
        ladder.width(law.required(accuracy, eta, time)),
        ladder.measured(law.reference, accuracy, eta, time),
    )


def middle(ladder: Ladder) -> float:
    """The accuracy that stands for a ladder where one is shown."""
    return ladder.accuracies[len(ladder.accuracies) // 2]


@measures("size.sufficient")
def sufficient(run: Run) -> Rows:
    """Failure frequency minus η in the worst cell where a bound suffices, by its upper end.

    The intervals hold together (Bonferroni) over all cells of the grid.
    """
    evidence = Evidence.of(run)
    etas = evidence.common.failure_probabilities
    ladders = evidence.with_role("ladder")
    cells = sum(len(e.times()) * len(e.accuracies) * len(e.risks) for e in ladders)
    family = simultaneous(cells * len(etas))
    rows: Rows = []
    for ladder in ladders:
        for time in ladder.times():
            excesses = _excesses(evidence, ladder, time, family)
            sources = [*evidence.predictors(ladder), *ladder.sources]
            for bound, excess in excesses.items():
                where, count = ladder.cell(time), len(excess)
                rows.append(row("", f"cells_{bound}", where, plain(count), sources))
                if excess:
                    one = rows_of(sources, replicates=min(map(len, ladder.risks.values())), sizes=len(ladder.risks))
                    rows.append(
                        one("size.sufficient", f"excess_{bound}", where, max(excess, key=lambda one: one.upper))
                    )
    return rows


def _excesses(evidence: Evidence, ladder: Ladder, time: int | None, family: Interval) -> dict[str, list[Estimate]]:
    """For each bound, failure frequency minus η in each cell whose width it calls sufficient."""
    law = evidence.predicted(ladder).law
    excesses: dict[str, list[Estimate]] = {"theorem": [], "chebyshev": []}
    for eps in ladder.accuracies:
        shares = {}
        for M in ladder.risks:
            failed, total = ladder.failures(M, law.reference, eps, time)
            shares[M] = clopper_pearson(failed, total, family)
        for eta in evidence.common.failure_probabilities:
            depth, width = evidence.theorem(ladder, eps, eta, time)
            theorem = 10 ** min(width, 300.0) if depth <= math.log10(ladder.num_layers) else math.inf
            chebyshev = ladder.width(law.chebyshev(eps, eta, time))
            for name, least in (("theorem", theorem), ("chebyshev", chebyshev)):
                excesses[name] += [minus(shares[M], eta) for M in ladder.risks if least <= M]
    return excesses


def minus(share: Estimate, eta: float, error: float = 0.0) -> Estimate:
    """A frequency minus a probability that is known, or predicted with an error."""
    return Estimate(share.value - eta, share.lower - eta - error, share.upper - eta + error, share.interval)


def _shown_cells(evidence: Evidence, ladder: Ladder) -> list[tuple[float, float, int | None]]:
    """The cells (ε, η, time) that are shown: all times at one ε and η, and all ε and η at the
    largest deviation."""
    shown, eps = evidence.common.shown_probability, middle(ladder)
    cells = [(eps, shown, time) for time in ladder.times()]
    last = ladder.times()[-1]
    cells += [(other, shown, last) for other in ladder.accuracies if other != eps]
    cells += [(eps, eta, last) for eta in evidence.common.failure_probabilities if eta != shown]
    return cells


@measures()
def required(run: Run) -> Rows:
    """The least width by each method, in every cell that is shown; log10 for the theorem."""
    evidence = Evidence.of(run)
    rows: Rows = []
    for ladder in evidence.with_role("ladder"):
        predicted, theorem = evidence.predictors(ladder)
        for eps, eta, time in _shown_cells(evidence, ladder):
            least = demand(evidence, ladder, eps, eta, time)
            where = ladder.cell(time, f"e{eps:g}", f"p{eta:g}")
            one = rows_of([theorem])
            rows += [
                one("", "log10_depth_theorem", where, plain(least.log10_depth)),
                one("", "log10_width_theorem", where, plain(least.log10_theorem)),
                row("", "width_chebyshev", where, plain(least.chebyshev), [predicted]),
                row("", "width_law", where, plain(least.law), [predicted]),
                row(
                    "",
                    "width_measured",
                    where,
                    plain(least.measured),
                    [predicted, *ladder.sources],
                    replicates=min(map(len, ladder.risks.values())),
                    sizes=len(ladder.risks),
                ),
            ]
        rows += _limit_rows(evidence, ladder)
    return rows


def _limit_rows(evidence: Evidence, ladder: Ladder) -> Rows:
    """E(ρ(s)) and the gap of the depth, as fractions of which accuracies may be read."""
    predicted = evidence.predicted(ladder)
    rows: Rows = []
    for t in range(len(ladder.flow_times)):
        half = 1.96 * predicted.mean_error[t]
        for quantity, value in (("risk", predicted.law.reference[t]), ("gap", predicted.law.gap[t])):
            rows.append(row("", quantity, ladder.cell(t), about(value, half, CONFIDENCE), [predicted.source]))
    return rows


@measures()
def slack(run: Run) -> Rows:
    """log10 of the theorem's width over the measured one; the latter lies between a rung of the
    ladder and the one below, which is the interval."""
    evidence = Evidence.of(run)
    rows: Rows = []
    eta = evidence.common.shown_probability
    for ladder in evidence.with_role("ladder"):
        for time in ladder.times():
            eps = middle(ladder)
            law = evidence.predicted(ladder).law
            measured = ladder.measured(law.reference, eps, eta, time)
            if not math.isfinite(measured):
                continue  # the ladder is too short to say
            value = evidence.theorem(ladder, eps, eta, time)[1] - math.log10(measured)
            one = rows_of(
                [*evidence.predictors(ladder), *ladder.sources],
                replicates=min(map(len, ladder.risks.values())),
                sizes=len(ladder.risks),
            )
            rows.append(one("", "log10_slack", ladder.cell(time), Estimate(value, value, value + LOG2, range_of(2))))
    return rows


@measures()
def exponents(run: Run) -> Rows:
    """d log n/d log ε and d log n/d log η of the predicted law, where the depth gap is taken out
    by the largest depth that is predicted; Chebyshev's beside them."""
    evidence = Evidence.of(run)
    setting, depths = evidence.depths("phases")
    accuracies = evidence.common.weights
    etas = evidence.common.failure_probabilities
    shown = evidence.common.shown_probability
    rows: Rows = []
    for sampling in ("independent", "path"):
        predicted = evidence.law(setting, "phases", depths[-1], sampling)
        for name, needed in (("law", predicted.law.required), ("chebyshev", predicted.law.chebyshev)):
            eps = accuracies[0]
            by_eps = np.array([needed(value, shown, 0) for value in accuracies])
            by_eta = np.array([needed(eps, value, 0) for value in etas[-3:]])
            for quantity, x, y in (("accuracy", accuracies, by_eps), ("probability", etas[-3:], by_eta)):
                value = float(log_slope(x, y)) if np.isfinite(y).all() else math.nan
                rows.append(
                    row("", f"{quantity}_exponent_{name}", f"{setting}.{sampling}", plain(value), [predicted.source])
                )
    return rows


@measures()
def weights(run: Run) -> Rows:
    """The least L M over the depths, by the predicted law, and its exponent in ε."""
    evidence = Evidence.of(run)
    setting, depths = evidence.depths("phases")
    accuracies, eta = evidence.common.weights, evidence.common.shown_probability
    rows: Rows = []
    for sampling in ("independent", "path"):
        least = []
        for eps in accuracies:
            sizes = []
            for L in depths:
                count = evidence.law(setting, "phases", L, sampling).law.required(eps, eta, 0)
                width = math.ceil(count / L) if math.isfinite(count) and sampling == ("independent") else count
                sizes.append((L * width, L))
            best, L = min(sizes)
            least.append(best)
            rows += [
                row("", "least_units", f"{setting}.{sampling}.e{eps:g}", plain(best), ["law-phases"]),
                row("", "least_depth", f"{setting}.{sampling}.e{eps:g}", plain(L), ["law-phases"]),
            ]
        finite = np.isfinite(least)
        value = (
            float(log_slope(np.array(accuracies)[finite], np.array(least)[finite])) if finite.sum() > 1 else math.nan
        )
        rows.append(row("", "weights_exponent", f"{setting}.{sampling}", plain(value), ["law-phases"]))
    return rows
