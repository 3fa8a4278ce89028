"""The claims of a published run as pages: `docs/claims.md`, and what `README.md` says of them in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger.record import power, verdicts
from ledger.record.claims import Claim
from ledger.record.estimates import study_of
from ledger.record.formatting import NOT_MEASURED
from ledger.show import claims_table, powers
from ledger.table import markdown

__all__ = ["NOT_PUBLISHED", "by_study", "found"]

NOT_PUBLISHED = "not published yet"
NUMBERS = claims_table.HEADINGS[3:]
HEADINGS = ("claim", "what it says", "verdict", "decided by", *NUMBERS, "power", "smallest effect refuted")
MOST_REASONS = 2  # of a claim: one of many cells may have as many
Record = Mapping[str, Any]


def found(stated: Sequence[Claim], record: Record) -> str:
    """How many claims have which verdict, and the names of those that are not supported."""
    lines = [f"{_counted(stated, record)}\n"]
    for verdict in (verdicts.REFUTED, verdicts.INCONCLUSIVE, verdicts.NOT_JUDGED):
        names = [f"`{claim['id']}`" for claim in record["claims"] if claim["verdict"] == verdict]
        lines += [f"- {verdict}: {', '.join(names)}"] if names else []
    return "\n".join(lines)


def by_study(stated: Sequence[Claim], record: Record) -> str:
    """Of each study, in the order of the run, its claims as a table and why some are not supported."""
    published = {claim["id"]: claim for claim in record["claims"]}
    studies = dict.fromkeys(study_of(claim) for claim in [*published, *(claim.id for claim in stated)])
    parts = []
    for study in studies:
        claims = [claim for claim in stated if study_of(claim.id) == study]
        own = [published[claim.id] for claim in claims if claim.id in published]
        lines = [_line(claim, published.get(claim.id)) for claim in claims]
        parts += [f"## {study}", _counted(claims, {"claims": own}), markdown(HEADINGS, lines)]
        parts += ["\n".join(reasons)] if (reasons := list(_reasons(own))) else []
    return "\n\n".join(parts)


def _counted(stated: Sequence[Claim], record: Record) -> str:
    """Their number and how many have which verdict, in a sentence."""
    count = verdicts.counts(record["claims"])
    said = [f"{count[verdict]} {verdict}" for verdict in reversed(verdicts.WORST_FIRST) if count[verdict]]
    if missing := len(stated) - count["claims"]:
        said.append(f"{missing} {NOT_PUBLISHED}")
    return f"{len(stated)} claims: {', '.join(said)}."


def _line(claim: Claim, entry: dict[str, Any] | None) -> tuple[str, ...]:
    """The cells of a claim, in the order of HEADINGS."""
    if entry is None:
        return f"`{claim.id}`", claim.title, f"**{NOT_PUBLISHED}**", *[NOT_MEASURED] * (len(HEADINGS) - 3)
    ((_, verdict, *numbers),) = claims_table.lines_of({"claims": [entry]})
    chance = powers.words_of_power(power.power(claim, entry))
    effect = powers.words_of_effect(power.smallest_refuted(claim, entry))
    return f"`{claim.id}`", claim.title, f"**{verdict}**", *numbers, chance, effect


def _reasons(claims: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each claim that is not supported."""
    for claim in claims:
        if claim["verdict"] == verdicts.SUPPORTED:
            continue
        more = len(claim["reasons"]) - MOST_REASONS
        rest = f"; and {more} more" if more > 0 else ""
        yield f"- `{claim['id']}`, {claim['verdict']}: {'; '.join(claim['reasons'][:MOST_REASONS])}{rest}."
