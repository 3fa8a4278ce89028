"""Claims and estimates to verdicts, with the reasons.

A verdict is `supported`, `refuted`, `inconclusive` or `not judged`.

Pure functions of their arguments: same claims and estimates, same record, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.record import estimates as tables
from ledger.record import results
from ledger.record.claims import Claim, Predicate
from ledger.record.formatting import format_interval, format_number, half_width
from ledger.record.interval import Interval, Kind

if TYPE_CHECKING:
    import pandas as pd

SUPPORTED, INCONCLUSIVE, REFUTED = "supported", "inconclusive", "refuted"
NOT_JUDGED = "not judged"  # outside of the regime that the claim states
REPORTED = "reported"  # a row that no predicate judges
WORST_FIRST = (REFUTED, INCONCLUSIVE, NOT_JUDGED, SUPPORTED)
ROW_FIELDS = ("estimate", "lower", "upper", "floor", "replicates", "sizes")
COUNTED = ("replicates", "sizes")  # of a regime: what the rows themselves count
LEVEL_SLACK = 1e-9

Settings = Mapping[str, Mapping[str, float]]
"""Of each case of a study: the largest value of each of its settings that is a number, by name."""


class Outcome(NamedTuple):
    """What one predicate says of one interval; `margin` > 0 is how far it is from failing."""

    verdict: str
    reason: str
    margin: float


def weigh(predicate: Predicate, estimate: float, lower: float, upper: float) -> Outcome:
    """Judge one interval by one predicate.

    inside [lo, hi]: supported when the interval lies within, refuted when disjoint from it;
    covers x: supported when it contains x, else refuted; at_most x: supported when upper <= x,
    refuted when lower > x; inconclusive in between. Wider than `max_half_width` is never supported.
    NaN anywhere is inconclusive.
    """
    if any(math.isnan(value) for value in (estimate, lower, upper)):
        return Outcome(INCONCLUSIVE, "could not be measured", -math.inf)
    outcome = _test(predicate, lower, upper)
    if predicate.max_half_width is None:
        return outcome
    width = predicate.width(half_width(lower, upper), estimate)
    margin = min(outcome.margin, 1 - width / predicate.max_half_width)
    if width <= predicate.max_half_width or outcome.verdict != SUPPORTED:
        return outcome._replace(margin=margin)
    kind = "relative half-width" if predicate.relative else "half-width"
    reason = f"{kind} {format_number(width)} is above {predicate.max_half_width:g}"
    return Outcome(INCONCLUSIVE, reason, margin)


def _test(predicate: Predicate, lower: float, upper: float) -> Outcome:
    """Judge where the interval lies, whatever its width."""
    shown = format_interval(lower, upper)
    if predicate.inside is not None:
        low, high = predicate.inside
        margin = min(_slack(lower - low, high - low, low), _slack(high - upper, high - low, high))
        if low <= lower and upper <= high:
            return Outcome(SUPPORTED, f"{shown} is inside [{low:g}, {high:g}]", margin)
        if upper < low or lower > high:
            return Outcome(REFUTED, f"{shown} is outside [{low:g}, {high:g}]", margin)
        return Outcome(INCONCLUSIVE, f"{shown} overlaps the edge of [{low:g}, {high:g}]", margin)
    if predicate.covers is not None:
        value = predicate.covers
        margin = min(_slack(value - lower, upper - lower, value), _slack(upper - value, upper - lower, value))
        if lower <= value <= upper:
            return Outcome(SUPPORTED, f"{shown} covers {value:g}", margin)
        return Outcome(REFUTED, f"{shown} does not cover {value:g}", margin)
    value = math.inf if predicate.at_most is None else predicate.at_most
    margin = _slack(value - upper, math.inf, value)
    if upper <= value:
        return Outcome(SUPPORTED, f"{shown} is at most {value:g}", margin)
    if lower > value:
        return Outcome(REFUTED, f"{shown} is above {value:g}", margin)
    return Outcome(INCONCLUSIVE, f"{shown} reaches above {value:g}", margin)


def _slack(distance: float, span: float, edge: float) -> float:
    """Return a distance to an edge in units of the half span, else of the edge, else of one."""
    if math.isinf(edge) or math.isnan(distance):
        return math.inf
    scale = span / 2 if math.isfinite(span) and span > 0 else abs(edge)
    return distance / (scale or 1.0)


def judge_claim(
    claim: Claim, estimates: pd.DataFrame, failed: Mapping[str, str] | None = None, settings: Settings | None = None
) -> dict[str, Any]:
    """Return the verdict record of `claim`, given any table of estimates that holds its rows.

    Keys: id, verdict, reasons (text), deciding (key of the worst row, or None), rows (each with its
    numbers, verdict and the outcome of each predicate). A row below the regime of the claim, by
    what it counts or by the `settings` of the cases that it rests on, is not judged, and neither
    is a claim with such a row, unless another row refutes it. An interval of another kind or of a
    lower level decides nothing, and without rows for a predicate nothing is supported. With cases
    of its study in `failed` ({case: why}) a claim is inconclusive, whatever the others say: which
    of its rows are missing is not known.
    """
    own = [row for row in tables.records(estimates) if row["claim"] == claim.id]
    _check_regime(claim, own, settings or {})
    rows, outcomes = [], []
    for row in sorted(own, key=lambda row: (row["quantity"], row["cell"])):
        record, judged = _row_record(claim, row, settings or {})
        rows.append(record)
        outcomes += judged
    verdict = min((outcome.verdict for _, outcome in outcomes), key=WORST_FIRST.index, default=INCONCLUSIVE)
    below = any(outcome.verdict == NOT_JUDGED for _, outcome in outcomes)
    if below and verdict == INCONCLUSIVE:
        verdict = NOT_JUDGED
    reasons = [
        f"{_place(row)}: {outcome.reason}"
        for row, outcome in outcomes
        if outcome.verdict == verdict and verdict != SUPPORTED
    ]
    lacking = [
        f"no estimate of {predicate.quantity} at cells {predicate.cells}"
        for predicate in claim.predicate
        if not any(predicate.concerns(row["quantity"], row["cell"]) for row in own)
    ]
    if lacking and verdict == SUPPORTED:
        verdict = INCONCLUSIVE
    reasons += lacking
    if failed:
        verdict = INCONCLUSIVE
        reasons = [f"case {case} failed: {why}" for case, why in sorted(failed.items())] + lacking
    if verdict == SUPPORTED:
        reasons = ["every predicate holds in every cell"]
    worst = min(
        outcomes, key=lambda pair: (WORST_FIRST.index(pair[1].verdict), pair[1].margin, _place(pair[0])), default=None
    )
    deciding = None if worst is None else _key(worst[0])
    return {
        "id": claim.id,
        "kind": claim.kind,
        "verdict": verdict,
        "reasons": reasons,
        "deciding": deciding,
        "rows": rows,
    }


def _row_record(
    claim: Claim, row: dict[str, Any], settings: Settings
) -> tuple[dict[str, Any], list[tuple[Any, Outcome]]]:
    """Return the record of a row and its outcomes, one per predicate that concerns it."""
    below = _below(claim, row, settings)
    concerned = [one for one in claim.predicate if one.concerns(row["quantity"], row["cell"])]
    if below:
        found = [(predicate, Outcome(NOT_JUDGED, below, math.inf)) for predicate in concerned]
    else:
        ends = row["estimate"], row["lower"], row["upper"]
        found = [(one, _of_other_interval(claim, one, row) or weigh(one, *ends)) for one in concerned]
    verdicts = (outcome.verdict for _, outcome in found)
    record = _numbers(row) | {
        "verdict": min(verdicts, key=WORST_FIRST.index, default=REPORTED),
        "outcomes": [
            {"predicate": predicate.words(), "verdict": outcome.verdict, "reason": outcome.reason}
            for predicate, outcome in found
        ],
    }
    return record, [(row, outcome) for _, outcome in found]


def _below(claim: Claim, row: dict[str, Any], settings: Settings) -> str:
    """Return in words what of a row lies below the regime of its claim; "" for a row within it."""
    cases = [settings[case] for case in row["sources"].split(";") if case in settings]
    for name, least in claim.regime.items():
        found = [row[name]] if name in COUNTED else [case[name] for case in cases if name in case]
        value = max(found, default=None)
        if value is not None and value < least:
            return f"{name} {value:g} is below {least}, from where on the claim is meant"
    return ""


def _check_regime(claim: Claim, rows: Sequence[Mapping[str, Any]], settings: Settings) -> None:
    """Raise ResultError for a regime that names what no case of the claim has."""
    cases = {case for row in rows for case in row["sources"].split(";") if case in settings}
    known = {*COUNTED, *(name for case in cases for name in settings[case])}
    unknown = sorted(set(claim.regime) - known)
    if cases and unknown:
        raise results.ResultError(
            f"regime of {claim.id} must name replicates, sizes or a number that its cases have, "
            f"got {', '.join(unknown)}; mend it in its claims file"
        )


def _of_other_interval(claim: Claim, predicate: Predicate, row: dict[str, Any]) -> Outcome | None:
    """Return that an interval decides nothing, where it is not what the claim asks for."""
    interval = Interval.parse(row["interval"])
    if interval.kind != predicate.interval:
        reason = f"interval must be {predicate.interval}, got {str(interval) or 'none'}"
    elif interval.level < (level := predicate.level or claim.level) - LEVEL_SLACK:  # false for NaN: without a level
        reason = f"level must be at least {level:g}, got {interval.level:g}"
    else:
        return None
    return Outcome(INCONCLUSIVE, reason, -math.inf)


def _numbers(row: dict[str, Any], study: str = "") -> dict[str, Any]:
    """Return the part of a record that an estimate brings along."""
    texts = {name: row[name] for name in ("quantity", "cell", "interval", "sources", "note")}
    numbers = {name: row[name] for name in ROW_FIELDS}
    return {"key": _key(row, study), **texts, **numbers}


def _key(row: dict[str, Any], study: str = "") -> str:
    return tables.key_of(row["claim"], row["quantity"], row["cell"], study)


def _place(row: dict[str, Any]) -> str:
    return f"{row['quantity']} at {row['cell']}"


def judge(
    claims: Sequence[Claim],
    estimates: pd.DataFrame,
    mode: str,
    failed: Mapping[str, Mapping[str, str]] | None = None,
    settings: Mapping[str, Settings] | None = None,
    near: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Return the content of verdicts.json: mode, claims in file order, and the plain numbers.

    `estimates` has the columns `study` and `key` besides (`estimates.read`); `failed` says why
    cases of a study have no rows (`estimates.failed`), `settings` what the cases of each were run
    with, `near` by claim what became of its near control (`ledger.run.near`). Raises ResultError
    for a row whose claim nobody stated.
    """
    known = {claim.id for claim in claims}
    rows = tables.records(estimates)
    strangers = sorted({row["claim"] for row in rows if row["claim"]} - known)
    if strangers:
        raise results.ResultError(
            f"estimates of {', '.join(strangers)} belong to no claim; state it in paper/claims "
            "or leave the column claim empty"
        )
    plain = [_numbers(row, row["study"]) for row in rows if not row["claim"]]
    failed, settings, study_of = failed or {}, settings or {}, tables.study_of
    return {
        "mode": mode,
        "claims": [
            judge_claim(claim, estimates, failed.get(study_of(claim.id)), settings.get(study_of(claim.id)))
            | ({"near": dict(near[claim.id])} if near and claim.id in near else {})
            for claim in claims
        ],
        "numbers": sorted(plain, key=lambda row: row["key"]),
    }


def row_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the deciding row of a claim's record, or None when nothing was measured."""
    return next((row for row in record["rows"] if row["key"] == record["deciding"]), None)


def familywise_error(records: Iterable[dict[str, Any]]) -> float:
    """Return the chance, at most, that a true value which must be covered is missed in any row.

    Each family of intervals that hold together, counted by claim and type, misses with 1 − level; a
    confidence interval is a family of its own (Bonferroni).
    """
    families = set()
    for record in records:
        for row in record["rows"]:
            if any(outcome["predicate"].startswith("covers") for outcome in row["outcomes"]):
                interval = Interval.parse(row["interval"])
                alone = row["key"] if interval.kind != Kind.SIMULTANEOUS else ""
                families.add((record["id"], interval, alone))
    return min(1.0, sum(1 - interval.level for _, interval, _ in families))


def counts(records: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return how many claims have each verdict, and how many there are (`claims`)."""
    verdicts = [record["verdict"] for record in records]
    return {verdict: verdicts.count(verdict) for verdict in WORST_FIRST} | {"claims": len(verdicts)}
