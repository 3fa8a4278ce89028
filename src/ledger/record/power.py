"""Chances of verdicts, before a run is made: from the estimates of another run, its pilot.

A run with another seed draws the estimates of a claim anew, each about its true value with the
standard error that its interval says; the interval keeps its length. That gives a chance to each
verdict: of support if the theory is exactly true (the power of the run), of each verdict if the
pilot is all that is known, and the smallest deviation from the theory that would be refuted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scipy import stats

from ledger.record import results
from ledger.record.claims import Claim, Predicate
from ledger.record.interval import Interval, Kind
from ledger.record.verdicts import INCONCLUSIVE, NOT_JUDGED, REFUTED, SUPPORTED, weigh

__all__ = ["LEAST_POWER", "Chances", "Effect", "chances", "expected", "power", "smallest_refuted", "standard_error"]

LEAST_POWER = 0.8
PROBABLE = (Kind.CONFIDENCE, Kind.SIMULTANEOUS, Kind.ONE_SIDED)


class Chances(NamedTuple):
    """The chance of each verdict of a claim that is judged."""

    supported: float
    refuted: float

    @property
    def inconclusive(self) -> float:
        """What the other two leave."""
        return max(0.0, 1.0 - self.supported - self.refuted)


@dataclass(frozen=True)
class Effect:
    """The smallest deviation from the theory that a run refutes with chance 0.8, and of what."""

    size: float
    quantity: str


def standard_error(row: Mapping[str, Any]) -> float:
    """σ of an estimate: its half-width over the normal quantile of its own level.

    A one-sided interval is that of Dvoretzky, Kiefer and Wolfowitz around the distance of two laws,
    which is wider: h = √(log(2/α)/2n) for σ ≤ 1/(2√n), the largest error of a share, so that
    σ ≤ h/√(2 log(2/α)). 0 where the interval has no probability: such an estimate is taken to come
    out as in the pilot.
    """
    interval = Interval.parse(row["interval"])
    if interval.kind not in PROBABLE:
        return 0.0
    if interval.kind == Kind.ONE_SIDED:
        return _half_width(row) / math.sqrt(2 * math.log(2 / (1 - interval.level)))
    return _half_width(row) / float(stats.norm.ppf(0.5 + interval.two_sided_level / 2))


def _half_width(row: Mapping[str, Any]) -> float:
    upper = results.number(row["upper"])
    if Interval.parse(row["interval"]).kind == Kind.ONE_SIDED:  # its lower end may be cut off at 0
        return upper - results.number(row["estimate"])
    return 0.5 * (upper - results.number(row["lower"]))


def chances(predicate: Predicate, row: Mapping[str, Any], truth: float, sigma: float) -> Chances:
    """Of one predicate, for an estimate that is N(truth, sigma²) with an interval of the length of
    `row`'s: to both sides alike where there is chance, since one that is cut off, as that of no
    failure at all, is so on one side only by chance."""
    if not (math.isfinite(truth) and 0.0 < sigma < math.inf):
        below, above = row["estimate"] - row["lower"], row["upper"] - row["estimate"]
        verdict = weigh(predicate, truth, truth - below, truth + above).verdict
        return Chances(float(verdict == SUPPORTED), float(verdict == REFUTED))
    half, (low, high) = _half_width(row), _asked(predicate)
    within = -half if predicate.covers is not None else half  # what is covered need only be reached
    long = predicate.max_half_width is not None and predicate.width(half, truth) > predicate.max_half_width
    supported = _normal(high - within, truth, sigma) - _normal(low + within, truth, sigma)
    refuted = _normal(low - half, truth, sigma) + 1.0 - _normal(high + half, truth, sigma)
    return Chances(0.0 if long else max(0.0, supported), refuted)


def _asked(predicate: Predicate) -> tuple[float, float]:
    """The range that a predicate asks for: a single value of one that covers it."""
    if predicate.inside is not None:
        return predicate.inside
    if predicate.covers is not None:
        return predicate.covers, predicate.covers
    return -math.inf, math.inf if predicate.at_most is None else predicate.at_most


def _normal(x: float, mean: float, sigma: float) -> float:
    return float(stats.norm.cdf(x, mean, sigma))


def _judged(claim: Claim, record: Mapping[str, Any]) -> list[tuple[Predicate, dict[str, Any]]]:
    """Each judged row of a claim's record with each predicate that judges it."""
    return [
        (predicate, row | {name: results.number(row[name]) for name in ("estimate", "lower", "upper")})
        for row in record["rows"]
        if row["verdict"] != NOT_JUDGED
        for predicate in claim.predicate
        if predicate.concerns(row["quantity"], row["cell"])
    ]


def _together(found: list[Chances]) -> Chances:
    """Of a claim: supported where every row is, refuted where any is; as if independent."""
    return Chances(math.prod(one.supported for one in found), 1.0 - math.prod(1.0 - one.refuted for one in found))


def power(claim: Claim, record: Mapping[str, Any]) -> float:
    """The chance that a run of the sizes of `record` supports the claim, if it is exactly true.

    True is the value that is to be covered, or the middle of a range; with a bound on one side, the
    pilot's own estimate. Of a claim that is not judged, NaN.
    """
    judged = _judged(claim, record)
    found = [chances(one, row, _theory(one, row), standard_error(row)) for one, row in judged]
    return _together(found).supported if judged else math.nan


def _theory(predicate: Predicate, row: Mapping[str, Any]) -> float:
    if Interval.parse(row["interval"]).kind not in PROBABLE:
        return row["estimate"]
    low, high = _asked(predicate)
    return 0.5 * (low + high) if math.isfinite(high - low) else row["estimate"]


def expected(claim: Claim, record: Mapping[str, Any]) -> dict[str, float]:
    """The chance of each verdict in a run with another seed, from the pilot's estimates alone.

    An estimate of that run lies N(0, 2 σ²) about the pilot's: both are drawn. A claim that was not
    judged will not be.
    """
    judged = _judged(claim, record)
    if not judged or record["verdict"] == NOT_JUDGED:
        return {record["verdict"]: 1.0}
    found = _together([chances(one, row, row["estimate"], math.sqrt(2) * standard_error(row)) for one, row in judged])
    return {SUPPORTED: found.supported, REFUTED: found.refuted, INCONCLUSIVE: found.inconclusive}


def smallest_refuted(claim: Claim, record: Mapping[str, Any]) -> Effect | None:
    """The smallest deviation of a quantity from its theory that some row refutes with chance 0.8.

    Of rows with a confidence interval whose theory is a value or a range; None if there are none.
    """
    z = float(stats.norm.ppf(LEAST_POWER))
    effects = []
    for predicate, row in _judged(claim, record):
        sigma, truth = standard_error(row), _theory(predicate, row)
        low, high = _asked(predicate)
        if not math.isfinite(high - low) or not sigma > 0.0:
            continue
        size = min(truth - low, high - truth) + _half_width(row) + z * sigma
        effects.append(Effect(size, row["quantity"]))
    return min(effects, key=lambda effect: effect.size, default=None)
