"""A run repeated with another seed: what is foretold of it, and how it compares.

Before the second run is made, the first says how far its estimates may move and which verdict each
claim will have with what chance. That is sealed. Afterwards each estimate is held against its
first, z = (new − old)/√(σ_new² + σ_old²), and each verdict against its chance (Brier 1950).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ledger.record import power, verdicts
from ledger.record.claims import Claim, by_id
from ledger.record.interval import Interval
from ledger.record.results import ResultError, number

__all__ = ["CERTAINTY", "Replication", "compare", "error_of_difference", "foretell"]

CERTAINTY = 0.99  # of what is foretold: beyond it a replication disagrees
ROUND_OFF = 1e-12  # relative to the estimates


@dataclass(frozen=True)
class Replication:
    """A second run beside what the first has foretold.

    z by key, in units of the standard error of the difference; the estimates without z, as they are
    extremes that the second run has found in another place, which their notes name; the judged
    estimates that only the first run has; the largest |z| that is foretold with certainty 0.99 over
    all keys; the claims of which the verdict is another, and how many of those are foretold; the mean
    Brier score over claims, 0 (every verdict foretold) to 2.
    """

    z: dict[str, float]
    elsewhere: tuple[str, ...]
    missing: tuple[str, ...]
    largest: float
    changed: dict[str, tuple[str, str]]
    most_changed: int
    brier: float

    @property
    def beyond(self) -> dict[str, float]:
        """The cells that differ by more than is foretold, farthest first."""
        far = {key: z for key, z in self.z.items() if not abs(z) <= self.largest}
        return dict(sorted(far.items(), key=lambda one: -abs(one[1])))

    @property
    def agrees(self) -> bool:
        """Whether nothing is beyond what was foretold."""
        return not self.beyond and not self.missing and len(self.changed) <= self.most_changed


def _rows(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of claims whose interval has a probability, by key."""
    return {
        row["key"]: row | {name: number(row[name]) for name in ("estimate", "lower", "upper")}
        for claim in record["claims"]
        for row in claim["rows"]
        if Interval.parse(row["interval"]).kind in power.PROBABLE and math.isfinite(number(row["estimate"]))
    }


def foretell(claims: Sequence[Claim], record: Mapping[str, Any]) -> dict[str, Any]:
    """What the verdicts of a run say of a run with another seed: to be sealed before that is made."""
    stated = by_id(claims)
    chances = {one["id"]: power.expected(stated[one["id"]], one) for one in record["claims"]}
    same = [chances[one["id"]].get(one["verdict"], 0.0) for one in record["claims"]]
    rows = _rows(record)
    return {
        "mode": record["mode"],
        "verdicts": {one["id"]: one["verdict"] for one in record["claims"]},
        "chances": chances,
        "most_changed": _quantile([1.0 - chance for chance in same]),
        "estimates": {
            key: {
                "estimate": row["estimate"],
                "standard_error": power.standard_error(row),
                "judged": row["verdict"] not in (verdicts.NOT_JUDGED, verdicts.REPORTED),
                "note": row["note"],
            }
            for key, row in rows.items()
        },
        "largest_z": float(stats.norm.ppf(0.5 + 0.5 * CERTAINTY ** (1 / max(1, len(rows))))),
    }


def _quantile(chances: Sequence[float]) -> int:
    """The 99 % quantile of how many of independent events happen (Poisson's binomial law)."""
    law = np.ones(1)
    for chance in chances:
        law = np.convolve(law, [1.0 - chance, chance])
    return int(np.searchsorted(np.cumsum(law), CERTAINTY - 1e-12))


def compare(foretold: Mapping[str, Any], record: Mapping[str, Any]) -> Replication:
    """Hold the verdicts of the second run against what was foretold.

    An estimate that is not judged, such as the worst of the cells of small sizes, may be there in one
    run alone. The worst of many cells has no normal error, and is compared only where both runs found
    it in the same cell. Raises ResultError for a second run of another mode.
    """
    if record["mode"] != foretold["mode"]:
        raise ResultError(f"a replication of mode {foretold['mode']} must be of that mode, got {record['mode']}")
    rows = _rows(record)
    missing = tuple(key for key, one in foretold["estimates"].items() if one["judged"] and key not in rows)
    both = {key: one for key, one in foretold["estimates"].items() if key in rows}
    elsewhere = tuple(key for key, one in both.items() if rows[key]["note"] != one["note"])
    z = {
        key: _ratio(rows[key]["estimate"], one["estimate"], error_of_difference(rows[key], one))
        for key, one in both.items()
        if key not in elsewhere
    }
    now = {one["id"]: one["verdict"] for one in record["claims"]}
    before = foretold["verdicts"]
    changed = {claim: (before[claim], now.get(claim, "none")) for claim in before if now.get(claim) != before[claim]}
    scores = [
        sum((chance.get(verdict, 0.0) - (now.get(claim) == verdict)) ** 2 for verdict in verdicts.WORST_FIRST)
        for claim, chance in foretold["chances"].items()
    ]
    return Replication(
        z, elsewhere, missing, foretold["largest_z"], changed, foretold["most_changed"], float(np.mean(scores or [0.0]))
    )


def error_of_difference(row: Mapping[str, Any], first: Mapping[str, Any]) -> float:
    """√(σ_new² + σ_old²) of a row and of what was foretold of it."""
    return math.hypot(power.standard_error(row), number(first["standard_error"]))


def _ratio(new: float, old: float, error: float) -> float:
    """(new − old)/error; 0 for what differs by round-off alone, of which a sample has no spread."""
    if math.isclose(new, old, rel_tol=ROUND_OFF):
        return 0.0
    return (new - old) / error if error else math.copysign(math.inf, new - old)
