"""`estimate --power`: the chance that a run supports each claim, and the least it refutes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ledger.record import power, results
from ledger.record.claims import Claim, by_id
from ledger.record.formatting import NOT_MEASURED, format_number
from ledger.record.verify import check_claims, quantity_of
from ledger.table import show

__all__ = ["report"]


def report(claims: Sequence[Claim], record: Mapping[str, Any], only: Sequence[str], as_json: bool) -> int:
    """Print the power of a run of the sizes of `record`; return 1 if that of any claim is below 0.8."""
    check_claims(claims, only)
    stated = by_id(claims)
    rows = [one for one in record["claims"] if one["id"] in stated and (not only or one["id"] in only)]
    powers = {one["id"]: power.power(stated[one["id"]], one) for one in rows}
    effects = {one["id"]: power.smallest_refuted(stated[one["id"]], one) for one in rows}
    weak = [claim for claim, chance in powers.items() if chance < power.LEAST_POWER]
    if as_json:
        content = {
            "power": powers,
            "smallest_refuted": {claim: effect and [effect.size, effect.quantity] for claim, effect in effects.items()},
        }
        print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))
        return int(bool(weak))
    near = {one["id"]: words_of_near(one.get("near")) for one in rows}
    lines = [(claim, words_of_power(powers[claim]), words_of_effect(effects[claim]), near[claim]) for claim in powers]
    caption = (
        "chance of supported if the claim is exactly true, at the sizes and by the intervals of the published run; "
        "smallest deviation that is refuted with chance 0.8; what the published run made of the near control"
    )
    show(("claim", "power", "smallest effect refuted", "near control"), lines, caption)
    for claim in weak:
        least = f"{power.LEAST_POWER:g}"
        print(f"{claim}: power must be at least {least}, got {powers[claim]:.2f}; give it more replicates or scrambles")
    return int(bool(weak))


def words_of_power(chance: float) -> str:
    """A chance in percent."""
    return NOT_MEASURED if math.isnan(chance) else f"{100 * chance:.0f} %"


def words_of_near(found: Mapping[str, str] | None) -> str:
    """What became of a near control, and by which quantity."""
    if found is None:
        return NOT_MEASURED
    return f"{found['verdict']} by {quantity_of(found['by'])}" if found["by"] else found["verdict"]


def words_of_effect(effect: power.Effect | None) -> str:
    """The size of an effect and of what it is."""
    return NOT_MEASURED if effect is None else f"{format_number(effect.size)} in {effect.quantity}"
