"""Estimates of `size` that hold prediction against measurement: law, tail, corollary, threshold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from ledger.record.interval import CONFIDENCE, COVERING, Interval, simultaneous
from ledger.record.rows import Rows, plain, row, rows_of
from ledger.record.statistics import Estimate, clopper_pearson, percentile
from ledger.record.streams import stream
from ledger.study import Run, measures
from zeroloss.model.catalogue import REAL_DATA
from zeroloss.studies.size.demands import middle, minus
from zeroloss.studies.size.evidence import Evidence, Ladder, Predicted
from zeroloss.studies.size.plan import Corollary, Law, Threshold

Array = np.ndarray
RESAMPLES = 200
TINY = 1e-12


def _class(evidence: Evidence, setting: str) -> str:
    _, case, _ = next(evidence.run.of(Law, setting=setting))
    return "real" if case.problem.kind in (*REAL_DATA, "csv") else "small"


def _agreement(
    predicted: Predicted, ladder: Ladder, M: int, accuracy: float, time: int | None, family: Interval
) -> Estimate:
    """Measured minus predicted failure probability; the interval is Clopper and Pearson's,
    widened by the error of the prediction."""
    failed, total = ladder.failures(M, predicted.law.reference, accuracy, time)
    measured, n = clopper_pearson(failed, total, family), ladder.count(M)
    return minus(measured, predicted.law.failure(n, accuracy, time), predicted.error(n, accuracy, time))


def _strain(difference: Estimate) -> float:
    """How far 0 lies out in an interval: 1 at its edges."""
    value = difference.value
    side = difference.upper - value if value < 0 else value - difference.lower
    return abs(value) / max(side, 1e-300)


@measures("size.law")
def law(run: Run) -> Rows:
    """The worst cell of each ladder and flow time from n = law_from on, all cells held together;
    and the least n from which on every larger width agrees."""
    evidence = Evidence.of(run)
    least = evidence.common.law_from
    judged = sum(
        len(e.times()) * len(e.accuracies) * sum(e.count(M) >= least for M in e.risks) for e in evidence.ladders
    )
    family = simultaneous(judged, COVERING)
    rows: Rows = []
    for ladder in evidence.ladders:
        predicted = evidence.predicted(ladder)
        for time in ladder.times():
            cells = {
                (M, eps): _agreement(predicted, ladder, M, eps, time, family)
                for M in ladder.risks
                for eps in ladder.accuracies
            }
            more = ("phases", f"l{ladder.num_layers}") if ladder.role == "phases" else ()
            rows += _worst(evidence, ladder, ladder.cell(time, *more), cells)
    return rows


def _worst(evidence: Evidence, ladder: Ladder, where: str, cells: dict[tuple[int, float], Estimate]) -> Rows:
    least = evidence.common.law_from
    sources = [evidence.predicted(ladder).source, *ladder.sources]
    from_here = math.inf
    for M in sorted(ladder.risks, reverse=True):
        if any(not one.lower <= 0 <= one.upper for (m, _), one in cells.items() if m == M):
            break
        from_here = ladder.count(M)
    rows = [row("", "law_holds_from", where, plain(from_here), sources)]
    judged = {key: one for key, one in cells.items() if ladder.count(key[0]) >= least}
    if judged:
        M, eps = max(judged, key=lambda key: _strain(judged[key]))
        one = rows_of(sources, replicates=min(map(len, ladder.risks.values())), sizes=len({m for m, _ in judged}))
        rows.append(
            one(
                "size.law",
                f"difference_{_class(evidence, ladder.setting)}",
                where,
                judged[M, eps],
                note=f"worst at M={M}, ε={eps:g}",
            )
        )
    return rows


# ---- the predicted law against powers of the width


def _hyperbolic(c: Array, M: Array) -> Array:
    """η = c/M, or M = c/η: the theorem's dependence."""
    return np.minimum(c / M, 1.0)


def _steeper(c: Array, M: Array) -> Array:
    """η = (c/M)^{3/2}: a power that falls faster than the theorem's."""
    return np.minimum((c / M) ** 1.5, 1.0)


def _gaussian(c: Array, M: Array) -> Array:
    """η = erfc(√(M/c)): the predicted law without gap and curvature."""
    return special.erfc(np.sqrt(M / c))


def _log_likelihood(p: Array, failed: Array, total: Array) -> Array:
    """Binomial log-likelihood of probabilities (…, widths), without its constant."""
    p = p.clip(TINY, 1.0 - TINY)
    return np.log(p) @ failed + np.log1p(-p) @ (total - failed)


def _likelihood(family: Callable[[Array, Array], Array], M: Array, failed: Array, total: Array) -> float:
    """The largest binomial log-likelihood over the parameter of a family."""
    low, high = math.log(M.min() / 100.0), math.log(M.max() * 100.0)
    best = -math.inf
    for _ in range(3):  # a grid, and twice a finer one about its best point
        grid = np.linspace(low, high, 100)
        logs = _log_likelihood(family(np.exp(grid)[:, None], M), failed, total)
        i = int(np.argmax(logs))
        best = max(best, float(logs[i]))
        low, high = grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)]
    return best


def likelihood_ratio(
    M: Array, failed: Array, total: Array, predicted: Array, other: Callable[[Array, Array], Array] = _hyperbolic
) -> float:
    """log-likelihood of predicted probabilities (widths,), in which nothing is fitted, minus that of
    another family at its best c."""
    return float(_log_likelihood(predicted, failed, total)) - _likelihood(other, M, failed, total)


@measures("size.eta")
def eta(run: Run) -> Rows:
    """The ratios for each ladder at one accuracy, for the largest deviation, from n = law_from on;
    the interval from binomial counts drawn anew at the measured frequencies."""
    evidence = Evidence.of(run)
    rows: Rows = []
    for ladder in evidence.with_role("ladder"):
        predicted = evidence.predicted(ladder)
        reference, sources = predicted.law.reference, [predicted.source, *ladder.sources]
        time, eps = ladder.times()[-1], middle(ladder)
        M = np.array([m for m in sorted(ladder.risks) if ladder.count(m) >= evidence.common.law_from])
        if len(M) < 3:
            continue  # too few widths at which the law of first order is meant
        law_ = np.array([predicted.law.failure(ladder.count(m), eps, time) for m in M])
        failed, total = np.array([ladder.failures(m, reference, eps, time) for m in M]).T
        rng = stream("size-eta", ladder.setting, ladder.sampling)
        drawn = rng.binomial(total, failed / total, size=(RESAMPLES, len(M)))
        for claim, quantity, family in (
            ("size.eta", "over_inverse", _hyperbolic),
            ("size.eta", "over_power", _steeper),
            ("", "over_gaussian", _gaussian),
        ):
            value = likelihood_ratio(M, failed, total, law_, family)
            draws = np.array([likelihood_ratio(M, one, total, law_, family) for one in drawn])
            one = rows_of(sources, replicates=int(total.min()), sizes=len(M))
            rows.append(one(claim, quantity, ladder.cell(time), percentile(value, draws, CONFIDENCE)))
    return rows


# ---- the corollary, and the threshold


@measures("size.corollary")
def corollary(run: Run) -> Rows:
    """At the least width where the law predicts at most η/2: failure of E ≤ ε minus η, for each
    (setting, ε) in the worst η by the upper end, all held together; the sizes of the shown η beside.

    Half of η, because where the law predicts η itself the frequency is above it half of the time.
    """
    common, cases = Evidence.of(run).common, list(run.of(Corollary))
    etas, shown = common.failure_probabilities, common.shown_probability
    family = simultaneous(len(cases) * len(etas))
    rows: Rows = []
    for name, case, table in cases:
        where = f"{case.setting}.{case.sampling}.e{case.accuracy:g}"
        parts = dict(tuple(table.groupby("what")))
        risks = {int(str(M)): np.asarray(rows_.value) for M, rows_ in parts["risk"].groupby("num_units")}
        predicted = parts["predicted"].set_index("num_units").value.to_dict()
        failed = {M: int((risk > case.accuracy).sum()) for M, risk in risks.items()}
        replicates, sizes = case.replicates, len(risks)
        excess = {}
        for eta in etas:
            least = _from_the_top(predicted, eta / 2)
            if math.isfinite(least):
                excess[eta] = minus(clopper_pearson(failed[int(least)], len(risks[int(least)]), family), eta)
        judged = rows_of([name], replicates=replicates, sizes=sizes)
        if excess:
            eta = max(excess, key=lambda eta: excess[eta].upper)
            rows.append(judged("size.corollary", "excess", where, excess[eta], note=f"worst at η={eta:g}"))
        upper = {M: clopper_pearson(failed[M], len(risks[M]), CONFIDENCE).upper for M in risks}
        one = rows_of([name])
        rows += [
            one("", "corollary_flow_time", where, plain(float(table.flow_time.iloc[0]))),
            one("", "corollary_depth", where, plain(int(parts["risk"].num_layers.iloc[0]))),
            one("", "corollary_width_law", where, plain(_from_the_top(predicted, shown))),
            judged("", "corollary_width_measured", where, plain(_from_the_top(upper, shown))),
        ]
    return rows


def _from_the_top(failure: dict[int, float], eta: float) -> float:
    """The least width from which on the failure is at most η; ∞ if there is none."""
    least = math.inf
    for M in sorted(failure, reverse=True):
        if failure[M] > eta:
            break
        least = float(M)
    return least


@measures()
def threshold(run: Run) -> Rows:
    """The share of small networks that reach zero loss; floor: L M k/N."""
    rows: Rows = []
    for name, case, table in run.of(Threshold):
        for _, part in table.groupby(["num_layers", "num_units"]):
            L, M = (int(part[key].iloc[0]) for key in ("num_layers", "num_units"))
            reached = int((part.risk <= case.floor).sum())
            ratio = float(part.parameters.iloc[0]) / case.problem.num_samples
            one = rows_of([name], replicates=len(part))
            rows.append(
                one(
                    "",
                    "zero_share",
                    f"{case.setting}.l{L}.m{M}",
                    clopper_pearson(reached, len(part), CONFIDENCE),
                    floor=ratio,
                    note="floor holds L M k/N",
                )
            )
    return rows
